/**
 * Class names from a file, in the order of the outputs, in the formats in which they are passed around:
 *
 *   text       a name per line; numbered (`0,cat`, `0: cat`, `cat,0`), with or without a header; synsets (`n01440764 tench`)
 *   JSON       a list of names; {"0": "cat"}, {"0": ["n02123045", "tabby"]}, {"cat": 0}; any of these under `id2label`,
 *              `class_to_idx` or the like; a dict as Python prints it
 *
 * in UTF-8 or UTF-16. Numbers have to be those of the outputs: from 0 on, each once.
 */
import { bytes as bytesKind, checkArgument, isObject, isRecord } from '../arguments.ts';
import { FormatError } from '../errors.ts';
import { isClassKey } from '../weights/class-names.ts';
import { parseBoundedJson } from '../weights/json.ts';

/** A class and its number; without one, the number is its place in the file. */
type Entry = readonly [name: string, number?: number | undefined];

/**
 * Reads class names from the bytes of a file.
 *
 * @param source the file's name, for errors.
 * @throws FormatError if it is not text, or its numbers are not those of the outputs.
 * @example readLabels(await readFile('labels.csv'), 'labels.csv') // ['cat', 'dog']
 */
export function readLabels(bytes: Uint8Array, source = 'The labels'): string[] {
  checkArgument('bytes', bytes, bytesKind);
  const text = decode(bytes, source).trim();
  const names = inOrder(/^[[{]/.test(text) ? fromJson(text, source) : fromLines(text), source);
  if (names.length === 0) throw new FormatError(`${source} is empty, but expected the name of each class.`);
  const blank = names.indexOf('');
  if (blank >= 0) throw new FormatError(`${source}: class ${blank} has no name. Add it.`);
  return names;
}

function decode(bytes: Uint8Array, source: string): string {
  try {
    const text = new TextDecoder(encodingOf(bytes), { fatal: true }).decode(bytes); // without the byte order mark
    if (!text.includes('\0')) return text;
  } catch {
    // reported below
  }
  throw new FormatError(`${source} is not text in UTF-8 or UTF-16. Save it as UTF-8.`);
}

/** By the byte order mark, or by the zeros that UTF-16 has in every other byte of Latin text. */
function encodingOf(bytes: Uint8Array): string {
  const [first, second] = bytes;
  if ((first === 0xff && second === 0xfe) || (first !== 0 && second === 0)) return 'utf-16le';
  if ((first === 0xfe && second === 0xff) || (first === 0 && second !== 0)) return 'utf-16be';
  return 'utf-8';
}

/** The names by their numbers. */
function inOrder(entries: readonly Entry[], source: string): string[] {
  if (entries.every(([, number]) => number === undefined)) return entries.map(([name]) => name);
  const names = new Map<number, string>();
  for (const [name, number = -1] of entries) {
    if (number < 0) throw new FormatError(`${source}: "${name}" has no number, but other classes have one.`);
    const other = names.get(number);
    if (other !== undefined) throw new FormatError(`${source} has two classes ${number}: "${other}" and "${name}".`);
    names.set(number, name);
  }
  const numbers = [...names.keys()].sort((a, b) => a - b);
  const missing = numbers.findIndex((number, k) => number !== k);
  if (missing < 0) return numbers.map((number) => names.get(number)!);
  throw new FormatError(
    `${source} has ${names.size} classes numbered from ${numbers[0]} to ${numbers.at(-1)}, but none for output ${missing}. Number them from 0 on, in the order of the model's outputs.`,
  );
}

/** Lines that all begin or end with a number are numbered; the first may be a header. */
function fromLines(text: string): Entry[] {
  const lines = text.split(/\r\n|[\r\n]/).flatMap((line) => line.trim() || []);
  const body = lines.length > 1 && isHeader(lines[0]!, lines[1]!) ? lines.slice(1) : lines;
  const numbered = body.map(numberedLine);
  const first = numbered.filter((entry) => entry !== undefined);
  if (first.length > body.length / 2 && separated.test(body[0]!)) {
    return body.map((line, i): Entry => numbered[i] ?? [line]);
  }
  if (first.length === body.length && isNumbering(first)) return first;
  const last = body.flatMap((line): Entry[] => {
    const [, name, number] = /^(.+?)\s*[,;\t]\s*(\d+)$/.exec(line) ?? [];
    return name === undefined ? [] : [[unquoted(name), Number(number)]];
  });
  if (last.length === body.length && (body !== lines || isNumbering(last))) return last;
  return body.map((line): Entry => [withoutSynset(line)]);
}

const separated = /^"?\d+"?\s*[,;:|\t]/;

/** `0,cat`; `0: cat`; `0 cat`. */
function numberedLine(line: string): Entry | undefined {
  const [, number, rest] = /^"?(\d+)"?\s*[,;:|\t\s]\s*(.*)$/.exec(line) ?? [];
  return number === undefined ? undefined : [withoutSynset(unquoted(rest!)), Number(number)];
}

/** Whether a line has no number where the next one has: `id,name` above `0,cat`. */
function isHeader(line: string, next: string): boolean {
  const columns = (text: string) => {
    const flat = text.replaceAll(/"([^"]*)"/g, (_, cell: string) => cell.replaceAll(/[,;]/g, ' '));
    return flat.split(/[,;\t]/).map((cell) => /^\s*\d+\s*$/.test(cell));
  };
  const [above, below] = [columns(line), columns(next)];
  return above.length > 1 && above.length <= below.length && below.includes(true) && !above.includes(true);
}

const isNumbering = (entries: readonly Entry[]): boolean =>
  entries.every(([, number]) => number! < entries.length) &&
  new Set(entries.map(([, number]) => number)).size === entries.length;

/** `n01440764 tench, Tinca tinca` → `tench, Tinca tinca`. A synset alone is the name. */
function withoutSynset(text: string): string {
  const [, name] = /^n\d{8}[\s,;]+(.+)$/.exec(text) ?? [];
  return unquoted(name ?? text);
}

function unquoted(text: string): string {
  const trimmed = text.trim().replace(/,$/, '');
  const [, , inside] = /^(["'])(.*)\1$/.exec(trimmed) ?? [];
  return inside === undefined ? trimmed : inside.replaceAll('""', '"');
}

function fromJson(text: string, source: string): readonly Entry[] {
  const value = parse(text, source);
  checkRepeated(value, text, source);
  const members = isRecord(value) ? Object.entries(value) : [];
  const found = members.map(([key, member]) => (isClassKey(key) && isObject(member) ? entriesOf(member) : undefined));
  const entries = found.find((each) => each !== undefined) ?? entriesOf(value);
  if (entries) return entries;
  throw new FormatError(
    `${source} has no class names, but expected a JSON list of names, or an object like {"0": "cat"}, {"0": ["n02123045", "tabby"]} or {"cat": 0}.`,
  );
}

/** Members of a dict as Python prints it: `0: 'cat'`. */
const pythonMember = /(?:^\{|,)\s*(\d+)\s*:\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')/g;

function parse(text: string, source: string): unknown {
  if (/^\{\s*\d+\s*:/.test(text)) {
    return Array.from(text.matchAll(pythonMember), ([, number, name]) => {
      return [Number(number), name!.slice(1, -1).replaceAll(/\\(.)/g, '$1')];
    });
  }
  try {
    return parseBoundedJson(new TextEncoder().encode(text)).value;
  } catch (cause) {
    const reason = cause instanceof SyntaxError ? 'is not JSON' : `cannot be read: ${(cause as Error).message}`;
    throw new FormatError(`${source} ${reason}.`, { cause });
  }
}

/** `JSON.parse` keeps the last of several members with one name. */
function checkRepeated(value: unknown, text: string, source: string): void {
  if (!isRecord(value) || !Object.keys(value).every(isNumber)) return;
  const found = new Set<string>();
  for (const [, number] of text.matchAll(/[{,]\s*"(\d+)"\s*:/g)) {
    if (found.has(number!)) throw new FormatError(`${source} has several classes ${number}. Number each once.`);
    found.add(number!);
  }
}

/** The classes of a list, or of an object from numbers to names or from names to numbers. */
function entriesOf(value: unknown): readonly Entry[] | undefined {
  if (Array.isArray(value)) return complete(value.map((item) => entryOf(item)));
  if (!isRecord(value)) return undefined;
  const members = Object.entries(value);
  if (members.every(([number, item]) => isNumber(number) && typeof item !== 'number')) {
    return complete(members.map(([number, item]) => entryOf(item, Number(number))));
  }
  return complete(members.map(([name, number]) => (isNumber(number) ? [name, Number(number)] : undefined)));
}

const complete = (entries: readonly (Entry | undefined)[]): readonly Entry[] | undefined =>
  entries.length > 0 && entries.every((entry) => entry !== undefined) ? entries : undefined;

/** A class as its name, [number, name], [synset, name], or an object with the name. */
function entryOf(item: unknown, number?: number): Entry | undefined {
  if (typeof item === 'string' || typeof item === 'number') return [`${item}`.trim(), number];
  if (Array.isArray(item)) {
    const [first, second] = item;
    if (item.length > 2) return undefined;
    return typeof first === 'number' ? entryOf(second, first) : entryOf(second ?? first, number);
  }
  if (!isRecord(item)) return undefined;
  const { name, label, id, index } = item;
  const own = number ?? id ?? index;
  return entryOf(name ?? label, isNumber(own) ? Number(own) : undefined);
}

const isNumber = (value: unknown): boolean =>
  (typeof value === 'number' && Number.isInteger(value) && value >= 0) ||
  (typeof value === 'string' && /^\d+$/.test(value));
