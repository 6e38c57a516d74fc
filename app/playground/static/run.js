// A run as its events tell of it: the same events build the chat, the timeline and what is copied.

import { BASE, all, get, request } from "./api.js";
import { events } from "./sse.js";

export const ENDED = ["completed", "incomplete", "failed", "cancelled", "expired"];
const INCLUDE = "include[]=step_details.tool_calls[*].file_search.results[*].content";
const RETRY_MS = 1000;
const TRIES = 30;

/** One run: its object, steps and messages, and the raw events. `changed(what, object)` is called for each change. */
export class Run {
  constructor(changed) {
    this.object = null;
    this.steps = new Map();
    this.messages = new Map();
    this.events = [];
    this.lastId = null;
    /** Whether this tab started it, or sent it outputs. */
    this.isOurs = false;
    this.changed = changed;
    this.reading = new AbortController();
  }

  get isActive() {
    return this.object !== null && !ENDED.includes(this.object.status);
  }

  /** Starts a run by POST and reads its events to its end, or until it waits for outputs. */
  async start(path, body) {
    this.isOurs = true;
    const url = `${BASE}${path}${path.includes("?") ? "&" : "?"}${INCLUDE}`;
    await this.#read(await request("POST", url, { ...body, stream: true }, { signal: this.reading.signal }));
    await this.#untilItsEnd();
  }

  /** Reads the events of a run that is under way somewhere, from its first. */
  async follow(object) {
    this.object = object;
    this.changed("run", object);
    await this.#untilItsEnd(true);
  }

  /** A run that has ended, from what is stored. */
  async load(object) {
    this.object = object;
    const path = `/threads/${object.thread_id}/runs/${object.id}/steps`;
    for (const step of await all(path, { order: "asc", "include[]": INCLUDE.split("=")[1] })) this.steps.set(step.id, step);
    this.changed("run", object);
  }

  /** Sends the outputs of functions, and reads on. */
  async submit(outputs) {
    const { thread_id: thread, id } = this.object;
    await this.start(`/threads/${thread}/runs/${id}/submit_tool_outputs`, { tool_outputs: outputs });
  }

  /** Stops reading; the run goes on. */
  leave() {
    this.reading.abort();
  }

  get #isSettled() {
    return this.object !== null && (!this.isActive || this.object.status === "requires_action");
  }

  /** Takes the stream up again wherever it breaks, behind the last event that came. */
  async #untilItsEnd(atOnce = false) {
    for (let tries = 0; (atOnce || !this.#isSettled) && tries < TRIES; tries += 1) {
      if (!atOnce) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      const before = this.events.length;
      try {
        const { thread_id: thread, id } = this.object;
        const url = `${BASE}/threads/${thread}/runs/${id}/events`;
        const resumed = this.lastId && { "Last-Event-ID": this.lastId };
        await this.#read(await request("GET", url, undefined, { headers: resumed || {}, signal: this.reading.signal }));
      } catch (error) {
        if (error.name === "AbortError" || error.status >= 400) throw error;
      }
      if (this.events.length > before) tries = 0;
      if (atOnce && this.#isSettled) return;
      atOnce = false;
    }
    if (!this.#isSettled) {
      this.object = await get(`/threads/${this.object.thread_id}/runs/${this.object.id}`);
      this.changed("run", this.object);
    }
  }

  async #read(response) {
    try {
      for await (const event of events(response)) this.apply(event);
    } catch (error) {
      if (error.name === "AbortError" || this.object === null) throw error;
      // The connection broke: what is missing is asked for again.
    }
  }

  apply({ id, event, data }) {
    if (id) this.lastId = id;
    this.events.push({ id, event, data });
    if (event === "error") throw new Error(data.message ?? data.error?.message ?? "The run's stream failed.");
    if (event.startsWith("thread.message")) this.#message(event, data);
    else if (event.startsWith("thread.run.step")) this.#step(event, data);
    else if (event.startsWith("thread.run")) {
      this.object = data;
      this.changed("run", data);
    }
  }

  #message(event, data) {
    if (event !== "thread.message.delta") {
      this.messages.set(data.id, data);
      this.changed("message", data);
      return;
    }
    const message = this.messages.get(data.id);
    for (const delta of data.delta.content ?? []) merge(message.content, delta);
    this.changed("delta", message);
  }

  #step(event, data) {
    if (event !== "thread.run.step.delta") this.steps.set(data.id, data);
    else {
      const details = this.steps.get(data.id).step_details;
      details.tool_calls ??= [];
      for (const delta of data.delta.step_details.tool_calls ?? []) merge(details.tool_calls, delta);
    }
    this.changed("step", this.steps.get(data.id));
  }
}

/** Adds a delta to its place in a list: strings are joined, lists by index, the rest replaced (contract, section 7). */
export function merge(list, delta) {
  const { index, ...rest } = delta;
  list[index] = list[index] ? added(list[index], rest) : rest;
}

function added(old, delta) {
  const joined = { ...old };
  for (const [name, value] of Object.entries(delta)) {
    if (Array.isArray(value) && Array.isArray(old[name])) {
      joined[name] = [...old[name]];
      for (const item of value) merge(joined[name], { index: joined[name].length, ...item });
    } else if (typeof value === "string" && typeof old[name] === "string" && name !== "type" && name !== "id") {
      joined[name] = old[name] + value;
    } else if (value && typeof value === "object" && old[name]) joined[name] = added(old[name], value);
    else if (value !== null) joined[name] = value;
  }
  return joined;
}
