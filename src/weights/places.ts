/** The dicts, lists and modules in an object, at any depth. */
import { Inert, Tuple } from './pickle.ts';

export interface Place {
  readonly value: unknown;
  /** Its key in the place around it. */
  readonly key: string;
  readonly parent: Place | undefined;
  readonly depth: number;
}

const depthLimit = 32;

/** Dicts, lists and modules, each once: the object itself, then those in it, then those in these. */
export function placesIn(object: unknown): Place[] {
  const places: Place[] = [{ value: object, key: '', parent: undefined, depth: 0 }];
  const seen = new Set([object]);
  for (const parent of places) {
    if (parent.depth === depthLimit) continue;
    for (const [key, value] of entriesOf(parent.value)) {
      if (!isPlace(value) || seen.has(value)) continue;
      seen.add(value);
      places.push({ value, key: textOf(key), parent, depth: parent.depth + 1 });
    }
  }
  return places;
}

const isPlace = (value: unknown): boolean =>
  value instanceof Map ||
  value instanceof Tuple ||
  Array.isArray(value) ||
  (value instanceof Inert && !!value.attributes);

function entriesOf(value: unknown): Iterable<readonly [unknown, unknown]> {
  if (value instanceof Map) return value;
  if (value instanceof Inert) return value.attributes ?? [];
  const items = value instanceof Tuple ? value.items : value;
  return Array.isArray(items) ? items.entries() : [];
}

const keyLimit = 200;

function textOf(key: unknown): string {
  if (typeof key === 'number') return String(key);
  if (typeof key !== 'string') return typeof key;
  return key.length > keyLimit ? `${key.slice(0, keyLimit)}…` : key;
}

/** The keys from the object to a place. */
export function pathOf({ key, parent }: Place): string[] {
  return parent ? [...pathOf(parent), key] : [];
}
