// Messages as elements: text with its citations, charts, and what was done before the answer.

import { element, markdown } from './markdown.js';

const LEAVING_MS = 250;

/** What stands in the list for a message of the server's. */
export function shown(message) {
  const item = element('li', { class: message.role === 'user' ? 'user' : 'assistant' });
  if (message.activities.length) item.append(done(message.activities));
  for (const part of message.parts) {
    if (part.type === 'image') item.append(chart(part.url));
    else if (message.role === 'user') item.append(element('p', {}, part.text));
    else item.append(element('div', { class: 'text' }, ...markdown(part.text, noteOf(part.notes))));
  }
  if (message.attached) item.append(element('span', { class: 'attachment' }, message.attached));
  return item;
}

function chart(url) {
  const image = element('img', { class: 'chart', src: url, alt: 'A chart, described in the text' });
  return element('a', { href: url, target: '_blank' }, image);
}

/** Makes what stands for a mark. Citations of the same passage have the same number. */
function noteOf(notes) {
  const passages = [];
  return (number, label) => {
    const note = notes[number];
    if (!note) return null;
    if (note.type === 'file') return element('a', { href: note.url, download: note.name }, label || note.name);
    const key = JSON.stringify([note.name, note.quote]);
    if (!passages.includes(key)) passages.push(key);
    return citation(passages.indexOf(key) + 1, note);
  };
}

function citation(number, note) {
  const button = element('button', { class: 'cite', type: 'button', 'aria-label': `Source ${number}: ${note.name}` }, `${number}`);
  const source = element('div', { class: 'source', popover: 'auto' }, element('strong', {}, note.name));
  if (note.quote) source.append(...markdown(note.quote, () => null));
  let closing;
  const open = () => {
    clearTimeout(closing);
    if (source.matches(':popover-open')) return;
    document.body.append(source);
    source.showPopover();
    const place = button.getBoundingClientRect();
    const above = place.top > source.offsetHeight + 8 ? place.top - source.offsetHeight - 6 : place.bottom + 6;
    source.style.top = `${above}px`;
    source.style.left = `${Math.max(12, Math.min(place.left - 20, innerWidth - source.offsetWidth - 12))}px`;
  };
  // The pointer needs time to get from the number to the passage.
  const closeSoon = () => {
    closing = setTimeout(() => source.isConnected && source.hidePopover(), LEAVING_MS);
  };
  button.addEventListener('click', open);
  for (const part of [button, source]) {
    part.addEventListener('mouseenter', open);
    part.addEventListener('mouseleave', closeSoon);
  }
  source.addEventListener('toggle', (event) => event.newState === 'closed' && source.remove());
  return button;
}

function done(activities) {
  const words = { search: 'searched the manuals', code: 'computed with Python', function: 'looked up an order' };
  const kinds = [...new Set(activities.map(({ type }) => words[type]))].join(', ');
  const details = element('details', { class: 'done' }, element('summary', {}, kinds[0].toUpperCase() + kinds.slice(1)));
  details.append(...activities.flatMap(activity));
  return details;
}

function activity({ type, found, code, output, arguments: given }) {
  if (type === 'code') return [pre(code), ...(output ? [pre(output)] : [])];
  if (type === 'function') return [pre(`${given}\n→ ${output}`)];
  const names = found.map(({ name, score }) => element('li', {}, `${name} (${score.toFixed(2)})`));
  return [element('ul', {}, ...(names.length ? names : [element('li', {}, 'nothing was found')]))];
}

function pre(text) {
  return element('pre', {}, element('code', {}, text));
}
