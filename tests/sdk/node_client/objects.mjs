// Assistants, threads and messages: made, read, changed, listed page by page, deleted.

import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { WEATHER, all, textOf } from './bench.mjs';

const gone = (request) => assert.rejects(request, OpenAI.NotFoundError);

async function anAssistantIsMadeChangedAndDeleted({ client }) {
  const { assistants } = client.beta;
  const made = await assistants.create({
    model: 'gpt-4o',
    name: 'Ada',
    instructions: 'Be exact.',
    tools: [WEATHER],
    temperature: 0.5,
    metadata: { kind: 'test' },
  });
  assert.equal(made.object, 'assistant');
  assert.deepEqual([made.name, made.temperature, made.top_p, made.response_format], ['Ada', 0.5, 1, 'auto']);
  assert.deepEqual(await assistants.retrieve(made.id), made);
  const changed = await assistants.update(made.id, { metadata: { kind: 'other' }, temperature: 0 });
  assert.deepEqual([changed.metadata, changed.temperature], [{ kind: 'other' }, 0]);
  assert.equal(changed.instructions, 'Be exact.');
  assert.deepEqual(await assistants.delete(made.id), { id: made.id, object: 'assistant.deleted', deleted: true });
  await gone(assistants.retrieve(made.id));
}

async function assistantsAreListedPageByPage({ client }) {
  const { assistants } = client.beta;
  const made = [];
  for (let n = 0; n < 5; n++) made.push((await assistants.create({ model: 'gpt-4o' })).id);
  const newestFirst = [];
  for await (const one of assistants.list({ limit: 2 })) {
    newestFirst.push(one.id);
    if (newestFirst.length === 5) break;
  }
  assert.deepEqual(newestFirst, made.toReversed());
  const page = await assistants.list({ order: 'asc', limit: 2, after: made[0] });
  assert.deepEqual(page.data.map((one) => one.id), made.slice(1, 3));
  assert.ok(page.hasNextPage());
  assert.deepEqual((await page.getNextPage()).data.map((one) => one.id), made.slice(3, 5));
  const between = await assistants.list({ order: 'asc', after: made[0], before: made[3] });
  assert.deepEqual(between.data.map((one) => one.id), made.slice(1, 3));
  for (const id of made) await assistants.delete(id);
}

async function aThreadIsMadeChangedAndDeleted({ client }) {
  const { threads } = client.beta;
  assert.equal((await threads.create()).object, 'thread');
  const made = await threads.create({ metadata: { user: '7' }, messages: [{ role: 'user', content: 'Hi' }] });
  assert.deepEqual(await threads.retrieve(made.id), made);
  assert.deepEqual((await threads.update(made.id, { metadata: { user: '8' } })).metadata, { user: '8' });
  assert.deepEqual(await threads.delete(made.id), { id: made.id, object: 'thread.deleted', deleted: true });
  await gone(threads.retrieve(made.id));
  await gone(threads.messages.list(made.id));
}

async function aMessageIsMadeChangedAndDeleted({ client }) {
  const { messages } = client.beta.threads;
  const { id: thread_id } = await client.beta.threads.create();
  const made = await messages.create(thread_id, { role: 'user', content: 'Hi', metadata: { a: 'b' } });
  assert.deepEqual([made.object, made.role, textOf(made)], ['thread.message', 'user', 'Hi']);
  assert.deepEqual(await messages.retrieve(made.id, { thread_id }), made);
  const changed = await messages.update(made.id, { thread_id, metadata: { a: 'c' } });
  assert.deepEqual(changed, { ...made, metadata: { a: 'c' } });
  const deleted = await messages.delete(made.id, { thread_id });
  assert.deepEqual(deleted, { id: made.id, object: 'thread.message.deleted', deleted: true });
  await gone(messages.retrieve(made.id, { thread_id }));
  assert.deepEqual((await messages.list(thread_id)).data, []);
}

async function messagesAreListedPageByPage({ client }) {
  const said = [...Array(7).keys()].map((n) => `m${n}`);
  const thread = await client.beta.threads.create({
    messages: said.map((content) => ({ role: 'user', content })),
  });
  const list = async (query) => (await all(client.beta.threads.messages.list(thread.id, query))).map(textOf);
  assert.deepEqual(await list({ limit: 3, order: 'asc' }), said);
  assert.deepEqual(await list({ limit: 3 }), said.toReversed());
}

export const scenarios = Object.entries({
  'an assistant is made, changed and deleted': anAssistantIsMadeChangedAndDeleted,
  'assistants are listed page by page': assistantsAreListedPageByPage,
  'a thread is made, changed and deleted': aThreadIsMadeChangedAndDeleted,
  'a message is made, changed and deleted': aMessageIsMadeChangedAndDeleted,
  'messages are listed page by page': messagesAreListedPageByPage,
});
