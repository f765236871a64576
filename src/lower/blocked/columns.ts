/**
 * The pixels under each tap of a kernel, as columns of a matrix: x [N, C, H, W] → [N, G, columns, pixels]; or, with the
 * pixels of all images side by side, [G, columns, N·pixels].
 *
 * A blocked map whose size the convolution divides by its stride is read tap by tap, by a depthwise convolution each. Any
 * other map is plain, or with channels first [C, N, H, W]. With stride s it is first split into s·s phases, each a map of
 * every s-th row and column. The pixels under a tap are then a whole window of one phase, copied row by row: tap p is in
 * phase p mod s, offset by ⌊p / s⌋ pixels. This makes columns for taps that the kernel lacks, too.
 */
import type { Value } from '../../graph/graph.ts';
import { sizes } from '../../graph/shapes.ts';
import type { Window } from '../../graph/window.ts';
import { elements, type Tensor, tensor } from '../../tensor.ts';
import type { BlockedNodes } from './nodes.ts';
import { picked } from './phases.ts';
import type { Representations } from './representations.ts';

/** Columns, and the place of a tap of a channel of the group among them. */
export interface Columns {
  readonly value: Value;
  readonly place: (channel: number, row: number, column: number) => number;
}

/** Of a blocked map. Returns undefined if the output is not 1/stride the size of the map. */
export function columnsOfTaps(
  layouts: Representations,
  x: Value,
  { kernel, strides, dilations, begin, output }: Window,
  group: number,
  sideBySide: boolean,
): Columns | undefined {
  const { nodes: n } = layouts;
  const [batch, channels, ...map] = sizes(x) as [number, number, number, number];
  const stride = strides[0]!;
  const isDivided = map.every((size, axis) => strides[axis] === stride && size === stride * (output[axis] as number));
  if (!isDivided) return undefined;
  const [down, across] = kernel as [number, number];
  const width = channels / group;
  const pixels = elements(output as readonly number[]);
  const dims = sideBySide ? [group, width, batch * pixels] : [batch, group, width, pixels];
  const taps = Array.from({ length: down * across }, (_, tap) => {
    const at = [Math.floor(tap / across), tap % across].map((p, axis) => p * dilations[axis]! - begin[axis]!);
    const under = picked(n, x, at, stride);
    return n.reshape(sideBySide ? layouts.channelsFirst(under) : layouts.unblocked(under), dims);
  });
  const value = n.b.op('Concat', taps, { axis: dims.length - 2 });
  return { value, place: (channel, row, column) => (row * across + column) * width + channel };
}

/** Of a plain map, or with channels first. Returns undefined if strides differ, taps are dilated, or pixels are left over. */
export function columns(
  n: BlockedNodes,
  x: Value,
  window: Window,
  group: number,
  channelsFirst: boolean,
): Columns | undefined {
  const [h, w] = sizes(x).slice(2) as [number, number];
  const { strides, dilations, begin } = window;
  const output = window.output as readonly number[];
  const stride = strides[0]!;
  if (strides[1] !== stride || dilations.some((dilation) => dilation !== 1)) return undefined;
  const steps = stepsOf(window);
  const phase = output.map((size, axis) => size + steps[axis]! - 1); // size of a phase
  const end = phase.map((size, axis) => size * stride - [h, w][axis]! - begin[axis]!);
  if (end.some((pad) => pad < 0)) return undefined;
  const padded = n.b.op('Pad', [x, n.ints([0, 0, ...begin, 0, 0, ...end])]);
  const phases = splitIntoPhases(n, padded, stride, channelsFirst);
  const [outer, inner] = sizes(phases) as [number, number];
  const pixels = output[0]! * output[1]!;
  const perStep = (channelsFirst ? outer : inner) / group; // columns: the phases of each channel
  const dims = channelsFirst ? [group, perStep, inner * pixels] : [outer, group, perStep, pixels];
  const parts = Array.from({ length: steps[0]! * steps[1]! }, (_, i) => {
    const start = [Math.floor(i / steps[1]!), i % steps[1]!];
    const stop = start.map((at, axis) => at + output[axis]!);
    return n.reshape(n.b.op('Slice', [phases, n.ints(start), n.ints(stop), n.ints([2, 3])]), dims);
  });
  const place = (channel: number, row: number, column: number) => {
    const step = Math.floor(row / stride) * steps[1]! + Math.floor(column / stride);
    return step * perStep + (channel * stride + (row % stride)) * stride + (column % stride);
  };
  return { value: n.b.op('Concat', parts, { axis: dims.length - 2 }), place };
}

/** How many pixels of a phase the taps span along each axis. */
const stepsOf = ({ kernel, strides }: Window): number[] => kernel.map((taps, axis) => Math.ceil(taps / strides[axis]!));

/** [N, C, s·H, s·W] → [N, C·s·s, H, W], or with channels first [C, N, s·H, s·W] → [C·s·s, N, H, W] */
function splitIntoPhases(n: BlockedNodes, x: Value, stride: number, channelsFirst: boolean): Value {
  if (stride === 1) return x;
  const [outer, inner, h, w] = sizes(x) as [number, number, number, number];
  const phases = stride * stride;
  const split = n.reshape(x, [outer, inner, h / stride, stride, w / stride, stride]);
  const perm = channelsFirst ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4];
  const dims = channelsFirst ? [outer * phases, inner] : [outer, inner * phases];
  return n.reshape(n.b.op('Transpose', [split], { perm }), [...dims, h / stride, w / stride]);
}

/** The index of dw[m, c, p, q] in the product [M, columns] with the columns of m's group. */
export function columnPlaces(shape: readonly [number, number, number, number], { value, place }: Columns): Tensor {
  const [filters, width, kh, kw] = shape;
  const perRow = sizes(value).at(-2)!;
  const indices = new Int32Array(filters * width * kh * kw);
  for (let i = 0; i < indices.length; i++) {
    const [q, p] = [i % kw, Math.floor(i / kw) % kh];
    const c = Math.floor(i / (kw * kh)) % width;
    const m = Math.floor(i / (kw * kh * width));
    indices[i] = m * perRow + place(c, p, q);
  }
  return tensor('int32', [indices.length], indices);
}
