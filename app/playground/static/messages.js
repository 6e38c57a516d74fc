// A message of a thread: who says it, its parts, its attachments.

import { h, time } from "./dom.js";
import { annotated, download, picture } from "./markdown.js";

const NAMES = { user: "You", assistant: "Assistant" };

/** Shows one message, and changes with it: `update` while it is written, `finish` once it is whole. */
export class MessageView {
  constructor(message) {
    this.parts = h("div", { class: "parts" });
    this.element = h("li", { class: `message ${message.role}`, "data-id": message.id },
      h("div", { class: "who" }, NAMES[message.role] ?? message.role, h("time", {}, time(message.created_at))),
      this.parts,
      attachments(message.attachments ?? []));
    this.waiting = false;
  }

  /** Text as it comes, once a frame: a stream of thousands of tokens must not keep the page from its other work. */
  update(message) {
    this.message = message;
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      if (this.finished) return;
      const parts = this.message.content.filter(Boolean);
      parts.forEach((part, index) => {
        const shown = this.parts.children[index] ?? this.parts.appendChild(h("div", { class: "writing" }));
        append(shown, part.text?.value ?? "");
      });
    });
  }

  /** The whole message: markdown, citations, pictures. */
  async finish(message) {
    this.finished = true;
    const shown = await Promise.all((message.content ?? []).map(part));
    this.parts.replaceChildren(...shown);
    if (message.status === "incomplete") this.parts.append(h("p", { class: "muted" }, "(It ends here.)"));
    this.element.dispatchEvent(new CustomEvent("shown", { bubbles: true }));
  }
}

/** Adds what is new: to set the whole text for each token would take ever longer. */
function append(element, text) {
  const had = element.textContent.length;
  if (text.length > had) element.append(text.slice(had));
}

async function part(content) {
  if (content.type === "image_file") return picture(content.image_file.file_id, "Picture");
  if (content.type === "image_url") return remote(content.image_url.url);
  if (content.type === "refusal") return h("p", { class: "refusal" }, content.refusal);
  try {
    return await annotated(content.text);
  } catch {
    return h("div", { class: "writing" }, content.text.value);
  }
}

/** Pictures from elsewhere are not fetched: whoever has them would learn who looks. */
function remote(url) {
  if (url.startsWith("data:image/")) return h("img", { src: url, alt: "Picture", class: "picture" });
  const isWeb = /^https?:/.test(url);
  return h("p", {}, "Picture: ", isWeb ? h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, url) : url);
}

function attachments(list) {
  if (!list.length) return null;
  const names = { file_search: "search", code_interpreter: "code" };
  const items = list.map(({ file_id: id, tools }) =>
    h("li", {}, h("button", { type: "button", class: "link", onclick: () => download(id, id) }, id),
      ` for ${tools.map((tool) => names[tool.type]).join(" and ")}`));
  return h("ul", { class: "attachments", "aria-label": "Attachments" }, items);
}
