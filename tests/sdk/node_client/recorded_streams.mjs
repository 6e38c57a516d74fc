// Writes down every stream of events that the process reads: node --import ./recorded_streams.mjs ...
//
// A line of streams.jsonl is {method, path, resumed, text, whole}; `whole` if the server has ended the stream.

import { appendFileSync, writeFileSync } from 'node:fs';

const FILE = new URL('./streams.jsonl', import.meta.url);
const plainFetch = globalThis.fetch;
writeFileSync(FILE, '');

async function writeDown(request, body) {
  const decoder = new TextDecoder();
  let text = '';
  let whole = false;
  try {
    for await (const chunk of body) text += decoder.decode(chunk, { stream: true });
    whole = true;
  } catch {
    // The reader went away.
  }
  appendFileSync(FILE, `${JSON.stringify({ ...request, text, whole })}\n`);
}

globalThis.fetch = async (url, options = {}) => {
  const response = await plainFetch(url, options);
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return response;
  const [mine, theirs] = response.body.tee();
  const resumed = new Headers(options.headers).has('last-event-id');
  writeDown({ method: (options.method ?? 'GET').toUpperCase(), path: new URL(url).pathname, resumed }, mine);
  return new Response(theirs, { status: response.status, headers: response.headers });
};
