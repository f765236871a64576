/**
 * Computes what exporters leave in the graph for sizes: small vectors of integers, and numbers in between. A free size
 * is a number that stands for its name as long as it is only moved, so `Shape` of [N, 32, 14, 14] is [N, 32, 14, 14];
 * NaN stands for any other number that is not known.
 */
import { UsageError } from '../errors.ts';
import { type Array64, eachIndex, expanded, offset, zeros } from '../graph/array.ts';
import { dtypeOf } from '../graph/data-types.ts';
import { type Dim, type Node, unknownDim } from '../graph/graph.ts';
import { kernels } from '../graph/kernels.ts';
import { attributesOf, type OpType, opTypeOf } from '../graph/ops.ts';
import { axisOf, fromFront } from '../graph/shapes.ts';
import { type DType, elements, type Tensor, tensor } from '../tensor.ts';
import { isOnnx } from './operators.ts';

export type Contents = Array64;

/** Values with more elements than this are not sizes, and are not computed. */
export const maxComputed = 1024;

/** Numbers that no size and no limit of a slice has: from 2^54 on, four apart. */
const firstFree = 2 ** 54;

/** The names of free sizes, and the number that stands for each. */
export class FreeSizes {
  readonly #names: string[] = [];

  /** The number for a dimension. */
  numberOf(dim: Dim): number {
    if (typeof dim === 'number') return dim;
    if (dim === unknownDim) return Number.NaN;
    const known = this.#names.indexOf(dim);
    return firstFree + 4 * (known < 0 ? this.#names.push(dim) - 1 : known);
  }

  /** The dimension for a number. */
  dimOf(size: number): Dim {
    return isFree(size) ? (this.#names[(size - firstFree) / 4] ?? unknownDim) : Number.isNaN(size) ? unknownDim : size;
  }
}

/** Whether a number stands for a free size. */
const isFree = (size: number): boolean => size >= firstFree && size < 2 * firstFree;
/** Whether a size is not a known number. */
export const isOpen = (size: number): boolean => Number.isNaN(size) || isFree(size);

const int64Max = 2n ** 63n - 1n;

export const toContents = ({ dims, data }: Tensor): Contents => ({
  dims,
  data: data instanceof Float64Array ? data : Float64Array.from(data as ArrayLike<number | bigint>, Number),
});

/** A tensor of integers; undefined if one is not known, or the type is another. */
export function integersOf(dtype: DType | undefined, dims: readonly number[], data: Float64Array): Tensor | undefined {
  if (!data.every((value) => Number.isInteger(value) && !isFree(value))) return undefined;
  if (dtype === 'int64') {
    const from = (value: number) => (value >= 2 ** 63 ? int64Max : BigInt(value));
    return tensor('int64', dims, BigInt64Array.from(data, from));
  }
  if (dtype === 'int32') return tensor('int32', dims, Int32Array.from(data));
  return dtype === 'bool' ? tensor('bool', dims, Uint8Array.from(data)) : undefined;
}

/** Inputs, the node, the output's dimensions, the names of free sizes → the output. */
type Computation = (inputs: readonly Contents[], node: Node, dims: readonly number[], free: FreeSizes) => Contents;

const elementwise =
  (f: (...values: number[]) => number): Computation =>
  (inputs, _, dims) => {
    const parts = inputs.map((input) => expanded(input, dims).data);
    const value = (_: number, i: number) => f(...parts.map((part) => (isFree(part[i]!) ? Number.NaN : part[i]!)));
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
    return { dims, data: x!.data.map((value) => (isOpen(value) ? value : cast(value))) };
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
  Shape: (_, node, dims, free) => {
    const sizes = node.inputs[0]!.dims!;
    const start = Number(node.attributes.get('start')?.value ?? 0);
    const part = sizes.slice(start).slice(0, dims[0]);
    return { dims, data: Float64Array.from(part, (size) => free.numberOf(size)) };
  },
  Size: (_, node, dims) => {
    const sizes = node.inputs[0]!.dims!.map((size) => (typeof size === 'number' ? size : Number.NaN));
    return { dims, data: Float64Array.of(sizes.reduce((a, b) => a * b, 1)) };
  },
  Squeeze: reshaped,
  Tile: ([x], _, dims) => {
    const y = zeros(dims);
    eachIndex(dims, (index, i) => {
      const at = index.map((value, axis) => value % x!.dims[axis]!);
      y.data[i] = x!.data[offset(x!.dims, at)]!;
    });
    return y;
  },
  Unsqueeze: reshaped,
  Where: elementwise((condition, a, b) => {
    if (Number.isNaN(condition)) return a === b ? a! : Number.NaN;
    return condition ? a! : b!;
  }),
};

/** Operators that only move numbers, by their float64 kernel. */
const moves = ['Concat', 'Expand', 'Flatten', 'Identity', 'Reshape', 'Slice', 'Split', 'Transpose'] as const;
/** Arithmetic by its float64 kernel, whose result is not known where an operand is not. */
const arithmetic = ['Add', 'Div', 'Mul', 'Neg', 'Reciprocal', 'Sqrt', 'Sub'] as const;

const arithmeticOps: ReadonlySet<OpType> = new Set<OpType>(arithmetic);
const byKernel: ReadonlySet<OpType> = new Set<OpType>([...moves, ...arithmetic]);

/** Whether a node is one of the operators that compute sizes. */
export const canCompute = (node: Node): boolean => {
  const op = opTypeOf(node);
  return isOnnx(node) && (node.op in computations || (op !== undefined && byKernel.has(op)));
};

/** The outputs of such a node with known inputs; undefined if they are larger than sizes, or not known. */
export function compute(
  node: Node,
  inputs: readonly (Contents | undefined)[],
  dims: readonly (readonly number[])[],
  free: FreeSizes,
): Contents[] | undefined {
  if (dims.some((each) => elements(each) > maxComputed)) return undefined;
  try {
    const op = opTypeOf(node);
    if (op && byKernel.has(op)) {
      const known = arithmeticOps.has(op) ? (inputs as Contents[]).map(withoutFree) : (inputs as Contents[]);
      return computeOp(op, node, known, dims);
    }
    const computation = computations[node.op];
    return computation && node.outputs.length === 1
      ? [computation(inputs as Contents[], node, dims[0]!, free)]
      : undefined;
  } catch (error) {
    if (error instanceof UsageError) return undefined;
    throw error;
  }
}

const withoutFree = ({ dims, data }: Contents): Contents => ({
  dims,
  data: data.map((value) => (isFree(value) ? Number.NaN : value)),
});

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
    const at = fromFront(place, x!.dims[axis]!);
    if (!(at >= 0 && at < x!.dims[axis]!)) throw new UsageError(`index ${place} is outside [${x!.dims}].`);
    y.data[i] = x!.data[offset(x!.dims, [...index.slice(0, axis), at, ...index.slice(axis + rank)])]!;
  });
  return y;
}
