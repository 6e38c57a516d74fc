// The Markdown that models write, made into elements. Nothing is ever parsed as HTML: text stays text, whatever it says.

const NOTE = '\ue000(\\d+)\ue001';
const INLINE = new RegExp(
  [
    '`([^`]+)`', // 1: code
    '\\*\\*(.+?)\\*\\*', // 2: strong
    '\\*([^*\\s][^*]*)\\*', // 3: emphasis
    `\\[([^\\]]*)\\]\\(${NOTE}\\)`, // 4, 5: a link to a file
    '\\[([^\\]]+)\\]\\((https?://[^\\s)]+)\\)', // 6, 7: a link
    NOTE, // 8: a citation, or a file without a text of its own
  ].join('|'),
  'g',
);

/** An element with attributes and children; strings among these become text. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The elements of a text. `note(number, label)` makes what stands for a mark. */
export function markdown(text, note) {
  const blocks = text.split(/^(```[^\n]*\n[\s\S]*?(?:^```[ \t]*$|$(?![\s\S])))/m);
  return blocks.flatMap((block) => (block.startsWith('```') ? [fenced(block)] : paragraphs(block, note)));
}

function fenced(block) {
  const code = block.replace(/^[^\n]*\n/, '').replace(/\n?```[ \t]*$/, '');
  return element('pre', {}, element('code', {}, code));
}

function paragraphs(text, note) {
  const made = [];
  for (const line of text.split('\n')) {
    const last = made.at(-1);
    const [kind, content] = kindOf(line);
    if (kind && last?.kind === kind && kind !== 'h3') last.lines.push(content);
    else made.push({ kind, lines: [content] });
  }
  return made.filter(({ kind }) => kind).map(({ kind, lines }) => block(kind, lines, note));
}

function kindOf(line) {
  let found;
  if (!line.trim()) return ['', ''];
  if ((found = /^#{1,6} +(.*)/.exec(line))) return ['h3', found[1]];
  if ((found = /^\s*[-*+] +(.*)/.exec(line))) return ['ul', found[1]];
  if ((found = /^\s*\d+[.)] +(.*)/.exec(line))) return ['ol', found[1]];
  if (/^\s*\|.*\|\s*$/.test(line)) return ['table', line.trim().slice(1, -1)];
  return ['p', line];
}

function block(kind, lines, note) {
  if (kind === 'ul' || kind === 'ol') {
    return element(kind, {}, ...lines.map((line) => element('li', {}, ...inline(line, note))));
  }
  if (kind === 'table') return table(lines, note);
  return element(kind, {}, ...inline(lines.join('\n'), note));
}

function table(lines, note) {
  const rows = lines.filter((line) => !/^[\s:|-]+$/.test(line));
  const made = rows.map((line, number) => {
    const cells = line.split('|').map((cell) => element(number ? 'td' : 'th', {}, ...inline(cell.trim(), note)));
    return element('tr', {}, ...cells);
  });
  return element('div', { class: 'scroll' }, element('table', {}, ...made));
}

function inline(text, note) {
  const made = [];
  let position = 0;
  for (const found of text.matchAll(INLINE)) {
    made.push(text.slice(position, found.index), styled(found, note));
    position = found.index + found[0].length;
  }
  return [...made, text.slice(position)];
}

function styled([all, code, strong, emphasis, label, file, linked, address, mark], note) {
  if (code !== undefined) return element('code', {}, code);
  if (strong !== undefined) return element('strong', {}, ...inline(strong, note));
  if (emphasis !== undefined) return element('em', {}, ...inline(emphasis, note));
  if (file !== undefined) return note(Number(file), label) ?? label;
  if (address !== undefined) return element('a', { href: address, target: '_blank', rel: 'noopener noreferrer' }, linked);
  if (mark !== undefined) return note(Number(mark), '') ?? '';
  return all;
}
