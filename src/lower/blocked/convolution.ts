/**
 * Convolution and its input gradient in the blocked layout.
 *
 * Batch normalization is not affected by a constant added to a channel. So a convolution that is only read by a
 * normalization gets the bias −c, where c approximates the mean of its output: for each filter, the sum of weight times
 * mean of the input channel. For a 1x1 convolution with stride 1, c is the exact mean. No measurement corrects it
 * there, so it is computed from the means of each image, whose rounding errors differ and mostly cancel out. For other
 * kernels the borders make a difference, and the remaining mean is measured. After this centering, the variance is just
 * a mean of squares. It takes one reading pass and is nearly as accurate as subtracting the mean first.
 *
 * With stride 1, the input gradient is a convolution with the backward filter (`filters.ts`), padded by the span of the
 * kernel minus the forward padding. With stride 2 it is computed in phases (`phases.ts`); a 1x1 kernel only reaches
 * one.
 */
import type { Value } from '../../graph/graph.ts';
import { opTypeOf } from '../../graph/ops.ts';
import { sizes } from '../../graph/shapes.ts';
import { resolveWindow, type Window } from '../../graph/window.ts';
import { elements } from '../../tensor.ts';
import { constantStemFilter } from './constant-filters.ts';
import { backwardFilter, forwardFilter, isPointwise, scaledRows } from './filters.ts';
import { grouping } from './grouping.ts';
import type { BlockedNodes } from './nodes.ts';
import { strideTwoInputGradient } from './phases.ts';
import type { Rule } from './rules.ts';

export const convolution: Rule<'Conv'> = ({ layouts, n, node, inputs: [x, w, bias], attributes }) => {
  const [y] = node.outputs;
  const weight = layouts.plain(w!);
  const isStem = attributes.group === 1 && sizes(x!)[1]! < n.block;
  const groups = grouping(sizes(weight), attributes.group, n.block);
  if (!layouts.isBlockable(y!) || !(isStem || (groups && layouts.isBlockable(x!)))) return undefined;
  const window = resolveWindow(attributes, sizes(x!).slice(2), sizes(weight).slice(2));
  const map = isStem ? layouts.plain(x!) : layouts.blocked(x!);
  const filter = isStem ? stemFilter(n, weight) : forwardFilter(n, weight, groups!);
  const apply = (constant?: Value): Value =>
    n.conv(map, filter, {
      bias: constant,
      group: isStem ? 1 : groups!.groups / groups!.merge,
      strides: window.strides,
      dilations: window.dilations,
      pads: [...window.begin, ...window.end],
    });
  if (bias || !isOnlyNormalized(y!)) return [{ blocked: apply(bias && layouts.plain(bias)) }];
  const less = (shift: Value): Value => apply(n.b.op('Neg', [shift]));
  if (attributes.group === 1 && isExact(window) && !isStem) {
    const shift = exactShift(n, weight, layouts.means(map));
    return [{ centered: { map: less(shift), shift } }];
  }
  const mean = isStem ? n.b.op('ReduceMean', [map], { axes: [0, 2, 3], keepdims: 0 }) : layouts.mean(map); // [C]
  const shift = shiftOf(n, weight, attributes.group, mean);
  const centered = less(shift);
  return [{ centered: { map: centered, shift, residual: layouts.mean(centered) } }];
};

/**
 * Few input channels, such as an image's three, stay in the plain layout; the filter is blocked by its outputs only.
 */
function stemFilter(n: BlockedNodes, weight: Value): Value {
  const [filters, ...rest] = sizes(weight) as [number, number, number, number];
  if (weight.tensor) return n.b.constant(constantStemFilter(weight.tensor, n.block));
  const rows = n.reshape(weight, [1, filters, elements(rest), 1]);
  return n.reshape(n.toBlocked(rows), [filters, ...rest]);
}

const isOnlyNormalized = (y: Value): boolean =>
  y.users.size > 0 &&
  [...y.users].every((user) => {
    const op = opTypeOf(user);
    const place = user.inputs.indexOf(y);
    return (op === 'BatchNormTraining' && place === 0) || (op === 'BatchNormGrad' && place === 1);
  });

/** The value of each output channel if every input pixel equaled its channel's mean: [M]. */
function shiftOf(n: BlockedNodes, weight: Value, groups: number, mean: Value): Value {
  const [filters, perGroup] = sizes(weight) as [number, number];
  const sums = isPointwise(weight) ? weight : n.b.op('ReduceSum', [weight, n.ints([2, 3])], { keepdims: 0 });
  const rows = n.reshape(sums, [groups, filters / groups, perGroup]);
  return n.reshape(n.b.op('MatMul', [rows, n.reshape(mean, [groups, perGroup, 1])]), [filters]);
}

/** The same for a 1x1 weight, from the mean [N, K] of the input channels in each image. */
const exactShift = (n: BlockedNodes, weight: Value, means: Value): Value =>
  n.meanOfImages(n.matMulTransposed(means, n.reshape(weight, sizes(weight).slice(0, 2))));

const isExact = ({ kernel, strides, begin, end }: Window): boolean =>
  [...kernel, ...strides].every((size) => size === 1) && [...begin, ...end].every((pad) => pad === 0);

export const convolutionInputGradient: Rule<'ConvInputGrad'> = ({ layouts, n, inputs: [dy, w], attributes }) => {
  const { group, input_shape } = attributes;
  const weight = layouts.plain(w!);
  const groups = grouping(sizes(weight), group, n.block);
  if (!groups || !layouts.isBlockable(dy!) || input_shape[1]! % n.block !== 0) return undefined;
  const window = resolveWindow(attributes, input_shape.slice(2), sizes(weight).slice(2));
  const { map: gradient, scale } = layouts.scaled(dy!);
  if (window.strides.every((stride) => stride === 1)) {
    const pads = backwardPads(window);
    if (pads.some((pad) => pad < 0)) return undefined;
    const filter = backwardFilter(n, weight, groups, scale);
    return [
      { blocked: n.conv(gradient, filter, { group: groups.groups / groups.merge, dilations: window.dilations, pads }) },
    ];
  }
  if (!isHalved(window, input_shape.slice(2))) return undefined;
  if (window.kernel.some((taps) => taps > 1)) {
    return [{ blocked: strideTwoInputGradient(n, gradient, scaledRows(n, weight, scale), window, groups) }];
  }
  const small = n.conv(gradient, backwardFilter(n, weight, groups, scale), { group: groups.groups / groups.merge });
  return [{ blocked: upsampled(n, small) }];
};

/** The span of the kernel minus the forward padding. */
function backwardPads({ kernel, dilations, begin, end }: Window): number[] {
  const reach = kernel.map((taps, axis) => dilations[axis]! * (taps - 1));
  return [begin, end].flatMap((pads) => reach.map((span, axis) => span - pads[axis]!));
}

/** Whether a window with stride 2 halves the map exactly, as 3x3 with padding 1 does for even sizes. */
const isHalved = ({ strides, dilations, output }: Window, map: readonly number[]): boolean =>
  map.every((size, axis) => strides[axis] === 2 && dilations[axis] === 1 && size === 2 * (output[axis] as number));

/** A blocked map [N, C, H, W] → [N, C, 2H, 2W] with zeros in every other row and column. */
function upsampled(n: BlockedNodes, x: Value): Value {
  const [batch, c, h, w] = sizes(x) as [number, number, number, number];
  const pixels = n.reshape(x, [(batch * c * h) / n.block, 1, w, n.block]);
  const padded = n.b.op('Pad', [pixels, n.ints([0, 0, 0, 0, 0, 1, 0, n.block])]);
  return n.reshape(padded, [batch, c, 2 * h, 2 * w]);
}
