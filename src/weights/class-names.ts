/** Class names that training scripts save beside the weights, under many keys and at any depth. */
import { parseBoundedJson } from './json.ts';
import { Inert, Tuple } from './pickle.ts';
import { type Place, pathOf } from './places.ts';

export interface ClassNames {
  /** Where they are in the file, such as `meta.dataset_meta.classes`. */
  readonly key: string;
  /** In the order of the outputs. */
  readonly names: readonly string[];
}

/** In lower case, without what separates words. */
const classKeys: ReadonlySet<string> = new Set([
  ...[
    'classes',
    'classnames',
    'classlabels',
    'classlist',
    'names',
    'labels',
    'labelnames',
    'categories',
    'targetnames',
  ],
  ...['classtoidx', 'classtoindex', 'class2idx', 'class2id', 'labeltoid', 'label2id', 'label2idx', 'labelmap'],
  ...['idxtoclass', 'indextoclass', 'idx2class', 'id2class', 'idtolabel', 'id2label', 'idx2label', 'vocab'],
]);

export const isClassKey = (key: unknown): key is string =>
  typeof key === 'string' && key.length < 40 && classKeys.has(key.toLowerCase().replaceAll(/[^a-z0-9]/g, ''));

const found = 8;

/**
 * The lists of class names in these places, the outer ones first, with a note on each that cannot be read. Numbers,
 * tensors and other values under the same keys are not class names.
 */
export function classNamesIn(places: readonly Place[]): { classes: ClassNames[]; notes: string[] } {
  const classes: ClassNames[] = [];
  const notes: string[] = [];
  for (const place of places) {
    if (!(place.value instanceof Map)) continue;
    for (const [key, value] of place.value) {
      if (!isClassKey(key) || classes.length + notes.length === found) continue;
      const path = [...pathOf(place), key].join('.');
      const names = orderedNames(value);
      if (names) classes.push({ key: path, names });
      else if (isMeantAsNames(value)) notes.push(`The class names under "${path}" cannot be read: ${reason}.`);
    }
  }
  return { classes, notes };
}

/** The lists of class names in the metadata of a file, as JSON. */
export function classNamesInText(metadata: ReadonlyMap<string, string>): ClassNames[] {
  return [...metadata].flatMap(([key, text]) => {
    const names = isClassKey(key) && /^\s*[[{]/.test(text) ? orderedNames(fromJson(text)) : undefined;
    return names ? [{ key, names }] : [];
  });
}

/** Objects as maps; undefined if the text is not JSON. */
function fromJson(text: string): unknown {
  try {
    const { value } = parseBoundedJson(new TextEncoder().encode(text));
    return Array.isArray(value) ? value : new Map(Object.entries(value as object));
  } catch {
    return undefined;
  }
}

const reason = 'expected a list of names, or a dict from names to the numbers 0, 1, … or back';

/** Class names from a list, or from a dict that maps names to numbers or numbers to names. */
export function orderedNames(value: unknown): string[] | undefined {
  const items = value instanceof Tuple ? value.items : value;
  if (!(items instanceof Map)) return isTexts(items) ? [...items] : undefined;
  const pairs = Array.from(items, ([a, b]): [number, unknown] =>
    typeof a === 'string' && typeof b !== 'string' ? [Number(b), a] : [Number(a), b],
  );
  const texts = pairs.sort(([a], [b]) => a - b).map(([, name]) => name);
  return pairs.every(([number], k) => number === k) && isTexts(texts) ? [...texts] : undefined;
}

const textLimit = 1000;

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((each) => typeof each === 'string' && each.length <= textLimit);

/** A dict of names and numbers with gaps, a list of which some are names, or an object of an unknown type. */
function isMeantAsNames(value: unknown): boolean {
  if (value instanceof Inert) return !value.hasData;
  const items = value instanceof Tuple ? value.items : value;
  const values = items instanceof Map ? [...items].flat() : Array.isArray(items) ? items : [];
  return values.some((each) => typeof each === 'string') && values.every((each) => typeof each !== 'object');
}
