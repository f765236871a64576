/**
 * Finding the weights in what a file of PyTorch's holds: a dict of tensors by name, or one inside others with whatever a
 * training script put beside it. Averaged weights are preferred, as timm does when it evaluates; then come the names
 * that timm, torchvision and mmpretrain save by. What wrappers put before every name (DataParallel's `module.`,
 * torch.compile's `_orig_mod.`) is taken off. Each choice is said in `notes`.
 */
import { FormatError } from '../errors.ts';
import { bytesPerElement, elements } from '../tensor.ts';
import { Tuple } from './pickle.ts';
import type { StateDict } from './state-dict.ts';
import { TensorView } from './torch-tensors.ts';

/** The keys under which a dict of weights is looked for, the first that is there wins. */
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
 * The weights in an object: what it holds under one of the usual keys, over several levels, or itself. `size` is that of the file, unpacked.
 *
 * @throws FormatError when there is no dict of tensors, or the tensors together are larger than the file.
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
  if (others.length > 0) notes.push(`Left out, as no tensors: ${list(others)}.`);
  const tensors = withoutPrefixes(found, notes);
  checkTotal(tensors, size, name);
  const classes = classesAround(object as Dict, path);
  return { tensors, metadata: textAround(object as Dict, path), ...(classes && { classes }), notes };
}

interface Found {
  readonly dict: Dict;
  readonly path: readonly string[];
}

/** A dict may be met by several ways, or hold itself; it is looked into once. */
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
  const holds = object instanceof Map ? `a dict with ${list([...object.keys()].map(shown)) || 'no keys'}` : 'no dict';
  throw new FormatError(`${name} holds ${holds}, and no tensors by name, neither there nor under ${looked}.`);
}

function chosenNote(object: Dict, path: readonly string[]): string {
  const beside = [...object.keys()].map(shown).filter((key) => key !== path[0]);
  const also = beside.length > 0 ? `; beside it are ${list(beside)}` : '';
  return `The weights are those under ${path.map((key) => `"${key}"`).join(', ')}${also}.`;
}

const shownLimit = 8;

const shown = (key: unknown): string => (typeof key === 'string' ? printable(key, 60) : typeof key);

/** Without control characters, which would reach a terminal. */
const printable = (text: string, length: number): string =>
  JSON.stringify(text.length > length ? `${text.slice(0, length)}…` : text).slice(1, -1);

const list = (names: readonly string[]): string =>
  names.length > shownLimit
    ? `${names.slice(0, shownLimit).join(', ')} and ${names.length - shownLimit} more`
    : names.join(', ');

/** torch.optim.swa_utils.AveragedModel counts in it how many it has averaged; it is no weight of the model. */
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
  if (taken.length > 0) notes.push(`Every name began with "${taken.join('')}", which was taken off.`);
  if (counted) notes.push(`Left out: "${averageCounter}", which counts averaged models.`);
  return tensors;
}

const spanLimit = 4;

/**
 * Views of one storage, or with strides of 0, could be far larger than the file, and views with wide strides could go
 * over all of it for a few elements each.
 */
export function checkTotal(tensors: ReadonlyMap<string, TensorView>, size: number, name: string): void {
  let total = 0;
  let span = 0;
  for (const view of tensors.values()) {
    total += elements(view.dims) * bytesPerElement(view.dtype);
    span += view.span * bytesPerElement(view.dtype);
  }
  const has = `${name} has ${size} bytes, but its tensors`;
  if (total > size) throw new FormatError(`${has} take ${total}: they repeat its data, which weights do not.`);
  if (span > spanLimit * size) throw new FormatError(`${has} stretch over ${span}, which those of weights do not.`);
}

const textLimit = 1000;

/** Words and numbers beside the weights, such as the name of the architecture or the epoch. */
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

/** What training scripts call the names of their classes; mmpretrain's stand in a dict of their own. */
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

/** Names from a list, or from a dict of names and their numbers either way. */
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
