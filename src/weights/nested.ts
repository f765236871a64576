/**
 * Finds the weights in the object of a PyTorch file: a dict from names to tensors, possibly nested in other dicts among
 * whatever else a training script saved. Averaged weights are preferred, as in timm's evaluation; then come the keys
 * that timm, torchvision and mmpretrain save under. Prefixes added by wrappers (DataParallel's `module.`,
 * torch.compile's `_orig_mod.`) are stripped. `notes` records each choice.
 */
import { FormatError } from '../errors.ts';
import { bytesPerElement, elements } from '../tensor.ts';
import { Tuple } from './pickle.ts';
import type { StateDict } from './state-dict.ts';
import { TensorView } from './torch-tensors.ts';

/** Keys that may hold the weights, in order of preference. */
const nestedKeys = [
  'model_ema',
  'state_dict_ema',
  'ema_state_dict',
  'state_dict',
  'model_state_dict',
  'model_state',
  'model',
  'net',
  'network',
  'module',
] as const;
const wrapperPrefixes = ['module.', '_orig_mod.'] as const;
const depthLimit = 4;

type Dict = ReadonlyMap<unknown, unknown>;

/**
 * The weights in an object: the dict under one of the usual keys, several levels deep, or the object itself. `size` is
 * the unpacked size of the file in bytes.
 *
 * @throws FormatError if there is no dict of tensors, or the tensors together are larger than the file.
 */
export function chooseWeights(object: unknown, size: number, name: string): StateDict {
  const { dict, path } = find(object, [], new Set()) ?? noWeights(object, name);
  const notes: string[] = [];
  if (path.length > 0) notes.push(chosenNote(object as Dict, path));
  const found = new Map<string, TensorView>();
  const others: string[] = [];
  for (const [key, value] of dict) {
    if (typeof key === 'string' && value instanceof TensorView) found.set(key, value);
    else others.push(shown(key));
  }
  if (others.length > 0) notes.push(`Skipped entries that are not tensors: ${list(others)}.`);
  const tensors = withoutPrefixes(found, notes);
  checkTotal(tensors, size, name);
  const classes = classesAround(object as Dict, path);
  return { tensors, metadata: textAround(object as Dict, path), ...(classes && { classes }), notes };
}

interface Found {
  readonly dict: Dict;
  readonly path: readonly string[];
}

/** A dict may be reachable by several paths, or contain itself, so each is searched once. */
function find(object: unknown, path: readonly string[], seen: Set<unknown>): Found | undefined {
  if (!(object instanceof Map) || path.length > depthLimit || seen.has(object)) return undefined;
  seen.add(object);
  for (const key of nestedKeys) {
    const nested = find(object.get(key), [...path, key], seen);
    if (nested) return nested;
  }
  for (const value of object.values()) if (value instanceof TensorView) return { dict: object, path };
  return undefined;
}

function noWeights(object: unknown, name: string): never {
  const looked = nestedKeys.join(', ');
  const keys = object instanceof Map ? list([...object.keys()].map(shown)) || 'no keys' : undefined;
  const has = keys === undefined ? 'does not contain a dict' : `contains a dict with ${keys}`;
  throw new FormatError(`${name} ${has}, but expected named tensors, in it or under one of ${looked}.`);
}

function chosenNote(object: Dict, path: readonly string[]): string {
  const beside = [...object.keys()].map(shown).filter((key) => key !== path[0]);
  const also = beside.length > 0 ? `; the file also contains ${list(beside)}` : '';
  return `Using the weights under ${path.map((key) => `"${key}"`).join(', ')}${also}.`;
}

const shownLimit = 8;

const shown = (key: unknown): string => (typeof key === 'string' ? printable(key, 60) : typeof key);

/** Escapes control characters, which a terminal would act on. */
const printable = (text: string, length: number): string =>
  JSON.stringify(text.length > length ? `${text.slice(0, length)}…` : text).slice(1, -1);

const list = (names: readonly string[]): string =>
  names.length > shownLimit
    ? `${names.slice(0, shownLimit).join(', ')} and ${names.length - shownLimit} more`
    : names.join(', ');

/** The counter of torch.optim.swa_utils.AveragedModel, which is not a weight of the model. */
const averageCounter = 'n_averaged';

function withoutPrefixes(given: ReadonlyMap<string, TensorView>, notes: string[]): Map<string, TensorView> {
  let tensors = new Map(given);
  const counted = tensors.size > 1 && tensors.delete(averageCounter);
  const taken: string[] = [];
  for (;;) {
    const prefix = wrapperPrefixes.find((each) => [...tensors.keys()].every((key) => key.startsWith(each)));
    if (prefix === undefined || tensors.size === 0 || taken.length === depthLimit) break;
    tensors = new Map(Array.from(tensors, ([key, value]) => [key.slice(prefix.length), value]));
    taken.push(prefix);
  }
  if (taken.length > 0) notes.push(`Stripped the prefix "${taken.join('')}" from every name.`);
  if (counted) notes.push(`Skipped "${averageCounter}", which counts averaged models.`);
  return tensors;
}

const spanLimit = 4;

/**
 * Views that share a storage, or have strides of 0, could be far larger than the file, and views with wide strides
 * could read all of it for a few elements each.
 */
export function checkTotal(tensors: ReadonlyMap<string, TensorView>, size: number, name: string): void {
  let total = 0;
  let span = 0;
  for (const view of tensors.values()) {
    total += elements(view.dims) * bytesPerElement(view.dtype);
    span += view.span * bytesPerElement(view.dtype);
  }
  const has = `${name} has ${size} bytes, but its tensors`;
  if (total > size) throw new FormatError(`${has} take ${total}: they repeat its data, which weights never do.`);
  if (span > spanLimit * size) throw new FormatError(`${has} stretch over ${span}, which weights never do.`);
}

const textLimit = 1000;

/** Strings and numbers saved next to the weights, such as the architecture's name or the epoch. */
function textAround(object: Dict, path: readonly string[]): Map<string, string> {
  const metadata = new Map<string, string>();
  let dict: unknown = object;
  for (const step of path) {
    if (!(dict instanceof Map)) break;
    for (const [key, value] of dict) {
      const scalar = ['string', 'number', 'bigint', 'boolean'].includes(typeof value);
      const text = scalar ? String(value) : '';
      if (typeof key === 'string' && text !== '' && text.length <= textLimit) metadata.set(key, text);
    }
    dict = dict.get(step);
  }
  return metadata;
}

/** Keys under which training scripts save class names; mmpretrain puts them in a dict of their own. */
const classKeys = ['class_to_idx', 'idx_to_class', 'classes', 'class_names', 'labels', 'CLASSES'];
const classDicts = ['meta', 'dataset_meta'];

function classesAround(object: Dict, path: readonly string[]): string[] | undefined {
  let dict: unknown = object;
  for (const step of [...path, '']) {
    if (!(dict instanceof Map)) return undefined;
    for (const each of [dict, ...classDicts.map((key) => (dict as Dict).get(key))]) {
      if (!(each instanceof Map)) continue;
      const found = classKeys.map((key) => classNames(each.get(key))).find((names) => names !== undefined);
      if (found) return found;
    }
    dict = dict.get(step);
  }
  return undefined;
}

/** Class names from a list, or from a dict that maps names to indices or indices to names. */
function classNames(value: unknown): string[] | undefined {
  const items = value instanceof Tuple ? value.items : value;
  if (!(items instanceof Map)) return isTexts(items) ? [...items] : undefined;
  const pairs = Array.from(items, ([a, b]): [number, unknown] =>
    typeof a === 'string' ? [Number(b), a] : [Number(a), b],
  );
  const texts = pairs.sort(([a], [b]) => a - b).map(([, name]) => name);
  return pairs.every(([number], k) => number === k) && isTexts(texts) ? [...texts] : undefined;
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((each) => typeof each === 'string' && each.length <= textLimit);
