// Calls of the methods of the client for Azure's agents, and their record.

import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import { AgentsClient } from '@azure/ai-agents';
import { Bench, all } from './bench.mjs';

const PROJECT = '/api/projects/shop';
/** Helpers that poll ask again at once. */
export const FAST = { pollingOptions: { intervalInMs: 20 } };

/** A client that sends its key over plain HTTP, hides no failure by trying again, and tells its requests to `note`. */
function clientOf(endpoint, key, note) {
  const client = new AgentsClient(endpoint, undefined, {
    allowInsecureConnection: true,
    retryOptions: { maxRetries: 0 },
  });
  client.pipeline.addPolicy({
    name: 'locumKey',
    sendRequest(request, next) {
      request.headers.set('authorization', `Bearer ${key}`);
      note(request);
      return next(request);
    },
  });
  return client;
}

/** Calls methods and notes that it did. */
export class Caller {
  operations = {};
  #asked = [];

  constructor(bench, origin, key) {
    this.bench = bench;
    this.client = clientOf(origin + PROJECT, key, (request) => this.#note(request));
  }

  #note(request) {
    const { pathname } = new URL(request.url);
    assert.ok(pathname.startsWith(`${PROJECT}/`));
    this.#asked.push(`${request.method} ${pathname.slice(PROJECT.length)}`);
  }

  #begin(path) {
    this.#asked = [];
    const [group, name] = path.includes('.') ? path.split('.') : [undefined, path];
    const owner = group ? this.client[group] : this.client;
    return owner[name].bind(owner);
  }

  #done(path) {
    this.operations[path] = [...new Set([...(this.operations[path] ?? []), ...this.#asked])];
  }

  /** What a method answers; of lists, all that they hold. */
  async call(path, ...given) {
    const returned = this.#begin(path)(...given);
    const answer = returned[Symbol.asyncIterator] ? await all(returned) : await returned;
    this.#done(path);
    return answer;
  }

  /** The events of the stream that a method's answer opens. */
  async events(path, ...given) {
    const events = await all(await this.#begin(path)(...given).stream());
    this.#done(path);
    return events;
  }

  /** The bytes that a method answers with. */
  async bytes(path, ...given) {
    const { status, body } = await this.#begin(path)(...given).asNodeStream();
    assert.equal(status, '200');
    this.#done(path);
    return Buffer.concat(await all(body));
  }
}

/** Calls as the program's arguments say: `--origin ... --base-url ... --api-key ... --backend ...`. */
export function callerOf() {
  const text = { type: 'string' };
  const { values } = parseArgs({ options: { origin: text, 'base-url': text, 'api-key': text, backend: text } });
  const bench = new Bench(values['base-url'], values['api-key'], values.backend);
  return new Caller(bench, values.origin, values['api-key']);
}
