// What the client throws: the class of the status, and OpenAI's own words in it.

import assert from 'node:assert/strict';
import OpenAI from 'openai';

/** The error that the request is answered with, in whole. */
export async function refused(kind, request) {
  let caught;
  await assert.rejects(request, (error) => {
    caught = error;
    return error instanceof kind;
  });
  assert.deepEqual(Object.keys(caught.error).toSorted(), ['code', 'message', 'param', 'type']);
  assert.ok(caught.requestID, 'no x-request-id');
  return caught;
}

async function aWrongKeyIsNoAuthentication({ baseURL }) {
  const stranger = new OpenAI({ baseURL, apiKey: 'sk-wrong', maxRetries: 0 });
  const error = await refused(OpenAI.AuthenticationError, stranger.beta.assistants.list());
  assert.equal(error.code, 'invalid_api_key');
  assert.match(error.error.message, /^Incorrect API key provided: sk/);
}

async function whatIsNotThereIsNotFound({ client }) {
  const missing = 'thread_' + 'a'.repeat(24);
  let error = await refused(OpenAI.NotFoundError, client.beta.threads.retrieve(missing));
  assert.equal(error.error.message, `No thread found with id '${missing}'.`);
  error = await refused(OpenAI.NotFoundError, client.models.retrieve('no-such-model'));
  assert.deepEqual([error.code, error.error.message], ['model_not_found', "The model 'no-such-model' does not exist"]);
}

async function whatIsWrongIsABadRequest({ client }) {
  let error = await refused(OpenAI.BadRequestError, client.beta.threads.create({ metadata: { modified: true } }));
  assert.equal(error.param, 'metadata.modified');
  const message = "Invalid type for 'metadata.modified': expected a string, but got a boolean instead.";
  assert.equal(error.error.message, message);
  error = await refused(OpenAI.BadRequestError, client.beta.assistants.create({ model: 'm', instruction: 'x' }));
  assert.deepEqual([error.code, error.param], ['unknown_parameter', 'instruction']);
  error = await refused(OpenAI.BadRequestError, client.beta.threads.retrieve('undefined'));
  assert.match(error.error.message, /Expected an ID that begins with 'thread'/);
}

async function errorsBeforeAStreamAreErrorsToo(bench) {
  const { assistant_id, thread_id } = await bench.ready('gpt-4o');
  const { runs } = bench.client.beta.threads;
  const error = await refused(
    OpenAI.BadRequestError,
    runs.create(thread_id, { assistant_id, temperature: 3, stream: true }),
  );
  assert.equal(error.param, 'temperature');
  const missing = 'asst_' + 'a'.repeat(24);
  await assert.rejects(runs.stream(thread_id, { assistant_id: missing }).finalRun(), OpenAI.NotFoundError);
}

export const scenarios = Object.entries({
  'a wrong key is no authentication': aWrongKeyIsNoAuthentication,
  'what is not there is not found': whatIsNotThereIsNotFound,
  'what is wrong is a bad request': whatIsWrongIsABadRequest,
  'errors before a stream are errors too': errorsBeforeAStreamAreErrorsToo,
});
