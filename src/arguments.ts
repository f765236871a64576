/**
 * What programs pass to public functions. TypeScript checks it before a program runs and JavaScript does not, so these
 * functions check it with the entries of `options.ts`, and refuse it in the same sentences.
 *
 *   const fields: FieldsOf<ShowOptions> = { size: whole({ from: 1, doc: 'pixels' }), onClick: callback({ doc: '…' }) };
 *   function show(image: Image, options: ShowOptions = {}) {
 *     checkArgument('image', image, imageKind);
 *     checkOptions(fields, options); // There is no option "sise". Did you mean size?
 *   }
 */
import { didYouMean, meantName } from './closest-name.ts';
import { UsageError } from './errors.ts';
import { type About, checkGiven, type Field, firstOf, type Kind, refusal, shown, type Table } from './options.ts';

/** A table with an entry for each option of an interface. */
export type FieldsOf<T> = { readonly [K in keyof T]-?: Field<unknown> };

/** A value of any other kind, such as an object of a class. */
export const kind = (expected: string, accepts: (value: unknown) => boolean): Kind<unknown> => ({
  expected,
  accepts: (value: unknown): value is unknown => accepts(value),
  parse: (typed: string): unknown => typed,
});

/** An option whose value is of any other kind. */
export const object = (
  expected: string,
  accepts: (value: unknown) => boolean,
  spec: Omit<About<unknown>, 'doc'> = {},
): Field<unknown> => ({ ...spec, doc: expected, ...kind(expected, accepts) });

/** An option whose value is a function. */
export const callback = (doc: string): Field<unknown> => ({
  doc,
  ...kind('a function', (value) => typeof value === 'function'),
});

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** Whether a value is an object, but not a list. */
export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  isObject(value) && !Array.isArray(value);

/** Whether a value is an object with these properties. */
export const hasAll = (value: unknown, ...names: readonly string[]): boolean =>
  isObject(value) && names.every((name) => name in value);

/** Whether a value is of a built-in class, also one of another realm, as in tests that run in a sandbox. */
export const isOf = (value: unknown, ...names: readonly string[]): boolean =>
  names.includes(Object.prototype.toString.call(value).slice('[object '.length, -1));

/** An option that ends what takes long. */
export const signalField = object('an AbortSignal', (value) => hasAll(value, 'aborted', 'addEventListener'));

export const path = kind('a path', (value) => typeof value === 'string' && value !== '');
export const name = kind('a name', path.accepts);
export const bytes = kind('a Uint8Array', (value) => isOf(value, 'Uint8Array'));
export const map = kind('a Map', (value) => isOf(value, 'Map'));

/** @throws UsageError unless an argument is of this kind. */
export function checkArgument(name: string, value: unknown, expected: Kind<unknown>): void {
  const reason = refusal({ ...expected, doc: name }, value);
  if (reason !== undefined) throw new UsageError(`${name} ${reason}`);
}

/** @throws UsageError unless an argument is an array of this kind, naming the first item that is not. */
export function checkList(name: string, values: unknown, expected: Kind<unknown>): void {
  checkArgument(name, values, kind(`an array, with ${expected.expected} each`, Array.isArray));
  const wrong = (values as unknown[]).findIndex((value) => !expected.accepts(value));
  if (wrong >= 0) checkArgument(`${name}[${wrong}]`, (values as unknown[])[wrong], expected);
}

/**
 * Checks options by a table.
 *
 * @throws UsageError if they are not an object, or a name is not in the table, with the one that may be meant; OptionError
 *   for a value.
 */
export function checkOptions(table: Table, given: unknown): void {
  if (!isRecord(given)) {
    throw new UsageError(`The options are ${shown(given)}, but expected an object with ${optionNames(table)}.`);
  }
  const other = Object.keys(given).find((name) => !Object.hasOwn(table, name));
  if (other !== undefined) throw new UsageError(`There is no option "${other}".${suggestOption(other, table)}`);
  checkGiven(table, given);
}

/** A table in which nothing is required. */
export const optional = (table: Table): Table =>
  Object.fromEntries(Object.entries(table).map(([name, { required: _, ...field }]) => [name, field]));

/** Tables with more options are not listed in errors. */
const maxListed = 12;

const optionNames = (table: Table): string => firstOf(Object.keys(table), maxListed);

/** A sentence, after a space, on the option that may be meant, by the names of options and of their flags. */
export function suggestOption(name: string, table: Table): string {
  const options = new Map(
    Object.entries(table).flatMap(([option, { flag = '' }]) => {
      const flags = Array.from(flag.matchAll(/--([\w-]+)/g), ([, long]) => long!);
      return [option, ...flags].map((spelling) => [spelling, option] as const);
    }),
  );
  const meant = meantName(name, [...options.keys()]);
  return meant === undefined ? ` The options are ${optionNames(table)}.` : didYouMean(options.get(meant));
}
