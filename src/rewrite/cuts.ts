/**
 * Channels cut from a map in other ways than with a Slice: `x.view(n, g, c, h, w)[:, i]`, or an unbound axis. What takes
 * channels in order becomes a Slice, and what takes all of them becomes the map itself.
 */
import type { Builder } from '../graph/builder.ts';
import { describe, type Value } from '../graph/graph.ts';
import { type ChannelMap, channelMapOf, isNCHW } from './channel-map.ts';
import { canTakeName } from './cleanup.ts';
import { copyNode } from './constants.ts';
import type { Rule } from './rewriter.ts';

export const cutsToSlices: Rule = {
  name: 'channels cut by other nodes to slices',
  apply(b, node) {
    const map = channelMapOf(b.graph, node);
    const range = map && !map.isBiased && isNCHW(map) ? rangeOf(map) : undefined;
    const [y] = node.outputs;
    if (!map || !range || node.outputs.length > 1 || node.op === 'Slice') return undefined;
    const { source } = map;
    const isAll = range.start === 0 && range.end === source.dims![1];
    if (isAll && b.graph.outputs.includes(y!) && !canTakeName(b.graph, source)) return undefined;
    b.graph.replaceAllUses(y!, isAll ? source : sliceOf(b, source, range));
    return { done: `replaced ${describe(node)} by ${isAll ? 'what it is made of' : 'a slice'}.` };
  },
};

interface Range {
  readonly start: number;
  readonly end: number;
}

/** The channels of the source if they are in order and each by itself. */
function rangeOf({ rows }: ChannelMap): Range | undefined {
  const [start] = rows[0]?.keys() ?? [];
  if (start === undefined) return undefined;
  const isInOrder = rows.every((terms, i) => terms.size === 1 && terms.get(start + i) === 1);
  return isInOrder ? { start, end: start + rows.length } : undefined;
}

/** Slice has attributes up to operator set 9 and inputs from 10 on. */
function sliceOf(b: Builder, x: Value, { start, end }: Range): Value {
  if ((b.graph.opsets.get('') ?? 0) >= 10) return b.op('Slice', [x, b.ints([start]), b.ints([end]), b.ints([1])]);
  const lists = { starts: [start], ends: [end], axes: [1] };
  const attributes = new Map(Object.entries(lists).map(([name, value]) => [name, { kind: 'ints', value } as const]));
  const slice = { op: 'Slice', domain: '', attributes, outputs: [x] };
  return copyNode(b, slice, { inputs: [x] }).outputs[0]!;
}
