/**
 * Tensors in PyTorch's pickles. A storage is a flat array of elements; a tensor is a view of a storage by offset and
 * strides. Bounds are checked when the pickle is read; elements are read on demand, and gathered if the view is not
 * row-major.
 */
import { FormatError } from '../errors.ts';
import { bytesOf, bytesPerElement, type DType, elements, type Tensor, tensor } from '../tensor.ts';
import { crc32 } from './crc32.ts';
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
  /** The first view at each offset. */
  readonly #views = new Map<number, TensorView>();

  constructor(dtype: DType, length: number) {
    this.dtype = dtype;
    this.length = length;
  }

  get byteLength(): number {
    return this.length * bytesPerElement(this.dtype);
  }

  /** A view of the storage: the same object for the same tensor, as when a module has two names. */
  view(offset: number, dims: readonly number[], strides: readonly number[], name: string): TensorView {
    const known = this.#views.get(offset);
    if (known?.isOf(dims, strides)) return known;
    const view = new TensorView(this, offset, dims, strides, name);
    if (!known) this.#views.set(offset, view);
    return view;
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

  isOf(dims: readonly number[], strides: readonly number[]): boolean {
    return areEqual(this.dims, dims) && areEqual(this.#strides, strides);
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

export const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const areEqual = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((value, i) => value === b[i]);
