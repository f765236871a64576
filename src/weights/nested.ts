/**
 * Finding the weights in what a file of PyTorch's holds: a dict of tensors by name, or one inside others with whatever a
 * training script put beside it. Averaged weights are preferred, as timm does when it evaluates; then come the names
 * that timm, torchvision and mmpretrain save by. What wrappers put before every name (DataParallel's `module.`,
 * torch.compile's `_orig_mod.`) is taken off. Each choice is said in `notes`.
 */
import { FormatError } from '../errors.ts';
import { bytesPerElement, elements } from '../tensor.ts';
import type { StateDict, StoredTensor } from './state-dict.ts';
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
  const { dict, path } = find(object, []) ?? noWeights(object, name);
  const notes: string[] = [];
  if (path.length > 0) notes.push(chosenNote(object as Dict, path));
  const found = new Map<string, StoredTensor>();
  const others: string[] = [];
  for (const [key, value] of dict) {
    if (typeof key === 'string' && value instanceof TensorView) found.set(key, value);
    else others.push(shown(key));
  }
  if (others.length > 0) notes.push(`Left out, as no tensors: ${list(others)}.`);
  const tensors = withoutPrefixes(found, notes);
  checkTotal(tensors, size, name);
  return { tensors, metadata: textAround(object as Dict, path), notes };
}

function find(object: unknown, path: readonly string[]): { dict: Dict; path: readonly string[] } | undefined {
  if (!(object instanceof Map) || path.length > depthLimit) return undefined;
  for (const key of nestedKeys) {
    const nested = find(object.get(key), [...path, key]);
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

function withoutPrefixes(given: ReadonlyMap<string, StoredTensor>, notes: string[]): Map<string, StoredTensor> {
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

/** Views of one storage, or with strides of 0, could be far larger than the file. */
export function checkTotal(tensors: ReadonlyMap<string, StoredTensor>, size: number, name: string): void {
  let total = 0;
  for (const { dtype, dims } of tensors.values()) total += elements(dims) * bytesPerElement(dtype);
  if (total <= size) return;
  throw new FormatError(
    `${name} has ${size} bytes, but its tensors take ${total}: they repeat its data, which weights do not.`,
  );
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
