// What every scenario is given: a client, and a model that answers as told.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import OpenAI from 'openai';

export const WEATHER = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather in a city.',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
};
export const TIME = {
  type: 'function',
  function: { name: 'get_time', parameters: { type: 'object', properties: {} } },
};

/** A Locum to talk to, and the scripted backend behind it (see tests/fakes/completion_backend.py). */
export class Bench {
  #backend;
  #name = `scripted-${randomUUID().slice(0, 13)}`;
  #count = 0;

  constructor(baseURL, apiKey, backend) {
    this.baseURL = baseURL;
    this.#backend = backend.replace(/\/$/, '');
    // No failure is hidden by trying again.
    this.client = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 30_000 });
  }

  /** The name of a new model that answers with `turns`, one a request. */
  async model(...turns) {
    const name = `${this.#name}-${++this.#count}`;
    await this.#control('PUT', `/scripts/${name}`, turns);
    return name;
  }

  /** The bodies of the requests that the backend has had for `model`. */
  async received(model) {
    const requests = await this.#control('GET', `/requests/${model}`);
    assert.deepEqual(requests.map((request) => request.violation).filter(Boolean), []);
    return requests.map((request) => request.body);
  }

  /** A new assistant on `model`, and a new thread with one message: their ids. */
  async ready(model, { text = 'Hi', ...assistant } = {}) {
    const { id } = await this.client.beta.assistants.create({ model, ...assistant });
    const thread = await this.client.beta.threads.create({ messages: [{ role: 'user', content: text }] });
    return { assistant_id: id, thread_id: thread.id };
  }

  /** Lets the answers of `model` that hang (`hang_after`) go on. */
  async release(model) {
    await this.#control('POST', `/release/${model}`);
  }

  async #control(method, path, body) {
    const response = await fetch(this.#backend + path, { method, body: body && JSON.stringify(body) });
    assert.equal(response.status, 200);
    return response.json();
  }
}

/** The text of a message of one part. */
export function textOf(message) {
  assert.equal(message.content.length, 1);
  assert.equal(message.content[0].type, 'text');
  return message.content[0].text.value;
}

/** Everything that an asynchronous iterator gives. */
export async function all(iterator) {
  const items = [];
  for await (const item of iterator) items.push(item);
  return items;
}

/** Deltas that follow each other count as one: how many there are depends on how fast they come. */
export const withoutRepeats = (names) => names.filter((name, at) => name !== names[at - 1]);
