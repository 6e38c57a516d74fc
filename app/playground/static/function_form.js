// A run waits for the outputs of functions: a form for them, one field a call.

import { complain, h } from "./dom.js";
import { code, pretty } from "./markdown.js";

/** The form; `submit` gets the outputs as the API takes them. */
export function functionForm(calls, submit) {
  const outputs = new Map();
  const fields = calls.map((call) => {
    const output = h("textarea", { rows: "3", required: true, "aria-label": `Output of ${call.function.name}` });
    outputs.set(call.id, output);
    return h("fieldset", {}, h("legend", {}, h("code", {}, call.function.name)), code(pretty(call.function.arguments), "json"), output);
  });
  const send = h("button", { class: "primary" }, "Submit outputs");
  const form = h("form", { class: "functions", "aria-label": "Function calls" }, h("h3", {}, "The run waits for you"), fields, send);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    send.disabled = true;
    try {
      await submit([...outputs].map(([id, field]) => ({ tool_call_id: id, output: field.value })));
    } catch (error) {
      complain(error);
      send.disabled = false;
    }
  });
  queueMicrotask(() => form.querySelector("textarea")?.focus());
  return form;
}
