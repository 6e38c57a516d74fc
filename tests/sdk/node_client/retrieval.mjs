// From files to cited answers: uploads, vector stores, batches, search, runs.

import assert from 'node:assert/strict';
import { NotFoundError, toFile } from 'openai';
import { all } from './bench.mjs';

const FOODS = 'Favourite foods of the team. Ada likes pizza with pineapple. Grace prefers dumplings.';
const SEARCH = { tool_calls: [{ name: 'file_search', arguments: { queries: ['What does Ada like?'] } }] };
const BATCH = 100;
const FAST = { pollIntervalMs: 50 };

const textFile = (name, text) => toFile(Buffer.from(text), name);

/** The newest message cites a file, and its indices cut exactly the marker out of the text. */
async function checkCitation(bench, threadId) {
  const [message] = await all(bench.client.beta.threads.messages.list(threadId));
  const { value, annotations } = message.content[0].text;
  assert.equal(annotations.length, 1);
  const [{ text, start_index, end_index, file_citation }] = annotations;
  assert.equal(value.slice(start_index, end_index), text);
  assert.equal(value.replace(text, ''), 'Ada likes pizza.');
  assert.equal((await bench.client.files.retrieve(file_citation.file_id)).filename, 'foods.txt');
}

async function aFileIsCited(bench) {
  const { client } = bench;
  const store = await client.vectorStores.create({ name: 'facts' });
  const file = await client.vectorStores.files.uploadAndPoll(store.id, await textFile('foods.txt', FOODS), FAST);
  assert.deepEqual([file.status, file.last_error], ['completed', null]);
  const found = await all(client.vectorStores.search(store.id, { query: 'pizza' }));
  assert.deepEqual(found.map((hit) => [hit.file_id, hit.content[0].text]), [[file.id, FOODS]]);
  const model = await bench.model(SEARCH, { text: ['Ada likes pizza', '【0:0†', 'foods.txt】', '.'] });
  const tool_resources = { file_search: { vector_store_ids: [store.id] } };
  const options = { text: 'What does Ada like?', tools: [{ type: 'file_search' }], tool_resources };
  const { assistant_id, thread_id } = await bench.ready(model, options);
  const run = await client.beta.threads.runs.createAndPoll(thread_id, { assistant_id });
  assert.equal(run.status, 'completed');
  await checkCitation(bench, thread_id);
  const include = ['step_details.tool_calls[*].file_search.results[*].content'];
  const steps = await all(client.beta.threads.runs.steps.list(run.id, { thread_id, order: 'asc', include }));
  assert.equal(steps[0].step_details.tool_calls[0].file_search.results[0].content[0].text, FOODS);
  assert.equal((await client.vectorStores.delete(store.id)).deleted, true);
}

async function anAttachmentIsCitedInAStream(bench) {
  const { client } = bench;
  const file = await client.files.create({ file: await textFile('foods.txt', FOODS), purpose: 'assistants' });
  const attachments = [{ file_id: file.id, tools: [{ type: 'file_search' }] }];
  const messages = [{ role: 'user', content: 'What does Ada like?', attachments }];
  const thread = await client.beta.threads.create({ messages });
  const model = await bench.model(SEARCH, { text: ['Ada likes pizza【0', ':0】.'] });
  const assistant = await client.beta.assistants.create({ model, tools: [{ type: 'file_search' }] });
  const stream = client.beta.threads.runs.stream(thread.id, { assistant_id: assistant.id });
  const [message] = await stream.finalMessages();
  assert.equal((await stream.finalRun()).status, 'completed');
  const [stored] = await all(client.beta.threads.messages.list(thread.id));
  assert.deepEqual(message.content[0].text.value, stored.content[0].text.value);
  assert.equal(message.content[0].text.annotations.length, 1);
  await checkCitation(bench, thread.id);
}

async function aHundredFilesMakeABatch(bench) {
  const { client } = bench;
  const store = await client.vectorStores.create({});
  const files = await Promise.all(
    Array.from({ length: BATCH }, (_, number) => textFile(`note ${number}.md`, `# Note\nThe number is ${number}.`)),
  );
  const batch = await client.vectorStores.fileBatches.uploadAndPoll(store.id, { files }, FAST);
  assert.deepEqual([batch.status, batch.file_counts.completed], ['completed', BATCH]);
  const options = { vector_store_id: store.id, limit: 30 };
  const listed = await all(client.vectorStores.fileBatches.listFiles(batch.id, options));
  assert.equal(new Set(listed.map((file) => file.id)).size, BATCH);
}

async function filesComeAndGo(bench) {
  const { files } = bench.client;
  const made = await files.create({ file: await textFile('foods.txt', FOODS), purpose: 'user_data' });
  assert.deepEqual([made.filename, made.bytes], ['foods.txt', Buffer.byteLength(FOODS)]);
  assert.equal(await (await files.content(made.id)).text(), FOODS);
  assert.equal((await files.waitForProcessing(made.id)).status, 'processed');
  assert.deepEqual(await files.delete(made.id), { id: made.id, object: 'file', deleted: true });
  await assert.rejects(() => files.retrieve(made.id), NotFoundError);
}

async function aFileIsUploadedInParts(bench) {
  const { uploads, files } = bench.client;
  const parts = [Buffer.alloc(70_000, 'a'), Buffer.alloc(50_000, 'b')];
  const bytes = parts[0].length + parts[1].length;
  const about = { filename: 'parts.txt', bytes, mime_type: 'text/plain', purpose: 'assistants' };
  const upload = await uploads.create(about);
  const made = await Promise.all(
    parts.map(async (part) => uploads.parts.create(upload.id, { data: await toFile(part, 'part') })),
  );
  const done = await uploads.complete(upload.id, { part_ids: made.map((part) => part.id) });
  assert.equal(done.status, 'completed');
  assert.equal(await (await files.content(done.file.id)).text(), Buffer.concat(parts).toString());
}

async function vectorStoresAreKeptLikeTheRest(bench) {
  const { vectorStores } = bench.client;
  const made = await vectorStores.create({ name: 'a', expires_after: { anchor: 'last_active_at', days: 3 } });
  assert.equal(made.expires_at, made.last_active_at + 3 * 86400);
  assert.equal((await vectorStores.update(made.id, { name: 'b' })).name, 'b');
  assert.equal((await all(vectorStores.list()))[0].id, made.id);
  assert.equal((await vectorStores.delete(made.id)).deleted, true);
}

export const scenarios = Object.entries({
  'a file is cited': aFileIsCited,
  'an attachment is cited in a stream': anAttachmentIsCitedInAStream,
  'a hundred files make a batch': aHundredFilesMakeABatch,
  'files come and go': filesComeAndGo,
  'a file is uploaded in parts': aFileIsUploadedInParts,
  'vector stores are kept like the rest': vectorStoresAreKeptLikeTheRest,
});
