// Runs, polled.

import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { all, textOf } from './bench.mjs';
import { refused } from './errors.mjs';

const ANSWER = { text: ['Good ', 'day', '!'], usage: [12, 3] };

async function aConversation(bench) {
  const { assistants, threads } = bench.client.beta;
  const model = await bench.model(ANSWER, { text: 'Again!' });
  const { id: assistant_id } = await assistants.create({ model, instructions: 'Be brief.' });
  const { id: thread_id } = await threads.create();
  for (const [said, answered] of [['Hello', 'Good day!'], ['Once more', 'Again!']]) {
    await threads.messages.create(thread_id, { role: 'user', content: said });
    const run = await threads.runs.createAndPoll(thread_id, { assistant_id });
    assert.deepEqual([run.status, run.last_error], ['completed', null]);
    const [newest] = (await threads.messages.list(thread_id)).data;
    assert.deepEqual([newest.role, newest.run_id, textOf(newest)], ['assistant', run.id, answered]);
  }
  const told = (await bench.received(model))[1].messages.map((message) => message.role);
  assert.deepEqual(told, ['system', 'user', 'assistant', 'user']);
}

async function aRunShowsItsUsageAndItsSteps(bench) {
  const { assistant_id, thread_id } = await bench.ready(await bench.model(ANSWER));
  const { runs } = bench.client.beta.threads;
  let run = await runs.create(thread_id, { assistant_id, temperature: 0 });
  assert.deepEqual([run.status, run.usage, run.temperature], ['queued', null, 0]);
  run = await runs.poll(run.id, { thread_id });
  assert.equal(run.usage.total_tokens, 15);
  const [step, ...others] = await all(runs.steps.list(run.id, { thread_id }));
  assert.deepEqual([step.type, step.status, others], ['message_creation', 'completed', []]);
  assert.deepEqual(await runs.steps.retrieve(step.id, { thread_id, run_id: run.id }), step);
  const changed = await runs.update(run.id, { thread_id, metadata: { a: 'c' } });
  assert.deepEqual(changed, { ...run, metadata: { a: 'c' } });
}

async function runsAndStepsAreListedPageByPage(bench) {
  const call = { tool_calls: [{ name: 'get_time', arguments: {} }] };
  const model = await bench.model({ text: 'x' }, { text: 'y' }, call, call, { text: 'Noon.' });
  const tools = [{ type: 'function', function: { name: 'get_time' } }];
  const { assistant_id, thread_id } = await bench.ready(model, { tools });
  const { runs, messages } = bench.client.beta.threads;
  let run;
  const made = [];
  for (let n = 0; n < 3; n++) made.push((run = await runs.createAndPoll(thread_id, { assistant_id })).id);
  const listed = async (query) => (await all(runs.list(thread_id, query))).map((one) => one.id);
  assert.deepEqual(await listed({ limit: 1 }), made.toReversed());
  assert.deepEqual(await listed({ limit: 2, order: 'asc' }), made);
  while (run.required_action) {
    const [asked] = run.required_action.submit_tool_outputs.tool_calls;
    const tool_outputs = [{ tool_call_id: asked.id, output: 'noon' }];
    run = await runs.submitToolOutputsAndPoll(run.id, { thread_id, tool_outputs });
  }
  const steps = await all(runs.steps.list(run.id, { thread_id, limit: 1, order: 'asc' }));
  assert.deepEqual(steps.map((step) => step.type), ['tool_calls', 'tool_calls', 'message_creation']);
  assert.deepEqual((await all(messages.list(thread_id, { run_id: run.id }))).map(textOf), ['Noon.']);
}

async function aThreadIsMadeWithItsRun(bench) {
  const { assistants, threads } = bench.client.beta;
  const { id: assistant_id } = await assistants.create({ model: await bench.model(ANSWER, ANSWER) });
  const thread = { messages: [{ role: 'user', content: 'Hi' }], metadata: { a: 'b' } };
  let run = await threads.createAndRun({ assistant_id, thread });
  run = await threads.runs.poll(run.id, { thread_id: run.thread_id });
  assert.equal(run.status, 'completed');
  assert.deepEqual((await threads.retrieve(run.thread_id)).metadata, { a: 'b' });
  run = await threads.createAndRunPoll({ assistant_id, thread });
  assert.deepEqual((await all(threads.messages.list(run.thread_id))).map(textOf), ['Good day!', 'Hi']);
}

async function anAnswerByAJsonSchema(bench) {
  const schema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };
  const response_format = { type: 'json_schema', json_schema: { name: 'number', schema, strict: true } };
  const model = await bench.model({ text: ['{"n"', ': 7}'] });
  const { assistant_id, thread_id } = await bench.ready(model);
  const run = await bench.client.beta.threads.runs.createAndPoll(thread_id, { assistant_id, response_format });
  assert.deepEqual(run.response_format, response_format);
  assert.deepEqual((await bench.received(model))[0].response_format, response_format);
  assert.equal(textOf((await bench.client.beta.threads.messages.list(thread_id)).data[0]), '{"n": 7}');
}

async function aRunIsCancelled(bench) {
  const model = await bench.model({ text: ['half', 'whole'], hang_after: 1 });
  const { assistant_id, thread_id } = await bench.ready(model);
  const { runs, messages } = bench.client.beta.threads;
  const run = await runs.create(thread_id, { assistant_id });
  const wait = { role: 'user', content: 'Wait' };
  let error = await refused(OpenAI.BadRequestError, messages.create(thread_id, wait));
  assert.equal(error.error.message, `Can't add messages to ${thread_id} while a run ${run.id} is active.`);
  error = await refused(OpenAI.BadRequestError, runs.create(thread_id, { assistant_id }));
  assert.equal(error.error.message, `Thread ${thread_id} already has an active run ${run.id}.`);
  assert.equal((await runs.cancel(run.id, { thread_id })).status, 'cancelling');
  assert.equal((await runs.poll(run.id, { thread_id })).status, 'cancelled');
  error = await refused(OpenAI.BadRequestError, runs.cancel(run.id, { thread_id }));
  assert.equal(error.error.message, "Cannot cancel run with status 'cancelled'.");
  await messages.create(thread_id, { role: 'user', content: 'The thread is free again.' });
}

async function aFailureIsTold(bench) {
  const model = await bench.model({ status: 400, body: { error: { message: 'Too much for me.' } } });
  const { assistant_id, thread_id } = await bench.ready(model);
  const run = await bench.client.beta.threads.runs.createAndPoll(thread_id, { assistant_id });
  assert.deepEqual([run.status, run.last_error.code], ['failed', 'invalid_prompt']);
  assert.match(run.last_error.message, /Too much for me\./);
}

export const scenarios = Object.entries({
  'a conversation': aConversation,
  'a run shows its usage and its steps': aRunShowsItsUsageAndItsSteps,
  'runs and steps are listed page by page': runsAndStepsAreListedPageByPage,
  'a thread is made with its run': aThreadIsMadeWithItsRun,
  'an answer by a JSON schema': anAnswerByAJsonSchema,
  'a run is cancelled': aRunIsCancelled,
  'a failure is told': aFailureIsTold,
});
