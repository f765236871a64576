/**
 * The names in PyTorch's pickles. A table lists those that make tensors and plain values; each is a function of ours. Any
 * other name stands for an inert object, and is listed as left out. Modules that were pickled as a whole are such
 * objects, of which the tensors are kept. Names that run commands or code in Python are refused: a file that has one was
 * made to attack whoever opens it with PyTorch.
 */
import { FormatError } from '../errors.ts';
import type { DType } from '../tensor.ts';
import { moduleAttributes } from './modules.ts';
import { Inert, Named, type PickleNames, Tuple } from './pickle.ts';
import { isSize, Storage, TensorView } from './torch-tensors.ts';

const storageTypes: ReadonlyMap<string, DType> = new Map([
  ['torch.DoubleStorage', 'float64'],
  ['torch.FloatStorage', 'float32'],
  ['torch.HalfStorage', 'float16'],
  ['torch.BFloat16Storage', 'bfloat16'],
  ['torch.LongStorage', 'int64'],
  ['torch.IntStorage', 'int32'],
  ['torch.ShortStorage', 'int16'],
  ['torch.CharStorage', 'int8'],
  ['torch.ByteStorage', 'uint8'],
  ['torch.BoolStorage', 'bool'],
  ['torch.storage.UntypedStorage', 'uint8'],
]);
const dtypeNames = /^torch\.(float(16|32|64)|bfloat16|u?int8|int(16|32|64)|bool|half|float|double|long)$/;

const commandModules = /^(os|posix|nt|subprocess|pty|runpy|importlib|ctypes|shutil|socket|marshal|pickle|_pickle)\b/;
const commands = /^(builtins|__builtin__)\.(eval|exec|execfile|compile|open|__import__|breakpoint|input)$/;

/** About ten times what a TorchScript network of 154 layers has, in which every module is a type of its own. */
const unknownLimit = 10_000;

/** The object in a PyTorch file. */
export interface TorchObject {
  readonly object: unknown;
  /** The names in its pickle that are not known here. */
  readonly unknown: ReadonlySet<string>;
  /** The file's size in bytes, unpacked. */
  readonly size: number;
}

/** Finds the storage that a pickle refers to, by the fields of its persistent id. */
export type FindStorage = (key: string, dtype: DType, length: number, view: unknown) => Storage;

export class TorchNames implements PickleNames {
  /** The names that are not known here, in the order of the file. */
  readonly unknown = new Set<string>();
  readonly #file: string;
  readonly #find: FindStorage;
  readonly #functions: ReadonlyMap<string, (args: readonly unknown[]) => unknown>;

  /** @param file its name in messages. */
  constructor(file: string, find: FindStorage) {
    this.#file = file;
    this.#find = find;
    this.#functions = functionsFor(file);
  }

  named(asked: string): Named | undefined {
    const call = this.#functions.get(asked);
    if (call) return new Named(asked, call);
    if (storageTypes.has(asked) || dtypeNames.test(asked)) return new Named(asked);
    if (commandModules.test(asked) || commands.test(asked)) return undefined;
    if (this.unknown.add(asked).size > unknownLimit) {
      throw new FormatError(`${this.#file} refers to more than ${unknownLimit} names, which weights do not need.`);
    }
    return new Named(asked, (args) => new Inert(asked, haveData(args)));
  }

  attributes(object: Inert, state: unknown): ReadonlyMap<unknown, unknown> | undefined {
    return moduleAttributes(object, state);
  }

  /** Storages, and in old files also types, each with its source code. */
  persistent(id: unknown): unknown {
    const [kind, type, key, , length, part] = id instanceof Tuple ? id.items : [];
    if (kind === 'module' && type instanceof Named) return type;
    const dtype = type instanceof Named ? storageTypes.get(type.name) : undefined;
    if (kind === 'storage' && type instanceof Named && this.unknown.has(type.name)) return new Inert(type.name, true);
    if (kind !== 'storage' || !dtype || typeof key !== 'string' || !isSize(length)) {
      throw new FormatError(`${this.#file}: its pickle refers to data in a way that PyTorch never does.`);
    }
    return this.#find(key, dtype, length, part);
  }
}

const checkedArguments = 16;

/** Whether one of a call's arguments is data of a tensor, or was made from it. */
const haveData = (args: readonly unknown[], depth = 2): boolean =>
  args
    .slice(0, checkedArguments)
    .some(
      (value) =>
        value instanceof Storage ||
        value instanceof TensorView ||
        (value instanceof Inert && value.hasData) ||
        (value instanceof Tuple && depth > 0 && haveData(value.items, depth - 1)),
    );

function functionsFor(file: string): ReadonlyMap<string, (args: readonly unknown[]) => unknown> {
  const rebuild = (args: readonly unknown[]) => view(args, file);
  return new Map([
    ['builtins.set', toSet],
    ['builtins.frozenset', toSet],
    ['__builtin__.set', toSet],
    ['__builtin__.frozenset', toSet],
    ['collections.OrderedDict', (args) => orderedDict(args, file)],
    ['collections.defaultdict', () => new Map()],
    ['collections.Counter', (args) => args[0] ?? new Map()],
    ['torch.Size', (args) => args[0] ?? new Tuple([])],
    ['torch._utils._rebuild_tensor', rebuild],
    ['torch._utils._rebuild_tensor_v2', rebuild],
    ['torch._utils._rebuild_parameter', (args) => args[0]],
    ['torch._utils._rebuild_parameter_with_state', (args) => args[0]],
    ['torch._tensor._rebuild_from_type_v2', rebuildFromType],
  ]);
}
const isSizes = (values: readonly unknown[]): values is readonly number[] => values.every(isSize);

const axesLimit = 64;

function view(args: readonly unknown[], file: string): TensorView | Inert {
  const [storage, offset, dims, strides] = args;
  if (storage instanceof Inert) return new Inert(storage.name, true);
  if (!(storage instanceof Storage) || !isSize(offset) || !(dims instanceof Tuple) || !(strides instanceof Tuple)) {
    throw new FormatError(
      `${file}: its pickle builds a tensor from something other than a storage, offset, sizes and strides.`,
    );
  }
  const [sizes, steps] = [dims.items, strides.items];
  if (!isSizes(sizes) || !isSizes(steps) || sizes.length !== steps.length || sizes.length > axesLimit) {
    throw new FormatError(
      `${file}: its pickle has a tensor whose sizes and strides are not equally many non-negative integers.`,
    );
  }
  return storage.view(offset, sizes, steps, file);
}

/** A tensor with attributes: (function, type, arguments, attributes). Only functions of ours are called. */
function rebuildFromType([rebuild, , args]: readonly unknown[]): unknown {
  if (rebuild instanceof Named && rebuild.call && args instanceof Tuple) return rebuild.call(args.items);
  return new Inert('torch._tensor._rebuild_from_type_v2', true);
}

/** Protocols 2 and 3 build sets by a call, as they lack an instruction for it. */
const toSet = ([items]: readonly unknown[]): Set<unknown> => new Set(Array.isArray(items) ? items : []);

/** Python 2 wrote the entries as a list of pairs. */
function orderedDict([entries]: readonly unknown[], file: string): Map<unknown, unknown> {
  const map = new Map<unknown, unknown>();
  if (entries === undefined) return map;
  for (const entry of Array.isArray(entries) ? entries : [undefined]) {
    const pair: unknown = entry instanceof Tuple ? entry.items : entry;
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw new FormatError(`${file}: its pickle builds a dict from something other than pairs.`);
    }
    map.set(pair[0], pair[1]);
  }
  return map;
}
