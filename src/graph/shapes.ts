/**
 * Shape inference: for every operator, the shapes of its outputs from its inputs. A dimension may be a name (the batch
 * `N`) and is then passed on; `unknownDim` is a size that nothing determines. If inputs do not fit together, a rule
 * throws a sentence with the numbers, and `inferShapes` puts the node in front of it.
 */

import { checkArgument } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import type { DType, Tensor } from '../tensor.ts';
import { dtypeOf } from './data-types.ts';
import { type Dim, describe, type Graph, graphKind, type Node, unknownDim, type Value } from './graph.ts';
import { type Attributes, attributesOf, isOtherVersion, type OpType, opTypeOf } from './ops.ts';
import { everyUpdate } from './updates.ts';
import { resolveWindow } from './window.ts';

type Dims = readonly Dim[];

/** What a rule can look at: an input's shape and, if it is a constant, its contents. */
export interface Shaped {
  readonly dims: Dims;
  readonly dtype?: DType | undefined;
  readonly tensor?: Tensor | undefined;
}

/** Inputs in order, attributes → the dimensions of each output. */
type ShapeRule<O extends OpType> = (inputs: readonly Shaped[], attributes: Attributes<O>, count: number) => Dims[];

const same = ([x]: readonly Shaped[]): Dims[] => [x!.dims];
const broadcast = (inputs: readonly Shaped[]): Dims[] => [inputs.map((input) => input.dims).reduce(broadcastDims)];
const shapeAttribute = (attributes: { readonly input_shape: readonly number[] }): Dims[] => [attributes.input_shape];

const rules: { readonly [O in OpType]: ShapeRule<O> } = {
  Add: broadcast,
  AveragePool: ([x], attributes) => [[...x!.dims.slice(0, 2), ...resolveWindow(attributes, x!.dims.slice(2)).output]],
  AveragePoolGrad: (_, attributes) => shapeAttribute(attributes),
  BatchNormalization: (inputs, { training_mode }) => {
    if (training_mode)
      throw new UsageError('training_mode is 1, which is not supported; export the model for inference.');
    return [normalized(inputs)];
  },
  BatchNormGrad: ([dy, , scale]) => [dy!.dims, scale!.dims, scale!.dims],
  BatchNormTraining: (inputs) => [batchNormalized(inputs), ...new Array<Dims>(4).fill(inputs[1]!.dims)],
  Cast: same,
  Concat: (inputs, { axis }) => [concatenated(inputs, axis)],
  Conv: ([x, w, b], attributes) => [convolved(x!, w!, b, attributes)],
  ConvInputGrad: (_, attributes) => shapeAttribute(attributes),
  ConvTranspose: ([x, w], attributes) => [transposeConvolved(x!, w!, attributes)],
  ConvWeightGrad: (_, { weight_shape }) => [weight_shape],
  Div: broadcast,
  Exp: same,
  Expand: ([x, shape]) => [broadcastDims(x!.dims, constantInts(shape!, 'shape'))],
  Flatten: ([x], { axis }) => [[product(x!.dims.slice(0, axis)), product(x!.dims.slice(axis))]],
  Gemm: ([a, b, c], attributes) => [gemm(a!, b!, c, attributes)],
  GlobalAveragePool: ([x]) => [[...x!.dims.slice(0, 2), ...x!.dims.slice(2).map(() => 1)]],
  HardSigmoid: same,
  Identity: same,
  Log: same,
  LogSoftmax: same,
  MatMul: ([a, b]) => [matMul(a!.dims, b!.dims)],
  MaxPool: ([x], attributes, count) => {
    if (count > 1 && attributes.storage_order) throw new UsageError('storage_order is 1, but only 0 is supported.');
    const dims = [...x!.dims.slice(0, 2), ...resolveWindow(attributes, x!.dims.slice(2)).output];
    return new Array<Dims>(count).fill(dims);
  },
  MaxPoolGrad: (_, attributes) => shapeAttribute(attributes),
  Mul: broadcast,
  Neg: same,
  Pad: ([x, pads]) => [padded(x!.dims, constantInts(pads!, 'pads'))],
  Reciprocal: same,
  ReduceMax: ([x], { axes, keepdims }) => [reduced(x!.dims, axes, keepdims)],
  ReduceMean: ([x], { axes, keepdims }) => [reduced(x!.dims, axes, keepdims)],
  ReduceSum: ([x, axes], { keepdims, noop_with_empty_axes }) => [
    reduced(x!.dims, axes ? constantInts(axes, 'axes') : [], keepdims, noop_with_empty_axes),
  ],
  Relu: same,
  ReluGrad: same,
  Reshape: ([x, shape]) => [reshaped(x!.dims, constantInts(shape!, 'shape'))],
  ScatterElements: same,
  Sigmoid: same,
  Slice: (inputs) => [sliced(inputs)],
  Softmax: same,
  SoftmaxCrossEntropy: () => [[]],
  SoftmaxCrossEntropyGrad: ([, logits]) => [logits!.dims],
  Split: ([x, sizes], { axis }, count) => split(x!.dims, axisOf(axis, x!.dims), sizes, count),
  Sqrt: same,
  Sub: broadcast,
  Sum: broadcast,
  Transpose: ([x], { perm }) => [permutation(perm, x!.dims.length).map((axis) => x!.dims[axis]!)],
  ...everyUpdate(
    () =>
      ([x]: readonly Shaped[], _: unknown, count: number) =>
        new Array<Dims>(count).fill(x!.dims),
  ),
};

/**
 * The shapes of an operator's outputs.
 *
 * @throws UsageError if the inputs do not fit together; the message has the numbers, but not the node.
 */
export function outputDims<O extends OpType>(
  op: O,
  inputs: readonly Shaped[],
  attributes: Attributes<O>,
  count: number,
): Dims[] {
  return rules[op](inputs, attributes, count);
}

/**
 * Fills in the shape of every value that a known operator produces, in place. Values behind unknown operators, or
 * behind other versions of known ones, are left unchanged.
 *
 * @throws UsageError naming the node whose inputs do not fit together.
 * @example inferShapes(graph); graph.outputs[0].dims // ['N', 1000]
 */
export function inferShapes(graph: Graph): void {
  checkArgument('graph', graph, graphKind);
  for (const node of graph.sorted()) inferNode(node);
}

/** The data type of a node's output: its first input's, with two exceptions. */
export function outputType(node: Node, op: OpType, index: number, first = node.inputs[0]?.dtype): DType | undefined {
  if (op === 'Cast') return dtypeOf(attributesOf(node, op).to);
  return op === 'MaxPool' && index === 1 ? 'int64' : first;
}

/** Infers the shapes of one node's outputs from its inputs. */
export function inferNode(node: Node): void {
  const op = opTypeOf(node);
  if (!op || isOtherVersion(node, op) || node.inputs.some((input) => input && !input.dims)) return;
  try {
    const dims = outputDims(op, node.inputs as Shaped[], attributesOf(node, op), node.outputs.length);
    node.outputs.forEach((output, i) => {
      output.dims = dims[i];
      output.dtype = outputType(node, op, i);
    });
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${describe(node)}: ${error.message}`);
    throw error;
  }
}

/**
 * The dimensions of a value whose shape must be fully known.
 *
 * @throws UsageError naming the value if a dimension is free or unknown.
 */
export function sizes(value: Value): readonly number[] {
  const { name, dims } = value;
  if (dims?.every((dim) => typeof dim === 'number')) return dims;
  throw new UsageError(
    `"${name}" has shape [${dims ?? 'unknown'}], but every size must be a number; fix the batch size and other free sizes first.`,
  );
}

/** The constant integers of an input, such as Reshape's shape. */
export function constantInts(input: Pick<Shaped, 'tensor'>, what: string): number[] {
  if (!input.tensor) throw new UsageError(`its ${what} must be a constant, but the graph computes it.`);
  return Array.from(input.tensor.data as ArrayLike<number | bigint>, Number);
}

/** A negative axis or index, which counts from the end, as one that counts from the front. */
export const fromFront = (index: number, length: number): number => (index < 0 ? index + length : index);

/** `axis` counted from the front. */
export function axisOf(axis: number, dims: Dims): number {
  const index = fromFront(axis, dims.length);
  if (!(index >= 0 && index < dims.length)) throw new UsageError(`axis is ${axis}, but expected an axis of [${dims}].`);
  return index;
}

/** Transpose's `perm`; defaults to the reverse order. */
export const permutation = (perm: readonly number[], rank: number): readonly number[] =>
  perm.length > 0 ? perm : Array.from({ length: rank }, (_, i) => rank - 1 - i);

/** The axes that a reduction covers. If none are named, that is all of them, or none if ONNX's `noop` is set. */
export const reducedAxes = (axes: readonly number[], dims: Dims, noop = 0): number[] =>
  axes.length > 0 || noop ? axes.map((axis) => axisOf(axis, dims)) : dims.map((_, axis) => axis);

/** ONNX broadcasting, aligned at the last axis: sizes must be equal, or one of them 1. */
export function broadcastDims(a: Dims, b: Dims): Dims {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const left = a[i - rank + a.length] ?? 1;
    const right = b[i - rank + b.length] ?? 1;
    if (left === right || right === 1) return left;
    if (left === 1 || typeof left === 'string') return right;
    if (typeof right === 'string') return left;
    throw new UsageError(`shapes [${a}] and [${b}] do not broadcast: axis ${i} has sizes ${left} and ${right}.`);
  });
}

/** Whether two sizes are known to differ. */
const clash = (a: Dim, b: Dim): boolean => typeof a === 'number' && typeof b === 'number' && a !== b;

/** The size of an axis that is the product of several. */
function product(dims: Dims): Dim {
  const names = dims.filter((dim) => typeof dim === 'string');
  const size = dims.reduce<number>((total, dim) => (typeof dim === 'number' ? total * dim : total), 1);
  if (names.length === 0) return size;
  return names.length === 1 && size === 1 ? names[0]! : unknownDim;
}

/**
 * Grouped convolution: g groups divide n_in input channels into g maps of n_in/g channels, and n_out filters into g
 * sets of n_out/g. A filter only sees the n_in/g channels of its own group.
 */
function convolved(x: Shaped, w: Shaped, b: Shaped | undefined, attributes: Attributes<'Conv'>): Dims {
  const [batch, channels, ...spatial] = x.dims;
  const [filters, perGroup, ...kernel] = w.dims as number[];
  const { group } = attributes;
  if (batch === undefined || x.dims.length !== w.dims.length || spatial.length === 0) {
    throw new UsageError(
      `input has shape [${x.dims}] and weight has shape [${w.dims}], but expected equal ranks of at least 3.`,
    );
  }
  checkGroups(group, channels!, filters!, perGroup!);
  if (b && b.dims[0] !== filters) throw new UsageError(`bias has shape [${b.dims}], but there are ${filters} filters.`);
  return [batch, filters!, ...resolveWindow(attributes, spatial, kernel).output]; // [N, n_out, H', W']
}

function checkGroups(group: number, channels: Dim, filters: number, perGroup: number): void {
  if (!Number.isInteger(group) || group < 1)
    throw new UsageError(`group is ${group}, but expected a whole number of at least 1.`);
  if (typeof channels === 'number' && channels % group !== 0) {
    throw new UsageError(`${group} groups do not divide the ${channels} input channels.`);
  }
  if (filters % group !== 0) throw new UsageError(`${group} groups do not divide the ${filters} filters.`);
  if (typeof channels === 'number' && channels !== perGroup * group) {
    const expected = `${perGroup} per group × ${group} groups = ${perGroup * group}`;
    throw new UsageError(`input has ${channels} channels, but its weight expects ${expected}.`);
  }
}

function transposeConvolved(x: Shaped, w: Shaped, attributes: Attributes<'ConvTranspose'>): Dims {
  const [batch, , ...spatial] = x.dims;
  const [, perGroup, ...kernel] = w.dims as number[];
  if (attributes.auto_pad.startsWith('SAME') || attributes.output_shape.length > 0) {
    throw new UsageError(`pads are given by auto_pad or output_shape, which is not supported; use pads instead.`);
  }
  const unbounded = spatial.map(() => unknownDim); // the window slides over the result, which always has room for it
  const { strides, dilations, begin, end } = resolveWindow(attributes, unbounded, kernel);
  const output = spatial.map((size, axis): Dim => {
    if (typeof size === 'string') return unknownDim;
    const span = dilations[axis]! * (kernel[axis]! - 1) + 1;
    const extra = attributes.output_padding[axis] ?? 0;
    return strides[axis]! * (size - 1) + extra + span - begin[axis]! - end[axis]!;
  });
  return [batch!, perGroup! * attributes.group, ...output];
}

function normalized([x, ...statistics]: readonly Shaped[]): Dims {
  for (const vector of statistics) {
    const [channels] = vector.dims;
    if (vector.dims.length !== 1 || (typeof x!.dims[1] === 'number' && channels !== x!.dims[1])) {
      throw new UsageError(`input has ${x!.dims[1]} channels, but a per-channel input has shape [${vector.dims}].`);
    }
  }
  return x!.dims;
}

/** A single value has no variance, and the unbiased variance of a running statistic would be 0/0. */
function batchNormalized(inputs: readonly Shaped[]): Dims {
  const dims = normalized(inputs);
  if (dims.every((dim, axis) => axis === 1 || dim === 1)) {
    throw new UsageError(`[${dims}] has only one value per channel and thus no variance; use a larger batch or map.`);
  }
  return dims;
}

function concatenated(inputs: readonly Shaped[], axis: number): Dims {
  const first = inputs[0]!.dims;
  const along = axisOf(axis, first);
  const other = inputs.find(
    ({ dims }) => dims.length !== first.length || dims.some((d, i) => i !== along && clash(d, first[i]!)),
  );
  if (other)
    throw new UsageError(
      `[${other.dims}] and [${first}] may only differ on axis ${axis}, where they are concatenated.`,
    );
  const sizes = inputs.map(({ dims }) => dims[along]!);
  const total = sizes.some((size) => typeof size === 'string')
    ? unknownDim
    : (sizes as number[]).reduce((a, b) => a + b);
  return first.with(along, total);
}

function gemm(a: Shaped, b: Shaped, c: Shaped | undefined, { transA, transB }: Attributes<'Gemm'>): Dims {
  const [m, k] = transA ? [a.dims[1]!, a.dims[0]!] : [a.dims[0]!, a.dims[1]!];
  const [k2, n] = transB ? [b.dims[1]!, b.dims[0]!] : [b.dims[0]!, b.dims[1]!];
  if (a.dims.length !== 2 || b.dims.length !== 2 || clash(k, k2)) {
    throw new UsageError(`[${a.dims}] and [${b.dims}] cannot be multiplied: ${k} columns, but ${k2} rows.`);
  }
  if (c) broadcastDims([m, n], c.dims);
  return [m, n];
}

function matMul(a: Dims, b: Dims): Dims {
  if (a.length < 2 || b.length < 2 || clash(a.at(-1)!, b.at(-2)!)) {
    throw new UsageError(`[${a}] and [${b}] cannot be multiplied: ${a.at(-1)} columns, but ${b.at(-2)} rows.`);
  }
  return [...broadcastDims(a.slice(0, -2), b.slice(0, -2)), a.at(-2)!, b.at(-1)!];
}

function padded(dims: Dims, pads: readonly number[]): Dims {
  return dims.map((size, axis) => {
    const extra = pads[axis]! + pads[axis + dims.length]!;
    if (extra === 0) return size;
    return typeof size === 'string' ? unknownDim : size + extra;
  });
}

function reduced(dims: Dims, axes: readonly number[], keepdims: number, noop = 0): Dims {
  const gone = new Set(reducedAxes(axes, dims, noop));
  return keepdims ? dims.map((size, i) => (gone.has(i) ? 1 : size)) : dims.filter((_, i) => !gone.has(i));
}

/** 0 keeps an axis, -1 takes the rest. */
function reshaped(dims: Dims, shape: readonly number[]): Dims {
  const kept = shape.map((size, i) => (size === 0 ? dims[i]! : size));
  const free = kept.indexOf(-1);
  const names = (list: Dims) => list.filter((dim) => typeof dim === 'string').join();
  if (names(dims) !== names(kept)) return free < 0 ? kept : kept.with(free, unknownDim);
  const size = (list: Dims) => list.reduce<number>((p, dim) => (typeof dim === 'number' && dim > 0 ? p * dim : p), 1);
  const rest = size(dims) / size(kept);
  if (free < 0 ? rest !== 1 : !Number.isInteger(rest)) {
    throw new UsageError(`[${dims}] cannot be reshaped to [${shape}].`);
  }
  return free < 0 ? kept : kept.with(free, rest);
}

/** Slice's range on each axis: start index, size, and step, which may be negative. */
export function sliceRanges(inputs: readonly Shaped[]): { start: number; size: Dim; step: number }[] {
  const [x, startsInput, endsInput, axesInput, stepsInput] = inputs;
  const starts = constantInts(startsInput!, 'starts');
  const ends = constantInts(endsInput!, 'ends');
  const axes = axesInput
    ? constantInts(axesInput, 'axes').map((axis) => axisOf(axis, x!.dims))
    : starts.map((_, i) => i);
  const steps = stepsInput ? constantInts(stepsInput, 'steps') : starts.map(() => 1);
  if (steps.includes(0)) throw new UsageError(`steps is [${steps}], but no step may be 0.`);
  return x!.dims.map((size, axis) => {
    const i = axes.indexOf(axis);
    if (i < 0) return { start: 0, size, step: 1 };
    const step = steps[i]!;
    if (typeof size === 'string') return { start: starts[i]!, size: unknownDim, step };
    const [min, max] = step > 0 ? [0, size] : [-1, size - 1];
    const clamp = (index: number) => Math.min(Math.max(index < 0 ? index + size : index, min), max);
    const start = clamp(starts[i]!);
    return { start, size: Math.max(0, Math.ceil((clamp(ends[i]!) - start) / step)), step };
  });
}

const sliced = (inputs: readonly Shaped[]): Dims => sliceRanges(inputs).map(({ size }) => size);

function split(dims: Dims, axis: number, sizes: Shaped | undefined, count: number): Dims[] {
  const total = dims[axis];
  if (sizes) {
    const parts = constantInts(sizes, 'split');
    const sum = parts.reduce((a, b) => a + b, 0);
    if (parts.length !== count || (typeof total === 'number' && sum !== total)) {
      throw new UsageError(`axis ${axis} of [${dims}] cannot be split into ${count} parts of sizes [${parts}].`);
    }
    return parts.map((size) => dims.with(axis, size));
  }
  if (typeof total !== 'number' || total % count !== 0) {
    throw new UsageError(`axis ${axis} of [${dims}] cannot be split into ${count} equal parts; give the sizes.`);
  }
  return new Array<Dims>(count).fill(dims.with(axis, total / count));
}
