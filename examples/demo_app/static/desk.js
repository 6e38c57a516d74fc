// The page: asks, shows the answer while it is written, and finds the conversation again after a reload.

import { element, markdown } from './markdown.js';
import { shown } from './messages.js';

const DOING = {
  file_search: 'Searching the manuals…',
  code_interpreter: 'Computing…',
  function: 'Looking up the order…',
};
const LOOK_AGAIN_MS = 700;

const of = (id) => document.getElementById(id);
const [welcome, messages, form, question, file] = ['welcome', 'messages', 'ask', 'question', 'file'].map(of);
let attached = null;

function say(text, kind = '') {
  of('status').textContent = text;
  of('status').className = kind;
}

function setBusy(busy) {
  of('send').hidden = busy;
  of('stop').hidden = !busy;
  of('forget').disabled = busy;
  for (const idea of document.querySelectorAll('.idea')) idea.disabled = busy;
  if (busy) say('Reading your question…', 'busy');
}

function add(item) {
  welcome.hidden = true;
  messages.append(item);
  item.scrollIntoView({ block: 'end' });
  return item;
}

function attach(chosen) {
  attached = chosen;
  of('attached').hidden = !chosen;
  of('attached').firstElementChild.textContent = chosen?.name ?? '';
  file.value = '';
}

/** Throws an Error with the server's words if it refuses. */
async function request(path, options) {
  const response = await fetch(path, options);
  if (response.ok) return response;
  const { message } = await response.json().catch(() => ({}));
  throw new Error(message ?? 'The help desk cannot be reached.');
}

/** The JSON objects of a response, one a line, as they come. */
async function* lines(response) {
  let rest = '';
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    const whole = (rest + piece).split('\n');
    rest = whole.pop();
    for (const line of whole) yield JSON.parse(line);
  }
}

/** The answer while it is written; its citations come with the whole of it. */
class Draft {
  text = '';
  item = element('li', { class: 'assistant' }, element('div', { class: 'text' }));
  waiting = false;

  add(text) {
    if (!this.text) add(this.item);
    this.text += text;
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.waiting = false;
    const readable = this.text.replace(/【[^】]*】?/g, '').replace(/\]\(sandbox:[^)]*\)?/g, ']');
    this.item.firstElementChild.replaceChildren(...markdown(readable, () => null));
    say('');
  }
}

async function ask(text, chosen) {
  const body = new FormData();
  body.append('question', text);
  if (chosen) body.append('file', chosen);
  setBusy(true);
  try {
    const response = await request('api/questions', { method: 'POST', body });
    const parts = [{ type: 'text', text, notes: [] }];
    add(shown({ role: 'user', parts, attached: chosen?.name, activities: [] }));
    question.value = '';
    attach(null);
    await follow(response);
  } catch (error) {
    say(error.message, 'wrong');
  }
  setBusy(false);
  question.focus();
}

async function follow(response) {
  const draft = new Draft();
  for await (const event of lines(response)) {
    if (event.type === 'doing') say(DOING[event.what] ?? 'Working…', 'busy');
    if (event.type === 'text') draft.add(event.text);
    if (event.type === 'error') throw new Error(event.message);
    if (event.type === 'answer') {
      draft.item.remove();
      draft.waiting = true;
      event.messages.forEach((message) => add(shown(message)));
      say('');
    }
  }
}

/** Shows what was said so far; an answer that is under way is waited for. */
async function restore() {
  for (;;) {
    const found = await (await request('api/conversation')).json();
    messages.replaceChildren(...found.messages.map(shown));
    welcome.hidden = found.messages.length > 0;
    setBusy(found.running);
    messages.lastElementChild?.scrollIntoView({ block: 'end' });
    if (!found.running) break;
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
  say('');
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (question.value.trim() && of('stop').hidden) ask(question.value.trim(), attached);
});
question.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});
question.addEventListener('input', () => {
  question.rows = Math.min(8, question.value.split('\n').length);
});
file.addEventListener('change', () => attach(file.files[0] ?? null));
of('attached').lastElementChild.addEventListener('click', () => attach(null));
of('stop').addEventListener('click', () => request('api/stop', { method: 'POST' }));
of('forget').addEventListener('click', async () => {
  await request('api/conversation', { method: 'DELETE' });
  await restore();
});
for (const idea of document.querySelectorAll('.idea')) {
  idea.addEventListener('click', async () => {
    const { table } = idea.dataset;
    const chosen = table ? new File([await (await request(table)).blob()], table) : null;
    await ask(idea.querySelector('span').textContent, chosen);
  });
}

restore().catch((error) => say(error.message, 'wrong'));
