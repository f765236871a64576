/**
 * Convolution and its gradient by the input in the blocked layout.
 *
 * Batch normalisation does not see a constant added to a channel. So a convolution that only normalisation reads is given
 * the bias −c, where c is about the mean that its output would have: the sum over its filter of weight times mean of the
 * input channel. For a 1x1 convolution with stride 1 that is the mean itself; elsewhere the borders make a difference,
 * and what is left of the mean is measured. The variance of what is centred so is a mere mean of squares, one pass of
 * reading, and as accurate as one that subtracts the mean first.
 *
 * The gradient by the input, stride 1, is a convolution with the backward filter (`filters.ts`), padded by what the
 * kernel spans less the forward padding. With stride 2 zeros are put between the pixels of dy first.
 */
import type { Value } from '../../graph/graph.ts';
import { opTypeOf } from '../../graph/ops.ts';
import { sizes } from '../../graph/shapes.ts';
import { resolveWindow, type Window } from '../../graph/window.ts';
import { backwardFilter, forwardFilter, type Grouping, grouping } from './filters.ts';
import type { Centred, Layouts } from './layouts.ts';
import type { BlockedNodes } from './nodes.ts';
import type { Rule } from './rules.ts';

export const convolution: Rule<'Conv'> = ({ layouts, n, node, inputs: [x, w, bias], attributes }) => {
  const [y] = node.outputs;
  const weight = layouts.plain(w!);
  const isStem = attributes.group === 1 && sizes(x!)[1]! < n.block;
  const groups = grouping(weight, attributes.group, n.block);
  if (bias || !layouts.isBlockable(y!) || !(isStem || (groups && layouts.isBlockable(x!)))) return undefined;
  const window = resolveWindow(attributes, sizes(x!).slice(2), sizes(weight).slice(2));
  const map = isStem ? layouts.plain(x!) : layouts.blocked(x!);
  const filter = isStem ? stemFilter(n, weight) : forwardFilter(n, weight, groups!);
  const apply = (shift?: Value): Value =>
    n.conv(map, filter, {
      bias: shift && n.b.op('Neg', [shift]),
      group: isStem ? 1 : groups!.groups / groups!.merge,
      strides: window.strides,
      dilations: window.dilations,
      pads: [...window.begin, ...window.end],
    });
  if (!isOnlyNormalised(y!)) return [{ blocked: apply() }];
  const mean = isStem ? n.b.op('ReduceMean', [map], { axes: [0, 2, 3], keepdims: 0 }) : layouts.mean(map); // [C]
  return [{ centred: centre(layouts, apply, shiftOf(n, weight, attributes.group, mean), isExact(window)) }];
};

/** Few channels in, such as a picture's three: the runtime takes them plain, and a filter blocked by its outputs alone. */
function stemFilter(n: BlockedNodes, weight: Value): Value {
  const [filters, ...rest] = sizes(weight) as [number, number, number, number];
  const rows = n.as(weight, [1, filters, rest.reduce((product, size) => product * size, 1), 1]);
  return n.as(n.toBlocked(rows), [filters, ...rest]);
}

const isOnlyNormalised = (y: Value): boolean =>
  y.users.size > 0 &&
  [...y.users].every((user) => {
    const op = opTypeOf(user);
    const place = user.inputs.indexOf(y);
    return (op === 'BatchNormTraining' && place === 0) || (op === 'BatchNormGrad' && place === 1);
  });

/** What each output channel would be if every input pixel were its channel's mean: [M]. */
function shiftOf(n: BlockedNodes, weight: Value, groups: number, mean: Value): Value {
  const [filters, perGroup, ...kernel] = sizes(weight) as [number, number, number, number];
  const isPointwise = kernel.every((taps) => taps === 1);
  const sums = isPointwise ? weight : n.b.op('ReduceSum', [weight, n.ints([2, 3])], { keepdims: 0 });
  const rows = n.as(sums, [groups, filters / groups, perGroup]);
  return n.as(n.b.op('MatMul', [rows, n.as(mean, [groups, perGroup, 1])]), [filters]);
}

const isExact = ({ kernel, strides }: Window): boolean => [...kernel, ...strides].every((size) => size === 1);

function centre(layouts: Layouts, apply: (shift: Value) => Value, shift: Value, exact: boolean): Centred {
  const map = apply(shift);
  return exact ? { map, shift } : { map, shift, residual: layouts.mean(map) };
}

export const convolutionInputGradient: Rule<'ConvInputGrad'> = ({ layouts, n, inputs: [dy, w], attributes }) => {
  const { group, input_shape } = attributes;
  const weight = layouts.plain(w!);
  const groups = grouping(weight, group, n.block);
  if (!groups || !layouts.isBlockable(dy!) || input_shape[1]! % n.block !== 0) return undefined;
  const window = resolveWindow(attributes, input_shape.slice(2), sizes(weight).slice(2));
  const { map, scale, bias, plus } = layouts.affine(dy!);
  const isScaled = scale && !bias && !plus;
  const gradient = spread(n, isScaled ? map : layouts.blocked(dy!), window, input_shape, groups);
  return gradient && [{ blocked: gradient(backwardFilter(n, weight, groups, isScaled ? scale : undefined)) }];
};

/** How dy becomes dx once there is a filter; undefined for strides and sizes that this layout has no way for. */
function spread(
  n: BlockedNodes,
  dy: Value,
  window: Window,
  input: readonly number[],
  { groups, merge }: Grouping,
): ((filter: Value) => Value) | undefined {
  const { kernel, strides, dilations, begin, end } = window;
  const reach = kernel.map((taps, axis) => dilations[axis]! * (taps - 1));
  const before = reach.map((span, axis) => span - begin[axis]!);
  const group = groups / merge;
  if (before.some((pad) => pad < 0)) return undefined;
  if (strides.every((stride) => stride === 1)) {
    const after = reach.map((span, axis) => span - end[axis]!);
    if (after.some((pad) => pad < 0)) return undefined;
    return (filter) => n.conv(dy, filter, { group, dilations, pads: [...before, ...after] });
  }
  const map = sizes(dy).slice(2);
  if (!strides.every((stride, axis) => stride === 2 && input[axis + 2] === 2 * map[axis]!)) return undefined;
  if (reach.every((span) => span === 0)) return (filter) => upsampled(n, n.conv(dy, filter, { group }));
  const after = map.map((size, axis) => input[axis + 2]! + reach[axis]! - before[axis]! - 2 * size);
  if (after.some((pad) => pad < 0)) return undefined;
  return (filter) => n.conv(upsampled(n, dy), filter, { group, dilations, pads: [...before, ...after] });
}

/** A blocked map [N, C, H, W] → [N, C, 2H, 2W] with zeros in every other row and column. */
function upsampled(n: BlockedNodes, x: Value): Value {
  const [batch, c, h, w] = sizes(x) as [number, number, number, number];
  const pixels = n.as(x, [(batch * c * h) / n.block, 1, w, n.block]);
  const padded = n.b.op('Pad', [pixels, n.ints([0, 0, 0, 0, 0, 1, 0, n.block])]);
  return n.as(padded, [batch, c, 2 * h, 2 * w]);
}
