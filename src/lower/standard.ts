/**
 * Expands every semantic operator to standard ONNX operators, so that the graph runs on any provider and in any
 * browser. Each body is the operator's definition in ONNX's own terms, and the interpreter gives the same numbers for
 * both. This lowering is the reference for faster ones, and their fallback.
 */

import { checkArgument } from '../arguments.ts';
import { Builder } from '../graph/builder.ts';
import { type Graph, graphKind, type Node, type Value } from '../graph/graph.ts';
import { averageCounts } from '../graph/kernels.ts';
import { type Attributes, attributesOf, isSemantic, opTypeOf, type SemanticOp, semanticDomain } from '../graph/ops.ts';
import { sizes } from '../graph/shapes.ts';
import { resolveWindow, type Window, type WindowAttributes } from '../graph/window.ts';
import { elements, tensor } from '../tensor.ts';
import { updateBodies } from './updates.ts';

type Body<O extends SemanticOp> = (b: Builder, inputs: readonly Value[], attributes: Attributes<O>) => readonly Value[];

const bodies: { readonly [O in SemanticOp]: Body<O> } = {
  AveragePoolGrad: averagePoolGrad,
  BatchNormGrad: batchNormGrad,
  BatchNormTraining: batchNormTraining,
  ConvInputGrad: (b, [dy, w], attributes) => [convInputGrad(b, dy!, w!, attributes)],
  ConvWeightGrad: convWeightGrad,
  MaxPoolGrad: (b, [dy, indices], { input_shape }) => {
    const flat = (x: Value) => b.op('Reshape', [x, b.ints([-1])]);
    const zeros = b.op('Expand', [b.number(0, [1]), b.ints([elements(input_shape)])]);
    const sums = b.op('ScatterElements', [zeros, flat(indices!), flat(dy!)], { axis: 0, reduction: 'add' });
    return [b.op('Reshape', [sums, b.ints(input_shape)])];
  },
  ReluGrad: (b, [dy, y]) => [b.op('Mul', [dy, b.op('HardSigmoid', [y], { alpha: largestFloat32, beta: 0 })])],
  SoftmaxCrossEntropy: (b, [logits, targets]) => {
    const shifted = b.op('Sub', [logits, b.op('ReduceMax', [logits], { axes: [1] })]); // [N, K], at most 0
    const log = b.op('Sub', [shifted, b.op('Log', [b.op('ReduceSum', [b.op('Exp', [shifted]), b.ints([1])])])]);
    const total = b.op('ReduceSum', [b.op('Mul', [log, targets])], { keepdims: 0 });
    return [b.op('Mul', [total, b.number(-1 / sizes(logits!)[0]!)])];
  },
  SoftmaxCrossEntropyGrad: (b, [dloss, logits, targets]) => {
    const mass = b.op('ReduceSum', [targets, b.ints([1])]); // [N, 1]
    const expected = b.op('Mul', [b.op('Softmax', [logits], { axis: 1 }), mass]);
    const share = b.op('Mul', [dloss, b.number(1 / sizes(logits!)[0]!)]);
    return [b.op('Mul', [b.op('Sub', [expected, targets]), share])];
  },
  ...updateBodies,
};

/** max(0, min(1, largest · y)) is 0 for y = 0 and 1 for any positive normal number: an exact mask in one pass. */
export const largestFloat32 = 3.4028234663852886e38;

export interface StandardOptions {
  /**
   * Whether a max-pool may output the positions of its greatest elements, which its gradient reads. WebGPU's kernel
   * cannot; without them, the gradient compares all taps. True unless given.
   */
  readonly poolIndices?: boolean;
}

/**
 * A copy of the graph without semantic operators, and with sums as additions, because WebGPU has no kernel for `Sum`.
 *
 * @throws UsageError naming a value whose shape must be fully known but is not.
 * @example const runnable = lowerStandard(trainingStep(model, options).graph);
 */
export function lowerStandard(source: Graph, { poolIndices = true }: StandardOptions = {}): Graph {
  checkArgument('source', source, graphKind);
  const { graph } = source.clone();
  const b = new Builder(graph);
  for (const node of graph.sorted()) {
    const op = opTypeOf(node);
    const inputs = node.inputs as Value[];
    if (!op || !(isSemantic(op) || op === 'Sum')) continue;
    const results =
      op === 'Sum'
        ? [added(b, inputs)]
        : op === 'MaxPoolGrad' && !poolIndices
          ? [comparedMaxPoolGrad(b, inputs)]
          : expandSemantic(b, op, inputs, node);
    node.outputs.forEach((output, i) => {
      graph.replaceAllUses(output, results[i]!);
    });
    graph.remove(node);
  }
  graph.opsets.delete(semanticDomain);
  graph.removeDead();
  if (!poolIndices) dropPoolIndices(graph);
  return graph;
}

/** Removes the indices of max-pools where nothing reads them any more. */
function dropPoolIndices(graph: Graph): void {
  for (const node of graph.nodes) {
    const [, indices] = node.outputs;
    if (opTypeOf(node) !== 'MaxPool' || !indices || indices.users.size > 0 || graph.outputs.includes(indices)) continue;
    node.outputs.pop();
  }
}

const added = (b: Builder, [first, ...rest]: readonly Value[]): Value =>
  rest.reduce((sum, value) => b.op('Add', [sum, value]), rest.length === 0 ? b.op('Identity', [first]) : first!);

/** Adds the standard operators that compute a semantic operator's outputs. */
export function expandSemantic<O extends SemanticOp>(
  b: Builder,
  op: O,
  inputs: readonly Value[],
  node: Pick<Node, 'attributes'>,
): readonly Value[] {
  return bodies[op](b, inputs, attributesOf(node, op));
}

/** A vector with one number per channel, shaped to broadcast over [N, C, H, W]. */
const perChannel = (b: Builder, vector: Value): Value => b.op('Reshape', [vector, b.ints([1, -1, 1, 1])]);

/** Sums rows first, then the rest: short sums of sums have smaller rounding errors than one long sum. */
const sumOverMaps = (b: Builder, x: Value): Value => {
  const rows = b.op('ReduceSum', [x, b.ints([3])], { keepdims: 0 }); // [N, C, H]
  return b.op('ReduceSum', [rows, b.ints([0, 2])], { keepdims: 0 }); // [C]
};

/** A transposed convolution whose output has exactly the shape of the convolution's input. */
function transposed(b: Builder, dy: Value, w: Value, window: Window, input: readonly number[], group: number): Value {
  const { kernel, strides, dilations, begin } = window;
  const output = sizes(dy).slice(2);
  const span = kernel.map((taps, axis) => dilations[axis]! * (taps - 1) + 1);
  const full = output.map((size, axis) => strides[axis]! * (size - 1) + span[axis]! - begin[axis]!);
  const over = full.map((size, axis) => size - input[axis + 2]!);
  const end = over.map((extra) => Math.max(0, extra));
  const attributes = {
    group,
    kernel_shape: kernel,
    strides,
    dilations,
    pads: [...begin, ...end],
    output_padding: over.map((extra) => Math.max(0, -extra)),
  };
  if (attributes.output_padding.every((extra, axis) => extra < strides[axis]!)) {
    return b.op('ConvTranspose', [dy, w], attributes);
  }
  const rest = attributes.output_padding;
  const y = b.op('ConvTranspose', [dy, w], { ...attributes, output_padding: rest.map(() => 0) });
  return b.op('Pad', [y, b.ints([0, 0, 0, 0, 0, 0, ...rest])]);
}

/**
 * With stride 1 the gradient is itself a convolution: of dy with the filters rotated by 180 degrees and, in each group,
 * input and output channels swapped, padded by the span of the kernel minus the forward padding. Other strides need a
 * transposed convolution.
 */
function convInputGrad(b: Builder, dy: Value, w: Value, attributes: Attributes<'ConvInputGrad'>): Value {
  const { group, input_shape } = attributes;
  const kernel = sizes(w).slice(2);
  const window = resolveWindow(attributes, input_shape.slice(2), kernel);
  const { strides, dilations, begin, end } = window;
  const reach = kernel.map((taps, axis) => dilations[axis]! * (taps - 1));
  const pads = [...reach.map((r, axis) => r - begin[axis]!), ...reach.map((r, axis) => r - end[axis]!)];
  if (strides.some((stride) => stride !== 1) || pads.some((pad) => pad < 0)) {
    return transposed(b, dy, w, window, input_shape, group);
  }
  return b.op('Conv', [dy, rotated(b, w, group)], { group, kernel_shape: kernel, dilations, pads });
}

/** [M, C/G, kh, kw] → [C, M/G, kh, kw], the taps in reverse order. */
function rotated(b: Builder, w: Value, group: number): Value {
  const [filters, perGroup, ...kernel] = sizes(w) as [number, number, number, number];
  const perGroupOut = filters / group;
  const far = -(2 ** 31);
  const flipped = kernel.every((taps) => taps === 1)
    ? w
    : b.op('Slice', [w, b.ints([-1, -1]), b.ints([far, far]), b.ints([2, 3]), b.ints([-1, -1])]);
  const grouped = b.op('Reshape', [flipped, b.ints([group, perGroupOut, perGroup, elements(kernel)])]);
  const exchanged = b.op('Transpose', [grouped], { perm: [0, 2, 1, 3] }); // [G, C/G, M/G, kh·kw]
  return b.op('Reshape', [exchanged, b.ints([group * perGroup, perGroupOut, ...kernel])]);
}

const isUnpadded = ({ begin, end }: Window): boolean => [...begin, ...end].every((pad) => pad === 0);

/**
 * dw[m, c, p, q] = Σ_n Σ_ij dy[n, m, i, j] · x[n, c, i·s + p·d, j·s + q·d]: the pixels of x under each tap (p, q) are
 * sliced out, and all taps together are one matrix product per image and group, summed over the images.
 */
function convWeightGrad(
  b: Builder,
  [x, dy]: readonly Value[],
  attributes: Attributes<'ConvWeightGrad'>,
): readonly Value[] {
  const { group, weight_shape } = attributes;
  const [filters, perGroup, ...kernel] = weight_shape as [number, number, number, number];
  const window = resolveWindow(attributes, sizes(x!).slice(2), kernel);
  const [batch, , ...map] = sizes(dy!) as [number, number, number, number];
  const [pixels, taps] = [elements(map), elements(kernel)];
  const rows = b.op('Reshape', [dy, b.ints([batch, group, filters / group, pixels])]);
  const patches = pixelsByTap(b, x!, window, [batch, group, perGroup, pixels]);
  const columns = patches.length === 1 ? patches[0]! : b.op('Concat', patches, { axis: 2 }); // [N, G, kh·kw·C/G, H·W]
  const product = b.op('MatMul', [rows, b.op('Transpose', [columns], { perm: [0, 1, 3, 2] })]); // [N, G, M/G, kh·kw·C/G]
  const sum = b.op('ReduceSum', [product, b.ints([0])], { keepdims: 0 }); // [G, M/G, kh·kw·C/G]
  if (taps === 1) return [b.op('Reshape', [sum, b.ints(weight_shape)])];
  const byTap = b.op('Reshape', [sum, b.ints([filters, taps, perGroup])]);
  return [b.op('Reshape', [b.op('Transpose', [byTap], { perm: [0, 2, 1] }), b.ints(weight_shape)])];
}

/** For each tap of the kernel, the pixels of x under it, one per output pixel, reshaped to `shape`. */
function pixelsByTap(b: Builder, x: Value, window: Window, shape: readonly number[], border = 0): Value[] {
  const { kernel, strides, dilations, begin, end, output } = window;
  const pads = b.ints([0, 0, ...begin, 0, 0, ...end]);
  const padded = isUnpadded(window) ? x : b.op('Pad', border === 0 ? [x, pads] : [x, pads, b.number(border)]);
  const whole = sizes(padded).slice(2).join() === output.join() && strides.every((stride) => stride === 1);
  const [axes, steps, dims] = [b.ints([2, 3]), b.ints(strides), b.ints(shape)];
  return Array.from({ length: elements(kernel) }, (_, tap) => {
    if (whole) return b.op('Reshape', [padded, dims]);
    const at = [Math.floor(tap / kernel[1]!), tap % kernel[1]!];
    const starts = at.map((p, axis) => p * dilations[axis]!);
    const ends = starts.map((start, axis) => start + ((output[axis] as number) - 1) * strides[axis]! + 1);
    return b.op('Reshape', [b.op('Slice', [padded, b.ints(starts), b.ints(ends), axes, steps]), dims]);
  });
}

/**
 * The gradient of a max-pool y of x from dy, x and y: an element gets dy of each window in which it is the first that
 * equals y. Each tap's share of dy is computed for all windows at once. One transposed depthwise convolution, whose filter
 * for a tap is 1 at the tap, puts the shares where they belong.
 */
function comparedMaxPoolGrad(b: Builder, [dy, indices]: readonly Value[]): Value {
  const { producer: pool } = indices!;
  const [x, y] = [pool!.inputs[0]!, pool!.outputs[0]!];
  const [batch, channels, ...map] = sizes(x) as [number, number, number, number];
  const window = resolveWindow(attributesOf(pool!, 'MaxPool'), map);
  const taps = elements(window.kernel);
  const output = sizes(y).slice(2);
  const shares: Value[] = [];
  let left = dy!;
  for (const pixels of pixelsByTap(b, x, reaching(window, map), sizes(y), -largestFloat32)) {
    const isGreatest = b.op('HardSigmoid', [b.op('Sub', [pixels, y])], { alpha: 2 ** 100, beta: 1 }); // 1 at y, 0 below
    const share = b.op('Mul', [isGreatest, left]);
    left = b.op('Sub', [left, share]);
    shares.push(b.op('Reshape', [share, b.ints([batch, channels, 1, ...output])]));
  }
  const stacked = b.op('Concat', shares, { axis: 2 }); // [N, C, kh·kw, H', W']
  const maps = b.op('Reshape', [stacked, b.ints([batch, channels * taps, ...output])]);
  const filter = tensor('float32', [channels * taps, 1, ...window.kernel]);
  for (let i = 0; i < channels * taps; i++) filter.data[i * taps + (i % taps)] = 1;
  return transposed(b, maps, b.constant(filter), window, sizes(x), channels);
}

/** The window with its end padded as far as its last position reaches, which in ceil mode may be past the padding. */
function reaching(window: Window, map: readonly number[]): Window {
  const { kernel, strides, dilations, begin, end, output } = window;
  const reach = output.map((count, axis) => {
    const span = dilations[axis]! * (kernel[axis]! - 1) + 1;
    return ((count as number) - 1) * strides[axis]! + span - map[axis]! - begin[axis]!;
  });
  return { ...window, end: end.map((pad, axis) => Math.max(pad, reach[axis]!)) };
}

/** An average is a depthwise convolution with equal weights, once dy is divided by the number of pixels per window. */
function averagePoolGrad(
  b: Builder,
  [dy]: readonly Value[],
  attributes: Attributes<'AveragePoolGrad'>,
): readonly Value[] {
  const { input_shape } = attributes;
  const [, channels, ...map] = input_shape as [number, number, number, number];
  const counts = averageCounts([1, 1, ...map], [1, 1, ...sizes(dy!).slice(2)], attributes);
  const share = tensor(
    'float32',
    [1, 1, ...sizes(dy!).slice(2)],
    Float32Array.from(counts, (count) => 1 / count),
  );
  const ones = b.number(1, [channels, 1, ...attributes.kernel_shape]);
  const window: Window = resolveWindow(attributes satisfies WindowAttributes, map);
  return [transposed(b, b.op('Mul', [dy, b.constant(share)]), ones, window, input_shape, channels)];
}

/** Mean first, then the mean square of the centered values, which is accurate even for a mean far from zero. */
function batchNormTraining(
  b: Builder,
  [x, scale, bias, runningMean, runningVariance]: readonly Value[],
  { epsilon, momentum }: Attributes<'BatchNormTraining'>,
): readonly Value[] {
  const count = elements(sizes(x!)) / sizes(x!)[1]!;
  const mean = b.op('Div', [sumOverMaps(b, x!), b.number(count)]); // [C]
  const centered = b.op('Sub', [x, perChannel(b, mean)]); // [N, C, H, W]
  const squares = sumOverMaps(b, b.op('Mul', [centered, centered])); // [C]
  const variance = b.op('Div', [squares, b.number(count)]);
  const inverse = b.op('Reciprocal', [b.op('Sqrt', [b.op('Add', [variance, b.number(epsilon)])])]);
  const y = b.op('BatchNormalization', [x, scale, bias, mean, variance], { epsilon });
  const moved = (old: Value, now: Value, share: number) => {
    return b.op('Add', [b.op('Mul', [old, b.number(1 - momentum)]), b.op('Mul', [now, b.number(share)])]);
  };
  const unbiased = momentum / (count - 1);
  return [y, moved(runningMean!, mean, momentum), moved(runningVariance!, squares, unbiased), mean, inverse];
}

/**
 * With k = inverse·dscale/m: dx = scale·inverse·(dy − dbias/m − k·(x − mean)), dscale = inverse·Σ dy·(x − mean),
 * dbias = Σ dy. The terms with x are affine per channel, so ONNX's BatchNormalization computes them in one pass.
 */
function batchNormGrad(b: Builder, [dy, x, scale, mean, inverse]: readonly Value[]): readonly Value[] {
  const count = b.number(elements(sizes(x!)) / sizes(x!)[1]!);
  const centered = b.op('Sub', [x, perChannel(b, mean!)]); // [N, C, H, W]
  const dbias = sumOverMaps(b, dy!);
  const dscale = b.op('Mul', [sumOverMaps(b, b.op('Mul', [dy, centered])), inverse]);
  const slope = b.op('Mul', [scale, inverse]); // [C]
  const share = b.op('Neg', [b.op('Div', [slope, count])]);
  const along = b.op('Mul', [share, b.op('Mul', [dscale, inverse])]);
  const ones = b.number(1, sizes(mean!));
  const ofX = b.op('BatchNormalization', [x, along, b.op('Mul', [share, dbias]), mean, ones], { epsilon: 0 });
  return [b.op('Add', [b.op('Mul', [dy, perChannel(b, slope)]), ofX]), dscale, dbias];
}
