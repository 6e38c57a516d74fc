// Two functions called side by side, round after round.

import assert from 'node:assert/strict';
import { TIME, WEATHER, all, textOf } from './bench.mjs';
import { Recorder } from './recorder.mjs';

const ROUNDS = 3;
const BOTH = {
  tool_calls: [
    { name: 'get_weather', arguments: { city: 'Oslo' } },
    { name: 'get_time', arguments: {} },
  ],
};

/** A model that calls for both functions three times and then speaks; an assistant on it; a thread. */
async function ready(bench) {
  const first = { ...BOTH, text: 'Let me look.' };
  const model = await bench.model(first, ...Array(ROUNDS - 1).fill(BOTH), { text: ['It is ', 'sunny.'] });
  return { model, ...(await bench.ready(model, { text: 'How is Oslo?', tools: [WEATHER, TIME] })) };
}

/** What the functions give for the calls that `run` waits for. */
function answers(run) {
  assert.equal(run.status, 'requires_action');
  const [weather, time] = run.required_action.submit_tool_outputs.tool_calls;
  assert.deepEqual(JSON.parse(weather.function.arguments), { city: 'Oslo' });
  assert.deepEqual([time.function.name, time.function.arguments], ['get_time', '{}']);
  return [
    { tool_call_id: weather.id, output: 'sunny' },
    { tool_call_id: time.id, output: 'noon' },
  ];
}

/** The run is whole: its messages, its steps, what the model was told of the outputs. */
async function checkEnd(bench, model, run) {
  const { messages, runs } = bench.client.beta.threads;
  const { id, thread_id } = run;
  assert.deepEqual([run.status, run.required_action], ['completed', null]);
  const said = (await all(messages.list(thread_id, { order: 'asc' }))).map(textOf);
  assert.deepEqual(said, ['How is Oslo?', 'Let me look.', 'It is sunny.']);
  const steps = await all(runs.steps.list(id, { thread_id, order: 'asc' }));
  const calls = Array(ROUNDS).fill('tool_calls');
  assert.deepEqual(steps.map((step) => step.type), ['message_creation', ...calls, 'message_creation']);
  const outputs = steps.at(-2).step_details.tool_calls.map((call) => call.function.output);
  assert.deepEqual(outputs, ['sunny', 'noon']);
  const told = (await bench.received(model)).at(-1).messages;
  const rounds = Array(ROUNDS).fill(['assistant', 'tool', 'tool']).flat();
  assert.deepEqual(told.map((message) => message.role), ['user', ...rounds]);
}

async function functionsAreCalledInRounds(bench) {
  const { model, assistant_id, thread_id } = await ready(bench);
  const { runs } = bench.client.beta.threads;
  let run = await runs.createAndPoll(thread_id, { assistant_id });
  for (let round = 0; round < ROUNDS; round++) {
    run = await runs.submitToolOutputsAndPoll(run.id, { thread_id, tool_outputs: answers(run) });
  }
  await checkEnd(bench, model, run);
}

async function functionsAreCalledInStreamedRounds(bench) {
  const { model, assistant_id, thread_id } = await ready(bench);
  const { runs } = bench.client.beta.threads;
  let recorder = new Recorder();
  let run = await recorder.follow(runs.stream(thread_id, { assistant_id })).finalRun();
  const calls = recorder.emitted.filter((one) => one.startsWith('toolCall') && !one.startsWith('toolCallDelta'));
  assert.deepEqual(calls, [
    'toolCallCreated: get_weather',
    'toolCallDone: get_weather({"city":"Oslo"})',
    'toolCallCreated: get_time',
    'toolCallDone: get_time({})',
  ]);
  for (let round = 0; round < ROUNDS; round++) {
    recorder = new Recorder();
    const stream = runs.submitToolOutputsStream(run.id, { thread_id, tool_outputs: answers(run) });
    run = await recorder.follow(stream).finalRun();
    const first = ['thread.run.step.completed', 'thread.run.queued', 'thread.run.in_progress'];
    assert.deepEqual(recorder.events.slice(0, 3), first);
    assert.deepEqual([recorder.emitted[0], recorder.emitted.at(-1)], ['runStepDone: tool_calls', 'end']);
  }
  assert.equal(recorder.deltas.join(''), 'It is sunny.');
  await checkEnd(bench, model, run);
}

export const scenarios = Object.entries({
  'functions are called in rounds': functionsAreCalledInRounds,
  'functions are called in streamed rounds': functionsAreCalledInStreamedRounds,
});
