/** The options of a run: those that differ from their defaults, and the command line that asks for the same run. */
import { type Field, quoted } from '../options.ts';
import { recipe, settings, trainOptions } from '../train/options.ts';
import type { RunDetails } from './run-details.ts';

type Options = RunDetails['options'];

export interface ChosenOption {
  readonly name: string;
  readonly value: unknown;
  /** Undefined if there is none. */
  readonly standard: unknown;
}

/** The options of the recipe that differ from their defaults, but for the folder of images. */
export const chosenOptions = (options: Options): ChosenOption[] =>
  Object.entries(recipe as Readonly<Record<string, Field<unknown>>>).flatMap(([name, field]) => {
    const [value, standard] = [options[name], defaultOf(field, options)];
    return name === 'data' || value === undefined || isSame(value, standard) ? [] : [{ name, value, standard }];
  });

/** The default, which may depend on the run's other options. */
function defaultOf(field: Field<unknown>, options: Options): unknown {
  try {
    return field.default ?? field.defaultOf?.(options);
  } catch {
    return undefined; // it depends on a network that has no name
  }
}

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/**
 * The command line that makes the same run: all options that are not defaults, and the number of threads. A named recipe is
 * spelled out, since options that were given beside it may be defaults.
 *
 * @returns parts that belong together: the command, then each argument or option with its value.
 */
export function commandOf(options: Options): string[] {
  const isFromModel = typeof options.from === 'string' && options.from !== '';
  const chosen = chosenOptions(options).filter(({ name }) => name !== 'recipe' && !(isFromModel && isSettled(name)));
  const { data, out, threads } = options;
  return [
    'resnext train',
    ...(data === undefined ? [] : [quoted(data)]),
    ...chosen.map(({ name, value }) => typed(trainOptions[name as keyof typeof trainOptions], value)),
    ...(threads === undefined ? [] : [typed(settings.threads, threads)]),
    ...(out === undefined ? [] : [typed(settings.out, out)]),
  ];
}

/** Whether the model to start from determines an option, which is refused beside it. */
const isSettled = (name: string): boolean =>
  (trainOptions as Readonly<Record<string, Field<unknown>>>)[name]?.settled === true;

function typed({ flag = '' }: Field<unknown>, value: unknown): string {
  const long = flag.match(/--[\w-]+/)?.[0] ?? flag;
  if (value === true) return long;
  return `${long} ${quoted(Array.isArray(value) ? value.join(',') : value)}`;
}

/** What values of options that stand for something else mean. */
const meanings: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  size: { 0: 'as in the variant' },
  resize: { 0: 'by the size' },
  interpolation: { auto: 'as in the model' },
  replicas: { 0: 'measured' },
  patience: { 0: 'never' },
  mixEpochs: { 0: 'all' },
  clipNorm: { 0: 'none' },
  averageDecay: { 0: 'none' },
};

/** A recorded value of an option in words. */
export const optionText = (name: string, value: unknown): string =>
  meanings[name]?.[String(value)] ?? shownValue(value);

/** An option's value in a table. */
export const shownValue = (value: unknown): string =>
  value === undefined || value === '' || (Array.isArray(value) && value.length === 0)
    ? '–'
    : Array.isArray(value)
      ? value.join(', ')
      : typeof value === 'boolean'
        ? value
          ? 'yes'
          : 'no'
        : String(value);
