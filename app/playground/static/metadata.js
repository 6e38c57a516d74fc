// Metadata: pairs of a key and a value, as many as the API takes.

import { h } from "./dom.js";

const MOST = 16;

/** Fields for `metadata`, always with an empty pair to fill; `value()` gives what they hold. */
export function metadataFields(metadata = {}) {
  const rows = h("div", { class: "pairs" });

  function add(name = "", value = "") {
    if (rows.children.length >= MOST) return;
    const key = h("input", { value: name, maxlength: "64", placeholder: "key", "aria-label": "Metadata key" });
    const text = h("input", { value, maxlength: "512", placeholder: "value", "aria-label": "Metadata value" });
    const row = h("div", { class: "pair" }, key, text);
    key.addEventListener("input", () => row === rows.lastElementChild && key.value && add());
    rows.append(row);
  }

  Object.entries(metadata).forEach(([name, value]) => add(name, value));
  add();
  return {
    element: rows,
    value: () => Object.fromEntries([...rows.children].map((row) => [...row.children].map((input) => input.value)).filter(([name]) => name)),
  };
}
