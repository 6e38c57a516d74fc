// The one place where text becomes markup: the server has rendered and cleaned it, and the page's policy admits no other.

import { content, get, request } from "./api.js";
import { complain, h } from "./dom.js";

const policy = globalThis.trustedTypes?.createPolicy("locum", { createHTML: (html) => html });

/** Markdown as an element. */
export async function markdown(text) {
  const { html } = await (await request("POST", "/playground/markdown", { text })).json();
  const shown = h("div", { class: "markdown" });
  shown.innerHTML = policy ? policy.createHTML(html) : html;
  return shown;
}

/** A block of code in colours; plain until they have come, and wherever they do not. */
export function code(text, language) {
  const shown = h("pre", { class: "code" }, h("code", {}, text));
  const fence = "`".repeat(Math.max(3, ...[...text.matchAll(/`+/g)].map((match) => match[0].length + 1)));
  markdown(`${fence}${language}\n${text}\n${fence}`)
    .then((element) => shown.replaceChildren(...(element.querySelector("pre")?.childNodes ?? [h("code", {}, text)])))
    .catch(() => {});
  return shown;
}

/** JSON with line breaks; what is no JSON as it is. */
export function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** A chart or picture among the files; it opens large on a click. */
export function picture(fileId, alt) {
  const image = h("img", { alt, class: "picture" });
  content(fileId)
    .then((blob) => {
      image.src = URL.createObjectURL(blob);
    })
    .catch(() => image.replaceWith(h("span", { class: "muted" }, `(the picture ${fileId} is not there)`)));
  return h("button", { type: "button", class: "plain", title: "Enlarge", onclick: () => enlarge(image) }, image);
}

function enlarge(image) {
  const dialog = h("dialog", { class: "large", onclick: () => dialog.close(), onclose: () => dialog.remove() });
  dialog.append(h("img", { src: image.src, alt: image.alt }));
  document.body.append(dialog);
  dialog.showModal();
}

/** Hands a file to the visitor's browser. */
export async function download(fileId, name) {
  try {
    const url = URL.createObjectURL(await content(fileId));
    h("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (error) {
    complain(error);
  }
}

/** A text part of a message with its annotations: citations that show what they quote, and links to files. */
export async function annotated({ value, annotations = [] }) {
  const marked = [...annotations].sort((a, b) => b.start_index - a.start_index);
  let characters = [...value];
  for (const annotation of marked) {
    const number = annotations.indexOf(annotation);
    const link = annotation.type === "file_path" ? `#file-${number}` : `[\\[${number + 1}\\]](#cite-${number})`;
    characters.splice(annotation.start_index, annotation.end_index - annotation.start_index, link);
  }
  const shown = await markdown(characters.join(""));
  for (const link of shown.querySelectorAll('a[href^="#"]')) bind(link, annotations);
  return shown;
}

function bind(link, annotations) {
  const [, kind, number] = /^#(cite|file)-(\d+)$/.exec(link.getAttribute("href")) ?? [];
  const annotation = annotations[number];
  link.removeAttribute("target");
  if (kind === "file" && annotation?.file_path) {
    const name = annotation.text.split("/").pop();
    link.addEventListener("click", (event) => (event.preventDefault(), download(annotation.file_path.file_id, name)));
  } else if (kind === "cite" && annotation?.file_citation) {
    link.replaceWith(citation(link.textContent, annotation.file_citation));
  } else link.removeAttribute("href");
}

/** The mark of a citation: over it, or with it in focus, the source is shown, above all else on the page. */
function citation(mark, { file_id: fileId, quote }) {
  const name = h("b", {}, fileId);
  const source = h("span", { class: "source", role: "tooltip", popover: "manual" }, name, h("q", {}, quote?.trim() || "No text is quoted."));
  const element = h("span", { class: "citation", tabindex: "0" }, mark, source);

  async function show() {
    source.showPopover();
    const place = element.getBoundingClientRect();
    source.style.left = `${Math.max(8, Math.min(place.left, innerWidth - source.offsetWidth - 8))}px`;
    const above = place.top - source.offsetHeight - 4;
    source.style.top = `${above > 0 ? above : place.bottom + 4}px`;
    if (name.textContent === fileId) name.textContent = (await get(`/files/${fileId}`).catch(() => ({ filename: `${fileId} (deleted)` }))).filename;
  }

  const hide = () => source.hidePopover();
  for (const [event, act] of [["mouseenter", show], ["focus", show], ["mouseleave", hide], ["blur", hide]]) element.addEventListener(event, act);
  return element;
}
