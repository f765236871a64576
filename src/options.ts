/**
 * Options as tables. An entry states an option's values, its default and its purpose, and everything else follows from it:
 * the TypeScript type, the check and the sentence that refuses a value, the flag on the command line and its parsing, the
 * line of help, and the row in the documentation.
 *
 *   const table = {
 *     epochs: whole({ from: 1, default: 30, flag: '--epochs <n>', doc: 'passes over the training images' }),
 *     data: text({ required: true, doc: 'folder of images' }),
 *   };
 *   type Options = OptionsOf<typeof table>; // { readonly epochs: number; readonly data: string }
 *   type Given = GivenOf<typeof table>; //     { readonly epochs?: number; readonly data: string }
 */
import { UsageError } from './errors.ts';

/** The values that an option accepts. */
export interface Kind<T> {
  /** The expected values in words, for errors: `a whole number of at least 1`. */
  readonly expected: string;
  readonly accepts: (value: unknown) => value is T;
  /** Parses typed text. Text that cannot be parsed is returned unchanged, and then refused. */
  readonly parse: (text: string) => unknown;
  readonly choices?: readonly (string | number)[];
  /** What may be wrong with a value, or meant by it: a sentence after a space, or nothing. */
  advise?(value: unknown): string;
}

/** The rest of an entry. */
export interface About<T> {
  /** One line of help, without the default. */
  readonly doc: string;
  /** In commander's notation: `-o, --output <file>` for an option, `<model>` or `[dir]` for an argument. */
  readonly flag?: string;
  readonly default?: T;
  /** A default that depends on the machine or on the options before this one in the table. */
  defaultOf?(options: object): T;
  /** The default in words, if its value is not enough. */
  readonly usual?: string;
  /** Its value, for the error if it was not typed. */
  readonly example?: string;
  /** The heading above it in help and documentation, which group long tables. */
  readonly group?: string;
  readonly required?: true;
  /** A number of threads. The command line remarks on more of them than this machine has cores. */
  readonly threads?: true;
  /** A file to write. The command line checks that it can be written before it does anything else. */
  readonly written?: true;
  /** A resumed run cannot change it. */
  readonly kept?: true;
  /** The model that training starts from determines it, so it cannot be combined with one. */
  readonly settled?: true;
  /** Every version saved this option, so a file without it is damaged. Files may lack others, which get their defaults. */
  readonly alwaysSaved?: true;
}

export type Field<T> = Kind<T> & About<T>;

export interface Table {
  readonly [name: string]: Field<unknown>;
}

type ValueOf<F> = F extends Kind<infer T> ? T : unknown;
type Required = { readonly required: true };
type Known = Required | { readonly default: unknown } | { defaultOf(options: object): unknown };
type Flat<T> = { readonly [K in keyof T]: T[K] };

/** All options: those that are required or have a default are present. */
export type OptionsOf<T extends Table> = Flat<
  { [K in keyof T as T[K] extends Known ? K : never]: ValueOf<T[K]> } & {
    [K in keyof T as T[K] extends Known ? never : K]?: ValueOf<T[K]>;
  }
>;

/** Options as a caller gives them: only the required ones are always present. */
export type GivenOf<T extends Table> = Flat<
  { [K in keyof T as T[K] extends Required ? K : never]: ValueOf<T[K]> } & {
    [K in keyof T as T[K] extends Required ? never : K]?: ValueOf<T[K]>;
  }
>;

interface Range {
  readonly from?: number;
  readonly above?: number;
  readonly to?: number;
  readonly below?: number;
}

/** A whole number. */
export const whole = <const S extends About<number>>(spec: S & Range) => ({ ...spec, ...numeric(spec, true) });

/**
 * How many threads an option may ask for: far more than help on any machine, and few enough that the process still starts
 * and can be interrupted.
 */
export const maxThreads = 256;

/** A finite number. */
export const real = <const S extends About<number>>(spec: S & Range) => ({ ...spec, ...numeric(spec, false) });

/** One of several words or numbers. */
export const oneOf = <const C extends string | number, const S extends About<C>>(choices: readonly C[], spec: S) => ({
  ...spec,
  expected: either(choices),
  choices,
  accepts: (value: unknown): value is C => choices.some((choice) => choice === value),
  parse: (text: string): unknown => choices.find((choice) => String(choice) === text) ?? numberIn(text),
});

/** True or false, typed as a flag without a value. */
export const flag = <const S extends About<boolean>>(spec: S) => ({
  ...spec,
  expected: 'true or false',
  accepts: (value: unknown): value is boolean => typeof value === 'boolean',
  parse: (text: string): unknown => text,
});

/** Text. It cannot be empty unless that is the default. `expected` describes it in errors. */
export const text = <const S extends About<string>>(spec: S & { readonly expected?: string }) => ({
  ...spec,
  expected: spec.expected ?? 'text',
  accepts: (value: unknown): value is string => typeof value === 'string' && (value !== '' || value === spec.default),
  parse: (typed: string): unknown => typed,
});

/** Any number of values of one kind, typed with commas between them. */
export const list = <T, const S extends About<readonly T[]>>(
  item: Kind<T>,
  spec: S & { readonly nonEmpty?: true },
) => ({
  ...spec,
  expected: `a ${spec.nonEmpty ? 'non-empty ' : ''}list of ${plural(item.expected)}`,
  accepts: (value: unknown): value is readonly T[] =>
    Array.isArray(value) && (value.length > 0 || !spec.nonEmpty) && value.every(item.accepts),
  parse: (typed: string): unknown => {
    const values = typed.split(',').flatMap((part) => (part.trim() ? [item.parse(part.trim())] : []));
    return values.every(item.accepts) ? values : typed;
  },
});

/** Two values of one kind. */
export const pair = <T, const S extends About<readonly [T, T]>>(item: Kind<T>, spec: S) => ({
  ...spec,
  expected: `a pair of ${plural(item.expected)}`,
  accepts: (value: unknown): value is readonly [T, T] =>
    Array.isArray(value) && value.length === 2 && value.every(item.accepts),
  parse: (typed: string): unknown => {
    const values = typed.split(',').map((part) => item.parse(part.trim()));
    return values.length === 2 && values.every(item.accepts) ? values : typed;
  },
});

function numeric(range: Range, isWhole: boolean): Kind<number> {
  const { from = -Infinity, above = -Infinity, to = Infinity, below = Infinity } = range;
  const isNumber = isWhole ? Number.isSafeInteger : Number.isFinite;
  return {
    expected: `a ${isWhole ? 'whole ' : ''}number${bounds(range)}`,
    accepts: (value: unknown): value is number =>
      typeof value === 'number' && isNumber(value) && value >= from && value > above && value <= to && value < below,
    parse: numberIn,
  };
}

const numberIn = (text: string): unknown => (text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text));

function bounds({ from, above, to, below }: Range): string {
  if (from !== undefined && to !== undefined) return ` from ${from} to ${to}`;
  const lower = [
    ...(from === undefined ? [] : [`of at least ${from}`]),
    ...(above === undefined ? [] : [`above ${above}`]),
  ];
  const upper = [...(to === undefined ? [] : [`of at most ${to}`]), ...(below === undefined ? [] : [`below ${below}`])];
  return [...lower, ...upper].map((bound, i) => `${i === 0 ? ' ' : ' and '}${bound}`).join('');
}

/** `a whole number of at least 1` → `whole numbers of at least 1`. */
const plural = (expected: string): string =>
  expected.replace(/^an? /, '').replace(/number|name|text|image|model|folder/, '$&s');

/** `1 or 3`; `constant, step or cosine`. */
export const either = (choices: readonly (string | number)[]): string =>
  choices.length < 2 ? choices.join() : `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`;

/** `a, b, …`: names, or the first few where there are more. */
export const firstOf = (names: readonly string[], most: number): string =>
  names.slice(0, most).join(', ') + (names.length > most ? ', …' : '');

/** A value as it is typed in a shell: in single quotes where a shell would read something else. */
export function quoted(value: unknown): string {
  const text = String(value);
  return /^[\w./:,=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Names an option in an error, with an example of its value if the error asks for one. */
export type Say = (name: string, example?: string) => string;

/**
 * An invalid value or combination of options. The message names options as in a program; `typed` is the same sentence with
 * the names of flags, unless something else has to be typed.
 */
export class OptionError extends UsageError {
  readonly typed: string;

  constructor(table: Table, sentence: (say: Say) => string, typed?: string) {
    super(sentence((name, example) => (example === undefined ? name : `${name}: ${example}`)));
    const say: Say = (name, example) => {
      const { flag = name } = table[name] ?? {};
      const long = flag.match(/--[\w-]+/g)?.at(-1) ?? flag; // an argument is named as in the help
      return example !== undefined && flag.includes('<') ? `${long} ${example}` : long;
    };
    this.typed = typed ?? sentence(say);
  }
}

/** Why a value is invalid, or undefined if it is valid. */
export function refusal(field: Field<unknown>, value: unknown): string | undefined {
  if (field.accepts(value)) return undefined;
  return value === undefined
    ? `is required: expected ${field.expected}.`
    : `is ${shown(value)}, but expected ${field.expected}.${field.advise?.(value) ?? ''}`;
}

/** What to type instead of nothing. */
function missing({ expected, example, flag }: Field<unknown>): string | undefined {
  if (flag === undefined) return undefined;
  const [first] = flag.split(/,? /);
  const thing = `Name ${expected.replace(/^a (?:non-empty )?list of /, 'one or more ')}`;
  const such = example === undefined ? '' : `, such as ${example}`;
  return flag.startsWith('-') ? `${thing} with ${first}${such}.` : `${thing}${such}: ${flag} is missing.`;
}

const maxShown = 80;

/** A value in an error: data as JSON, anything else by its class. */
export function shown(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'string') return cut(JSON.stringify(value));
  if (typeof value !== 'object' || value === null) return String(value);
  if (value instanceof Promise) return 'a Promise, which has to be awaited';
  const { name = 'Object' } = Object.getPrototypeOf(value)?.constructor ?? {};
  if (ArrayBuffer.isView(value)) return `${withArticle(name)} of ${value.byteLength} bytes`;
  return name === 'Array' || name === 'Object' ? cut(jsonOf(value)) : withArticle(name);
}

/** Values with cycles or bigints have no JSON. */
function jsonOf(value: object): string {
  try {
    return JSON.stringify(value);
  } catch {
    return Array.isArray(value) ? 'an array' : 'an object';
  }
}

const cut = (text: string): string => (text.length > maxShown ? `${text.slice(0, maxShown)}…` : text);

const withArticle = (noun: string): string => `${/^[AEIOU]/.test(noun) ? 'an' : 'a'} ${noun}`;

/** @throws OptionError for the first option of the table that is missing or invalid. */
export function check<T extends Table>(table: T, options: object): asserts options is OptionsOf<T> {
  const refused = firstRefused(table, options, (field) => field.required === true || hasDefault(field));
  if (refused) throw refused;
}

/**
 * The same, before defaults are filled in.
 *
 * @throws OptionError for the first option of the table that is invalid, or required and missing.
 */
export function checkGiven<T extends Table>(table: T, given: object): asserts given is GivenOf<T> {
  const refused = refusedOption(table, given);
  if (refused) throw refused;
}

/** The error for the first option that is invalid, or required and missing. */
export const refusedOption = (table: Table, given: object): OptionError | undefined =>
  firstRefused(table, given, (field) => field.required === true);

function firstRefused(
  table: Table,
  given: object,
  isNeeded: (field: Field<unknown>) => boolean,
): OptionError | undefined {
  const values: Values = { ...given };
  for (const [name, field] of Object.entries(table)) {
    const value = values[name];
    const reason = value === undefined && !isNeeded(field) ? undefined : refusal(field, value);
    if (reason === undefined) continue;
    return new OptionError(table, (say) => `${say(name)} ${reason}`, value === undefined ? missing(field) : undefined);
  }
  return undefined;
}

type Values = Readonly<Record<string, unknown>>;

const hasDefault = (field: Field<unknown>): boolean => field.default !== undefined || field.defaultOf !== undefined;

/** The given options, with defaults for the rest of the table. */
function withDefaults(table: Table, given: object): Values {
  const values: Record<string, unknown> = { ...given };
  for (const [name, field] of Object.entries(table)) {
    if (values[name] === undefined && hasDefault(field)) values[name] = field.default ?? field.defaultOf?.(values);
  }
  return values;
}

/**
 * Fills in defaults and checks all options of a table. Other names are dropped.
 *
 * @throws OptionError for the first option that is missing or invalid.
 * @example resolve(table, { data: 'flowers' }) // { data: 'flowers', epochs: 30 }
 */
export function resolve<T extends Table>(table: T, given: object): OptionsOf<T> {
  checkGiven(table, given);
  const options = pick<Values>(table, withDefaults(table, given));
  check(table, options);
  return options;
}

/** The options that belong to a table, in its order, so that files which list them do not depend on how they came about. */
export function pick<T extends object>(table: { readonly [K in keyof T]-?: Field<unknown> }, options: T): T {
  const values = options as Values;
  const names = Object.keys(table).filter((name) => values[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, values[name]])) as T;
}

/** Whether an option has its default value. */
export const isDefault = ({ default: standard }: Field<unknown>, value: unknown): boolean =>
  value === undefined || `${value}` === `${standard}`;

/** The names of the options with a mark. */
export const namesWith = <T extends Table>(table: T, mark: 'kept' | 'settled' | 'alwaysSaved'): (keyof T & string)[] =>
  Object.keys(table).filter((name) => table[name]?.[mark] === true);

/** The line of help: the option's purpose, choices and default. */
export function helpOf(field: Field<unknown>): string {
  const standard = defaultInWords(field);
  const facts = [
    ...(field.choices ? [`choices: ${field.choices.join(', ')}`] : []),
    ...(standard === '' ? [] : [`default: ${standard}`]),
  ];
  return facts.length > 0 ? `${field.doc} (${facts.join('; ')})` : field.doc;
}

/** The default in words; empty for flags, empty text and empty lists. */
export const defaultInWords = ({ usual, default: value }: Field<unknown>): string =>
  usual ?? (value === undefined || typeof value === 'boolean' ? '' : `${value}`);

/** Threads that compute, for the tables of the command line and the library. */
export const threads = whole({
  from: 1,
  to: maxThreads,
  threads: true,
  flag: '--threads <n>',
  usual: 'all cores',
  group: 'Machine',
  doc: 'threads that compute',
});
