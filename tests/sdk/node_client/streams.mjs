// Streamed runs, by the helpers of the client and without them.

import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { AssistantStream } from 'openai/lib/AssistantStream';
import { all, textOf, withoutRepeats } from './bench.mjs';
import { Recorder } from './recorder.mjs';

const ANSWER = { text: ['Good ', 'day', '!'], usage: [7, 3] };
const EVENTS = [
  'thread.run.created',
  'thread.run.queued',
  'thread.run.in_progress',
  'thread.run.step.created',
  'thread.run.step.in_progress',
  'thread.message.created',
  'thread.message.in_progress',
  'thread.message.delta',
  'thread.message.completed',
  'thread.run.step.completed',
  'thread.run.completed',
];

async function theEventsOfAnAssistantStream(bench) {
  const { assistant_id, thread_id } = await bench.ready(await bench.model(ANSWER));
  const recorder = new Recorder();
  const stream = recorder.follow(bench.client.beta.threads.runs.stream(thread_id, { assistant_id }));
  assert.equal((await stream.finalRun()).status, 'completed');
  assert.deepEqual((await stream.finalMessages()).map(textOf), ['Good day!']);
  assert.deepEqual((await stream.finalRunSteps()).map((step) => step.type), ['message_creation']);
  assert.deepEqual(withoutRepeats(recorder.events), EVENTS);
  assert.equal(recorder.deltas.join(''), 'Good day!');
  assert.deepEqual(withoutRepeats(recorder.emitted), [
    'runStepCreated: message_creation',
    'messageCreated',
    'textCreated',
    'textDelta',
    'textDone: Good day!',
    'messageDone: Good day!',
    'runStepDone: message_creation',
    'end',
  ]);
}

async function theTextIsReadAsItComes(bench) {
  const model = await bench.model({ ...ANSWER, hang_after: 1 });
  const { assistant_id, thread_id } = await bench.ready(model);
  const stream = bench.client.beta.threads.runs.stream(thread_id, { assistant_id });
  const first = await new Promise((resolve) => stream.once('textDelta', resolve));
  assert.equal(first.value, 'Good ');
  const others = [];
  stream.on('textDelta', (delta) => others.push(delta.value));
  await bench.release(model);
  await stream.finalRun();
  assert.equal(others.join(''), 'day!');
}

async function aThreadIsMadeWithItsStreamedRun(bench) {
  const { id: assistant_id } = await bench.client.beta.assistants.create({ model: await bench.model(ANSWER) });
  const thread = { messages: [{ role: 'user', content: 'Hi' }] };
  const events = await all(bench.client.beta.threads.createAndRunStream({ assistant_id, thread }));
  assert.deepEqual(withoutRepeats(events.map((event) => event.event)), ['thread.created', ...EVENTS]);
}

async function eventsAreReadWithoutAHelper(bench) {
  const { assistant_id, thread_id } = await bench.ready(await bench.model(ANSWER));
  const events = await all(await bench.client.beta.threads.runs.create(thread_id, { assistant_id, stream: true }));
  assert.deepEqual(withoutRepeats(events.map((event) => event.event)), EVENTS);
  assert.equal(events.at(-1).data.usage.total_tokens, 10);
}

async function aStreamIsPassedOn(bench) {
  const { assistant_id, thread_id } = await bench.ready(await bench.model(ANSWER));
  const stream = bench.client.beta.threads.runs.stream(thread_id, { assistant_id });
  const passedOn = AssistantStream.fromReadableStream(stream.toReadableStream());
  assert.equal((await passedOn.finalRun()).status, 'completed');
}

async function aCancelEndsTheStream(bench) {
  const model = await bench.model({ text: ['half', 'whole'], hang_after: 1 });
  const { assistant_id, thread_id } = await bench.ready(model);
  const { runs, messages } = bench.client.beta.threads;
  const stream = runs.stream(thread_id, { assistant_id });
  stream.on('textDelta', () => runs.cancel(stream.currentRun().id, { thread_id }));
  const names = (await all(stream)).map((event) => event.event);
  assert.deepEqual(names.slice(-4), [
    'thread.run.cancelling',
    'thread.message.incomplete',
    'thread.run.step.cancelled',
    'thread.run.cancelled',
  ]);
  const [newest] = (await messages.list(thread_id)).data;
  assert.deepEqual([newest.status, textOf(newest)], ['incomplete', 'half']);
}

async function aReaderThatGoesAwayDoesNotStopTheRun(bench) {
  const { assistant_id, thread_id } = await bench.ready(await bench.model(ANSWER));
  const { runs } = bench.client.beta.threads;
  const stream = await runs.create(thread_id, { assistant_id, stream: true });
  let run;
  for await (const event of stream) {
    run = event.data;
    break;
  }
  assert.equal((await runs.poll(run.id, { thread_id })).status, 'completed');
}

async function aFailureEndsTheStream(bench) {
  const model = await bench.model({ text: ['half', 'whole', 'more'], drop_after: 2 });
  const { assistant_id, thread_id } = await bench.ready(model);
  const run = await bench.client.beta.threads.runs.stream(thread_id, { assistant_id }).finalRun();
  assert.deepEqual([run.status, run.last_error.code], ['failed', 'server_error']);
}

async function aThreadThatIsDeletedIsAnErrorInItsStream(bench) {
  const hanging = { text: ['half', 'whole'], hang_after: 1 };
  const { assistant_id, thread_id } = await bench.ready(await bench.model(hanging));
  const { threads } = bench.client.beta;
  const stream = threads.runs.stream(thread_id, { assistant_id });
  stream.on('textDelta', () => threads.delete(thread_id));
  await assert.rejects(
    stream.finalRun(),
    (error) => error instanceof OpenAI.APIError && error.code === 'thread_deleted',
  );
}

export const scenarios = Object.entries({
  'the events of an AssistantStream': theEventsOfAnAssistantStream,
  'the text is read as it comes': theTextIsReadAsItComes,
  'a thread is made with its streamed run': aThreadIsMadeWithItsStreamedRun,
  'events are read without a helper': eventsAreReadWithoutAHelper,
  'a stream is passed on': aStreamIsPassedOn,
  'a cancel ends the stream': aCancelEndsTheStream,
  'a reader that goes away does not stop the run': aReaderThatGoesAwayDoesNotStopTheRun,
  'a failure ends the stream': aFailureEndsTheStream,
  'a thread that is deleted is an error in its stream': aThreadThatIsDeletedIsAnErrorInItsStream,
});
