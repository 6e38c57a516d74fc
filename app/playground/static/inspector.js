// What a run did: its steps as they happen, what they used, and every event behind them.

import { button, copy, fill, h, time } from "./dom.js";
import { copies } from "./copy_as.js";
import { functionForm } from "./function_form.js";
import { code, picture, pretty } from "./markdown.js";
import { ENDED } from "./run.js";

const MOST_EVENTS = 300;

/** The panel beside a chat. */
export class Inspector {
  constructor(submit) {
    this.submit = submit;
    this.run = null;
    this.steps = new Map();
    this.head = h("div", { class: "run-head" });
    this.timeline = h("ol", { class: "timeline", "aria-label": "Steps" });
    this.action = h("div", {});
    this.raw = h("details", { class: "raw", ontoggle: () => this.#events() }, h("summary", {}, "Events"), h("ol", {}));
    this.copying = h("div", { class: "copying" });
    this.element = h("aside", { class: "inspector", "aria-label": "Run inspector" });
    this.element.append(h("h2", {}, "Run"), this.head, this.timeline, this.action, this.copying, this.raw);
    fill(this.head, h("p", { class: "muted" }, "What a run does is shown here."));
  }

  /** Shows a run from its beginning. `told`: what the visitor asked, for the code that does the same. */
  show(run, told) {
    this.run = run;
    this.told = told;
    this.steps.clear();
    fill(this.timeline);
    fill(this.action);
    fill(this.copying);
  }

  /** Something of the run has changed. */
  changed(what) {
    if (what === "run") this.#head();
    if (what === "run" || what === "step") this.#timeline();
    if (this.raw.open && !this.waiting) {
      this.waiting = requestAnimationFrame(() => {
        this.waiting = null;
        this.#events();
      });
    }
  }

  #head() {
    const run = this.run.object;
    const usage = run.usage;
    const rows = [
      ["Model", run.model],
      ["Created", time(run.created_at)],
      ["Took", run.completed_at && run.started_at ? `${run.completed_at - run.started_at} s` : "–"],
      ["Tokens", usage ? `${usage.prompt_tokens} in, ${usage.completion_tokens} out, ${usage.total_tokens} in all` : "–"],
    ];
    fill(
      this.head,
      h("p", {}, h("span", { class: `status ${run.status}` }, run.status.replace("_", " ")), " ", h("code", {}, run.id)),
      h("dl", {}, rows.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      run.last_error && h("p", { class: "failure", role: "alert" }, `${run.last_error.message} (${run.last_error.code})`),
      run.incomplete_details && h("p", { class: "failure" }, `It ended early: ${run.incomplete_details.reason}.`),
    );
    const waits = run.status === "requires_action";
    fill(this.action, waits && functionForm(run.required_action.submit_tool_outputs.tool_calls, this.submit));
    fill(this.copying, ENDED.includes(run.status) && this.told && this.#copies());
  }

  #copies() {
    const made = copies(this.run, this.told);
    return [h("h3", {}, "Copy as"), Object.entries(made).map(([name, text]) => button(name, () => copy(text), { "data-code": text }))];
  }

  #timeline() {
    for (const step of this.run.steps.values()) {
      const seen = this.steps.get(step.id);
      const state = JSON.stringify(step);
      if (seen?.state === state) continue;
      const element = shownStep(step, ENDED.includes(step.status));
      if (seen) seen.element.replaceWith(element);
      else this.timeline.append(element);
      this.steps.set(step.id, { state, element });
    }
  }

  #events() {
    if (!this.raw.open || !this.run) return;
    const { events } = this.run;
    const shown = events.slice(-MOST_EVENTS).map(({ id, event, data }) => {
      const body = h("details", { ontoggle: () => body.children.length < 2 && body.append(code(JSON.stringify(data, null, 2), "json")) });
      body.append(h("summary", {}, h("code", {}, event), " ", h("small", {}, id)));
      return h("li", {}, body);
    });
    const more = events.length > MOST_EVENTS ? h("li", { class: "muted" }, `${events.length - MOST_EVENTS} earlier ones`) : null;
    const none = events.length ? null : h("li", { class: "muted" }, "Only of runs that this page has seen.");
    fill(this.raw.querySelector("ol"), none, more, shown);
  }
}

function shownStep(step, isOver) {
  const took = isOver && step.completed_at ? `${step.completed_at - step.created_at} s` : step.status.replace("_", " ");
  const element = h("li", { class: `step ${step.status}`, "data-id": step.id });
  const calls = step.step_details.tool_calls ?? [];
  const title = step.type === "message_creation" ? "Writes a message" : "Uses tools";
  const tokens = step.usage ? `, ${step.usage.total_tokens} tokens` : "";
  element.append(h("div", { class: "step-title" }, title, h("small", {}, ` ${took}${tokens}`)));
  element.append(...calls.filter(Boolean).map((call) => (SHOWN[call.type] ?? shownFunction)(call, isOver)));
  if (step.last_error) element.append(h("p", { class: "failure" }, step.last_error.message));
  return element;
}

const SHOWN = {
  code_interpreter: (call, isOver) => {
    const { input = "", outputs = [] } = call.code_interpreter ?? {};
    const shown = outputs.filter(Boolean).map((output) =>
      output.type === "image" ? picture(output.image.file_id, "Chart") : h("pre", { class: "output" }, output.logs));
    const source = isOver ? code(input, "python") : h("pre", { class: "code" }, h("code", {}, input));
    return h("section", { class: "call" }, h("h4", {}, "Code"), source, shown);
  },
  file_search: (call) => {
    const results = call.file_search?.results ?? [];
    return h("section", { class: "call" }, h("h4", {}, `Search: ${results.length} found`), h("ol", { class: "found" }, results.map(found)));
  },
  function: shownFunction,
};

function found({ file_name: name, file_id: id, score, content }) {
  const text = (content ?? []).map((part) => part.text).join("\n");
  return h("li", {}, h("details", {}, h("summary", {}, name ?? id, " ", h("meter", { min: 0, max: 1, value: String(score), title: `Score ${score.toFixed(3)}` }),
    ` ${score.toFixed(3)}`), h("blockquote", {}, text || "No text.")));
}

function shownFunction(call) {
  const { name = call.type, arguments: given = "", output } = call.function ?? {};
  return h("section", { class: "call" }, h("h4", {}, "Function ", h("code", {}, name)), code(pretty(given), "json"),
    output !== null && output !== undefined && h("pre", { class: "output" }, output));
}
