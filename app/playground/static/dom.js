// Elements made by calls. Text is always text: what models, users and files say never becomes markup here.

/** An element: `h("a", {href, class, onclick}, ...children)`. Children are nodes, strings, arrays of them, or nothing. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else if (name === "checked") element.checked = value;
    else element.setAttribute(name === "class" ? "class" : name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Puts `children` in the place of all that is in `parent`. */
export function fill(parent, ...children) {
  parent.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
}

/** A button that cannot be pressed again before what it does has ended; errors become notices. */
export function button(label, action, properties = {}) {
  const element = h("button", { type: "button", ...properties }, label);
  element.addEventListener("click", async () => {
    element.disabled = true;
    try {
      await action();
    } catch (error) {
      complain(error);
    } finally {
      element.disabled = false;
    }
  });
  return element;
}

/** A field with its label; `hint` stands below it. */
export function field(label, control, hint) {
  return h("label", { class: "field" }, h("span", { class: "label" }, label), control, hint && h("small", {}, hint));
}

/** Shows a sentence for some seconds; errors stay until they are closed. */
export function notice(text, { error = false } = {}) {
  const shown = h("div", { class: error ? "notice error" : "notice", role: error ? "alert" : null }, h("span", {}, text));
  shown.append(h("button", { type: "button", class: "plain", "aria-label": "Close", onclick: () => shown.remove() }, "×"));
  document.getElementById("notices").append(shown);
  if (!error) setTimeout(() => shown.remove(), 4000);
}

/** Tells of an error, with the id that the server's log has it under. */
export function complain(error) {
  if (error.name === "AbortError") return;
  notice(error.requestId ? `${error.message} (${error.requestId})` : error.message, { error: true });
}

/** Unix seconds as the reader's clock has them. */
export function time(seconds) {
  return seconds ? new Date(seconds * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" }) : "–";
}

/** Copies text, and says so. */
export async function copy(text) {
  await navigator.clipboard.writeText(text);
  notice("Copied.");
}
