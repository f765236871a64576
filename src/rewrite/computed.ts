/**
 * Computes what exporters leave in the graph for sizes: small vectors of integers, and numbers in between. NaN stands
 * for a number that depends on a free size, so `Shape` of [N, 32, 14, 14] is [NaN, 32, 14, 14].
 */
import { UsageError } from '../errors.ts';
import { type Array64, eachIndex, expanded, offset, zeros } from '../graph/array.ts';
import { dtypeOf } from '../graph/data-types.ts';
import type { Node } from '../graph/graph.ts';
import { kernels } from '../graph/kernels.ts';
import { attributesOf, type OpType, opTypeOf } from '../graph/ops.ts';
import { axisOf } from '../graph/shapes.ts';
import { type DType, elements, type Tensor, tensor } from '../tensor.ts';

export type Contents = Array64;

/** Values with more elements than this are not sizes, and are not computed. */
export const maxComputed = 1024;

const int64Max = 2n ** 63n - 1n;

export const toContents = ({ dims, data }: Tensor): Contents => ({
  dims,
  data: data instanceof Float64Array ? data : Float64Array.from(data as ArrayLike<number | bigint>, Number),
});

/** A tensor of integers; undefined if one is not known, or the type is another. */
export function integersOf(dtype: DType | undefined, dims: readonly number[], data: Float64Array): Tensor | undefined {
  if (!data.every(Number.isInteger)) return undefined;
  if (dtype === 'int64') {
    const from = (value: number) => (value >= 2 ** 63 ? int64Max : BigInt(value));
    return tensor('int64', dims, BigInt64Array.from(data, from));
  }
  if (dtype === 'int32') return tensor('int32', dims, Int32Array.from(data));
  return dtype === 'bool' ? tensor('bool', dims, Uint8Array.from(data)) : undefined;
}

/** Inputs, the node, the output's dimensions → the output. */
type Computation = (inputs: readonly Contents[], node: Node, dims: readonly number[]) => Contents;

const elementwise =
  (f: (...values: number[]) => number): Computation =>
  (inputs, _, dims) => {
    const parts = inputs.map((input) => expanded(input, dims).data);
    const value = (_: number, i: number) => f(...parts.map((part) => part[i]!));
    return { dims, data: new Float64Array(elements(dims)).map(value) };
  };

/** A comparison of known numbers is 0 or 1, and NaN if one is unknown. */
const comparison = (f: (a: number, b: number) => boolean): Computation =>
  elementwise((a, b) => (Number.isNaN(a! + b!) ? Number.NaN : Number(f(a!, b!))));

const reshaped: Computation = ([x], _, dims) => ({ dims, data: x!.data });

const computations: { readonly [op: string]: Computation } = {
  Abs: elementwise(Math.abs),
  Cast: ([x], node, dims) => {
    const dtype = dtypeOf(attributesOf(node, 'Cast').to);
    const isInteger = dtype?.includes('int');
    const cast = (value: number) => (dtype === 'bool' ? Number(value !== 0) : isInteger ? Math.trunc(value) : value);
    return { dims, data: x!.data.map((value) => (Number.isNaN(value) ? value : cast(value))) };
  },
  Ceil: elementwise(Math.ceil),
  ConstantOfShape: (_, node, dims) => {
    const value = node.attributes.get('value');
    const fill = value?.kind === 'tensor' ? Number(value.value.data[0]) : 0;
    return { dims, data: new Float64Array(elements(dims)).fill(fill) };
  },
  Equal: comparison((a, b) => a === b),
  Floor: elementwise(Math.floor),
  Gather: gathered,
  Greater: comparison((a, b) => a > b),
  GreaterOrEqual: comparison((a, b) => a >= b),
  Less: comparison((a, b) => a < b),
  LessOrEqual: comparison((a, b) => a <= b),
  Max: elementwise(Math.max),
  Min: elementwise(Math.min),
  Mod: elementwise((a, b) => a! - Math.floor(a! / b!) * b!),
  Not: elementwise((x) => 1 - x!),
  Range: ([start, , step], _, dims) => ({
    dims,
    data: zeros(dims).data.map((_, i) => start!.data[0]! + i * step!.data[0]!),
  }),
  ReduceProd: ([x], _, dims) => ({ dims, data: Float64Array.of(x!.data.reduce((a, b) => a * b, 1)) }),
  Shape: (_, node, dims) => {
    const sizes = node.inputs[0]!.dims!;
    const start = Number(node.attributes.get('start')?.value ?? 0);
    const from = start < 0 ? start + sizes.length : start;
    const at = (i: number) => sizes[from + i];
    return { dims, data: zeros(dims).data.map((_, i) => (typeof at(i) === 'number' ? Number(at(i)) : Number.NaN)) };
  },
  Size: (_, node, dims) => {
    const sizes = node.inputs[0]!.dims!.map((size) => (typeof size === 'number' ? size : Number.NaN));
    return { dims, data: Float64Array.of(sizes.reduce((a, b) => a * b, 1)) };
  },
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Where: elementwise((condition, a, b) => {
    if (Number.isNaN(condition)) return a === b ? a! : Number.NaN;
    return condition ? a! : b!;
  }),
};

/** Operators whose float64 kernel does the same. */
const byKernel: ReadonlySet<OpType> = new Set<OpType>(
  // biome-ignore format: one list
  ['Add', 'Concat', 'Div', 'Expand', 'Flatten', 'Identity', 'Mul', 'Neg', 'Reciprocal', 'Reshape', 'Slice', 'Split', 'Sqrt', 'Sub', 'Transpose'],
);

/** The outputs of a node with known inputs; undefined if it is not one of the operators that compute sizes. */
export function compute(
  node: Node,
  inputs: readonly (Contents | undefined)[],
  dims: readonly (readonly number[])[],
): Contents[] | undefined {
  if (node.domain !== '' || dims.some((each) => elements(each) > maxComputed)) return undefined;
  try {
    const op = opTypeOf(node);
    if (op && byKernel.has(op)) return computeOp(op, node, inputs as Contents[], dims);
    const computation = computations[node.op];
    return computation && node.outputs.length === 1 ? [computation(inputs as Contents[], node, dims[0]!)] : undefined;
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

const computeOp = <O extends OpType>(
  op: O,
  node: Node,
  inputs: readonly Contents[],
  dims: readonly (readonly number[])[],
): Contents[] => kernels[op](inputs, attributesOf(node, op), dims, node.inputs[0]?.dtype);

function gathered([x, indices]: readonly Contents[], node: Node, dims: readonly number[]): Contents {
  const axis = axisOf(Number(node.attributes.get('axis')?.value ?? 0), x!.dims);
  const y = zeros(dims);
  const rank = indices!.dims.length;
  eachIndex(dims, (index, i) => {
    const place = indices!.data[offset(indices!.dims, index.slice(axis, axis + rank))]!;
    const at = place < 0 ? place + x!.dims[axis]! : place;
    if (!(at >= 0 && at < x!.dims[axis]!)) throw new UsageError(`index ${place} is outside [${x!.dims}].`);
    y.data[i] = x!.data[offset(x!.dims, [...index.slice(0, axis), at, ...index.slice(axis + rank)])]!;
  });
  return y;
}
