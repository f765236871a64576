/**
 * Tensors in PyTorch's pickles. A storage is a flat array of elements; a tensor is a view of a storage by offset and
 * strides. The table of names lists everything that a pickle may refer to. Bounds are checked when the pickle is read;
 * elements are read on demand, and gathered if the view is not row-major.
 */
import { FormatError } from '../errors.ts';
import { bytesOf, bytesPerElement, type DType, elements, type Tensor, tensor } from '../tensor.ts';
import { crc32 } from './crc32.ts';
import { Inert, Named, type PickleNames, Tuple } from './pickle.ts';
import { fillWhole, type Source } from './source.ts';
import type { StoredTensor } from './state-dict.ts';

/** A flat array of elements in a file. Its position may only become known after the pickle has been read. */
export class Storage {
  readonly dtype: DType;
  readonly length: number;
  /** The elements' bytes. */
  place: Source | undefined;
  /** The CRC-32 of all bytes, if the file has one. */
  checksum: number | undefined;

  constructor(dtype: DType, length: number) {
    this.dtype = dtype;
    this.length = length;
  }

  get byteLength(): number {
    return this.length * bytesPerElement(this.dtype);
  }

  /** Fills `target` from an element on. The checksum is verified when the whole storage is read at once. */
  fill(target: Uint8Array, element: number, subject: string): void {
    if (!this.place) throw new FormatError(`${subject} has no data in the file.`);
    fillWhole(this.place, target, element * bytesPerElement(this.dtype), subject);
    const whole = this.checksum !== undefined && target.length === this.place.size;
    if (whole && crc32(target) !== this.checksum) {
      throw new FormatError(`${subject} does not match its checksum. The file is damaged; download it again.`);
    }
  }
}

/** The number of elements held in memory while gathering, unless one slice has more. */
const pieceLength = 1 << 18;

/** Consecutive slices along one axis. */
interface Slices {
  readonly axis: number;
  readonly begin: number;
  readonly size: number;
}

/** A view of a storage, within its bounds. */
export class TensorView implements StoredTensor {
  readonly dtype: DType;
  readonly dims: readonly number[];
  readonly #storage: Storage;
  readonly #offset: number;
  readonly #strides: readonly number[];
  readonly #name: string;

  constructor(storage: Storage, offset: number, dims: readonly number[], strides: readonly number[], name: string) {
    this.dtype = storage.dtype;
    this.dims = dims;
    this.#storage = storage;
    this.#offset = offset;
    this.#strides = strides;
    this.#name = name;
    const end = offset + this.span;
    if (!Number.isSafeInteger(elements(dims)) || !Number.isSafeInteger(end) || end > storage.length) {
      const view = `offset ${offset}, strides [${strides}]`;
      const has = `its storage has ${storage.length} elements`;
      throw new FormatError(`${name}: a tensor of [${dims}] with ${view} lies outside its data: ${has}.`);
    }
  }

  /** The number of storage elements from the first to the last one of the view, inclusive. */
  get span(): number {
    if (elements(this.dims) === 0) return 0;
    return this.dims.reduce((last, dim, axis) => last + (dim - 1) * this.#strides[axis]!, 1);
  }

  get #rowMajor(): boolean {
    let expected = 1;
    for (let axis = this.dims.length - 1; axis >= 0; axis -= 1) {
      if (this.dims[axis] !== 1 && this.#strides[axis] !== expected) return false;
      expected *= this.dims[axis]!;
    }
    return true;
  }

  read(): Tensor {
    const subject = `${this.#name}: a tensor of [${this.dims}]`;
    const whole = tensor(this.dtype, this.dims);
    if (whole.data.length === 0) return whole;
    if (this.#rowMajor) this.#storage.fill(bytesOf(whole), this.#offset, subject);
    else this.#gather(whole, subject);
    return whole;
  }

  /** Slices along the slowest axis follow each other, so the storage is read piece by piece. */
  #gather(target: Tensor, subject: string): void {
    const slowest = this.#slowestAxis();
    const [count, stride] = [this.dims[slowest]!, this.#strides[slowest]!];
    const inSlice = this.span - (count - 1) * stride;
    const overlap = inSlice > 2 * stride; // elements would be read many times
    const each = overlap ? count : Math.min(count, Math.max(1, Math.floor(pieceLength / stride)));
    const source = tensor(this.dtype, [inSlice + (each - 1) * stride]);
    for (let begin = 0; begin < count; begin += each) {
      const size = Math.min(each, count - begin);
      const length = inSlice + (size - 1) * stride;
      const bytes = bytesOf(source).subarray(0, length * bytesPerElement(this.dtype));
      this.#storage.fill(bytes, this.#offset + begin * stride, subject);
      this.#scatter(source, target, { axis: slowest, begin, size });
    }
  }

  /** The axis with the largest stride. The stride of an axis of size 1 is meaningless. */
  #slowestAxis(): number {
    const strides = this.#strides.map((stride, axis) => (this.dims[axis] === 1 ? -1 : stride));
    return strides.indexOf(Math.max(...strides));
  }

  /** Copies `source`, slices along one axis, to their places in the row-major target. */
  #scatter(source: Tensor, target: Tensor, { axis: sliced, begin, size }: Slices): void {
    const sizes = this.dims.map((dim, axis) => (axis === sliced ? size : dim));
    const steps = this.dims.map((_, axis) => elements(this.dims.slice(axis + 1)));
    const index = this.dims.map(() => 0);
    let [from, to] = [0, begin * steps[sliced]!];
    for (let left = elements(sizes); left > 0; left -= 1) {
      target.data[to] = source.data[from]!;
      for (let axis = index.length - 1; axis >= 0; axis -= 1) {
        from += this.#strides[axis]!;
        to += steps[axis]!;
        index[axis]! += 1;
        if (index[axis]! < sizes[axis]!) break;
        from -= this.#strides[axis]! * index[axis]!;
        to -= steps[axis]! * index[axis]!;
        index[axis] = 0;
      }
    }
  }
}

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

/** Names that occur in checkpoints but have nothing to do with weights. Calling them makes an empty object. */
const inertNames: ReadonlySet<string> = new Set([
  'argparse.Namespace',
  'numpy.dtype',
  'numpy.core.multiarray.scalar',
  'numpy._core.multiarray.scalar',
  '_codecs.encode',
  'torch.device',
  'pathlib.Path',
  'pathlib.PosixPath',
  'pathlib.WindowsPath',
]);
const dtypeNames = /^torch\.(float(16|32|64)|bfloat16|u?int8|int(16|32|64)|bool|half|float|double|long)$/;

/** Finds the storage that a pickle refers to, by the fields of its persistent id. */
export type FindStorage = (key: string, dtype: DType, length: number, view: unknown) => Storage;

/** The names that a PyTorch pickle may refer to. `name` identifies the file in messages. */
export function torchNames(name: string, find: FindStorage): PickleNames {
  const functions = new Map<string, (args: readonly unknown[]) => unknown>([
    ['builtins.set', toSet],
    ['builtins.frozenset', toSet],
    ['__builtin__.set', toSet],
    ['__builtin__.frozenset', toSet],
    ['collections.OrderedDict', (args) => orderedDict(args, name)],
    ['collections.Counter', (args) => args[0] ?? new Map()],
    ['torch.Size', (args) => args[0] ?? new Tuple([])],
    ['torch._utils._rebuild_tensor', (args) => view(args, name)],
    ['torch._utils._rebuild_tensor_v2', (args) => view(args, name)],
    ['torch._utils._rebuild_parameter', (args) => args[0]],
  ]);
  return {
    named(asked) {
      const call = functions.get(asked);
      if (call) return new Named(asked, call);
      if (inertNames.has(asked)) return new Named(asked, () => new Inert());
      return storageTypes.has(asked) || dtypeNames.test(asked) ? new Named(asked) : undefined;
    },
    persistent(id) {
      const [kind, type, key, , length, part] = id instanceof Tuple ? id.items : [];
      const dtype = type instanceof Named ? storageTypes.get(type.name) : undefined;
      if (kind !== 'storage' || !dtype || typeof key !== 'string' || !isSize(length)) {
        throw new FormatError(`${name}: its pickle refers to data in a way that PyTorch never does.`);
      }
      return find(key, dtype, length, part);
    },
  };
}

export const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const isSizes = (values: readonly unknown[]): values is readonly number[] => values.every(isSize);

const axesLimit = 64;

function view(args: readonly unknown[], name: string): TensorView {
  const [storage, offset, dims, strides] = args;
  if (!(storage instanceof Storage) || !isSize(offset) || !(dims instanceof Tuple) || !(strides instanceof Tuple)) {
    throw new FormatError(
      `${name}: its pickle builds a tensor from something other than a storage, offset, sizes and strides.`,
    );
  }
  const [sizes, steps] = [dims.items, strides.items];
  if (!isSizes(sizes) || !isSizes(steps) || sizes.length !== steps.length || sizes.length > axesLimit) {
    throw new FormatError(
      `${name}: its pickle has a tensor whose sizes and strides are not equally many non-negative integers.`,
    );
  }
  return new TensorView(storage, offset, sizes, steps, name);
}

/** Protocols 2 and 3 build sets by a call, as they lack an instruction for it. */
const toSet = ([items]: readonly unknown[]): Set<unknown> => new Set(Array.isArray(items) ? items : []);

/** Python 2 wrote the entries as a list of pairs. */
function orderedDict([entries]: readonly unknown[], name: string): Map<unknown, unknown> {
  const map = new Map<unknown, unknown>();
  if (entries === undefined) return map;
  for (const entry of Array.isArray(entries) ? entries : [undefined]) {
    const pair: unknown = entry instanceof Tuple ? entry.items : entry;
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw new FormatError(`${name}: its pickle builds a dict from something other than pairs.`);
    }
    map.set(pair[0], pair[1]);
  }
  return map;
}
