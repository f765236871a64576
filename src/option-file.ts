/**
 * Options from a YAML or JSON file: a mapping from the names of options, or of their flags, to values. Paths in it are
 * relative to the current folder, as on the command line.
 *
 *     epochs: 60
 *     learning-rate: 0.05
 *     freeze: [stem, layer1]
 */
import { readFile } from 'node:fs/promises';
import { isRecord, suggestOption } from './arguments.ts';
import { UsageError } from './errors.ts';
import { refusal as fileRefusal, readable, statIfPresent } from './files.ts';
import { type Field, refusal, type Table } from './options.ts';

/** The parser takes seconds, or all memory, for what is larger and hostile. */
const maxBytes = 2 ** 16;

/** Names of options and their values, as a file has them. */
export type Mapping = Readonly<Record<string, unknown>>;

/**
 * Reads a file of options.
 *
 * @param needed what it is needed for, in a sentence for the error if it is not there.
 * @throws UsageError naming the file if it cannot be read or contains anything else.
 */
export async function readMapping(path: string, needed: string): Promise<Mapping> {
  const stats = statIfPresent(path);
  if (!stats) throw new UsageError(`There is no file "${path}". ${needed}`);
  if (stats.size > maxBytes) {
    throw new UsageError(`"${path}" has ${stats.size} bytes, but a file of options may have at most ${maxBytes}.`);
  }
  const text = await readFile(readable(path), 'utf8').catch((error: unknown) => {
    throw fileRefusal('read', path, error);
  });
  const value = await parsed(text, path);
  if (isRecord(value)) return value;
  throw new UsageError(`"${path}" should contain options and their values, such as "epochs: 60".`);
}

/**
 * The options in a file.
 *
 * @param elsewhere the rest of the sentence on a name that is known, but not here.
 * @returns the values by option. Those that are required may be missing.
 * @throws UsageError naming the file and the option if it is unknown, given twice, or its value is invalid.
 */
export function optionsIn(
  mapping: Mapping,
  table: Table,
  path: string,
  elsewhere: (key: string) => string | undefined = () => undefined,
): Record<string, unknown> {
  const names = namesIn(table);
  const values: Record<string, unknown> = {};
  const spelled = new Map<string, string>();
  for (const [key, value] of Object.entries(mapping)) {
    const name = names.get(key);
    if (name === undefined)
      throw new UsageError(
        `"${path}": there is no option "${key}"${elsewhere(key) ?? `.${suggestOption(key, table)}`}`,
      );
    const other = spelled.get(name);
    if (other !== undefined) {
      throw new UsageError(`"${path}": ${name} is given twice, as ${other} and as ${key}. Remove one of the two.`);
    }
    spelled.set(name, key);
    const isNegated = key.startsWith('no-') && typeof value === 'boolean';
    values[name] = isNegated ? !value : read(table[name]!, value);
    const reason = refusal(table[name]!, values[name]);
    if (reason !== undefined) throw new UsageError(`"${path}": ${key} ${reason}`);
  }
  return values;
}

/** The options of a table by their names and those of their flags, without dashes before. */
const namesIn = (table: Table): ReadonlyMap<string, string> =>
  new Map(Object.keys(table).flatMap((name) => spellings(name, table).map((spelling) => [spelling, name] as const)));

const spellings = (name: string, table: Table): string[] => {
  const { flag } = table[name]!;
  if (flag === undefined) return [];
  return [name, ...Array.from(flag.matchAll(/(?:--|^[<[])([\w-]+)/g), ([, typed]) => typed!)];
};

/** A value, or the value of text that is written as on the command line, where arguments are separate. */
function read(field: Field<unknown>, value: unknown): unknown {
  if (typeof value !== 'string' || field.accepts(value)) return value;
  if (field.flag?.startsWith('-')) return field.parse(value);
  return field.accepts([value]) ? [value] : value;
}

/** JSON is YAML too. */
async function parsed(text: string, path: string): Promise<unknown> {
  const { parse } = await import('yaml');
  try {
    return parse(text, { logLevel: 'error' });
  } catch (cause) {
    throw new UsageError(`"${path}" is not YAML or JSON: ${reasonOf(cause)}.`, { cause });
  }
}

function reasonOf(error: unknown): string {
  const [line = ''] = error instanceof Error ? error.message.split('\n') : [];
  return line.startsWith('Maximum call stack') ? 'it is nested too deeply' : line.replace(/:$/, '');
}
