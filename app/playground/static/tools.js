// The tools of an assistant: two that Locum runs, and functions, whose schemas are checked while they are written.

import { h } from "./dom.js";

const HOSTED = { file_search: "Search in files", code_interpreter: "Run code" };
const EXAMPLE = {
  name: "get_weather",
  description: "The weather in a town, now.",
  parameters: { type: "object", properties: { town: { type: "string" } }, required: ["town"] },
};

/** Fields for `tools`: `has(type)` of one that is switched on, `value()` as the API takes them. */
export function toolFields(tools) {
  const kept = Object.fromEntries(tools.map((tool) => [tool.type, tool]));
  const switches = Object.fromEntries(Object.keys(HOSTED).map((type) => [type, h("input", { type: "checkbox", checked: type in kept })]));
  const functions = h("div", {});
  const add = (given) => functions.append(functionField(given));
  tools.filter((tool) => tool.type === "function").forEach((tool) => add(tool.function));
  return {
    element: h("fieldset", {}, h("legend", {}, "Tools"),
      Object.entries(HOSTED).map(([type, label]) => h("label", { class: "switch" }, switches[type], ` ${label}`)),
      functions, h("button", { type: "button", onclick: () => add(EXAMPLE) }, "Add a function")),
    has: (type) => switches[type].checked,
    value: () => [
      ...Object.keys(HOSTED).filter((type) => switches[type].checked).map((type) => kept[type] ?? { type }),
      ...[...functions.children].map((child) => ({ type: "function", function: checked(child.querySelector("textarea").value) })),
    ],
  };
}

function functionField(given) {
  const wrong = h("small", { class: "failure", role: "alert" });
  const text = h("textarea", { rows: "8", class: "code", spellcheck: "false", "aria-label": "Function", value: JSON.stringify(given, null, 2) });
  const element = h("div", { class: "function" }, text, wrong, h("button", { type: "button", class: "danger", onclick: () => element.remove() }, "Remove"));
  text.addEventListener("input", () => {
    wrong.textContent = problem(text.value) ?? "";
    text.setAttribute("aria-invalid", String(wrong.textContent !== ""));
  });
  return element;
}

function checked(text) {
  const wrong = problem(text);
  if (wrong) throw new Error(wrong);
  return JSON.parse(text);
}

/** What is wrong with a function's definition, as a sentence; undefined if nothing is. */
export function problem(text) {
  let given;
  try {
    given = JSON.parse(text);
  } catch (error) {
    return `This is no JSON: ${error.message}.`;
  }
  if (given === null || typeof given !== "object" || Array.isArray(given)) return "A function is an object.";
  if (!/^[\w-]{1,64}$/.test(given.name ?? "")) return "A function has a `name` of 1 to 64 letters, digits, _ and -.";
  const other = Object.keys(given).find((name) => !["name", "description", "parameters", "strict"].includes(name));
  if (other) return `A function has no field \`${other}\`.`;
  const { parameters } = given;
  if (parameters === undefined) return undefined;
  if (parameters?.type !== "object") return "`parameters` is a JSON schema with `\"type\": \"object\"`.";
  const missing = (parameters.required ?? []).find((name) => !(name in (parameters.properties ?? {})));
  return missing === undefined ? undefined : `\`${missing}\` is required, but is not among the properties.`;
}
