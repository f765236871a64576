/** Arrays with dimensions, visited index by index. The float64 kernels are written in terms of these. */
import { elements } from '../tensor.ts';

export interface Array64 {
  readonly dims: readonly number[];
  readonly data: Float64Array;
}

export const zeros = (dims: readonly number[]): Array64 => ({ dims, data: new Float64Array(elements(dims)) });
export const copy = (x: Array64, dims: readonly number[]): Array64 => ({ dims, data: x.data.slice() });

/** Offset of an index in row-major data. */
export const offset = (dims: readonly number[], index: readonly number[]): number =>
  index.reduce((total, value, axis) => total * dims[axis]! + value, 0);

/** Calls `visit` with every index of a tensor, in row-major order. */
export function eachIndex(dims: readonly number[], visit: (index: readonly number[], i: number) => void): void {
  const index = dims.map(() => 0);
  const total = elements(dims);
  for (let i = 0; i < total; i++) {
    visit(index, i);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      index[axis]! += 1;
      if (index[axis]! < dims[axis]!) break;
      index[axis] = 0;
    }
  }
}

/** x broadcast to `dims` by ONNX's rules. */
export function expanded(x: Array64, dims: readonly number[]): Array64 {
  if (elements(dims) === x.data.length) return { dims, data: x.data };
  const y = zeros(dims);
  const skip = dims.length - x.dims.length;
  eachIndex(dims, (index, i) => {
    y.data[i] =
      x.data[
        offset(
          x.dims,
          x.dims.map((size, axis) => (size === 1 ? 0 : index[axis + skip]!)),
        )
      ]!;
  });
  return y;
}

/** x reduced to `dims`, which is 1 on every axis that is summed over. */
export function reduce(x: Array64, dims: readonly number[], add: (sum: number, value: number) => number): Array64 {
  const y = zeros(dims);
  eachIndex(x.dims, (index, i) => {
    const at = offset(
      dims,
      index.map((value, axis) => (dims[axis] === 1 ? 0 : value)),
    );
    y.data[at] = add(y.data[at]!, x.data[i]!);
  });
  return y;
}

export function transpose(x: Array64, perm: readonly number[]): Array64 {
  const y = zeros(perm.map((axis) => x.dims[axis]!));
  eachIndex(x.dims, (index, i) => {
    y.data[
      offset(
        y.dims,
        perm.map((axis) => index[axis]!),
      )
    ] = x.data[i]!;
  });
  return y;
}

/** Applies f(value, channel) to every element of [N, C, …]. */
export function perChannel(x: Array64, f: (value: number, channel: number) => number): Array64 {
  const size = elements(x.dims.slice(2));
  return { dims: x.dims, data: x.data.map((value, i) => f(value, Math.floor(i / size) % x.dims[1]!)) };
}

/** Sums f(i, channel) over all axes but the channel axis → [C]. */
export function sumPerChannel(dims: readonly number[], f: (i: number, channel: number) => number): Float64Array {
  const size = elements(dims.slice(2));
  const sums = new Float64Array(dims[1]!);
  for (let i = 0; i < elements(dims); i++) {
    const channel = Math.floor(i / size) % dims[1]!;
    sums[channel]! += f(i, channel);
  }
  return sums;
}
