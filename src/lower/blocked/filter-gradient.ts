/**
 * The gradient of a convolution with respect to its weight: dw[m, c, p, q] = Σ dy[m, i, j] · x[c, i·s + p·d, j·s + q·d]
 * over images and pixels, with m and c in the same group. There are three ways to compute it:
 *
 * 1x1: a matrix product. Either one per image, with the products summed; or, if there are many weights and few pixels, so that
 * these products would be larger than what they are made of, one over the pixels of all images, with channels first.
 *
 * Narrow groups: a depthwise convolution whose kernel is a whole image of dy gives Σ dy[c, i, j] · x[c, i + p, j + q]
 * for all taps (p, q) at once, but pairs each channel of x with a single one of dy. So it is done once per channel in a
 * group, each time with the channels of dy rotated by one more place, by a 1x1 convolution whose weight is a
 * permutation.
 *
 * Everything else, above all wide groups and the stem: a matrix product with the pixels of x under each tap (`columns.ts`),
 * per image or over all images.
 */
import type { Value } from '../../graph/graph.ts';
import type { Attributes } from '../../graph/ops.ts';
import { sizes } from '../../graph/shapes.ts';
import { resolveWindow, type Window } from '../../graph/window.ts';
import { elements, type Tensor, tensor } from '../../tensor.ts';
import { type Columns, columnPlaces, columns, columnsOfTaps } from './columns.ts';
import { scaledRows } from './filters.ts';
import { grouping } from './grouping.ts';
import type { BlockedNodes } from './nodes.ts';
import type { Representations } from './representations.ts';
import type { Rule } from './rules.ts';

type Shape = readonly [number, number, number, number];

export const convolutionWeightGradient: Rule<'ConvWeightGrad'> = ({ layouts, n, inputs: [x, dy], attributes }) => {
  if (!layouts.isBlockable(dy!)) return undefined;
  const { map, scale } = layouts.scaled(dy!);
  const dw = unscaled(layouts, x!, map, attributes);
  if (!dw) return undefined;
  return [{ plain: scaledRows(n, dw, scale, attributes.weight_shape) }];
};

/** The gradient before scaling. Its numbers are in the order of the weight, but its dimensions may differ. */
function unscaled(
  layouts: Representations,
  x: Value,
  dy: Value,
  attributes: Attributes<'ConvWeightGrad'>,
): Value | undefined {
  const { nodes: n } = layouts;
  const { group } = attributes;
  const shape = attributes.weight_shape as Shape;
  const window = resolveWindow(attributes, sizes(x).slice(2), shape.slice(2));
  if (!layouts.isBlockable(x)) return byColumns(layouts, x, dy, window, group, shape);
  if (isPointwise(window) && group === 1) return pointwise(layouts, strided(n, layouts.recomputed(x), window), dy);
  const ofGroups = shape[0] === sizes(x)[1] && shape[1] <= maxWidth;
  const dw = ofGroups ? narrow(n, layouts.recomputed(x), dy, window, group, shape) : undefined;
  return dw ?? byColumns(layouts, x, dy, window, group, shape);
}

function byColumns(
  layouts: Representations,
  x: Value,
  dy: Value,
  window: Window,
  group: number,
  shape: Shape,
): Value | undefined {
  const { nodes: n } = layouts;
  const wide = layouts.isBlockable(x) && isWide(dy, shape[0] / group, shape[1] * elements(window.kernel));
  const under = columnsUnder(layouts, x, window, group, wide);
  if (!under) return undefined;
  const dims = sizes(under.value).with(-2, sizes(dy)[1]! / group);
  const rows = n.reshape(wide ? layouts.channelsFirst(dy) : layouts.unblocked(dy), dims);
  const products = n.matMulTransposed(rows, under.value);
  const product = wide ? products : n.b.op('ReduceSum', [products, n.ints([0])], { keepdims: 0 }); // [G, M/G, columns]
  return n.gather(n.reshape(product, [elements(sizes(product))]), n.b.constant(columnPlaces(shape, under)));
}

function columnsUnder(
  layouts: Representations,
  x: Value,
  window: Window,
  group: number,
  sideBySide: boolean,
): Columns | undefined {
  const { nodes: n } = layouts;
  const isStrided = window.strides.some((stride) => stride > 1);
  const ofTaps =
    isStrided && layouts.isBlockable(x)
      ? columnsOfTaps(layouts, layouts.recomputed(x), window, group, sideBySide)
      : undefined;
  if (ofTaps) return ofTaps;
  if (!sideBySide) return columns(n, layouts.plain(x), window, group, false);
  const [batch, channels, h, w] = sizes(x) as Shape;
  const first = n.reshape(layouts.channelsFirst(layouts.recomputed(x)), [channels, batch, h, w]);
  return columns(n, first, window, group, true);
}

/** Whether the product of one image, [M, K], is larger than what it is made of. */
function isWide(dy: Value, m: number, k: number): boolean {
  const pixels = elements(sizes(dy).slice(2));
  return m * k > pixels * (m + k);
}

const isPointwise = ({ kernel, begin, end }: Window): boolean =>
  kernel.every((taps) => taps === 1) && [...begin, ...end].every((pad) => pad === 0);

/** The pixels that a strided 1x1 convolution reads. */
function strided(n: BlockedNodes, x: Value, { strides }: Window): Value {
  if (strides.every((stride) => stride === 1)) return x;
  const channels = sizes(x)[1]!;
  return n.conv(x, n.b.number(1, [channels, 1, 1, 1]), { group: channels, strides });
}

/** [M, K] */
function pointwise(layouts: Representations, x: Value, dy: Value): Value {
  const { nodes: n } = layouts;
  const [batch, k, h, w] = sizes(x) as [number, number, number, number];
  const m = sizes(dy)[1]!;
  const pixels = h * w;
  if (isWide(dy, m, k)) return n.b.op('Gemm', [layouts.channelsFirst(dy), layouts.channelsFirst(x)], { transB: 1 });
  const perImage = n.matMulTransposed(
    n.reshape(layouts.unblocked(dy), [batch, m, pixels]),
    n.reshape(layouts.unblocked(x), [batch, k, pixels]),
  ); // [N, M, K]
  return batch === 1 ? perImage : n.b.op('ReduceSum', [perImage, n.ints([0])], { keepdims: 0 });
}

/** Flat, in the order of the weight. */
function narrow(n: BlockedNodes, x: Value, dy: Value, window: Window, group: number, shape: Shape): Value | undefined {
  const [filters, width] = shape;
  const [batch, channels, h, w] = sizes(x) as Shape;
  const { kernel, strides, dilations, begin } = window;
  const [top, left] = begin as [number, number];
  const pixels = sizes(dy).slice(2);
  const needs = kernel.map((k, axis) => strides[axis]! * (pixels[axis]! - 1) + 1 + dilations[axis]! * (k - 1));
  const [bottom, right] = [needs[0]! - h - top, needs[1]! - w - left];
  if (bottom < 0 || right < 0) return undefined;
  const [all, taps] = [batch * channels, elements(kernel)];
  const image = n.reshape(withMargin(n, x, left, right), [1, all, h, left + w + right]);
  const rotations = Array.from({ length: width }, (_, rotation) => {
    const kernels = n.reshape(rotation === 0 ? dy : rotatedChannels(n, dy, group, width, rotation), [
      all,
      1,
      ...pixels,
    ]);
    const pads = [top, 0, bottom, 0];
    const sums = n.conv(image, kernels, { group: all, strides: dilations, dilations: strides, pads }); // [1, N·C, kh, kw]
    return n.b.op('ReduceSum', [n.reshape(sums, [batch, channels * taps]), n.ints([0])], { keepdims: 0 });
  }); // [C/B · kh·kw · B] each
  const sums = rotations.length === 1 ? rotations[0]! : n.b.op('Concat', rotations, { axis: 0 });
  return n.gather(sums, n.b.constant(indicesOfTaps(n.block, filters, width, taps)));
}

/** Pads with zeros left and right, so that the taps of a row are computed together, including those at the border. */
function withMargin(n: BlockedNodes, x: Value, left: number, right: number): Value {
  const channels = sizes(x)[1]!;
  const ones = n.b.number(1, [channels, 1, 1, 1]);
  return left + right > 0 ? n.conv(x, ones, { group: channels, pads: [0, left, 0, right] }) : x;
}

/** The maxWidth groups for which this is faster than the matrix product with columns. */
const maxWidth = 32;

/** Rotates channels within their group: channel c of the result is channel (c + rotation) mod width of dy. */
function rotatedChannels(n: BlockedNodes, dy: Value, group: number, width: number, rotation: number): Value {
  const channels = group * width;
  const { merge } = grouping([channels, width], group, n.block)!; // never undefined, since channels fill whole blocks
  const columns = merge * width;
  const filter = new Float32Array(channels * columns);
  for (let c = 0; c < channels; c++) {
    const from = c - (c % width) + ((c + rotation) % width);
    const [out, input] = [c, from % columns];
    filter[blockedAt(out, input, columns, n.block)] = 1;
  }
  return n.conv(dy, n.b.constant(tensor('float32', [channels, columns, 1, 1], filter)), { group: group / merge });
}

const blockedAt = (out: number, input: number, columns: number, block: number): number => {
  const at = Math.floor(out / block) * (columns / block) + Math.floor(input / block);
  return (at * block + (input % block)) * block + (out % block);
};

/** The index of dw[m, c, tap] among the sums [rotation, C/B, kh·kw, B]. */
function indicesOfTaps(block: number, filters: number, width: number, taps: number): Tensor {
  const indices = new Int32Array(filters * width * taps);
  for (let i = 0; i < indices.length; i++) {
    const tap = i % taps;
    const c = Math.floor(i / taps) % width;
    const m = Math.floor(i / (taps * width));
    const channel = m - (m % width) + c;
    const rotation = ((m % width) - c + width) % width;
    indices[i] = rotation * filters * taps + (Math.floor(channel / block) * taps + tap) * block + (channel % block);
  }
  return tensor('int32', [indices.length], indices);
}
