/**
 * Finds the weights in the object of a PyTorch file: a dict from names to tensors, or a module, at any depth among
 * whatever else a training script saved. Where there are several, `preference.ts` and the keys that timm, torchvision
 * and mmpretrain save under decide, unless a key is given. Prefixes added by wrappers (DataParallel's `module.`,
 * torch.compile's `_orig_mod.`) are stripped. `notes` records each choice.
 */
import { FormatError, UsageError } from '../errors.ts';
import { bytesPerElement, elements } from '../tensor.ts';
import { classNamesIn, isClassKey } from './class-names.ts';
import { describeModule, isScript, moduleTensors } from './modules.ts';
import { Inert, refuseName } from './pickle.ts';
import { type Place, pathOf, placesIn } from './places.ts';
import { neutral, preference, preferred } from './preference.ts';
import type { StateDict, StateDictOptions } from './state-dict.ts';
import type { TorchObject } from './torch-names.ts';
import { TensorView } from './torch-tensors.ts';

/** Keys that usually hold the weights, in order of preference. */
const usualKeys = [
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
];
const wrapperPrefixes = ['module.', '_orig_mod.'] as const;
const maxWrappers = 4;

/** With more networks than this in a file, only the first are looked at. */
const maxTried = 64;
/** Modules that are looked into for tensors, not counting those in them. */
const maxModules = 16;

type Dict = ReadonlyMap<unknown, unknown>;

/**
 * The weights in a PyTorch object.
 *
 * @throws FormatError if there is no dict of tensors, a tensor was made by an unknown name, or the tensors together are
 *   larger than the file; UsageError if there is nothing under the given key.
 */
export function chooseWeights(file: TorchObject, name: string, options: StateDictOptions = {}): StateDict {
  const places = placesIn(file.object);
  const candidates = candidatesIn(places, name);
  if (candidates.length === 0) noWeights(file, name);
  const { chosen, others } = choose(candidates, name, options);
  const { entries, types } = entriesOf(chosen.place, name);
  const notes = chosen.place.parent ? [chosenNote(file.object, chosen.place)] : [];
  if (others.length > 0) notes.push(othersNote(others));
  if (chosen.place.value instanceof Inert) notes.push(`Read the tensors of ${describeModule(chosen.place.value)}.`);
  const left = [...file.unknown].filter((each) => !types.has(each)).map(keyInWords);
  if (left.length > 0) notes.push(`Left out what weights do not need, without executing it: ${list(left)}.`);
  const tensors = withoutPrefixes(namedTensors(entries, name, notes), notes);
  checkTotal(tensors, file.size, name);
  const { classes, notes: classNotes } = classNamesIn(places);
  notes.push(...classNotes);
  const opened = { tensors, metadata: textAround(chosen.place), classes, notes };
  return chosen.rest === '' ? opened : underPrefix(opened, chosen.rest, name);
}

/** A dict of tensors, or a module. */
interface Candidate {
  readonly place: Place;
  /** A prefix of the names of its tensors, from the key that was asked for. */
  readonly rest: string;
}

/** In order of preference. A module is one with all modules in it. */
function candidatesIn(places: readonly Place[], name: string): Candidate[] {
  const known = ({ key, parent }: Place): number => {
    const index = usualKeys.indexOf(key);
    return index >= 0 ? index : usualKeys.length + (parent ? 1 : 0);
  };
  let modules = 0;
  const found = places.filter((place) => {
    if (!(place.value instanceof Inert)) return isDict(place);
    return isOuterModule(place) && ++modules <= maxModules && moduleTensors(place.value, name).tensors.size > 0;
  });
  return [...found, ...aliasesOf(found, places)]
    .map((place) => ({ place, rest: '', rank: rankOf(place) }))
    .sort((a, b) => a.rank - b.rank || known(a.place) - known(b.place));
}

/** Other keys of the same dicts: a teacher and a student may be one at first. */
function aliasesOf(found: readonly Place[], places: readonly Place[]): Place[] {
  const known = new Map(found.map((place) => [place.value, place]));
  return places.flatMap((parent) =>
    Array.from(parent.value instanceof Map ? parent.value : [], ([key, value]): Place[] => {
      const place = known.get(value);
      const isOther = place && typeof key === 'string' && !(place.parent === parent && place.key === key);
      return isOther ? [{ value, key, parent, depth: parent.depth + 1 }] : [];
    }).flat(),
  );
}

/** Dicts without a single known tensor come last. */
const rankOf = (place: Place): number =>
  place.value instanceof Map && !has(place.value, isView) ? Number.POSITIVE_INFINITY : preferenceOf(place);

const preferenceOf = ({ key, parent }: Place): number =>
  parent ? preferred(preferenceOf(parent), preference(key)) : neutral;

/** The keys from the object to a place, joined by dots. */
const pathText = (place: Place): string => pathOf(place).join('.');

const isDict = ({ value, parent }: Place): boolean =>
  value instanceof Map && !insideModule(parent) && has(value, isTensor);

const isOuterModule = ({ value, parent }: Place): boolean =>
  value instanceof Inert && !!value.attributes && !insideModule(parent);

function has(dict: Dict, kind: (value: unknown) => boolean): boolean {
  for (const [key, value] of dict) if (typeof key === 'string' && kind(value)) return true;
  return false;
}

const insideModule = (place: Place | undefined): boolean =>
  place !== undefined && (place.value instanceof Inert || insideModule(place.parent));

const isView = (value: unknown): boolean => value instanceof TensorView;

/** A tensor, or what was made of its data by an unknown name. */
const isTensor = (value: unknown): boolean => isView(value) || (value instanceof Inert && value.hasData);

function entriesOf({ value }: Place, name: string): { entries: Dict; types: ReadonlySet<string> } {
  if (!(value instanceof Inert)) return { entries: value as Dict, types: new Set() };
  const { tensors, types } = moduleTensors(value, name);
  return { entries: tensors, types };
}

/** The preferred candidate that holds a network, and the others that do. */
function choose(
  all: readonly Candidate[],
  name: string,
  { key, isNetwork }: StateDictOptions,
): { chosen: Candidate; others: readonly Candidate[] } {
  const candidates = key === undefined ? all : asked(all, key, name);
  if (!isNetwork || candidates.length === 1) return { chosen: candidates[0]!, others: [] };
  const known = new Map<unknown, boolean>(); // one dict may have many keys
  const holdsNetwork = ({ place }: Candidate): boolean => {
    const before = known.get(place.value);
    if (before !== undefined) return before;
    const tensors = [...entriesOf(place, name).entries].filter(
      (entry): entry is [string, TensorView] => typeof entry[0] === 'string' && entry[1] instanceof TensorView,
    );
    const holds = isNetwork(new Map(tensors));
    known.set(place.value, holds);
    return holds;
  };
  const networks = candidates.slice(0, maxTried).filter(holdsNetwork);
  const others = key === undefined ? networks.slice(1) : [];
  return { chosen: networks[0] ?? candidates[0]!, others };
}

/** The candidates under a key, which may continue into the names of tensors. */
function asked(all: readonly Candidate[], key: string, name: string): readonly Candidate[] {
  const under = all.filter(({ place }) => {
    const path = pathText(place);
    return path === key || path.startsWith(`${key}.`) || path.endsWith(`.${key}`);
  });
  if (under.length > 0) return under;
  const inNames = all.flatMap(({ place }) => {
    const path = place.parent ? `${pathText(place)}.` : '';
    if (!key.startsWith(path)) return [];
    const rest = key.slice(path.length);
    const names = [...entriesOf(place, name).entries.keys()];
    return names.some((each) => typeof each === 'string' && each.startsWith(`${rest}.`)) ? [{ place, rest }] : [];
  });
  if (inNames.length > 0) return inNames;
  throw missingKey(
    name,
    key,
    all
      .filter(({ place }) => place.parent)
      .slice(0, maxTried)
      .map(({ place }) => pathText(place)),
  );
}

const missingKey = (name: string, key: string, keys: readonly string[]): UsageError => {
  const has = keys.length > 0 ? `, but has them under ${list(keys.map((each) => `"${printable(each, 60)}"`))}` : '';
  return new UsageError(`${name} has no tensors under the key "${key}"${has}. Choose another key, or leave it out.`);
};

/**
 * The tensors whose names begin with a prefix, under their whole names.
 *
 * @throws UsageError if there are none.
 */
export function underPrefix(stored: StateDict, prefix: string, name: string): StateDict {
  const tensors = new Map([...stored.tensors].filter(([each]) => each.startsWith(`${prefix}.`)));
  if (tensors.size > 0) return { ...stored, tensors };
  const first = new Set([...stored.tensors.keys()].flatMap((each) => (each.includes('.') ? each.split('.')[0]! : [])));
  throw missingKey(name, prefix, [...first]);
}

function noWeights({ object, unknown }: TorchObject, name: string): never {
  if (object instanceof Inert && isScript(object)) {
    throw new FormatError(
      `${name} is a TorchScript archive without named tensors, as torch.jit.freeze leaves it. Save the weights of the original model with torch.save(model.state_dict(), …) and open that file.`,
    );
  }
  const keys = object instanceof Map ? list([...object.keys()].map(keyInWords)) || 'no keys' : undefined;
  const [first] = unknown;
  if (first !== undefined && keys === undefined) refuseName(name, first);
  const has = keys === undefined ? 'does not contain a dict' : `contains a dict with ${keys}`;
  const left = unknown.size > 0 ? ` It was read without ${list([...unknown].map(keyInWords))}.` : '';
  throw new FormatError(`${name} ${has}, but expected named tensors, at any depth.${left}`);
}

function chosenNote(object: unknown, place: Place): string {
  const path = pathOf(place);
  const keys = object instanceof Map ? [...object.keys()].map(keyInWords) : [];
  const beside = keys.filter((key) => key !== path[0]);
  const also = beside.length > 0 ? `; the file also contains ${list(beside)}` : '';
  return `Using the weights under ${path.map((key) => `"${printable(key, 60)}"`).join(', ')}${also}.`;
}

function othersNote(others: readonly Candidate[]): string {
  const paths = others.map(({ place }) => (place.parent ? `"${printable(pathText(place), 60)}"` : 'no key'));
  return `Other networks are under ${list(paths)}; choose one with key (--key).`;
}

const shownLimit = 8;

const keyInWords = (key: unknown): string => (typeof key === 'string' ? printable(key, 60) : typeof key);

/** Escapes control characters, which a terminal would act on. */
const printable = (text: string, length: number): string =>
  JSON.stringify(text.length > length ? `${text.slice(0, length)}…` : text).slice(1, -1);

const list = (names: readonly string[]): string =>
  names.length > shownLimit
    ? `${names.slice(0, shownLimit).join(', ')} and ${names.length - shownLimit} more`
    : names.join(', ');

/** The tensors among the entries of a dict. */
function namedTensors(entries: Dict, name: string, notes: string[]): Map<string, TensorView> {
  const tensors = new Map<string, TensorView>();
  const others: string[] = [];
  for (const [key, value] of entries) {
    if (typeof key === 'string' && value instanceof TensorView) tensors.set(key, value);
    else if (value instanceof Inert && value.hasData) refuseTensor(keyInWords(key), value, name);
    else if (!isClassKey(key)) others.push(keyInWords(key));
  }
  if (others.length > 0) notes.push(`Skipped entries that are not tensors: ${list(others)}.`);
  return tensors;
}

function refuseTensor(key: string, { name: maker }: Inert, name: string): never {
  throw new FormatError(
    `${name}: its tensor "${key}" is made by ${JSON.stringify(maker)}, which weights do not need; none of it was executed. Is the network quantized? Save the state dict of a network of floating-point numbers.`,
  );
}

/** The counter of torch.optim.swa_utils.AveragedModel, which is not a weight of the model. */
const averageCounter = 'n_averaged';

function withoutPrefixes(given: ReadonlyMap<string, TensorView>, notes: string[]): Map<string, TensorView> {
  let tensors = new Map(given);
  const counted = tensors.size > 1 && tensors.delete(averageCounter);
  const taken: string[] = [];
  for (;;) {
    const prefix = wrapperPrefixes.find((each) => [...tensors.keys()].every((key) => key.startsWith(each)));
    if (prefix === undefined || tensors.size === 0 || taken.length === maxWrappers) break;
    tensors = new Map(Array.from(tensors, ([key, value]) => [key.slice(prefix.length), value]));
    taken.push(prefix);
  }
  if (taken.length > 0) notes.push(`Stripped the prefix "${taken.join('')}" from every name.`);
  if (counted) notes.push(`Skipped "${averageCounter}", which counts averaged models.`);
  return tensors;
}

const spanLimit = 4;
/** How many names a tensor may have: a module that is registered several times is saved once and named each time. */
const repeatLimit = 8;

/**
 * Views that share a storage, or have strides of 0, could be far larger than the file, and views with wide strides
 * could read all of it for a few elements each. A tensor under several names counts once.
 */
export function checkTotal(tensors: ReadonlyMap<string, TensorView>, size: number, name: string): void {
  const whole = ({ dtype, dims }: TensorView) => elements(dims) * bytesPerElement(dtype);
  const stretch = ({ dtype, span }: TensorView) => span * bytesPerElement(dtype);
  const distinct = new Set(tensors.values());
  const over = (limit: number, views: Iterable<TensorView>, of: (view: TensorView) => number): number | undefined => {
    const total = Array.from(views, of).reduce((sum, each) => sum + each, 0);
    return total > limit * size ? total : undefined;
  };
  const has = `${name} has ${size} bytes, but its tensors`;
  const bytes = over(1, distinct, whole) ?? over(repeatLimit, tensors.values(), whole);
  if (bytes) throw new FormatError(`${has} take ${bytes}: they repeat its data, which weights never do.`);
  const span = over(spanLimit, distinct, stretch) ?? over(repeatLimit, tensors.values(), stretch);
  if (span) throw new FormatError(`${has} stretch over ${span}, which weights never do.`);
}

const textLimit = 1000;

/** Strings and numbers saved around the weights, such as the architecture's name or the epoch. */
function textAround({ parent }: Place): Map<string, string> {
  if (!parent) return new Map();
  const metadata = textAround(parent);
  if (!(parent.value instanceof Map)) return metadata;
  for (const [key, value] of parent.value) {
    const scalar = ['string', 'number', 'bigint', 'boolean'].includes(typeof value);
    const text = scalar ? String(value) : '';
    if (typeof key === 'string' && text !== '' && text.length <= textLimit) metadata.set(key, text);
  }
  return metadata;
}
