// A thread: its messages, the run that is under way, and the inspector beside them.

import { all, get, post, remove } from "./api.js";
import { Composer } from "./composer.js";
import { button, complain, fill, h } from "./dom.js";
import { Inspector } from "./inspector.js";
import { MessageView } from "./messages.js";
import { metadataFields } from "./metadata.js";
import { ENDED, Run } from "./run.js";

/** Shows a thread (`new`: one that is made with its first message). Gives what is to be done on leaving. */
export async function showThread(place, id) {
  const chat = new Chat(id === "new" ? null : id);
  place.classList.add("thread");
  place.append(chat.element, chat.inspector.element);
  await chat.open(new URLSearchParams(location.hash.split("?")[1]));
  return () => chat.close();
}

class Chat {
  constructor(id) {
    this.id = id;
    this.run = null;
    this.messages = [];
    this.views = new Map();
    this.inspector = new Inspector((outputs) => this.#carry((run) => run.submit(outputs), this.run));
    this.list = h("ol", { class: "messages", "aria-label": "Messages" });
    this.title = h("div", { class: "head" });
    this.composer = new Composer((message, assistantId) => this.send(message, assistantId), () => this.stop());
    this.again = h("div", { class: "again" });
    this.element = h("section", { class: "chat", "aria-label": "Thread" });
    this.element.append(this.title, this.list, this.again, this.composer.element);
    this.list.addEventListener("shown", () => this.#scroll());
    // What reads the thread or adds to it: one after the other, so that what is older never comes on top of what is newer.
    this.last = Promise.resolve();
    // The tab that starts a run tells the others that have the same thread.
    this.channel = new BroadcastChannel("locum.runs");
    this.channel.onmessage = ({ data }) => data.thread === this.id && this.#catchUp().catch(complain);
  }

  /** Has `act` done when all that was asked for before it is. */
  #inTurn(act) {
    const done = this.last.then(act);
    this.last = done.catch(() => {});
    return done;
  }

  async open(asked) {
    await this.composer.open(asked.get("assistant_id"));
    this.#title();
    if (!this.id) return;
    this.thread = await get(`/threads/${this.id}`);
    await this.#catchUp(asked.get("run"));
  }

  close() {
    this.isClosed = true;
    this.run?.leave();
    this.channel.close();
  }

  /** Shows the thread as it is now, with the newest run, or the one that is asked for. */
  #catchUp(runId) {
    return this.#inTurn(() => this.#look(runId));
  }

  async #look(runId) {
    this.#title();
    // The run first: messages that are read after it ended are whole, and one that runs on tells its own by its events.
    const [newest] = runId ? [await get(`/threads/${this.id}/runs/${runId}`)] : (await get(`/threads/${this.id}/runs?limit=1`)).data;
    this.messages = await all(`/threads/${this.id}/messages`, { order: "asc" });
    if (this.isClosed) return;
    const run = newest && new Run((what, object) => this.#changed(run, what, object));
    const isOver = !newest || ENDED.includes(newest.status);
    const whole = this.messages.filter((message) => isOver || message.run_id !== newest.id);
    this.views.clear();
    fill(this.list);
    await Promise.all(whole.map((message) => this.#view(message).finish(message)));
    if (!newest || this.isClosed) return;
    this.composer.choose(newest.assistant_id);
    this.run = run;
    this.inspector.show(run, this.#told(newest));
    if (!isOver) {
      this.#carry((one) => one.follow(newest), run).catch(complain);
      return;
    }
    fill(this.again);
    this.composer.busy(false); // it was, if an earlier run was still being read
    await run.load(newest);
  }

  /** What the visitor had said before a run, as the API takes it. */
  #told(run) {
    const before = this.messages.filter((message) => message.role === "user" && message.created_at <= (run?.created_at ?? Infinity));
    return before.map(asked);
  }

  /** Adds a message and runs the assistant on the thread. */
  send(message, assistantId) {
    return this.#inTurn(() => this.#send(message, assistantId));
  }

  async #send(message, assistantId) {
    if (!this.id) {
      this.thread = await post("/threads");
      this.id = this.thread.id;
      history.replaceState(null, "", `#/threads/${this.id}`);
      this.#title();
    }
    const added = await post(`/threads/${this.id}/messages`, message);
    this.messages.push(added);
    this.#view(added).finish(added);
    await this.#start(assistantId);
  }

  async #start(assistantId) {
    const run = new Run((what, object) => this.#changed(run, what, object));
    this.run = run;
    this.inspector.show(run, this.#told());
    await this.#carry((one) => one.start(`/threads/${this.id}/runs`, { assistant_id: assistantId }), run);
  }

  /** Has `act` read a run to its end; meanwhile there is a button to stop it. */
  async #carry(act, run) {
    fill(this.again);
    this.composer.busy(true);
    try {
      await act(run);
    } finally {
      if (run === this.run) {
        // A run that waits for outputs keeps messages off its thread: it can be answered, or stopped.
        this.composer.busy(run.object?.status === "requires_action");
        this.#offerAgain(run.object);
      }
    }
  }

  #offerAgain(run) {
    if (!["failed", "incomplete", "cancelled", "expired"].includes(run?.status)) return;
    fill(this.again, h("span", {}, `The run ${run.status === "incomplete" ? "is" : "was"} ${run.status}. `), button("Try again", () => this.#inTurn(() => this.#start(run.assistant_id))));
  }

  async stop() {
    if (!this.run?.object) return;
    const waited = this.run.object.status === "requires_action";
    const cancelling = await post(`/threads/${this.id}/runs/${this.run.object.id}/cancel`);
    // Nobody reads the events of a run that waits.
    if (waited) await this.#carry((run) => run.follow(cancelling), this.run);
  }

  #changed(run, what, object) {
    if (run !== this.run) return;
    if (what === "delta") this.#view(object).update(object);
    else if (what === "message") {
      const view = this.#view(object);
      if (object.status !== "in_progress") {
        view.finish(object);
        this.messages = [...this.messages.filter(({ id }) => id !== object.id), object];
      }
    } else if (what === "run" && object.status === "queued" && run.isOurs) this.channel.postMessage({ thread: this.id });
    this.inspector.changed(what);
    if (what === "delta") this.#scroll();
  }

  #view(message) {
    let view = this.views.get(message.id);
    if (!view) {
      view = new MessageView(message);
      this.views.set(message.id, view);
      this.list.append(view.element);
      this.#scroll(true);
    }
    return view;
  }

  /** Keeps the end in sight, unless the reader has gone up. */
  #scroll(always = false) {
    const { scrollHeight, scrollTop, clientHeight } = this.list;
    if (always || scrollHeight - scrollTop - clientHeight < 200) this.list.scrollTop = scrollHeight;
  }

  #title() {
    const shown = this.thread && [button("Metadata", () => this.#metadata()), button("Delete", () => this.#delete(), { class: "danger" })];
    fill(this.title, h("h1", {}, "Thread"), this.id && h("code", {}, this.id), shown);
  }

  #metadata() {
    const fields = metadataFields(this.thread.metadata);
    const dialog = h("dialog", { "aria-label": "Metadata", onclose: () => dialog.remove() }, h("h2", {}, "Metadata"), fields.element);
    const save = button("Save", async () => {
      this.thread = await post(`/threads/${this.id}`, { metadata: fields.value() });
      dialog.close();
    }, { class: "primary" });
    dialog.append(h("div", { class: "actions" }, button("Cancel", () => dialog.close()), save));
    document.body.append(dialog);
    dialog.showModal();
  }

  async #delete() {
    if (!confirm("Delete this thread with all its messages and runs?")) return;
    await remove(`/threads/${this.id}`);
    location.hash = "#/threads";
  }
}

/** A message as a request has it. */
function asked({ role, content, attachments }) {
  const parts = content.map((part) => (part.type === "text" ? { type: "text", text: part.text.value } : part));
  const isText = parts.length === 1 && parts[0].type === "text";
  const message = { role, content: isText ? parts[0].text : parts };
  return attachments?.length ? { ...message, attachments } : message;
}
