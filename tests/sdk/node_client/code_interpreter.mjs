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

const call = (code) => ({ tool_calls: [{ name: 'code_interpreter', arguments: { code } }] });

/** Puts together what is run and what comes of it, call by call. */
function follow(stream) {
  const seen = { inputs: [], logs: [], images: 0, done: [], charts: [] };
  stream.on('toolCallCreated', ({ code_interpreter }) => seen.inputs.push(code_interpreter.input ?? ''));
  stream.on('toolCallDelta', ({ code_interpreter }) => {
    seen.inputs[seen.inputs.length - 1] += code_interpreter.input ?? '';
    for (const output of code_interpreter.outputs ?? []) {
      if (output.type === 'logs') seen.logs.push(output.logs);
      else seen.images += 1;
    }
  });
  stream.on('toolCallDone', ({ code_interpreter }) => seen.done.push(code_interpreter.input));
  stream.on('imageFileDone', ({ file_id }) => seen.charts.push(file_id));
  return seen;
}

async function bytesOf(client, fileId) {
  return Buffer.from(await (await client.files.content(fileId)).arrayBuffer());
}

async function aTableBecomesAChartAndAWorkbook(bench) {
  const { client } = bench;
  const { runs, messages } = client.beta.threads;
  const table = await client.files.create({ file: await toFile(Buffer.from(TABLE), 'sales.csv'), purpose: 'assistants' });
  const model = await bench.model(call(READ), call(DRAW), call(WRITE), {
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
  assert.deepEqual(seen.inputs, [READ, DRAW, WRITE]);
  assert.deepEqual(seen.done, seen.inputs);
  assert.equal(seen.logs.join(''), '42\n');
  assert.equal(seen.images, 1);
  const [chart, text] = message.content;
  assert.deepEqual(seen.charts, [chart.image_file.file_id]);
  const png = await bytesOf(client, chart.image_file.file_id);
  assert.equal(png.subarray(1, 4).toString(), 'PNG');
  assert.equal(png.subarray(-8, -4).toString(), 'IEND');
  const [{ type, start_index, end_index, file_path }] = text.text.annotations;
  assert.deepEqual([type, text.text.value.slice(start_index, end_index)], ['file_path', LINK]);
  const workbook = await bytesOf(client, file_path.file_id);
  assert.equal(workbook.subarray(0, 2).toString(), 'PK');
  const stored = (await all(messages.list(thread.id))).filter(({ role }) => role === 'assistant');
  assert.deepEqual(stored.map(({ content }) => content), [message.content]);
}

async function variablesStayFromRunToRun(bench) {
  const { runs } = bench.client.beta.threads;
  const model = await bench.model(call('kept = 20'), { text: 'Kept.' }, call('print(kept + 1)'), { text: '21.' });
  const { assistant_id, thread_id } = await bench.ready(model, { tools: TOOLS });
  const first = await runs.createAndPoll(thread_id, { assistant_id }, { pollIntervalMs: 50 });
  assert.equal(first.status, 'completed');
  const stream = runs.stream(thread_id, { assistant_id });
  const seen = follow(stream);
  const { id } = await stream.finalRun();
  assert.deepEqual([seen.inputs, seen.logs], [['print(kept + 1)'], ['21\n']]);
  const [step] = await all(runs.steps.list(id, { thread_id, order: 'asc' }));
  assert.deepEqual(step.step_details.tool_calls[0].code_interpreter.outputs, [{ type: 'logs', logs: '21\n' }]);
}

export const scenarios = Object.entries({
  'a table becomes a chart and a workbook': aTableBecomesAChartAndAWorkbook,
  'variables stay from run to run': variablesStayFromRunToRun,
});
