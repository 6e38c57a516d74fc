// Lists with filters: the project's threads, and its runs.

import { all, get, query } from "./api.js";
import { button, complain, field, fill, h, time } from "./dom.js";

const STATUSES = ["queued", "in_progress", "requires_action", "cancelling", "completed", "incomplete", "failed", "cancelled", "expired"];

/** Rows of a list under filters, page by page. `row` makes a table row of an object. */
function list(place, path, filters, head, row) {
  const body = h("tbody", {});
  const more = h("div", { class: "more" });
  let after = null;

  async function load(fresh) {
    if (fresh) after = null;
    const given = Object.fromEntries(Object.entries(filters).map(([name, control]) => [name, seconds(control)]));
    const page = await get(query(path, { limit: 25, after, ...given }));
    if (fresh) fill(body);
    body.append(...page.data.map(row));
    after = page.last_id;
    fill(more, page.has_more && button("More", () => load(false)), !body.children.length && h("p", { class: "muted" }, "There are none."));
  }

  for (const control of Object.values(filters)) control.addEventListener("change", () => load(true).catch(complain));
  const table = h("table", {}, h("thead", {}, h("tr", {}, head.map((name) => h("th", { scope: "col" }, name)))), body);
  place.append(h("div", { class: "wide" }, table), more);
  return load(true);
}

/** What a filter asks for: days as Unix seconds. */
function seconds(control) {
  return control.type === "date" && control.value ? Math.floor(new Date(`${control.value}T00:00`) / 1000) : control.value;
}

async function assistantFilter() {
  const select = h("select", {}, h("option", { value: "" }, "any"));
  const assistants = await all("/assistants");
  select.append(...assistants.map(({ id, name }) => h("option", { value: id }, name || id)));
  return [select, new Map(assistants.map(({ id, name }) => [id, name || id]))];
}

function filterBar(controls) {
  return h("form", { class: "filters", "aria-label": "Filters" }, controls.map(([label, control]) => field(label, control)));
}

const status = (value) => h("span", { class: `status ${value}` }, value.replace("_", " "));
const asked = () => new URLSearchParams(location.hash.split("?")[1]);

export async function showThreads(place) {
  const [assistant, names] = await assistantFilter();
  assistant.value = asked().get("assistant_id") ?? "";
  const since = h("input", { type: "date" });
  place.append(
    h("div", { class: "head" }, h("h1", {}, "Threads"), h("a", { class: "button primary", href: "#/threads/new" }, "New thread")),
    filterBar([["Assistant", assistant], ["Since", since]]),
  );
  const filters = { assistant_id: assistant, created_after: since };
  await list(place, "/threads", filters, ["Thread", "Last run", "Created"], (thread) =>
    h("tr", {},
      h("td", {}, h("a", { href: `#/threads/${thread.id}` }, thread.last_message?.text || "(empty)"), h("small", {}, thread.id)),
      h("td", {}, thread.last_run && [status(thread.last_run.status), h("small", {}, names.get(thread.last_run.assistant_id) ?? "")]),
      h("td", {}, time(thread.created_at))));
}

export async function showRuns(place) {
  const [assistant, names] = await assistantFilter();
  const state = h("select", {}, h("option", { value: "" }, "any"), STATUSES.map((name) => h("option", { value: name }, name.replace("_", " "))));
  const since = h("input", { type: "date" });
  place.append(h("div", { class: "head" }, h("h1", {}, "Runs")), filterBar([["Status", state], ["Assistant", assistant], ["Since", since]]));
  const filters = { status: state, assistant_id: assistant, created_after: since };
  await list(place, "/runs", filters, ["Run", "Status", "Assistant", "Tokens", "Created"], (run) =>
    h("tr", {},
      h("td", {}, h("a", { href: `#/threads/${run.thread_id}?run=${run.id}` }, run.id)),
      h("td", {}, status(run.status), run.last_error && h("small", {}, run.last_error.message)),
      h("td", {}, names.get(run.assistant_id) ?? run.assistant_id),
      h("td", {}, run.usage ? String(run.usage.total_tokens) : "–"),
      h("td", {}, time(run.created_at))));
}
