// Notes which events an AssistantStream emits, and in which order.

import assert from 'node:assert/strict';
import { textOf } from './bench.mjs';

export class Recorder {
  emitted = [];
  events = [];
  deltas = [];

  /** Listens to `stream`; the stream is given back. */
  follow(stream) {
    const note = (name, show = () => '') => {
      stream.on(name, (...given) => this.emitted.push([name, show(...given)].filter(Boolean).join(': ')));
    };
    note('runStepCreated', (step) => step.type);
    note('runStepDone', (step) => step.type);
    note('messageCreated');
    note('messageDone', textOf);
    note('textCreated');
    note('textDelta');
    note('textDone', (text) => text.value);
    note('toolCallCreated', (call) => call.function.name);
    note('toolCallDelta', (_, call) => call.function.name);
    note('toolCallDone', (call) => `${call.function.name}(${call.function.arguments})`);
    note('end');
    stream.on('event', (event) => this.events.push(event.event));
    stream.on('textDelta', (delta, snapshot) => {
      this.deltas.push(delta.value);
      assert.equal(snapshot.value, this.deltas.join(''));
    });
    return stream;
  }
}
