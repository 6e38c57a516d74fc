// Models, chat completions and embeddings: passed through to the model server.

import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { WEATHER, all } from './bench.mjs';
import { refused } from './errors.mjs';

const messages = [{ role: 'user', content: 'Hello there' }];

async function modelsAreListed({ client }) {
  const names = (await all(client.models.list())).map((model) => model.id);
  assert.ok(names.includes('echo'), `${names}`);
  assert.equal((await client.models.retrieve('echo')).object, 'model');
}

async function aChatCompletion(bench) {
  const { completions } = bench.client.chat;
  const model = await bench.model({ text: ['Good ', 'day!'], usage: [4, 2] });
  const answer = await completions.create({ model, messages });
  assert.equal(answer.choices[0].message.content, 'Good day!');
  assert.equal(answer.usage.total_tokens, 6);
  const caller = await bench.model({ tool_calls: [{ name: 'get_weather', arguments: { city: 'Oslo' } }] });
  const called = await completions.create({ model: caller, messages, tools: [WEATHER] });
  assert.equal(called.choices[0].message.tool_calls[0].function.arguments, '{"city":"Oslo"}');
  await refused(OpenAI.BadRequestError, completions.create({ model: '', messages }));
}

async function aStreamedChatCompletion(bench) {
  const model = await bench.model({ text: ['Good ', 'day!'], delay: 0.01 });
  const chunks = await all(await bench.client.chat.completions.create({ model, messages, stream: true }));
  const pieces = chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.delta.content));
  assert.deepEqual(pieces.filter(Boolean), ['Good ', 'day!']);
  const again = await bench.model({ text: ['Good ', 'day!'] });
  const stream = bench.client.chat.completions.stream({ model: again, messages });
  assert.equal(await stream.finalContent(), 'Good day!');
}

async function textsAreEmbedded({ client }) {
  const answer = await client.embeddings.create({ model: 'echo', input: ['one', 'two', 'one'] });
  const [one, two, again] = answer.data.map((item) => item.embedding);
  assert.deepEqual(one, again);
  assert.notDeepEqual(one, two);
  assert.ok(Math.abs(one.reduce((sum, x) => sum + x * x, 0) - 1) < 1e-4);
}

export const scenarios = Object.entries({
  'models are listed': modelsAreListed,
  'a chat completion': aChatCompletion,
  'a streamed chat completion': aStreamedChatCompletion,
  'texts are embedded': textsAreEmbedded,
});
