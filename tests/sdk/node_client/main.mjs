// Plays every scenario, one line each; ends with status 1 at the first that fails.
//
//   node main.mjs --base-url ... --api-key ... --backend ...

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Bench } from './bench.mjs';
import * as codeInterpreter from './code_interpreter.mjs';
import * as endpoints from './endpoints.mjs';
import * as errors from './errors.mjs';
import * as functions from './functions.mjs';
import * as objects from './objects.mjs';
import * as retrieval from './retrieval.mjs';
import * as runs from './runs.mjs';
import * as streams from './streams.mjs';

const text = { type: 'string' };
const { values } = parseArgs({ options: { 'base-url': text, 'api-key': text, backend: text } });
const bench = new Bench(values['base-url'], values['api-key'], values.backend);
const manifest = new URL('./node_modules/openai/package.json', import.meta.url);

console.log(`openai ${JSON.parse(readFileSync(manifest)).version}`);
for (const module of [objects, errors, runs, streams, functions, retrieval, codeInterpreter, endpoints]) {
  for (const [name, scenario] of module.scenarios) {
    process.stdout.write(`${name} ... `);
    await scenario(bench);
    console.log('ok');
  }
}
