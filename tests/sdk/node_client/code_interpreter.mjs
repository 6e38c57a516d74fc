// Code that is run in a sandbox: a table read, a chart drawn, a workbook written, variables that stay.

import assert from 'node:assert/strict';
import { toFile } from 'openai';
import { all } from './bench.mjs';

const TABLE = 'region,sales\nNorth,30\nSouth,12\n';
const READ = "import pandas as pd\ntable = pd.read_csv('/mnt/data/sales.csv')\nprint(int(table['sales'].sum()))";
const DRAW = "import matplotlib.pyplot as plt\nplt.bar(table['region'], table['sales'])\nplt.show()";
const WRITE = "table.to_excel('/mnt/data/sales.xlsx', index=False)";
const LINK = 'sandbox:/mnt/data/sales.xlsx';
const TOOLS = [{ type: 'code_interpreter' }];

const calls = (...codes) => ({
  tool_calls: codes.map((code) => ({ name: 'code_interpreter', arguments: { code } })),
});

/**
 * Puts together what is run and what comes of it, by the id of the call. The client tells of a call as created whenever
 * its pieces begin to come again: of several calls in one step first what is run, then what comes of it.
 */
function follow(stream) {
  const seen = { pieces: new Map(), done: new Map(), charts: [] };
  stream.on('toolCallCreated', ({ id, code_interpreter }) => {
    if (!seen.pieces.has(id)) seen.pieces.set(id, code_interpreter.input);
  });
  stream.on('toolCallDelta', ({ code_interpreter }, { id }) => {
    seen.pieces.set(id, seen.pieces.get(id) + (code_interpreter.input ?? ''));
  });
  stream.on('toolCallDone', ({ id, code_interpreter }) => seen.done.set(id, code_interpreter));
  stream.on('imageFileDone', ({ file_id }) => seen.charts.push(file_id));
  return seen;
}

/** The calls as they were in the end, in the order of their beginnings. */
function callsOf({ pieces, done }) {
  const ended = [...pieces.keys()].map((id) => done.get(id));
  assert.deepEqual([...pieces.values()], ended.map(({ input }) => input));
  return ended;
}

async function bytesOf(client, fileId) {
  return Buffer.from(await (await client.files.content(fileId)).arrayBuffer());
}

async function aTableBecomesAChartAndAWorkbook(bench) {
  const { client } = bench;
  const { runs, messages } = client.beta.threads;
  const table = await client.files.create({ file: await toFile(Buffer.from(TABLE), 'sales.csv'), purpose: 'assistants' });
  const model = await bench.model(calls(READ, DRAW, WRITE), {
    text: ['The chart, and [the ', `workbook](${LINK.slice(0, 9)}`, LINK.slice(9), ').'],
  });
  const assistant = await client.beta.assistants.create({ model, tools: TOOLS });
  const attachments = [{ file_id: table.id, tools: TOOLS }];
  const thread = await client.beta.threads.create({
    messages: [{ role: 'user', content: 'Draw my sales.', attachments }],
  });
  const stream = runs.stream(thread.id, { assistant_id: assistant.id });
  const seen = follow(stream);
  const [message] = await stream.finalMessages();
  assert.equal((await stream.finalRun()).status, 'completed');
  const [read, draw, write] = callsOf(seen);
  assert.deepEqual([read.input, draw.input, write.input], [READ, DRAW, WRITE]);
  assert.deepEqual(read.outputs.map(({ type, logs }) => [type, logs]), [['logs', '42\n']]);
  const images = draw.outputs.filter(({ type }) => type === 'image').map(({ image }) => image.file_id);
  const [chart, text] = message.content;
  assert.deepEqual(seen.charts, images);
  assert.deepEqual([chart.image_file.file_id], images);
  const png = await bytesOf(client, images[0]);
  assert.equal(png.subarray(1, 4).toString(), 'PNG');
  assert.equal(png.subarray(-8, -4).toString(), 'IEND');
  const [{ type, start_index, end_index, file_path }] = text.text.annotations;
  assert.deepEqual([type, text.text.value.slice(start_index, end_index)], ['file_path', LINK]);
  const workbook = await bytesOf(client, file_path.file_id);
  assert.equal(workbook.subarray(0, 2).toString(), 'PK');
  const [stored] = await all(messages.list(thread.id));
  assert.deepEqual(stored.content.map(({ type }) => type), ['image_file', 'text']);
  assert.equal(stored.content[1].text.value, text.text.value);
  assert.equal(stored.content[1].text.annotations[0].file_path.file_id, file_path.file_id);
}

async function variablesStayFromRunToRun(bench) {
  const { runs } = bench.client.beta.threads;
  const model = await bench.model(calls('kept = 20'), { text: 'Kept.' }, calls('print(kept + 1)'), { text: '21.' });
  const { assistant_id, thread_id } = await bench.ready(model, { tools: TOOLS });
  const first = await runs.createAndPoll(thread_id, { assistant_id }, { pollIntervalMs: 50 });
  assert.equal(first.status, 'completed');
  const stream = runs.stream(thread_id, { assistant_id });
  const seen = follow(stream);
  const { id } = await stream.finalRun();
  const [streamed] = callsOf(seen);
  assert.deepEqual([streamed.input, streamed.outputs[0].logs], ['print(kept + 1)', '21\n']);
  const [step] = await all(runs.steps.list(id, { thread_id, order: 'asc' }));
  assert.deepEqual(step.step_details.tool_calls[0].code_interpreter.outputs, [{ type: 'logs', logs: '21\n' }]);
}

export const scenarios = Object.entries({
  'a table becomes a chart and a workbook': aTableBecomesAChartAndAWorkbook,
  'variables stay from run to run': variablesStayFromRunToRun,
});
