// What owners of code for Azure's agents do with charts, tables and citations, polled and streamed, in the client's own
// types. Nothing is printed; a failure ends the program.
//
//   node agents_tools.mjs --origin ... --base-url ... --api-key ... --backend ...

import assert from 'node:assert/strict';
import { ToolUtility } from '@azure/ai-agents';
import { FAST, callerOf } from './agents_caller.mjs';

const TABLE = 'region,sales\nNorth,30\nSouth,12\n';
const READ = "import pandas as pd\ntable = pd.read_csv('/mnt/data/sales.csv')\nprint(int(table['sales'].sum()))";
const DRAW = "import matplotlib.pyplot as plt\nplt.bar(table['region'], table['sales'])\nplt.show()";
const DRAW_AND_WRITE = `${DRAW}\ntable.to_excel('/mnt/data/sales.xlsx', index=False)`;
const LINK = 'sandbox:/mnt/data/sales.xlsx';
const SAID = `Sales in one chart, and [the workbook](${LINK}).`;
const TEXT = 'Ada likes pizza with pineapple.';
const CONTENTS = { include: ['step_details.tool_calls[*].file_search.results[*].content'] };

const code = (text) => ({ tool_calls: [{ name: 'code_interpreter', arguments: { code: text } }] });
const SEARCH = { tool_calls: [{ name: 'file_search', arguments: { queries: ['pizza'] } }] };
const CHART = [code(READ), code(DRAW_AND_WRITE), { text: [SAID.slice(0, 40), SAID.slice(40)] }];

async function uploaded(call, name, text) {
  return call.call('files.uploadAndPoll', new File([text], name), 'assistants', { fileName: name, ...FAST });
}

async function agentOf(call, turns, tools, toolResources) {
  return call.call('createAgent', await call.bench.model(...turns), { tools, toolResources });
}

/** The id of a new thread with a question. */
async function asked(call, content, attachments) {
  const thread = await call.call('threads.create');
  const made = await call.call('messages.create', thread.id, 'user', content, { attachments });
  const kept = made.attachments.map(({ fileId, tools }) => ({ fileId, tools }));
  assert.deepEqual(kept, attachments ?? []);
  return thread.id;
}

async function polled(call, thread, agent) {
  const run = await call.call('runs.createAndPoll', thread, agent, FAST);
  assert.deepEqual([run.status, run.lastError], ['completed', null]);
  const [message] = await call.call('messages.list', thread, { order: 'desc', limit: 1 });
  return [run, message];
}

/** The events of a run, each of which the client has understood: what it has not is handed on as a string. */
async function streamed(call, thread, agent, options) {
  const events = await call.events('runs.create', thread, agent, options);
  const { event, data } = events.pop();
  assert.deepEqual([event, data], ['done', '[DONE]']);
  assert.equal(events.at(-1).event, 'thread.run.completed');
  for (const told of events) assert.equal(typeof told.data, 'object', told.event);
  const of = (name) => events.filter((told) => told.event === name).map((told) => told.data);
  return of;
}

/** The chart and the workbook of a message are there. */
async function holdTheMessage(call, { content: [shown, said] }) {
  const png = await call.bytes('files.getContent', shown.imageFile.fileId);
  assert.equal(png.subarray(1, 4).toString(), 'PNG');
  assert.equal(png.subarray(-8, -4).toString(), 'IEND');
  const { value, annotations: [link] } = said.text;
  assert.deepEqual([value, link.type, value.slice(link.startIndex, link.endIndex)], [SAID, 'file_path', LINK]);
  const kept = await call.call('files.get', link.filePath.fileId);
  assert.equal(kept.purpose, 'assistants_output');
  assert.equal((await call.bytes('files.getContent', kept.id)).subarray(0, 2).toString(), 'PK');
  return shown.imageFile.fileId;
}

async function aChartOfATable(call) {
  const file = await uploaded(call, 'sales.csv', TABLE);
  const { definition, resources } = ToolUtility.createCodeInterpreterTool([file.id]);
  const agent = await agentOf(call, CHART, [definition], resources);
  assert.deepEqual(agent.toolResources.codeInterpreter.fileIds, [file.id]);
  const thread = await asked(call, 'Draw my sales.');
  const [run, message] = await polled(call, thread, agent.id);
  const image = await holdTheMessage(call, message);
  const steps = await call.call('runSteps.list', thread, run.id, { order: 'asc' });
  assert.deepEqual(steps.map(({ type }) => type), ['tool_calls', 'tool_calls', 'message_creation']);
  const [read, drew] = steps.slice(0, 2).flatMap(({ stepDetails }) => stepDetails.toolCalls);
  assert.deepEqual(read.codeInterpreter, { input: READ, outputs: [{ type: 'logs', logs: '42\n' }] });
  assert.deepEqual(drew.codeInterpreter, { input: DRAW_AND_WRITE, outputs: [{ type: 'image', image: { fileId: image } }] });
}

async function aChartOfATableStreamed(call) {
  const file = await uploaded(call, 'sales.csv', TABLE);
  const { definition } = ToolUtility.createCodeInterpreterTool();
  const agent = await agentOf(call, CHART, [definition]);
  const thread = await asked(call, 'Draw my sales.', [{ fileId: file.id, tools: [definition] }]);
  const of = await streamed(call, thread, agent.id);
  const [message] = of('thread.message.completed');
  const image = await holdTheMessage(call, message);
  const parts = of('thread.message.delta').flatMap(({ delta }) => delta.content);
  const texts = parts.filter(({ type }) => type === 'text').map(({ text }) => text);
  assert.deepEqual([parts[0].type, parts[0].imageFile.fileId], ['image_file', image]);
  assert.equal(texts.map(({ value }) => value ?? '').join(''), SAID);
  const [link] = texts.flatMap(({ annotations }) => annotations ?? []);
  assert.equal(link.filePath.fileId, message.content[1].text.annotations[0].filePath.fileId);
  const pieces = of('thread.run.step.delta').flatMap(({ delta }) => delta.stepDetails.toolCalls);
  assert.equal(pieces.map(({ codeInterpreter }) => codeInterpreter.input ?? '').join(''), READ + DRAW_AND_WRITE);
  const outputs = pieces.flatMap(({ codeInterpreter }) => codeInterpreter.outputs ?? []);
  assert.deepEqual(outputs, [
    { index: 0, type: 'logs', logs: '42\n' },
    { index: 0, type: 'image', image: { fileId: image } },
  ]);
}

/** One for searching and one for code, on one message of an agent with both tools. */
async function aFileOfAMessageIsSearched(call) {
  const facts = await uploaded(call, 'facts.txt', TEXT);
  const table = await uploaded(call, 'sales.csv', TABLE);
  const tools = [{ type: 'file_search' }, { type: 'code_interpreter' }];
  const agent = await agentOf(call, [SEARCH, code(READ), { text: 'Pizza【0:0†facts.txt】.' }], tools);
  const attachments = [{ fileId: facts.id, tools: [tools[0]] }, { fileId: table.id, tools: [tools[1]] }];
  const thread = await asked(call, 'What does Ada like, and how are my sales?', attachments);
  const [, message] = await polled(call, thread, agent.id);
  const { value, annotations: [cited] } = message.content[0].text;
  assert.equal(cited.fileCitation.fileId, facts.id);
  assert.equal(value.slice(cited.startIndex, cited.endIndex), cited.text);
  const { toolResources } = await call.call('threads.get', thread);
  assert.deepEqual(toolResources.codeInterpreter.fileIds, [table.id]);
  const [store] = toolResources.fileSearch.vectorStoreIds;
  assert.deepEqual((await call.call('vectorStoreFiles.list', store)).map(({ id }) => id), [facts.id]);
}

async function aSearchAndItsCitationsStreamed(call) {
  const file = await uploaded(call, 'facts.txt', TEXT);
  const store = await call.call('vectorStores.createAndPoll', { fileIds: [file.id], ...FAST });
  const { definition, resources } = ToolUtility.createFileSearchTool([store.id]);
  const agent = await agentOf(call, [SEARCH, { text: ['Pizza【0:0†', 'facts.txt】.'] }], [definition], resources);
  const thread = await asked(call, 'What does Ada like?');
  const of = await streamed(call, thread, agent.id, CONTENTS);
  const parts = of('thread.message.delta').flatMap(({ delta }) => delta.content);
  const [cited] = parts.flatMap(({ text }) => text.annotations ?? []);
  assert.deepEqual([cited.type, cited.fileCitation.fileId], ['file_citation', file.id]);
  const [told] = of('thread.run.step.completed');
  const [{ fileSearch }] = told.stepDetails.toolCalls;
  assert.deepEqual([fileSearch.results[0].fileId, fileSearch.results[0].content[0].text], [file.id, TEXT]);
}

const scenarios = [aChartOfATable, aChartOfATableStreamed, aFileOfAMessageIsSearched, aSearchAndItsCitationsStreamed];
const call = callerOf();
for (const scenario of scenarios) await scenario(call);
