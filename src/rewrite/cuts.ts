/**
 * Channels cut from a map in other ways than with a Slice: `x.view(n, g, c, h, w)[:, i]`, or an unbound axis. What takes
 * channels in order becomes a Slice, and what takes all of them becomes the map itself.
 */
import type { Builder } from '../graph/builder.ts';
import { describe, type Node, type Value } from '../graph/graph.ts';
import { constantInts, fromFront } from '../graph/shapes.ts';
import type { Tensor } from '../tensor.ts';
import { type ChannelMap, ChannelMaps, isNCHW } from './channel-map.ts';
import { canTakeName, isUnsqueeze } from './cleanup.ts';
import { copyNode } from './constants.ts';
import { isOnnx } from './operators.ts';
import { intsOf } from './other-shapes.ts';
import type { Outcome, Rule, RuleOfSweep } from './rewriter.ts';

export const cutsToSlices: RuleOfSweep = () => {
  const maps = new ChannelMaps();
  return { name: 'channels cut by other nodes to slices', apply: (b, node) => cutToSlices(b, node, maps) };
};

function cutToSlices(b: Builder, node: Node, maps: ChannelMaps): Outcome {
  const ranges = maps.of(b.graph, node).map((map) => (map && !map.isBiased && isNCHW(map) ? rangeOf(map) : undefined));
  const isCut = (node.op === 'Slice' || node.op === 'Split') && ranges[0]?.source === node.inputs[0];
  if (isCut || !ranges.every((range) => range !== undefined)) return undefined;
  const isAll = ({ source, start, end }: Range) => start === 0 && end === source.dims![1];
  const mustStay = (range: Range, i: number) =>
    b.graph.outputs.includes(node.outputs[i]!) && isAll(range) && !canTakeName(b.graph, range.source);
  if (ranges.some(mustStay)) return undefined;
  for (const [i, range] of ranges.entries()) {
    b.graph.replaceAllUses(node.outputs[i]!, isAll(range) ? range.source : sliceOf(b, range));
  }
  return { done: `replaced ${describe(node)} by slices of what it is made of.` };
}

/** `SequenceAt` of a `SplitToSequence`, as `torch.tensor_split` is exported. */
export const sequenceToSlices: Rule = {
  name: 'parts of a sequence to slices',
  apply(b, node) {
    const parts = node.inputs[0]?.producer;
    if (!isOnnx(node) || node.op !== 'SequenceAt' || parts?.op !== 'SplitToSequence') return undefined;
    const [x, sizes] = parts.inputs;
    const index = Number(node.inputs[1]?.tensor?.data[0] ?? Number.NaN);
    const axis = fromFront(intsOf(parts, 'axis')[0] ?? 0, x?.dims?.length ?? 0);
    const length = x?.dims?.[axis];
    if (!x || !sizes?.tensor || typeof length !== 'number' || !Number.isInteger(index)) return undefined;
    const bounds = boundsOf(sizes.tensor, length);
    const at = fromFront(index, bounds.length - 1);
    const [start, end] = [bounds[at], bounds[at + 1]];
    if (start === undefined || end === undefined) return undefined;
    b.graph.replaceAllUses(node.outputs[0]!, sliceOf(b, { source: x, start, end, axis }));
    return { done: `replaced ${describe(node)} by a slice.` };
  },
};

/** Where the parts of a split begin and end: all of one size but the last, or of given sizes. */
function boundsOf(tensor: Tensor, length: number): number[] {
  const sizes = constantInts({ tensor }, 'sizes');
  const parts = tensor.dims.length > 0 ? sizes : new Array<number>(Math.ceil(length / sizes[0]!)).fill(sizes[0]!);
  const bounds = [0];
  for (const size of parts) bounds.push(Math.min(length, bounds.at(-1)! + size));
  return bounds;
}

/** `torch.stack(values, 1)` whose first two axes of channels are then joined: a Concat. */
export const stackToConcat: Rule = {
  name: 'reshaped stack to concatenation',
  apply(b, node) {
    const stack = node.inputs[0]?.producer;
    if (!isOnnx(node) || node.op !== 'Reshape' || !stack || !isOnnx(stack) || stack.op !== 'Concat') return undefined;
    const [before, after] = [stack.outputs[0]!.dims, node.outputs[0]!.dims];
    const axis = fromFront(intsOf(stack, 'axis')[0] ?? 0, before?.length ?? 0);
    const layers = stack.inputs.map((value) => value?.producer);
    if (!before || !after || !layers.every((layer) => isUnsqueeze(layer, axis, before.length))) return undefined;
    const joined = [
      ...before.slice(0, axis),
      Number(before[axis]) * Number(before[axis + 1]),
      ...before.slice(axis + 2),
    ];
    const open = joined.filter((size, i) => typeof size === 'string' || size !== after[i]).length;
    const isOpen = typeof joined[0] === 'string' && open === 1; // the batch is what is left
    if (joined.length !== after.length || !(open === 0 || isOpen) || Number.isNaN(joined[axis])) return undefined;
    const values = layers.map((layer) => layer!.inputs[0]);
    b.graph.replaceAllUses(node.outputs[0]!, b.op('Concat', values, { axis }, node.name || undefined));
    return { done: `rewrote a reshaped stack of ${layers.length} values as a Concat.` };
  },
};

interface Range {
  readonly source: Value;
  readonly start: number;
  readonly end: number;
  readonly axis: number;
}

/** The channels of the source if they are in order and each by itself. */
function rangeOf({ source, rows }: ChannelMap): Range | undefined {
  const [start] = rows[0]?.keys() ?? [];
  if (start === undefined) return undefined;
  const isInOrder = rows.every((terms, i) => terms.size === 1 && terms.get(start + i) === 1);
  return isInOrder ? { source, start, end: start + rows.length, axis: 1 } : undefined;
}

/** Slice has attributes up to operator set 9 and inputs from 10 on. */
function sliceOf(b: Builder, { source: x, start, end, axis }: Range): Value {
  if ((b.graph.opsets.get('') ?? 0) >= 10) return b.op('Slice', [x, b.ints([start]), b.ints([end]), b.ints([axis])]);
  const lists = { starts: [start], ends: [end], axes: [axis] };
  const attributes = new Map(Object.entries(lists).map(([name, value]) => [name, { kind: 'ints', value } as const]));
  const slice = { op: 'Slice', domain: '', attributes, outputs: [x] };
  return copyNode(b, slice, { inputs: [x] }).outputs[0]!;
}
