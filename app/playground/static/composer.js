// Where a message is written: its text, its pictures and files, and the assistant that is to answer.

import { all, upload } from "./api.js";
import { button, complain, fill, h } from "./dom.js";

/** `send(message, assistantId)` is awaited; `stop()` ends the run that is under way. */
export class Composer {
  constructor(send, stop) {
    this.files = [];
    this.text = h("textarea", { rows: "2", placeholder: "Write a message", "aria-label": "Message" });
    this.assistant = h("select", { "aria-label": "Assistant" });
    this.tool = h("select", { "aria-label": "Files are for" }, h("option", { value: "file_search" }, "search"), h("option", { value: "code_interpreter" }, "code"));
    this.chosen = h("ul", { class: "attachments", "aria-label": "To be attached" });
    this.input = h("input", { type: "file", multiple: true, hidden: true, "aria-label": "Files", onchange: () => this.#attach(this.input.files) });
    this.sendButton = h("button", { class: "primary", disabled: true }, "Send");
    this.stopButton = button("Stop", stop, { class: "danger", hidden: true });
    this.element = h("form", { class: "composer", "aria-label": "New message" });
    this.element.append(
      this.chosen,
      this.text,
      h("div", { class: "actions" }, this.assistant, button("Attach", () => this.input.click()), h("span", { class: "muted" }, "for"), this.tool, this.input,
        h("span", { class: "gap" }), this.stopButton, this.sendButton),
    );
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send(send);
    });
    this.text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.element.requestSubmit();
      }
    });
    this.element.addEventListener("dragover", (event) => event.preventDefault());
    this.element.addEventListener("drop", (event) => (event.preventDefault(), this.#attach(event.dataTransfer.files)));
  }

  async open(assistantId) {
    const assistants = await all("/assistants");
    fill(this.assistant, assistants.map(({ id, name }) => h("option", { value: id }, name || id)));
    if (!assistants.length) this.assistant.append(h("option", { value: "" }, "(make an assistant first)"));
    this.choose(assistantId);
    this.sendButton.disabled = false;
    this.text.focus();
  }

  choose(assistantId) {
    if ([...this.assistant.options].some((option) => option.value === assistantId)) this.assistant.value = assistantId;
  }

  busy(is) {
    this.sendButton.disabled = is;
    this.stopButton.hidden = !is;
  }

  async #send(send) {
    const text = this.text.value.trim();
    if (this.sendButton.disabled || (!text && !this.files.length)) return;
    if (!this.assistant.value) {
      complain(new Error("There is no assistant yet. Make one first."));
      return;
    }
    this.busy(true);
    try {
      await Promise.all(this.files.map((file) => file.uploaded));
      const sent = this.files;
      const message = this.#message(text);
      this.text.value = "";
      this.files = [];
      fill(this.chosen);
      await send(message, this.assistant.value).catch((error) => {
        if (error.status === 400 && !this.text.value) this.#restore(text, sent);
        throw error;
      });
    } catch (error) {
      this.busy(false);
      complain(error);
    }
  }

  #restore(text, files) {
    this.text.value = text;
    this.files = files;
    fill(this.chosen, files.map((file) => file.element));
  }

  #message(text) {
    const images = this.files.filter((file) => file.isImage);
    const others = this.files.filter((file) => !file.isImage);
    const parts = images.map((file) => ({ type: "image_file", image_file: { file_id: file.id } }));
    const message = { role: "user", content: parts.length ? [...(text ? [{ type: "text", text }] : []), ...parts] : text || "See the file." };
    if (others.length) message.attachments = others.map((file) => ({ file_id: file.id, tools: [{ type: file.tool }] }));
    return message;
  }

  #attach(list) {
    for (const source of list) {
      const file = { isImage: source.type.startsWith("image/"), tool: this.tool.value };
      const progress = h("progress", { max: "1", value: "0", "aria-label": `Upload of ${source.name}` });
      const drop = h("button", { type: "button", class: "plain", "aria-label": `Without ${source.name}` }, "×");
      file.element = h("li", {}, source.name, " ", progress, drop);
      drop.addEventListener("click", () => {
        file.element.remove();
        this.files = this.files.filter((other) => other !== file);
      });
      file.uploaded = upload(source, file.isImage ? "vision" : "assistants", (share) => (progress.value = share))
        .then(({ id }) => {
          file.id = id;
          progress.remove();
        })
        .catch((error) => {
          drop.click();
          complain(error);
        });
      this.files.push(file);
      this.chosen.append(file.element);
    }
    this.input.value = "";
  }
}
