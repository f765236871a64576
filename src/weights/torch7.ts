/**
 * Torch7 networks (`.t7`, binary, little-endian, 64-bit longs), the format of the authors' own models. A value is a
 * type (int32) and its contents: 0 nil, 1 number (float64), 2 string (int32 length, bytes), 3 table, 4 object, 5
 * boolean (int32), 6 to 8 function. Tables, objects and functions begin with an index (int32) that later values refer
 * back to. A table is a count (int32) followed by that many keys and values. An object is a version ("V 1"), a class
 * name, and whatever the class writes: a tensor its sizes, strides, 1-based offset and storage; a storage its elements;
 * an nn or cudnn module one table. Functions are skipped.
 *
 * Tensors are named by the 1-based positions of their module and its parents: `8.1.1.2.weight`.
 */
import { FormatError } from '../errors.ts';
import type { DType } from '../tensor.ts';
import { checkTotal } from './nested.ts';
import { Cursor, partOf, type Source } from './source.ts';
import type { StateDict } from './state-dict.ts';
import { isSize, Storage, TensorView } from './torch-tensors.ts';

const elementTypes: ReadonlyMap<string, DType> = new Map([
  ['Double', 'float64'],
  ['Float', 'float32'],
  ['Half', 'float16'],
  ['Long', 'int64'],
  ['Int', 'int32'],
  ['Short', 'int16'],
  ['Char', 'int8'],
  ['Byte', 'uint8'],
  ['Cuda', 'float32'],
  ['CudaDouble', 'float64'],
  ['CudaHalf', 'float16'],
  ['CudaLong', 'int64'],
  ['CudaInt', 'int32'],
  ['CudaShort', 'int16'],
  ['CudaChar', 'int8'],
  ['CudaByte', 'uint8'],
]);
/** The state of a module, in the order in which it is listed. */
const weightFields = ['weight', 'bias', 'running_mean', 'running_var'] as const;

const depthLimit = 300;
/** Ten times what a 101-layer network takes. */
const objectLimit = 250_000;
const tableLimit = 50_000;
const textLimit = 1 << 16;
const allTextLimit = 1 << 22;
const axesLimit = 64;

/** A module or any other table: fields by name, children by number. */
type Table = ReadonlyMap<unknown, unknown>;

/**
 * The weights of a Torch7 network, in the order of its modules.
 *
 * @throws FormatError if the file is damaged, or does not hold a network.
 */
export function readTorch7(source: Source, name: string): StateDict {
  const root = new Torch7Reader(source, name).object(0);
  const tensors = new Map<string, TensorView>();
  collect(root, '', 0, { tensors, seen: new Set(), name });
  if (tensors.size === 0) {
    throw new FormatError(`${name} is a Torch7 file without a network: expected a table "modules" with weights in it.`);
  }
  checkTotal(tensors, source.size, name);
  return {
    tensors,
    metadata: new Map(),
    notes: ['Torch7: tensors are named by the positions of their modules, counted from 1.'],
  };
}

interface Collection {
  readonly tensors: Map<string, TensorView>;
  readonly seen: Set<unknown>;
  readonly name: string;
}

/** Collects the tensors of a module and its children. A module that appears again is skipped. */
function collect(value: unknown, path: string, depth: number, into: Collection): void {
  const { tensors, seen, name } = into;
  if (!(value instanceof Map) || seen.has(value)) return;
  if (depth > depthLimit) throw new FormatError(`${name} has modules nested more than ${depthLimit} levels deep.`);
  seen.add(value);
  for (const field of weightFields) {
    const found: unknown = value.get(field);
    if (found instanceof TensorView && found.dims.length > 0) tensors.set(path + field, found);
  }
  const children: unknown = value.get('modules');
  if (!(children instanceof Map)) {
    if (path === '') collect(value.get('model'), path, depth + 1, into);
    return;
  }
  if (seen.has(children)) return;
  seen.add(children);
  for (let i = 1; i <= children.size; i += 1) collect(children.get(i), `${path}${i}.`, depth + 1, into);
}

class Torch7Reader {
  readonly #cursor: Cursor;
  readonly #name: string;
  /** Values by index. */
  readonly #known = new Map<number, unknown>();
  #count = 0;
  #textLeft = allTextLimit;

  constructor(source: Source, name: string) {
    this.#cursor = new Cursor(source, name);
    this.#name = name;
  }

  object(depth: number): unknown {
    this.#count += 1;
    if (depth > depthLimit || this.#count > objectLimit) this.#refuse('is nested too deeply, or has too many objects');
    const type = this.#cursor.int32();
    switch (type) {
      case 0:
        return undefined;
      case 1:
        return this.#cursor.view(8).getFloat64(0, true);
      case 2:
        return this.#text();
      case 3:
        return this.#indexed((index) => this.#table(index, depth));
      case 4:
        return this.#indexed((index) => this.#instance(index, depth));
      case 5:
        return this.#cursor.int32() !== 0;
      case 6:
        return this.#code(depth);
      case 7:
      case 8:
        return this.#indexed(() => this.#code(depth));
      default:
        return this.#refuse(`has an object of type ${type}`);
    }
  }

  #refuse(fault: string): never {
    throw new FormatError(
      `${this.#name} ${fault}, before byte ${this.#cursor.position}: it is not a valid Torch7 file.`,
    );
  }

  #length(what: string, limit: number): number {
    const length = this.#cursor.int32();
    if (length < 0 || length > limit) this.#refuse(`has ${what} of ${length}`);
    return length;
  }

  #text(): string {
    const length = this.#length('a string', textLimit);
    this.#textLeft -= length;
    if (this.#textLeft < 0) this.#refuse(`has more than ${allTextLimit} bytes of strings`);
    const bytes = this.#cursor.bytes(length);
    return new TextDecoder('latin1').decode(bytes);
  }

  /** Reads an index and returns the value it refers to, calling `read` if the index is new. */
  #indexed(read: (index: number) => unknown): unknown {
    const index = this.#cursor.int32();
    if (this.#known.has(index)) return this.#known.get(index);
    if (this.#known.size === tableLimit) this.#refuse(`has more than ${tableLimit} tables and objects`);
    return read(index);
  }

  #keep<T>(index: number, value: T): T {
    this.#known.set(index, value);
    return value;
  }

  #table(index: number, depth: number): Table {
    const table = this.#keep(index, new Map<unknown, unknown>());
    const size = this.#length('a table', objectLimit);
    for (let i = 0; i < size; i += 1) {
      const key = this.object(depth + 1);
      table.set(key, this.object(depth + 1));
    }
    return table;
  }

  /** Skips a function's code and the values it closes over. */
  #code(depth: number): undefined {
    this.#cursor.skip(this.#length('a function', objectLimit));
    this.object(depth + 1);
    return undefined;
  }

  #instance(index: number, depth: number): unknown {
    const first = this.#text();
    const name = first.startsWith('V ') ? this.#text() : first;
    const [, element, kind] = /^torch\.(\w*?)(Tensor|Storage)$/.exec(name) ?? [];
    if (kind === undefined) return this.#fields(index, depth);
    const dtype = elementTypes.get(element!);
    if (!dtype) this.#refuse(`has a ${name}, which weights do not need`);
    return kind === 'Storage' ? this.#storage(index, dtype) : this.#tensor(index, dtype, depth);
  }

  /** Reads an object of any other class as its table of fields. */
  #fields(index: number, depth: number): Table {
    const fields = this.#keep(index, new Map<unknown, unknown>());
    const table = this.object(depth + 1);
    if (table instanceof Map) for (const [key, value] of table) fields.set(key, value);
    return fields;
  }

  #storage(index: number, dtype: DType): Storage {
    const storage = new Storage(dtype, this.#cursor.count64('the length of a storage'));
    storage.place = partOf(this.#cursor.source, this.#cursor.skip(storage.byteLength), storage.byteLength);
    return this.#keep(index, storage);
  }

  #tensor(index: number, dtype: DType, depth: number): TensorView {
    const axes = this.#length('a number of axes', axesLimit);
    const dims = Array.from({ length: axes }, () => this.#cursor.count64('a size'));
    const strides = Array.from({ length: axes }, () => this.#cursor.count64('a stride'));
    const offset = this.#cursor.count64('an offset') - 1;
    const storage = this.object(depth + 1) ?? new Storage(dtype, 0);
    if (!(storage instanceof Storage) || storage.dtype !== dtype) this.#refuse('has a tensor without a storage');
    const empty = axes === 0; // Torch7 has no scalars: zero axes mean zero elements
    const view = empty
      ? new TensorView(storage, 0, [0], [1], this.#name)
      : new TensorView(
          storage,
          isSize(offset) ? offset : this.#refuse('has an offset of 0'),
          dims,
          strides,
          this.#name,
        );
    return this.#keep(index, view);
  }
}
