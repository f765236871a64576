/**
 * A tensor is a data type, dimensions and a flat array in row-major order. This is the package's only tensor type:
 * files, graphs, the interpreter and the runtime all exchange it.
 */

import { checkArgument, hasAll, kind } from './arguments.ts';
import { oneOf } from './options.ts';

/** The typed array of each data type. float16 and bfloat16 are stored as raw 16 bits, bool as 0 or 1. */
export interface DataOf {
  float32: Float32Array;
  float64: Float64Array;
  float16: Uint16Array;
  bfloat16: Uint16Array;
  int64: BigInt64Array;
  uint64: BigUint64Array;
  int32: Int32Array;
  uint32: Uint32Array;
  int16: Int16Array;
  uint16: Uint16Array;
  int8: Int8Array;
  uint8: Uint8Array;
  bool: Uint8Array;
}

export type DType = keyof DataOf;

/** `data.length` is the product of `dims`; a scalar has `dims: []` and one element. */
export type Tensor<D extends DType = DType> = {
  [K in D]: { readonly dtype: K; readonly dims: readonly number[]; readonly data: DataOf[K] };
}[D];

const arrays: { [D in DType]: { new (length: number): DataOf[D]; BYTES_PER_ELEMENT: number } } = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
};

export const dtypes: readonly DType[] = Object.keys(arrays) as DType[];

export const isTensor = (value: unknown): boolean => hasAll(value, 'dtype', 'dims', 'data');

export const tensorKind = kind('a tensor', isTensor);

const dtypeKind = oneOf(dtypes, { doc: 'type of the elements' });
const arrayKind = kind('a typed array', ArrayBuffer.isView);

/** Bytes of one element. */
export const bytesPerElement = (dtype: DType): number => arrays[dtype].BYTES_PER_ELEMENT;

/** Number of elements in a tensor of these dimensions: their product, which is 1 for a scalar. */
export const elements = (dims: readonly number[]): number => dims.reduce((product, dim) => product * dim, 1);

/** A typed array of `length` zeros for `dtype`. */
export const allocate = <D extends DType>(dtype: D, length: number): DataOf[D] => new arrays[dtype](length);

/**
 * Makes a tensor; without `data` it holds zeros.
 *
 * @throws RangeError if the length of `data` is not the product of `dims`; UsageError if it is no typed array.
 * @example tensor('float32', [2, 2], Float32Array.of(1, 2, 3, 4))
 */
export function tensor<D extends DType>(dtype: D, dims: readonly number[], data?: DataOf[D]): Tensor<D> {
  if (!(dtype in arrays)) checkArgument('dtype', dtype, dtypeKind);
  if (data && !ArrayBuffer.isView(data)) checkArgument('data', data, arrayKind);
  const length = elements(dims);
  if (data && data.length !== length) {
    throw new RangeError(`A ${dtype} tensor of [${dims}] holds ${length} elements, but its data has ${data.length}.`);
  }
  return { dtype, dims, data: data ?? allocate(dtype, length) } as unknown as Tensor<D>;
}

/**
 * A tensor that computes its elements each time `data` is read, for example from a file. It takes no memory in between.
 * To read the elements more than once, keep `data` in a variable; the array is yours to write to.
 */
export function lazyTensor<D extends DType>(dtype: D, dims: readonly number[], make: () => DataOf[D]): Tensor<D> {
  const lazy = {
    dtype,
    dims,
    get data() {
      return make();
    },
  };
  return lazy as unknown as Tensor<D>;
}

/** Whether a tensor computes its elements each time they are read. */
export const isLazy = (value: Tensor): boolean => Object.getOwnPropertyDescriptor(value, 'data')?.get !== undefined;

/** The tensor with its elements in memory, for code that reads them more than once. */
export const readOnce = (value: Tensor): Tensor => (isLazy(value) ? ({ ...value } as Tensor) : value);

/** A tensor computed from another one, lazily if that one is lazy. */
export function derivedTensor<D extends DType>(
  from: Tensor<D>,
  dims: readonly number[],
  make: () => DataOf[D],
): Tensor<D> {
  return isLazy(from as Tensor) ? lazyTensor(from.dtype as D, dims, make) : tensor(from.dtype as D, dims, make());
}

/** Size of a tensor's elements in bytes. */
export const byteLength = ({ dtype, dims }: Pick<Tensor, 'dtype' | 'dims'>): number =>
  elements(dims) * bytesPerElement(dtype);

/**
 * Bytes in memory that is not shared: `Uint8Array<ArrayBuffer>`, in words that TypeScript before 5.7, where the type has
 * no parameter, understands in declarations too.
 */
export type OwnBytes = ReturnType<Uint8ArrayConstructor['of']>;

/** A view of a tensor's elements as bytes. */
export const bytesOf = ({ data }: Tensor): OwnBytes =>
  new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);

/** The first element that is NaN or infinite; undefined if all are finite. */
export function firstNonFinite({ data }: Tensor<'float32'>): number | undefined {
  let sum = 0; // of zeros, unless an element is not finite
  for (let i = 0; i < data.length; i++) sum += 0 * data[i]!;
  return sum === 0 ? undefined : data.find((element) => !Number.isFinite(element));
}

/** Joins chunks of bytes. */
export function joinBytes(chunks: readonly Uint8Array[]): OwnBytes {
  const bytes = new Uint8Array(chunks.reduce((total, chunk) => total + chunk.length, 0));
  let end = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, end);
    end += chunk.length;
  }
  return bytes;
}

/** Slices `size` entries of one axis from `start`. A slice is a copy; if it covers everything, the tensor itself. */
export function sliceTensor(whole: Tensor, axis: number, start: number, size: number): Tensor {
  const length = whole.dims[axis]!;
  if (start === 0 && size === length) return whole;
  const inner = elements(whole.dims.slice(axis + 1));
  const part = tensor(whole.dtype, whole.dims.with(axis, size));
  const { data } = whole;
  for (let outer = 0; outer * length * inner < data.length; outer++) {
    const at = (outer * length + start) * inner;
    copyInto(part, outer * size * inner, data.subarray(at, at + size * inner));
  }
  return part;
}

/** Concatenates tensors along an axis. They must agree in type and in all other axes. */
export function concatTensors(parts: readonly Tensor[], axis: number): Tensor {
  const [first] = parts;
  if (parts.length === 1) return first!;
  const length = parts.reduce((sum, part) => sum + part.dims[axis]!, 0);
  const whole = tensor(first!.dtype, first!.dims.with(axis, length));
  const inner = elements(whole.dims.slice(axis + 1));
  let start = 0;
  for (const part of parts) {
    const run = part.dims[axis]! * inner;
    const { data } = part;
    for (let outer = 0; outer * run < data.length; outer++) {
      copyInto(whole, (outer * length + start) * inner, data.subarray(outer * run, (outer + 1) * run));
    }
    start += part.dims[axis]!;
  }
  return whole;
}

/** ‖a − b‖ / ‖a‖, or 0 if the tensors are equal; NaN if one contains a NaN. */
export function relativeDifference(left: Tensor, right: Tensor): number {
  const [a, b] = [numbersOf(left), numbersOf(right)];
  let [difference, size] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    difference += (Number(a[i]) - Number(b[i])) ** 2;
    size += Number(a[i]) ** 2;
  }
  return difference === 0 ? 0 : Math.sqrt(difference / size);
}

/** A tensor's elements as numbers (or as bigints, if it stores them): 16-bit floats are decoded. */
export function numbersOf({ dtype, data }: Tensor): ArrayLike<number | bigint> {
  if (dtype === 'float16') return Float64Array.from(data, fromHalf);
  if (dtype !== 'bfloat16') return data;
  return new Float32Array(Uint32Array.from(data, (bits) => bits << 16).buffer);
}

/** A tensor of numbers, each rounded to nearest. */
export function fromNumbers(dtype: DType, dims: readonly number[], values: ArrayLike<number>): Tensor {
  const made = tensor(dtype, dims) as Tensor;
  if (made.dtype === 'float16') for (let i = 0; i < values.length; i++) made.data[i] = toHalf(values[i]!);
  else if (made.dtype === 'bfloat16') made.data.set(upperHalves(Float32Array.from(values)));
  else if (made.data instanceof BigInt64Array || made.data instanceof BigUint64Array)
    for (let i = 0; i < values.length; i++) made.data[i] = BigInt(Math.trunc(values[i]!));
  else made.data.set(values);
  return made;
}

/** Elements as a tensor stores them: float16 as raw bits, also where a runtime returns a `Float16Array`. */
export const storedElements = (dtype: string, data: unknown): unknown =>
  dtype === 'float16' && ArrayBuffer.isView(data)
    ? new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2)
    : data;

/** float16: a sign, 5 exponent and 10 fraction bits, (-1)^s 2^(e-15) (1 + f/1024); e = 0 for subnormal numbers. */
function fromHalf(bits: number): number {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : fraction * 2 ** -24);
}

function toHalf(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  const steps = toEven(size * 2 ** (10 - exponent)); // ulps, with the leading bit; may round up to the next power of two
  return sign | (size === 0 ? 0 : steps + ((exponent + 14) << 10));
}

function toEven(value: number): number {
  const down = Math.floor(value);
  const rest = value - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
}

/** bfloat16 is the upper half of a float32, rounded to even. */
function upperHalves(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer);
  const round = (x: number, i: number) => (Number.isNaN(values[i]) ? 0x7fc0 : (x + 0x7fff + ((x >>> 16) & 1)) >>> 16);
  return Uint16Array.from(bits, round);
}

/** Both have the same type, which TypeScript cannot infer through the union. */
function copyInto(target: Tensor, at: number, run: Tensor['data']): void {
  (target.data as { set(run: unknown, at: number): void }).set(run, at);
}
