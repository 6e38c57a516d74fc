// Calls every public method of the client for Azure's agents, found by looking at it. Prints what it offers, what was
// answered, and which operations that came to, as JSON.
//
//   node agents.mjs --origin ... --base-url ... --api-key ... --backend ...

import assert from 'node:assert/strict';
import { ToolUtility, isOutputOfType } from '@azure/ai-agents';
import { FAST, callerOf } from './agents_caller.mjs';

const HELLO = [{ role: 'user', content: 'Hi' }];
const TEXT = 'Ada likes pizza with pineapple.';
const LOOK = { name: 'look', parameters: { type: 'object', properties: {} } };

/** The paths of all methods: `createAgent`, `threads.create`. */
function methods(client) {
  const own = Object.getOwnPropertyNames(Object.getPrototypeOf(client)).filter((name) => name !== 'constructor');
  const groups = Object.keys(client).filter((name) => !name.startsWith('_') && name !== 'pipeline');
  return [...own, ...groups.flatMap((group) => Object.keys(client[group]).map((name) => `${group}.${name}`))];
}

async function agents(call) {
  const options = { name: 'Ada', instructions: 'Help.', metadata: { a: 'b' }, temperature: 0.5 };
  const made = await call.call('createAgent', 'm', options);
  assert.deepEqual([made.name, made.instructions, made.metadata, made.tools], ['Ada', 'Help.', { a: 'b' }, []]);
  assert.ok(made.createdAt.getFullYear() > 2000);
  assert.deepEqual(await call.call('getAgent', made.id), made);
  assert.equal((await call.call('updateAgent', made.id, { name: 'Bea' })).name, 'Bea');
  const listed = await call.call('listAgents', { limit: 100, order: 'desc' });
  assert.ok(listed.some(({ id }) => id === made.id));
  assert.equal((await call.call('deleteAgent', made.id)).deleted, true);
  await assert.rejects(call.call('getAgent', made.id), (error) => {
    assert.equal(error.statusCode, 404);
    assert.match(error.details.error.message, /No assistant found/);
    return true;
  });
}

async function threads(call) {
  const made = await call.call('threads.create', { messages: HELLO, metadata: { a: 'b' } });
  assert.deepEqual((await call.call('threads.get', made.id)).metadata, { a: 'b' });
  assert.deepEqual((await call.call('threads.update', made.id, { metadata: { c: 'd' } })).metadata, { c: 'd' });
  assert.ok((await call.call('threads.list', { limit: 100 })).some(({ id }) => id === made.id));
  const message = await call.call('messages.create', made.id, 'user', 'Once more');
  assert.equal((await call.call('messages.get', made.id, message.id)).content[0].text.value, 'Once more');
  const changed = await call.call('messages.update', made.id, message.id, { metadata: { e: 'f' } });
  assert.deepEqual(changed.metadata, { e: 'f' });
  // The client reads one page of a list.
  const [first] = await call.call('messages.list', made.id, { limit: 1, order: 'asc' });
  const [second] = await call.call('messages.list', made.id, { limit: 1, order: 'asc', after: first.id });
  assert.deepEqual([first, second].map(({ content }) => content[0].text.value), ['Hi', 'Once more']);
  assert.equal((await call.call('threads.delete', made.id)).deleted, true);
}

async function ready(call, turns, options) {
  const agent = await call.call('createAgent', await call.bench.model(...turns), options);
  const thread = await call.call('threads.create', { messages: HELLO });
  return [thread.id, agent.id];
}

async function runs(call) {
  const [thread, agent] = await ready(call, [{ text: 'Hello.' }, { text: ['Hel', 'lo.'] }, { text: 'Hello.' }]);
  const done = await call.call('runs.createAndPoll', thread, agent, FAST);
  assert.deepEqual([done.status, done.lastError], ['completed', null]);
  assert.equal((await call.call('runs.get', thread, done.id)).status, 'completed');
  assert.deepEqual((await call.call('runs.update', thread, done.id, { metadata: { a: 'b' } })).metadata, { a: 'b' });
  assert.deepEqual((await call.call('runs.list', thread)).map(({ id }) => id), [done.id]);
  const [step] = await call.call('runSteps.list', thread, done.id);
  assert.equal(step.type, 'message_creation');
  assert.deepEqual(await call.call('runSteps.get', thread, done.id, step.id), step);
  const events = await call.events('runs.create', thread, agent);
  assert.equal(events.at(-1).event, 'done');
  const said = events.filter(({ event }) => event === 'thread.message.delta');
  assert.equal(said.map(({ data }) => data.delta.content[0].text.value).join(''), 'Hello.');
  const alone = await call.events('runs.createThreadAndRun', agent, { thread: { messages: HELLO } });
  assert.deepEqual([alone[0].event, alone.at(-2).event], ['thread.created', 'thread.run.completed']);
}

async function functions(call) {
  const { definition } = ToolUtility.createFunctionTool(LOOK);
  const turns = [{ tool_calls: [{ name: 'look' }] }, { text: 'Rain.' }, { tool_calls: [{ name: 'look' }] }];
  const [thread, agent] = await ready(call, turns, { tools: [definition] });
  let run = await asked(call, await call.call('runs.create', thread, agent));
  const [wanted] = run.requiredAction.submitToolOutputs.toolCalls;
  assert.ok(isOutputOfType(wanted, 'function'));
  const outputs = [{ toolCallId: wanted.id, output: '42' }];
  const events = await call.events('runs.submitToolOutputs', thread, run.id, outputs);
  assert.equal(events.at(-2).event, 'thread.run.completed');
  run = await asked(call, await call.call('runs.create', thread, agent));
  assert.ok(['cancelling', 'cancelled'].includes((await call.call('runs.cancel', thread, run.id)).status));
}

/** A run that waits for the output of a function. */
async function asked(call, made) {
  let run = made;
  while (['queued', 'in_progress'].includes(run.status)) run = await call.call('runs.get', run.threadId, run.id);
  assert.equal(run.status, 'requires_action');
  return run;
}

const bytes = () => new File([TEXT], 'a.txt');

async function files(call) {
  const made = await call.call('files.upload', bytes(), 'assistants', { fileName: 'a.txt', ...FAST });
  assert.deepEqual([made.filename, made.bytes, made.purpose], ['a.txt', TEXT.length, 'assistants']);
  const found = await call.call('files.get', made.id);
  assert.deepEqual(found, made);
  assert.ok((await call.call('files.list', { purpose: 'assistants' })).data.some(({ id }) => id === made.id));
  assert.equal((await call.bytes('files.getContent', made.id)).toString(), TEXT);
  const again = await call.call('files.uploadAndPoll', bytes(), 'assistants', { fileName: 'b.txt', ...FAST });
  assert.deepEqual([again.filename, again.status], ['b.txt', 'processed']);
  assert.equal((await call.call('files.delete', made.id)).deleted, true);
}

async function vectorStores(call) {
  const file = await call.call('files.upload', bytes(), 'assistants', { fileName: 'a.txt', ...FAST });
  const made = await call.call('vectorStores.create', { name: 'facts' });
  assert.equal((await call.call('vectorStores.get', made.id)).name, 'facts');
  assert.equal((await call.call('vectorStores.update', made.id, { name: 'foods' })).name, 'foods');
  assert.ok((await call.call('vectorStores.list', { limit: 100 })).some(({ id }) => id === made.id));
  const place = { fileId: file.id };
  const ready = await call.call('vectorStoreFiles.createAndPoll', made.id, { ...place, ...FAST });
  assert.equal(ready.status, 'completed');
  assert.equal((await call.call('vectorStoreFiles.get', made.id, file.id)).status, 'completed');
  assert.deepEqual((await call.call('vectorStoreFiles.list', made.id)).map(({ id }) => id), [file.id]);
  assert.equal((await call.call('vectorStoreFiles.delete', made.id, file.id)).deleted, true);
  assert.equal((await call.call('vectorStoreFiles.create', made.id, place)).id, file.id);
  const many = { fileIds: [file.id] };
  const batch = await call.call('vectorStoreFileBatches.createAndPoll', made.id, { ...many, ...FAST });
  assert.deepEqual([batch.status, batch.fileCounts.completed], ['completed', 1]);
  const found = await call.call('vectorStoreFileBatches.list', made.id, batch.id);
  assert.deepEqual(found.map(({ id }) => id), [file.id]);
  const other = await call.call('vectorStoreFileBatches.create', made.id, many);
  assert.equal((await call.call('vectorStoreFileBatches.get', made.id, other.id)).fileCounts.total, 1);
  await call.call('vectorStoreFileBatches.cancel', made.id, other.id);
  const store = await call.call('vectorStores.createAndPoll', { fileIds: [file.id], ...FAST });
  assert.deepEqual([store.status, store.fileCounts.completed], ['completed', 1]);
  assert.equal((await call.call('vectorStores.delete', made.id)).deleted, true);
  await fileSearch(call, store.id, file.id);
}

async function fileSearch(call, store, file) {
  const { definition, resources } = ToolUtility.createFileSearchTool([store]);
  const search = { name: 'file_search', arguments: { queries: ['pizza'] } };
  const turns = [{ tool_calls: [search] }, { text: 'Pizza【0:0†a.txt】.' }];
  const [thread, agent] = await ready(call, turns, { tools: [definition], toolResources: resources });
  const run = await call.call('runs.createAndPoll', thread, agent, FAST);
  const [message] = await call.call('messages.list', thread, { order: 'desc', limit: 20 });
  const [cited] = message.content[0].text.annotations;
  assert.deepEqual([cited.type, cited.fileCitation.fileId], ['file_citation', file]);
  const include = ['step_details.tool_calls[*].file_search.results[*].content'];
  const steps = await call.call('runSteps.list', thread, run.id, { include });
  const [searched] = steps.find(({ type }) => type === 'tool_calls').stepDetails.toolCalls;
  assert.equal(searched.fileSearch.results[0].content[0].text, TEXT);
}

const call = callerOf();
for (const scenario of [agents, threads, runs, functions, files, vectorStores]) await scenario(call);
console.log(JSON.stringify({ offered: methods(call.client), operations: call.operations }));
