/**
 * Grouped convolution as keras-applications writes it, for a framework that had none: a depthwise convolution makes c
 * maps from each channel, which are then summed within each group, by a frozen 1x1 convolution of zeros and ones or by
 * a sum over an axis of a reshaped map. (With batch normalization folded in, each filter holds zeros and one other
 * factor.) The two are one convolution,
 *
 *   w[m, i] = Σⱼ f[m, i·c + j] · v[i·c + j]      f the factors of the sum, v the depthwise filters
 *   b[m]    = Σₖ f[m, k] · bᵥ[k] + b_f[m]         where they have biases
 *
 * and, if each sum only has channels of its own group, a grouped one. Computed in float64, rounded once.
 */
import type { Builder } from '../graph/builder.ts';
import { describe, type Graph, type Node, type Value } from '../graph/graph.ts';
import { attributesOf, opTypeOf } from '../graph/ops.ts';
import { elements, type Tensor } from '../tensor.ts';
import { type ChannelMap, ChannelMaps, hasMultiplier, orderOf, type Terms } from './channel-map.ts';
import { cannotCompute, constantAt, givenAttributes, ownWeight, rounded, toFloat64 } from './constants.ts';
import { biasName } from './names.ts';
import type { Outcome, Refusal, RuleOfSweep } from './rewriter.ts';

export const depthwiseToGroups: RuleOfSweep = () => {
  const maps = new ChannelMaps();
  return { name: 'depthwise and sums to groups', apply: (b, node) => mergeSums(b, node, maps) };
};

function mergeSums(b: Builder, node: Node, maps: ChannelMaps): Outcome {
  const [map] = maps.of(b.graph, node);
  const depthwise = map?.source.producer;
  if (!map || !depthwise || !hasMultiplier(depthwise) || !isSum(map) || isContinued(b.graph, node, map, maps))
    return undefined;
  if (isUsedElsewhere(b.graph, map.source, node, maps)) {
    return { refused: `the output of ${describe(depthwise)} is also used elsewhere.` };
  }
  const pair = constantsOf(b.graph, depthwise, node, map);
  if ('refused' in pair) return pair;
  const groups = groupsOf(pair);
  if (groups === 1) return { refused: `${describe(node)} sums channels across all groups.` };
  const y = composed(b, depthwise, pair, groups);
  const order = orderOf(map)!;
  const isMoved = order.some((axis, i) => axis !== i);
  b.graph.replaceAllUses(node.outputs[0]!, isMoved ? b.op('Transpose', [y], { perm: order }) : y);
  return { done: `merged a depthwise convolution and sums of its maps into one with ${groups} groups.` };
}

/** The constants of a depthwise convolution and of the sums of its maps. */
interface Pair {
  readonly channels: number;
  /** Maps per channel, c. */
  readonly multiplier: number;
  readonly depthwise: Tensor;
  /** The factors of each sum, by the map. */
  readonly rows: readonly Terms[];
  readonly biases: readonly [depthwise: Tensor | undefined, frozen: Tensor | undefined];
  readonly biasName: string;
}

/** Whether a map has all axes of its source, one of them the channels, and some channels are sums. */
const isSum = (map: ChannelMap): boolean => orderOf(map) !== undefined && map.rows.some((terms) => terms.size > 1);

/** Whether the only reader of a sum goes on summing. */
function isContinued(graph: Graph, { outputs: [y] }: Node, { source }: ChannelMap, maps: ChannelMaps): boolean {
  const [user, ...others] = y!.users;
  if (!user || others.length > 0 || graph.outputs.includes(y!)) return false;
  const later = maps.later(graph, user);
  return later !== undefined && later.source === source && isSum(later);
}

function constantsOf(graph: Graph, depthwise: Node, node: Node, map: ChannelMap): Pair | Refusal {
  const weight = ownWeight(graph, depthwise);
  if ('refused' in weight) return weight;
  const readers = opTypeOf(node) === 'Conv' ? [depthwise, node] : [depthwise];
  const biases = readers.map((reader) => reader.inputs[2] && constantAt(graph, reader, 2));
  for (const bias of biases) if (bias && 'refused' in bias) return bias;
  const { group: channels } = attributesOf(depthwise, 'Conv');
  const pair: Pair = {
    channels,
    multiplier: weight.dims[0]! / channels,
    depthwise: weight,
    rows: map.rows,
    biases: [biases[0] as Tensor | undefined, biases[1] as Tensor | undefined],
    biasName: (readers[1]?.inputs[2] ?? depthwise.inputs[2])?.name ?? biasName(depthwise.inputs[1]!.name),
  };
  return cannotCompute(weight, depthwise) ?? pair;
}

/** Whether something besides the sums that lead to a node reads a map. */
function isUsedElsewhere(graph: Graph, source: Value, node: Node, maps: ChannelMaps): boolean {
  const open = new Set([source]);
  for (const value of open) {
    if (graph.outputs.includes(value) || value.users.size === 0) return true;
    for (const user of value.users) {
      if (user === node) continue;
      if (maps.later(graph, user)?.source !== source) return true;
      for (const output of user.outputs) if (output.users.size > 0 || graph.outputs.includes(output)) open.add(output);
    }
  }
  return false;
}

/** The largest number of groups such that every sum only has channels of its own group. */
function groupsOf({ channels, multiplier, rows }: Pair): number {
  const filters = rows.length;
  const separate = (groups: number) => {
    const [perGroup, filtersPerGroup] = [(channels / groups) * multiplier, filters / groups];
    return rows.every((terms, m) => {
      const group = Math.floor(m / filtersPerGroup);
      return [...terms.keys()].every((map) => group === Math.floor(map / perGroup));
    });
  };
  for (let groups = channels; groups > 1; groups--) {
    if (channels % groups === 0 && filters % groups === 0 && separate(groups)) return groups;
  }
  return 1;
}

function composed(b: Builder, depthwise: Node, pair: Pair, groups: number): Value {
  const weight = composedWeight(pair, groups);
  const inputs = [depthwise.inputs[0], b.parameter(depthwise.inputs[1]!.name, weight.dims, weight)];
  const bias = composedBias(pair);
  if (bias) inputs.push(b.parameter(pair.biasName, bias.dims, bias));
  return b.op('Conv', inputs, { ...givenAttributes(depthwise, 'Conv'), group: groups }, depthwise.name || undefined);
}

function composedWeight({ channels, multiplier, depthwise, rows }: Pair, groups: number): Tensor {
  const [filters, kernel] = [rows.length, depthwise.dims.slice(2)];
  const [taps, perGroup] = [elements(kernel), channels / groups];
  const from = toFloat64(depthwise);
  const values = new Float64Array(filters * perGroup * taps);
  for (const [m, terms] of rows.entries()) {
    const first = Math.floor(m / (filters / groups)) * perGroup;
    for (const [map, factor] of terms) {
      const at = (m * perGroup + Math.floor(map / multiplier) - first) * taps;
      for (let tap = 0; tap < taps; tap++) values[at + tap]! += factor * from[map * taps + tap]!;
    }
  }
  return rounded(depthwise, [filters, perGroup, ...kernel], values);
}

function composedBias({ rows, depthwise, biases: [inner, outer] }: Pair): Tensor | undefined {
  if (!inner) return outer;
  const from = toFloat64(inner);
  const values = outer ? toFloat64(outer) : new Float64Array(rows.length);
  for (const [m, terms] of rows.entries()) {
    for (const [map, factor] of terms) values[m]! += factor * from[map]!;
  }
  return rounded(depthwise, [rows.length], values);
}
