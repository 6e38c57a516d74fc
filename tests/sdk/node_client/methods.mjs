// Calls every public method of the client, found by looking at it. Prints what it offers, what was answered and what
// was refused, as JSON.
//
//   node methods.mjs --base-url ... --api-key ... --backend ...

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import OpenAI, { toFile } from 'openai';
import { Bench, all } from './bench.mjs';

const RESOURCES = [
  'beta.assistants', 'beta.threads', 'files', 'uploads', 'vectorStores', 'models', 'chat.completions', 'embeddings',
];
const HELLO = [{ role: 'user', content: 'Hi' }];
const FAST = { pollIntervalMs: 10 };
const TEXT = 'Ada likes pizza with pineapple.';
const LOOK = { type: 'function', function: { name: 'look', parameters: { type: 'object', properties: {} } } };

/** The value at a path of a client. */
const at = (client, path) => path.split('.').reduce((object, name) => object[name], client);

/** The paths of all methods of the resources and of what is below them. */
function methods(client) {
  const found = [];
  const waiting = [...RESOURCES];
  while (waiting.length) {
    const path = waiting.pop();
    const resource = at(client, path);
    const names = Object.getOwnPropertyNames(Object.getPrototypeOf(resource));
    found.push(...names.filter((name) => name !== 'constructor' && !name.startsWith('_')).map((name) => `${path}.${name}`));
    waiting.push(
      ...Object.keys(resource)
        .filter((name) => !name.startsWith('_') && typeof resource[name] === 'object')
        .map((name) => `${path}.${name}`),
    );
  }
  return found;
}

/** Calls methods and notes that it did. */
class Caller {
  answered = new Set();
  refused = new Set();

  constructor(bench) {
    this.bench = bench;
  }

  #method(path) {
    const [owner, name] = path.split(/\.(?=[^.]+$)/);
    const resource = at(this.bench.client, owner);
    return resource[name].bind(resource);
  }

  /** What a method answers, asked for with its response where it is one request. */
  async call(path, ...given) {
    const returned = this.#method(path)(...given);
    let answer;
    if (typeof returned.withResponse === 'function') {
      const { data, response, request_id } = await returned.withResponse();
      assert.equal(response.status, 200);
      assert.match(request_id, /^req_/);
      answer = data;
    } else {
      answer = await returned;
    }
    this.answered.add(path);
    return answer;
  }

  /** The names of the events of a method that opens a stream. */
  async events(path, ...given) {
    const events = (await all(this.#method(path)(...given))).map((event) => event.event);
    this.answered.add(path);
    return events;
  }

  /** Calls a method that is not served. */
  async refuse(path, ...given) {
    await assert.rejects(
      async () => this.#method(path)(...given),
      (error) => {
        assert.ok(error instanceof OpenAI.APIError, `${error}`);
        assert.ok([404, 405].includes(error.status), `${error}`);
        assert.deepEqual(Object.keys(error.error).sort(), ['code', 'message', 'param', 'type']);
        return true;
      },
    );
    this.refused.add(path);
  }
}

async function assistants(caller) {
  const made = await caller.call('beta.assistants.create', { model: 'echo', name: 'Ada' });
  assert.deepEqual(await caller.call('beta.assistants.retrieve', made.id), made);
  assert.equal((await caller.call('beta.assistants.update', made.id, { name: 'Grace' })).name, 'Grace');
  assert.equal((await caller.call('beta.assistants.list', { limit: 1 })).data[0].id, made.id);
  assert.equal((await caller.call('beta.assistants.delete', made.id)).deleted, true);
}

async function threads(caller) {
  const thread = await caller.call('beta.threads.create', { metadata: { a: 'b' } });
  const { id: thread_id } = thread;
  assert.deepEqual(await caller.call('beta.threads.retrieve', thread_id), thread);
  assert.deepEqual((await caller.call('beta.threads.update', thread_id, { metadata: {} })).metadata, {});
  const made = await caller.call('beta.threads.messages.create', thread_id, HELLO[0]);
  assert.deepEqual(await caller.call('beta.threads.messages.retrieve', made.id, { thread_id }), made);
  const changed = await caller.call('beta.threads.messages.update', made.id, { thread_id, metadata: { a: 'b' } });
  assert.deepEqual(changed.metadata, { a: 'b' });
  assert.deepEqual((await caller.call('beta.threads.messages.list', thread_id)).data, [changed]);
  assert.equal((await caller.call('beta.threads.messages.delete', made.id, { thread_id })).deleted, true);
  assert.equal((await caller.call('beta.threads.delete', thread_id)).deleted, true);
}

const outputs = (run) =>
  run.required_action.submit_tool_outputs.tool_calls.map((call) => ({ tool_call_id: call.id, output: '42' }));

async function runs(caller) {
  const model = await caller.bench.model({ text: 'Hello.' }, { text: ['a', 'b'], hang_after: 1 });
  const { assistant_id, thread_id } = await caller.bench.ready(model);
  const made = await caller.call('beta.threads.runs.create', thread_id, { assistant_id });
  assert.equal(made.status, 'queued');
  const done = await caller.call('beta.threads.runs.poll', made.id, { thread_id }, FAST);
  assert.equal(done.status, 'completed');
  assert.deepEqual(await caller.call('beta.threads.runs.retrieve', made.id, { thread_id }), done);
  await caller.call('beta.threads.runs.update', made.id, { thread_id, metadata: { a: 'b' } });
  assert.equal((await caller.call('beta.threads.runs.list', thread_id)).data[0].id, made.id);
  const [step] = (await caller.call('beta.threads.runs.steps.list', made.id, { thread_id })).data;
  const place = { thread_id, run_id: made.id };
  assert.deepEqual(await caller.call('beta.threads.runs.steps.retrieve', step.id, place), step);
  const other = await caller.call('beta.threads.runs.create', thread_id, { assistant_id });
  assert.equal((await caller.call('beta.threads.runs.cancel', other.id, { thread_id })).status, 'cancelling');
}

async function runsThatCall(caller) {
  const look = { tool_calls: [{ name: 'look', arguments: {} }] };
  const model = await caller.bench.model(look, look, look, { text: '42.' }, { text: 'Hello.' });
  const { assistant_id, thread_id } = await caller.bench.ready(model, { tools: [LOOK] });
  let run = await caller.call('beta.threads.runs.createAndPoll', thread_id, { assistant_id }, FAST);
  assert.equal(run.status, 'requires_action');
  const { id } = run;
  const given = (of) => ({ thread_id, tool_outputs: outputs(of) });
  run = await caller.call('beta.threads.runs.submitToolOutputsAndPoll', id, given(run), FAST);
  assert.equal(run.status, 'requires_action');
  assert.equal((await caller.call('beta.threads.runs.submitToolOutputs', id, given(run))).status, 'queued');
  run = await caller.call('beta.threads.runs.poll', id, { thread_id }, FAST);
  const events = await caller.events('beta.threads.runs.submitToolOutputsStream', id, given(run));
  assert.equal(events.at(-1), 'thread.run.completed');
  const again = await caller.events('beta.threads.runs.stream', thread_id, { assistant_id });
  assert.equal(again.at(-1), 'thread.run.completed');
}

async function threadsWithRuns(caller) {
  const { id: assistant_id } = await caller.bench.client.beta.assistants.create({ model: 'echo' });
  const given = { assistant_id, thread: { messages: HELLO } };
  assert.equal((await caller.call('beta.threads.createAndRun', given)).status, 'queued');
  const run = await caller.call('beta.threads.createAndRunPoll', given, FAST);
  assert.equal(run.status, 'completed');
  assert.equal((await caller.events('beta.threads.createAndRunStream', given))[0], 'thread.created');
  const events = await caller.events('beta.threads.runs.createAndStream', run.thread_id, { assistant_id });
  assert.equal(events.at(-1), 'thread.run.completed');
}

async function files(caller) {
  const file = await toFile(Buffer.from(TEXT), 'foods.txt');
  const made = await caller.call('files.create', { file, purpose: 'vision' });
  assert.deepEqual(await caller.call('files.retrieve', made.id), made);
  assert.equal((await caller.call('files.list', { limit: 1 })).data[0].id, made.id);
  assert.deepEqual(await caller.call('files.waitForProcessing', made.id), made);
  assert.equal(await (await caller.call('files.content', made.id)).text(), TEXT);
  assert.equal((await caller.call('files.delete', made.id)).deleted, true);
}

async function uploads(caller) {
  const data = await toFile(Buffer.from(TEXT), 'foods.txt');
  const announced = { bytes: TEXT.length, filename: 'foods.txt', mime_type: 'text/plain', purpose: 'assistants' };
  const made = await caller.call('uploads.create', announced);
  const part = await caller.call('uploads.parts.create', made.id, { data });
  const done = await caller.call('uploads.complete', made.id, { part_ids: [part.id] });
  assert.equal(done.file.bytes, TEXT.length);
  const other = await caller.call('uploads.create', announced);
  assert.equal((await caller.call('uploads.cancel', other.id)).status, 'cancelled');
}

const textFile = () => toFile(Buffer.from(TEXT), 'foods.txt');
const newFile = async (caller) =>
  (await caller.bench.client.files.create({ file: await textFile(), purpose: 'assistants' })).id;

async function vectorStores(caller) {
  const made = await caller.call('vectorStores.create', { name: 'facts' });
  assert.equal((await caller.call('vectorStores.retrieve', made.id)).id, made.id);
  assert.equal((await caller.call('vectorStores.update', made.id, { name: 'foods' })).name, 'foods');
  assert.equal((await caller.call('vectorStores.list', { limit: 1 })).data[0].id, made.id);
  const vector_store_id = made.id;
  const file_id = await newFile(caller);
  assert.equal((await caller.call('vectorStores.files.create', made.id, { file_id })).id, file_id);
  const done = await caller.call('vectorStores.files.poll', made.id, file_id, FAST);
  assert.equal(done.status, 'completed');
  assert.deepEqual(await caller.call('vectorStores.files.retrieve', file_id, { vector_store_id }), done);
  const attributes = { year: 2026 };
  const changed = await caller.call('vectorStores.files.update', file_id, { vector_store_id, attributes });
  assert.deepEqual(changed.attributes, attributes);
  assert.equal((await caller.call('vectorStores.files.list', made.id)).data.length, 1);
  const content = await caller.call('vectorStores.files.content', file_id, { vector_store_id });
  assert.equal(content.data[0].text, TEXT);
  const hits = await caller.call('vectorStores.search', made.id, { query: 'pizza' });
  assert.equal(hits.data[0].file_id, file_id);
  assert.equal((await caller.call('vectorStores.files.delete', file_id, { vector_store_id })).deleted, true);
  const again = await caller.call('vectorStores.files.createAndPoll', made.id, { file_id }, FAST);
  assert.equal(again.status, 'completed');
  await caller.call('vectorStores.files.upload', made.id, await textFile());
  const sent = await caller.call('vectorStores.files.uploadAndPoll', made.id, await textFile(), FAST);
  assert.equal(sent.status, 'completed');
  assert.equal((await caller.call('vectorStores.delete', made.id)).deleted, true);
}

async function fileBatches(caller) {
  const { id: vector_store_id } = await caller.bench.client.vectorStores.create({ name: 'facts' });
  const file_ids = [await newFile(caller), await newFile(caller)];
  const made = await caller.call('vectorStores.fileBatches.create', vector_store_id, { file_ids });
  const done = await caller.call('vectorStores.fileBatches.poll', vector_store_id, made.id, FAST);
  assert.equal(done.status, 'completed');
  assert.deepEqual(await caller.call('vectorStores.fileBatches.retrieve', made.id, { vector_store_id }), done);
  const listed = await caller.call('vectorStores.fileBatches.listFiles', made.id, { vector_store_id });
  assert.equal(listed.data.length, 2);
  const one = { file_ids: [await newFile(caller)] };
  const polled = await caller.call('vectorStores.fileBatches.createAndPoll', vector_store_id, one, FAST);
  assert.equal(polled.status, 'completed');
  const given = { files: [await textFile()] };
  const sent = await caller.call('vectorStores.fileBatches.uploadAndPoll', vector_store_id, given, FAST);
  assert.equal(sent.file_counts.completed, 1);
  const other = await caller.call('vectorStores.fileBatches.create', vector_store_id, {
    file_ids: [await newFile(caller)],
  });
  await caller.call('vectorStores.fileBatches.cancel', other.id, { vector_store_id });
}

async function models(caller) {
  assert.ok((await caller.call('models.list')).data.some((model) => model.id === 'echo'));
  assert.equal((await caller.call('models.retrieve', 'echo')).id, 'echo');
  await caller.refuse('models.delete', 'echo');
  const answer = await caller.call('embeddings.create', { model: 'embedder', input: 'a' });
  assert.ok(answer.data[0].embedding.length > 1);
}

async function completions(caller) {
  const model = await caller.bench.model({ text: 'Hello.' }, { text: 'Hello.' }, { text: 'Hello.' }, { text: 'Hello.' });
  const asked = { model, messages: HELLO };
  assert.equal((await caller.call('chat.completions.create', asked)).choices[0].message.content, 'Hello.');
  await caller.call('chat.completions.parse', asked);
  await caller.events('chat.completions.stream', asked);
  const runner = await caller.call('chat.completions.runTools', {
    ...asked,
    tools: [{ ...LOOK, function: { ...LOOK.function, function: () => '42' } }],
  });
  assert.equal(await runner.finalContent(), 'Hello.');
  await caller.refuse('chat.completions.list');
  await caller.refuse('chat.completions.retrieve', 'chatcmpl-1');
  await caller.refuse('chat.completions.update', 'chatcmpl-1', { metadata: {} });
  await caller.refuse('chat.completions.delete', 'chatcmpl-1');
  await caller.refuse('chat.completions.messages.list', 'chatcmpl-1');
}

const SCENARIOS = [
  assistants, threads, runs, runsThatCall, threadsWithRuns, files, uploads, vectorStores, fileBatches, models, completions,
];

const text = { type: 'string' };
const { values } = parseArgs({ options: { 'base-url': text, 'api-key': text, backend: text } });
const caller = new Caller(new Bench(values['base-url'], values['api-key'], values.backend));
for (const scenario of SCENARIOS) await scenario(caller);
const manifest = JSON.parse(readFileSync(new URL('./node_modules/openai/package.json', import.meta.url)));
console.log(
  JSON.stringify({
    version: manifest.version,
    offered: methods(caller.bench.client),
    answered: [...caller.answered],
    refused: [...caller.refused],
  }),
);
