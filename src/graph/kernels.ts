/**
 * One float64 kernel per operator, as defined in the ONNX specification or, for the semantic operators, in PyTorch.
 * Convolution and pooling share the loop over window taps. The file is longer than others because it is one table.
 */
import { UsageError } from '../errors.ts';
import { type DType, elements } from '../tensor.ts';
import {
  type Array64,
  copy,
  eachIndex,
  expanded,
  offset,
  perChannel,
  reduce,
  sumPerChannel,
  transpose,
  zeros,
} from './array.ts';
import { eachTap } from './convolution.ts';
import { dtypeOf } from './data-types.ts';
import type { Attributes, OpType } from './ops.ts';
import { axisOf, constantInts, permutation, reducedAxes, sliceRanges } from './shapes.ts';
import { everyUpdate, type UpdateOp, updates } from './updates.ts';
import { resolveWindow, type Window, type WindowAttributes } from './window.ts';

/** Inputs, attributes, the outputs' dimensions, the first input's data type if known → the outputs. */
type Kernel<O extends OpType> = (
  inputs: readonly Array64[],
  attributes: Attributes<O>,
  dims: readonly (readonly number[])[],
  dtype: DType | undefined,
) => Array64[];

const unary = (f: (x: number) => number) => {
  return ([x]: readonly Array64[]): Array64[] => [{ dims: x!.dims, data: x!.data.map(f) }];
};

const binary = (f: (a: number, b: number) => number) => {
  return (inputs: readonly Array64[], _: unknown, [dims]: readonly (readonly number[])[]): Array64[] => {
    const parts = inputs.map((input) => expanded(input, dims!));
    return [parts.reduce((a, b) => ({ dims: dims!, data: a.data.map((value, i) => f(value, b.data[i]!)) }))];
  };
};

const reshape = ([x]: readonly Array64[], _: unknown, [dims]: readonly (readonly number[])[]): Array64[] => [
  copy(x!, dims!),
];

const updateKernels = everyUpdate(updateKernel) as { readonly [O in UpdateOp]: Kernel<O> };

export const kernels: { readonly [O in OpType]: Kernel<O> } = {
  Add: binary((a, b) => a + b),
  AveragePool: averagePool,
  AveragePoolGrad: averagePoolGrad,
  BatchNormalization: ([x, scale, bias, mean, variance], { epsilon }) => {
    const deviation = variance!.data.map((v) => Math.sqrt(v + epsilon));
    return [
      perChannel(x!, (value, c) => scale!.data[c]! * ((value - mean!.data[c]!) / deviation[c]!) + bias!.data[c]!),
    ];
  },
  BatchNormGrad: batchNormGrad,
  BatchNormTraining: batchNormTraining,
  Cast: ([x], { to }) => [{ dims: x!.dims, data: x!.data.map(castTo(to)) }],
  Concat: concat,
  Conv: conv,
  ConvInputGrad: ([dy, w], attributes, [dims]) => [convInputGrad(dy!, w!, attributes, dims!)],
  ConvTranspose: ([x, w, b], attributes, [dims]) => {
    const y = convInputGrad(x!, w!, attributes, dims!);
    return [b ? perChannel(y, (value, c) => value + b.data[c]!) : y];
  },
  ConvWeightGrad: ([x, dy], attributes, [dims]) => {
    const dw = zeros(dims!);
    const window = resolveWindow(attributes, x!.dims.slice(2), dims!.slice(2));
    eachTap({ x: x!.dims, w: dims!, group: attributes.group, window }, (xi, wi, yi) => {
      dw.data[wi]! += x!.data[xi]! * dy!.data[yi]!;
    });
    return [dw];
  },
  /** The quotient of integers is truncated toward zero. */
  Div: (inputs, attributes, dims, dtype) =>
    binary(dtype?.includes('int') ? (a, b) => Math.trunc(a / b) : (a, b) => a / b)(inputs, attributes, dims),
  Exp: unary(Math.exp),
  Expand: ([x], _, [dims]) => [expanded(x!, dims!)],
  Flatten: reshape,
  Gemm: ([a, b, c], { alpha, beta, transA, transB }, [dims]) => {
    const product = matMul(transA ? transpose(a!, [1, 0]) : a!, transB ? transpose(b!, [1, 0]) : b!, dims!);
    const bias = c && expanded(c, dims!);
    return [{ dims: dims!, data: product.data.map((value, i) => alpha * value + (bias ? beta * bias.data[i]! : 0)) }];
  },
  GlobalAveragePool: ([x], _, [dims]) => {
    const y = reduce(x!, dims!, (sum, value) => sum + value);
    const size = x!.data.length / y.data.length;
    return [{ dims: dims!, data: y.data.map((sum) => sum / size) }];
  },
  HardSigmoid: (inputs, { alpha, beta }) => unary((x) => Math.max(0, Math.min(1, alpha * x + beta)))(inputs),
  Identity: unary((x) => x),
  Log: unary(Math.log),
  LogSoftmax: ([x], { axis }) => [softmax(x!, axis, true)],
  MatMul: ([a, b], _, [dims]) => [matMul(a!, b!, dims!)],
  MaxPool: maxPool,
  MaxPoolGrad: ([dy, indices], _, [dims]) => {
    const dx = zeros(dims!);
    indices!.data.forEach((index, i) => {
      dx.data[index]! += dy!.data[i]!;
    });
    return [dx];
  },
  Mul: binary((a, b) => a * b),
  Neg: unary((x) => -x),
  Pad: ([x, pads, constant], { mode }, [dims]) => {
    if (mode !== 'constant') throw new UsageError(`mode is "${mode}", but only "constant" is supported.`);
    const y = { dims: dims!, data: new Float64Array(elements(dims!)).fill(constant?.data[0] ?? 0) };
    const before = constantInts({ tensor: { dtype: 'float64', ...pads! } }, 'pads').slice(0, x!.dims.length);
    eachIndex(dims!, (index, i) => {
      const source = index.map((value, axis) => value - before[axis]!);
      if (source.every((value, axis) => value >= 0 && value < x!.dims[axis]!))
        y.data[i] = x!.data[offset(x!.dims, source)]!;
    });
    return [y];
  },
  Reciprocal: unary((x) => 1 / x),
  ReduceMax: ([x], { axes }, [dims]) => [copy(peaks(x!, keptDims(x!, axes)), dims!)],
  ReduceMean: ([x], { axes }, [dims]) => {
    const y = reduce(x!, keptDims(x!, axes), (sum, value) => sum + value);
    return [{ dims: dims!, data: y.data.map((sum) => (sum * y.data.length) / x!.data.length) }];
  },
  ReduceSum: ([x, axes], { noop_with_empty_axes }, [dims]) => {
    const kept = keptDims(x!, axes ? [...axes.data] : [], noop_with_empty_axes);
    return [
      copy(
        reduce(x!, kept, (sum, value) => sum + value),
        dims!,
      ),
    ];
  },
  Relu: unary((x) => Math.max(0, x)),
  ReluGrad: binary((dy, y) => (y > 0 ? dy : 0)),
  Reshape: reshape,
  ScatterElements: ([x, indices, updates], { axis, reduction }) => {
    const y = copy(x!, x!.dims);
    const along = axisOf(axis, x!.dims);
    eachIndex(indices!.dims, (index, i) => {
      const place = indices!.data[i]!;
      const at = offset(x!.dims, index.with(along, place < 0 ? place + x!.dims[along]! : place));
      y.data[at] = updates!.data[i]! + (reduction === 'add' ? y.data[at]! : 0);
    });
    return [y];
  },
  Sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  Slice: (inputs, _, [dims]) => {
    const [x] = inputs;
    const ranges = sliceRanges(inputs.map((input) => ({ dims: input.dims, tensor: { dtype: 'float64', ...input } })));
    const y = zeros(dims!);
    eachIndex(dims!, (index, i) => {
      const source = index.map((value, axis) => ranges[axis]!.start + value * ranges[axis]!.step);
      y.data[i] = x!.data[offset(x!.dims, source)]!;
    });
    return [y];
  },
  Softmax: ([x], { axis }) => [softmax(x!, axis, false)],
  SoftmaxCrossEntropy: ([logits, targets]) => {
    const log = softmax(logits!, 1, true);
    const total = log.data.reduce((sum, value, i) => sum - value * targets!.data[i]!, 0);
    return [{ dims: [], data: Float64Array.of(total / logits!.dims[0]!) }];
  },
  SoftmaxCrossEntropyGrad: ([dloss, logits, targets]) => {
    const [batch, classes] = logits!.dims as [number, number];
    const mass = reduce(targets!, [batch, 1], (sum, value) => sum + value);
    const data = softmax(logits!, 1, false).data.map((p, i) => {
      return (dloss!.data[0]! / batch) * (p * mass.data[Math.floor(i / classes)]! - targets!.data[i]!);
    });
    return [{ dims: logits!.dims, data }];
  },
  Split: ([x], { axis }, dims) => {
    const along = axisOf(axis, x!.dims);
    let start = 0;
    return dims.map((part) => {
      const y = zeros(part);
      eachIndex(part, (index, i) => {
        y.data[i] = x!.data[offset(x!.dims, index.with(along, index[along]! + start))]!;
      });
      start += part[along]!;
      return y;
    });
  },
  Sqrt: unary(Math.sqrt),
  Sub: binary((a, b) => a - b),
  Sum: binary((a, b) => a + b),
  Transpose: ([x], { perm }) => [transpose(x!, permutation(perm, x!.dims.length))],
  ...updateKernels,
};

function keptDims(x: Array64, axes: readonly number[], noop = 0): number[] {
  const gone = reducedAxes(axes, x.dims, noop);
  return x.dims.map((size, axis) => (gone.includes(axis) ? 1 : size));
}

function matMul(a: Array64, b: Array64, dims: readonly number[]): Array64 {
  const [m, k] = a.dims.slice(-2) as [number, number];
  const n = b.dims.at(-1)!;
  const left = expanded(a, [...dims.slice(0, -2), m, k]);
  const right = expanded(b, [...dims.slice(0, -2), k, n]);
  const y = zeros(dims);
  for (let i = 0; i < y.data.length; i++) {
    const row = Math.floor(i / n);
    const matrix = Math.floor(row / m);
    let sum = 0;
    for (let j = 0; j < k; j++) sum += left.data[row * k + j]! * right.data[(matrix * k + j) * n + (i % n)]!;
    y.data[i] = sum;
  }
  return y;
}

/** The maximum along the axes that `kept` has as 1. */
function peaks(x: Array64, kept: readonly number[]): Array64 {
  const peak = { dims: kept, data: new Float64Array(elements(kept)).fill(-Infinity) };
  eachIndex(x.dims, (index, i) => {
    const at = offset(
      kept,
      index.map((value, axis) => (kept[axis] === 1 ? 0 : value)),
    );
    peak.data[at] = Math.max(peak.data[at]!, x.data[i]!);
  });
  return peak;
}

function softmax(x: Array64, axis: number, log: boolean): Array64 {
  const kept = x.dims.with(axisOf(axis, x.dims), 1);
  const top = expanded(peaks(x, kept), x.dims);
  const exp = { dims: x.dims, data: x.data.map((value, i) => Math.exp(value - top.data[i]!)) };
  const total = expanded(
    reduce(exp, kept, (sum, value) => sum + value),
    x.dims,
  );
  const data = exp.data.map((value, i) => {
    return log ? x.data[i]! - top.data[i]! - Math.log(total.data[i]!) : value / total.data[i]!;
  });
  return { dims: x.dims, data };
}

function concat(
  inputs: readonly Array64[],
  { axis }: Attributes<'Concat'>,
  [dims]: readonly (readonly number[])[],
): Array64[] {
  const along = axisOf(axis, dims!);
  const y = zeros(dims!);
  let start = 0;
  for (const x of inputs) {
    eachIndex(x.dims, (index, i) => {
      y.data[offset(dims!, index.with(along, index[along]! + start))] = x.data[i]!;
    });
    start += x.dims[along]!;
  }
  return [y];
}

function conv(
  [x, w, b]: readonly Array64[],
  attributes: Attributes<'Conv'>,
  [dims]: readonly (readonly number[])[],
): Array64[] {
  const y = zeros(dims!);
  const window = resolveWindow(attributes, x!.dims.slice(2), w!.dims.slice(2));
  eachTap({ x: x!.dims, w: w!.dims, group: attributes.group, window }, (xi, wi, yi) => {
    y.data[yi]! += x!.data[xi]! * w!.data[wi]!;
  });
  return [b ? perChannel(y, (value, c) => value + b.data[c]!) : y];
}

function convInputGrad(
  dy: Array64,
  w: Array64,
  attributes: WindowAttributes & { readonly group: number },
  dims: readonly number[],
): Array64 {
  const dx = zeros(dims);
  const window = { ...resolveWindow(attributes, dims.slice(2), w.dims.slice(2)), output: dy.dims.slice(2) };
  eachTap({ x: dims, w: w.dims, group: attributes.group, window }, (xi, wi, yi) => {
    dx.data[xi]! += dy.data[yi]! * w.data[wi]!;
  });
  return dx;
}

/** Visits the window of each channel separately, as a depthwise convolution does. */
function eachPoolTap(x: readonly number[], window: Window, tap: (x: number, y: number) => void): void {
  const channels = x[1]!;
  eachTap({ x, w: [channels, 1, ...window.kernel], group: channels, window }, (xi, _, yi) => tap(xi, yi));
}

/** The number of elements in each average, with or without padding. What overhangs in ceil mode never counts. */
export function averageCounts(
  x: readonly number[],
  y: readonly number[],
  attributes: Attributes<'AveragePool'>,
): Float64Array {
  const counts = new Float64Array(elements(y));
  const window = resolveWindow(attributes, x.slice(2));
  const { begin, end } = window;
  const padded = x.map((size, axis) => size + (begin[axis - 2] ?? 0) + (end[axis - 2] ?? 0));
  const [dims, start] = attributes.count_include_pad ? [padded, begin.map(() => 0)] : [x, begin];
  eachPoolTap(dims, { ...window, begin: start }, (_, yi) => {
    counts[yi]! += 1;
  });
  return counts;
}

function averagePool(
  [x]: readonly Array64[],
  attributes: Attributes<'AveragePool'>,
  [dims]: readonly (readonly number[])[],
): Array64[] {
  const counts = averageCounts(x!.dims, dims!, attributes);
  const y = zeros(dims!);
  eachPoolTap(x!.dims, resolveWindow(attributes, x!.dims.slice(2)), (xi, yi) => {
    y.data[yi]! += x!.data[xi]! / counts[yi]!;
  });
  return [y];
}

function averagePoolGrad(
  [dy]: readonly Array64[],
  attributes: Attributes<'AveragePoolGrad'>,
  [dims]: readonly (readonly number[])[],
): Array64[] {
  const counts = averageCounts(dims!, dy!.dims, attributes);
  const dx = zeros(dims!);
  eachPoolTap(dims!, resolveWindow(attributes, dims!.slice(2)), (xi, yi) => {
    dx.data[xi]! += dy!.data[yi]! / counts[yi]!;
  });
  return [dx];
}

/** The maximum of each window and its offset in x; of equal ones, the first in row-major order. */
function maxPool(
  [x]: readonly Array64[],
  attributes: Attributes<'MaxPool'>,
  dims: readonly (readonly number[])[],
): Array64[] {
  const y = { dims: dims[0]!, data: new Float64Array(elements(dims[0]!)).fill(-Infinity) };
  const indices = { dims: dims[0]!, data: new Float64Array(elements(dims[0]!)).fill(-1) };
  eachPoolTap(x!.dims, resolveWindow(attributes, x!.dims.slice(2)), (xi, yi) => {
    const value = x!.data[xi]!;
    if (value < y.data[yi]! || (value === y.data[yi] && xi > indices.data[yi]! && indices.data[yi]! >= 0)) return;
    y.data[yi] = value;
    indices.data[yi] = xi;
  });
  return dims.length > 1 ? [y, indices] : [y];
}

/** y = scale · (x − mean) / √(variance + ε) + bias with the batch's own, biased, variance. */
function batchNormTraining(
  [x, scale, bias, runningMean, runningVariance]: readonly Array64[],
  { epsilon, momentum }: Attributes<'BatchNormTraining'>,
): Array64[] {
  const count = x!.data.length / x!.dims[1]!;
  const mean = sumPerChannel(x!.dims, (i) => x!.data[i]!).map((sum) => sum / count);
  const variance = sumPerChannel(x!.dims, (i, c) => (x!.data[i]! - mean[c]!) ** 2).map((sum) => sum / count);
  const inverse = variance.map((v) => 1 / Math.sqrt(v + epsilon));
  const y = perChannel(x!, (value, c) => scale!.data[c]! * (value - mean[c]!) * inverse[c]! + bias!.data[c]!);
  const unbiased = variance.map((v) => (v * count) / (count - 1));
  const moved = (old: Array64, now: Float64Array) => old.data.map((o, c) => (1 - momentum) * o + momentum * now[c]!);
  const vectors = [moved(runningMean!, mean), moved(runningVariance!, unbiased), mean, inverse];
  return [y, ...vectors.map((data) => ({ dims: scale!.dims, data }))];
}

/** With x̂ = (x − mean)·inverse: dbias = Σ dy, dscale = Σ dy·x̂, dx = scale·inverse·(dy − dbias/m − x̂·dscale/m). */
function batchNormGrad([dy, x, scale, mean, inverse]: readonly Array64[]): Array64[] {
  const { dims } = x!;
  const count = x!.data.length / dims[1]!;
  const standard = perChannel(x!, (value, c) => (value - mean!.data[c]!) * inverse!.data[c]!);
  const dbias = sumPerChannel(dims, (i) => dy!.data[i]!);
  const dscale = sumPerChannel(dims, (i) => dy!.data[i]! * standard.data[i]!);
  const size = elements(dims.slice(2));
  const data = dy!.data.map((value, i) => {
    const c = Math.floor(i / size) % dims[1]!;
    const centered = value - dbias[c]! / count - (standard.data[i]! * dscale[c]!) / count;
    return scale!.data[c]! * inverse!.data[c]! * centered;
  });
  return [
    { dims, data },
    { dims: scale!.dims, data: dscale },
    { dims: scale!.dims, data: dbias },
  ];
}

/** Integers drop the fraction. Nothing is rounded to float32, here or elsewhere in the interpreter. */
function castTo(to: number): (x: number) => number {
  const dtype = dtypeOf(to);
  if (dtype === 'float32' || dtype === 'float64') return (x) => x;
  if (dtype === 'bool') return (x) => Number(x !== 0);
  if (dtype?.includes('int')) return Math.trunc;
  throw new UsageError(`to is ${to} (${dtype ?? 'unknown'}), but expected float32, float64, bool or an integer type.`);
}

/** Applies an update's definition to each element; scalars are shared by all elements. */
function updateKernel<O extends UpdateOp>(op: O): Kernel<O> {
  return (inputs, attributes, dims) => {
    const element = elementOf(op, attributes);
    const outputs = dims.map(zeros);
    for (let i = 0; i < elements(dims[0]!); i++) {
      const next = element(...inputs.map(({ data }) => data[data.length === 1 ? 0 : i]!));
      next.forEach((value, k) => {
        outputs[k]!.data[i] = value;
      });
    }
    return outputs;
  };
}

const elementOf = <O extends UpdateOp>(op: O, attributes: Attributes<O>) =>
  (updates[op].element as (attributes: Attributes<O>) => (...inputs: number[]) => readonly number[])(attributes);
