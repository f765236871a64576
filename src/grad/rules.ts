/**
 * The gradient of every operator, one formula each: from dy, the gradient of the operator's output, to dx, dw, …, those
 * of its inputs, again written in operators. A rule may ignore broadcasting: the sweep in `gradient.ts` sums a gradient
 * over the axes along which its input was repeated. `undefined` stands for an input without a gradient, such as a
 * shape. `graph/ops.ts` lists the operators without a rule.
 */
import { UsageError } from '../errors.ts';
import type { Builder } from '../graph/builder.ts';
import { dataTypeOf } from '../graph/data-types.ts';
import { describe, type Node, type Value } from '../graph/graph.ts';
import type { Attributes, Differentiable, OpType } from '../graph/ops.ts';
import { axisOf, constantInts, permutation, reducedAxes, type Shaped, sizes, sliceRanges } from '../graph/shapes.ts';
import { elements } from '../tensor.ts';

export interface Site<O extends OpType> {
  readonly b: Builder;
  readonly node: Node;
  readonly inputs: readonly Value[];
  /** The first output, and its gradient if it has one. */
  readonly y: Value;
  readonly dy: Value;
  /** The gradient of each output. */
  readonly dys: readonly (Value | undefined)[];
  readonly attributes: Attributes<O>;
}

export type Rule<O extends OpType> = (site: Site<O>) => readonly (Value | undefined)[];

export const rules: { readonly [O in Differentiable]: Rule<O> } = {
  Add: ({ dy }) => [dy, dy],
  AveragePool: ({ b, inputs: [x], dy, attributes }) => [
    b.op('AveragePoolGrad', [dy], { ...attributes, input_shape: sizes(x!) }),
  ],
  BatchNormalization: batchNormalization,
  BatchNormTraining: ({ b, node, inputs: [x, scale], dy }) => {
    const [, , , mean, inverse] = node.outputs;
    return b.node('BatchNormGrad', [dy, x, scale, mean, inverse], {}, 3).outputs;
  },
  Cast: ({ b, inputs: [x], y, dy }) => {
    const isContinuous = x!.dtype?.includes('float') && y.dtype?.includes('float');
    return [isContinuous ? b.op('Cast', [dy], { to: dataTypeOf(x!.dtype!) }) : undefined];
  },
  Concat: ({ b, inputs, dy, attributes: { axis } }) => {
    const lengths = inputs.map((x) => sizes(x)[axisOf(axis, x.dims!)]!);
    return b.node('Split', [dy, b.ints(lengths)], { axis }, inputs.length).outputs;
  },
  Conv: ({ b, inputs: [x, w, bias], dy, attributes }) => [
    b.op('ConvInputGrad', [dy, w], { ...attributes, input_shape: sizes(x!) }),
    b.op('ConvWeightGrad', [x, dy], { ...attributes, weight_shape: sizes(w!) }),
    bias && sumPerChannel(b, dy),
  ],
  ConvTranspose: ({ b, inputs: [x, w, bias], dy, attributes: { output_padding, output_shape, ...window } }) => [
    b.op('Conv', [dy, w], window),
    b.op('ConvWeightGrad', [dy, x], { ...window, weight_shape: sizes(w!) }),
    bias && sumPerChannel(b, dy),
  ],
  Div: ({ b, inputs: [, divisor], y, dy }) => {
    const quotient = b.op('Div', [dy, divisor]);
    return [quotient, b.op('Neg', [b.op('Mul', [quotient, y])])];
  },
  Exp: ({ b, y, dy }) => [b.op('Mul', [dy, y])],
  Expand: ({ dy }) => [dy, undefined],
  Flatten: ({ b, inputs: [x], dy }) => [b.op('Reshape', [dy, b.ints(sizes(x!))])],
  Gemm: gemm,
  GlobalAveragePool: ({ b, inputs: [x], dy }) => {
    const [, , ...map] = sizes(x!);
    const share = b.op('Div', [dy, b.number(elements(map))]);
    return [b.op('Expand', [share, b.ints(sizes(x!))])];
  },
  Identity: ({ dy }) => [dy],
  Log: ({ b, inputs: [x], dy }) => [b.op('Div', [dy, x])],
  LogSoftmax: ({ b, y, dy, attributes: { axis } }) => {
    const total = b.op('ReduceSum', [dy, b.ints([axis])]);
    return [b.op('Sub', [dy, b.op('Mul', [b.op('Exp', [y]), total])])];
  },
  MatMul: ({ b, inputs: [left, right], dy }) => [
    b.op('MatMul', [dy, swapLast(b, right!)]),
    b.op('MatMul', [swapLast(b, left!), dy]),
  ],
  MaxPool: ({ b, node, inputs: [x], dy }) => {
    const indices = node.outputs[1] ?? b.addOutput(node, `${node.name}.indices`);
    return [b.op('MaxPoolGrad', [dy, indices], { input_shape: sizes(x!) })];
  },
  Mul: ({ b, inputs: [left, right], dy }) => [b.op('Mul', [dy, right]), b.op('Mul', [dy, left])],
  Neg: ({ b, dy }) => [b.op('Neg', [dy])],
  Pad: ({ b, node, inputs: [x, padsInput], dy, attributes: { mode } }) => {
    const pads = constantInts(padsInput!, 'pads');
    if (mode !== 'constant' || pads.some((pad) => pad < 0)) {
      throw new UsageError(`${describe(node)} has no gradient unless it adds a constant around its input.`);
    }
    const before = pads.slice(0, x!.dims!.length);
    const ends = sizes(x!).map((size, axis) => before[axis]! + size);
    return [b.op('Slice', [dy, b.ints(before), b.ints(ends)])];
  },
  Reciprocal: ({ b, y, dy }) => [b.op('Neg', [b.op('Mul', [dy, b.op('Mul', [y, y])])])],
  ReduceMean: ({ b, inputs: [x], y, dy, attributes: { axes } }) => {
    const count = elements(sizes(x!)) / elements(sizes(y));
    return [unreduced(b, b.op('Div', [dy, b.number(count)]), x!, axes)];
  },
  ReduceSum: ({ b, inputs: [x, axes], dy, attributes: { noop_with_empty_axes } }) => [
    unreduced(b, dy, x!, axes ? constantInts(axes, 'axes') : [], noop_with_empty_axes),
  ],
  Relu: ({ b, y, dy }) => [b.op('ReluGrad', [dy, y])],
  Reshape: ({ b, inputs: [x], dy }) => [b.op('Reshape', [dy, b.ints(sizes(x!))])],
  Sigmoid: ({ b, y, dy }) => [b.op('Mul', [dy, b.op('Mul', [y, b.op('Sub', [b.number(1), y])])])],
  Slice: sliceRule,
  Softmax: ({ b, y, dy, attributes: { axis } }) => {
    const total = b.op('ReduceSum', [b.op('Mul', [dy, y]), b.ints([axis])]);
    return [b.op('Mul', [y, b.op('Sub', [dy, total])])];
  },
  SoftmaxCrossEntropy: ({ b, inputs: [logits, targets], dy }) => [
    b.op('SoftmaxCrossEntropyGrad', [dy, logits, targets]),
    undefined,
  ],
  Split: ({ b, node, dys, attributes: { axis } }) => {
    const parts = node.outputs.map((part, i) => dys[i] ?? b.number(0, sizes(part)));
    return [b.op('Concat', parts, { axis }), undefined];
  },
  Sqrt: ({ b, y, dy }) => [b.op('Div', [dy, b.op('Mul', [y, b.number(2)])])],
  Sub: ({ b, dy }) => [dy, b.op('Neg', [dy])],
  Sum: ({ inputs, dy }) => inputs.map(() => dy),
  Transpose: ({ b, inputs: [x], dy, attributes: { perm } }) => {
    const forward = permutation(perm, x!.dims!.length);
    return [b.op('Transpose', [dy], { perm: forward.map((_, axis) => forward.indexOf(axis)) })];
  },
};

const sumPerChannel = (b: Builder, dy: Value): Value => {
  const axes = sizes(dy).flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  return b.op('ReduceSum', [dy, b.ints(axes)], { keepdims: 0 }); // [C]
};

function swapLast(b: Builder, x: Value): Value {
  const rank = sizes(x).length;
  const perm = Array.from({ length: rank }, (_, axis) => axis);
  return b.op('Transpose', [x], { perm: [...perm.slice(0, -2), rank - 1, rank - 2] });
}

/** dy of a reduction, repeated along the axes that were reduced. */
function unreduced(b: Builder, dy: Value, x: Value, axes: readonly number[], noop = 0): Value {
  const gone = reducedAxes(axes, sizes(x), noop);
  const kept = sizes(x).map((size, axis) => (gone.includes(axis) ? 1 : size));
  return b.op('Expand', [b.op('Reshape', [dy, b.ints(kept)]), b.ints(sizes(x))]);
}

/** With fixed statistics the layer is affine: dx = dy·scale/√(variance + ε). The statistics are constants. */
function batchNormalization({ b, inputs, dy, attributes }: Site<'BatchNormalization'>): (Value | undefined)[] {
  const [x, scale, , mean, variance] = inputs as [Value, Value, Value, Value, Value];
  const along = b.ints(sizes(x).map((size, axis) => (axis === 1 ? size : 1)));
  const inverse = b.op('Reciprocal', [b.op('Sqrt', [b.op('Add', [variance, b.number(attributes.epsilon)])])]); // [C]
  const standard = b.op('Mul', [b.op('Sub', [x, b.op('Reshape', [mean, along])]), b.op('Reshape', [inverse, along])]); // [N, C, …]
  const slope = b.op('Reshape', [b.op('Mul', [scale, inverse]), along]);
  const dscale = sumPerChannel(b, b.op('Mul', [dy, standard]));
  return [b.op('Mul', [dy, slope]), dscale, sumPerChannel(b, dy), undefined, undefined];
}

/** y = α·A'·B' + β·C with A' = A or Aᵀ: dA' = α·dy·B'ᵀ, dB' = α·A'ᵀ·dy, dC = β·dy. */
function gemm({ b, inputs: [left, right, bias], dy, attributes }: Site<'Gemm'>): (Value | undefined)[] {
  const { alpha, beta, transA, transB } = attributes;
  const da = transA
    ? b.op('Gemm', [right, dy], { alpha, transA: transB, transB: 1 })
    : b.op('Gemm', [dy, right], { alpha, transB: 1 - transB });
  const db = transB
    ? b.op('Gemm', [dy, left], { alpha, transA: 1, transB: transA })
    : b.op('Gemm', [left, dy], { alpha, transA: 1 - transA });
  return [da, db, bias && (beta === 1 ? dy : b.op('Mul', [dy, b.number(beta)]))];
}

/** dx is dy surrounded by zeros. */
function sliceRule({ b, node, inputs, dy }: Site<'Slice'>): (Value | undefined)[] {
  const ranges = sliceRanges([...inputs] as Shaped[]);
  if (ranges.some(({ step }) => step !== 1)) {
    throw new UsageError(`${describe(node)} has no gradient unless its steps are 1.`);
  }
  const before = ranges.map(({ start }) => start);
  const after = sizes(inputs[0]!).map((size, axis) => size - before[axis]! - sizes(dy)[axis]!);
  return [b.op('Pad', [dy, b.ints([...before, ...after])])];
}
