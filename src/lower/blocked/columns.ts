/**
 * The pixels of a plain map under each tap of a kernel, as columns of a matrix: x [N, C, H, W] → [N, G, columns,
 * pixels]; or, with channels first, x [C, N, H, W] → [G, columns, N·pixels], the pixels of all images side by side.
 *
 * With stride s the map is first split into s·s phases, each a map of every s-th row and column. The pixels under a tap
 * are then a whole window of one phase, copied row by row: tap p is in phase p mod s, offset by ⌊p / s⌋ pixels.
 */
import type { Value } from '../../graph/graph.ts';
import { sizes } from '../../graph/shapes.ts';
import type { Window } from '../../graph/window.ts';
import { type Tensor, tensor } from '../../tensor.ts';
import type { BlockedNodes } from './nodes.ts';

/** Returns undefined for dilated windows, unequal strides and windows that leave pixels over. */
export function columns(
  n: BlockedNodes,
  x: Value,
  window: Window,
  group: number,
  channelsFirst: boolean,
): Value | undefined {
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
  const dims = channelsFirst ? [group, outer / group, inner * pixels] : [outer, group, inner / group, pixels];
  const parts = Array.from({ length: steps[0]! * steps[1]! }, (_, i) => {
    const start = [Math.floor(i / steps[1]!), i % steps[1]!];
    const stop = start.map((at, axis) => at + output[axis]!);
    return n.reshape(n.b.op('Slice', [phases, n.ints(start), n.ints(stop), n.ints([2, 3])]), dims);
  });
  return n.b.op('Concat', parts, { axis: dims.length - 2 });
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
export function columnPlaces(shape: readonly [number, number, number, number], window: Window): Tensor {
  const [filters, width, kh, kw] = shape;
  const stride = window.strides[0]!;
  const steps = stepsOf(window);
  const perStep = width * stride * stride;
  const indices = new Int32Array(filters * width * kh * kw);
  for (let i = 0; i < indices.length; i++) {
    const [q, p] = [i % kw, Math.floor(i / kw) % kh];
    const c = Math.floor(i / (kw * kh)) % width;
    const m = Math.floor(i / (kw * kh * width));
    const step = Math.floor(p / stride) * steps[1]! + Math.floor(q / stride);
    const phase = (p % stride) * stride + (q % stride);
    indices[i] = m * steps[0]! * steps[1]! * perStep + step * perStep + c * stride * stride + phase;
  }
  return tensor('int32', [indices.length], indices);
}
