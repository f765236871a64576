/**
 * Convolution weights [M, K, kh, kw] as filters of blocked convolutions. A blocked convolution needs groups whose input
 * and output channels fill whole blocks. Narrower groups are merged, k at a time, into one whose weights are zero
 * between channels of different groups. This block-diagonal filter gives the same result.
 *
 * Trained weights change from run to run, so the nodes that turn them into filters are part of the graph. Filters of
 * constant weights are computed during lowering (`constant-filters.ts`).
 */
import type { Value } from '../../graph/graph.ts';
import { sizes } from '../../graph/shapes.ts';
import { elements, tensor } from '../../tensor.ts';
import { constantBackwardFilter, constantForwardFilter } from './constant-filters.ts';
import type { Grouping } from './grouping.ts';
import type { BlockedNodes } from './nodes.ts';

export const isPointwise = (weight: Value): boolean =>
  sizes(weight)
    .slice(2)
    .every((taps) => taps === 1);

/** The filter for the forward pass. */
export function forwardFilter(n: BlockedNodes, weight: Value, grouping: Grouping): Value {
  const [filters, , ...kernel] = sizes(weight) as [number, number, number, number];
  const { groups, merge, inner } = grouping;
  if (weight.tensor) return n.b.constant(constantForwardFilter(weight.tensor, grouping, n.block));
  if (groups === 1 && isPointwise(weight)) {
    const filter = n.toBlocked(n.reshape(weight, [1, filters, inner, 1]));
    return n.reshape(filter, [filters, inner, 1, 1]);
  }
  const [columns, taps] = [merge * inner, elements(kernel)];
  const full = n.reshape(blockDiagonal(n, weight, grouping), [
    filters / n.block,
    n.block,
    columns / n.block,
    n.block,
    taps,
  ]);
  return n.reshape(n.b.op('Transpose', [full], { perm: [0, 2, 4, 3, 1] }), [filters, columns, ...kernel]);
}

/**
 * The filter that takes the gradient from output to input: input and output channels swapped within each group, and the
 * taps in reverse order. A pending scale per channel is applied to the filter.
 */
export function backwardFilter(n: BlockedNodes, weight: Value, grouping: Grouping, scale?: Value): Value {
  const [filters, , ...kernel] = sizes(weight) as [number, number, number, number];
  const { groups, merge, inner, outer } = grouping;
  const taps = elements(kernel);
  if (weight.tensor && !scale) return n.b.constant(constantBackwardFilter(weight.tensor, grouping, n.block));
  const scaled = scaledRows(n, weight, scale);
  if (groups === 1 && isPointwise(weight)) {
    const filter = n.toBlockedFromChannelsLast(n.reshape(scaled, [1, filters, 1, inner]));
    return n.reshape(filter, [inner, filters, 1, 1]);
  }
  const full = blockDiagonal(n, scaled, grouping);
  const [rowBlocks, columnBlocks] = [(merge * outer) / n.block, (merge * inner) / n.block];
  const blocks = n.reshape(full, [groups / merge, rowBlocks, n.block, columnBlocks, n.block, taps]);
  const back = n.b.op('Transpose', [reversed(n, blocks)], { perm: [0, 3, 1, 5, 2, 4] });
  return n.reshape(back, [groups * inner, merge * outer, ...kernel]);
}

/**
 * Scales each filter of a weight by its entry of `scale`, [M]. `dims` are the weight's dimensions, if declared
 * differently.
 */
export function scaledRows(
  n: BlockedNodes,
  weight: Value,
  scale: Value | undefined,
  dims: readonly number[] = sizes(weight),
): Value {
  if (!scale) return n.reshape(weight, dims);
  const [filters, ...rest] = dims as readonly [number, ...number[]];
  const rows = n.reshape(weight, [filters, elements(rest)]); // a product is many times slower with trailing axes of 1
  return n.reshape(n.b.op('Mul', [rows, n.reshape(scale, [filters, 1])]), dims);
}

/** Weight [M, K, kh, kw] → [M, merge · K, kh · kw], zero where a filter meets channels of another group. */
export function blockDiagonal(n: BlockedNodes, weight: Value, { groups, merge, inner, outer }: Grouping): Value {
  if (merge === 1) return weight;
  const taps = elements(sizes(weight).slice(2));
  const narrow = n.reshape(weight, [groups / merge, merge, outer, 1, inner * taps]);
  const eye = Float32Array.from({ length: merge * merge }, (_, i) => (i % (merge + 1) === 0 ? 1 : 0));
  const mask = n.b.constant(tensor('float32', [1, merge, 1, merge, 1], eye));
  return n.b.op('Mul', [narrow, mask]);
}

/** Reverses the last axis. */
function reversed(n: BlockedNodes, x: Value): Value {
  const axis = sizes(x).length - 1;
  if (sizes(x)[axis] === 1) return x;
  return n.b.op('Slice', [x, n.ints([-1]), n.ints([-(2 ** 31)]), n.ints([axis]), n.ints([-1])]);
}
