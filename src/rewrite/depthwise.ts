/**
 * Grouped convolution as keras-applications writes it, for a framework that had none: a depthwise convolution makes c
 * maps from each channel, and a frozen 1x1 convolution of zeros and ones sums them. (With batch normalization folded
 * in, each filter holds zeros and one other factor.) The two are one convolution,
 *
 *   w[m, i] = Σⱼ f[m, i·c + j] · v[i·c + j]      f the frozen 1x1 filter, v the depthwise one
 *   b[m]    = Σₖ f[m, k] · bᵥ[k] + b_f[m]         where they have biases
 *
 * and, if each filter only reads the channels of its own group, a grouped one. Computed in float64, rounded once.
 */
import type { Builder } from '../graph/builder.ts';
import { describe, type Graph, type Node, type Value } from '../graph/graph.ts';
import { attributesOf, opTypeOf } from '../graph/ops.ts';
import { elements, type Tensor } from '../tensor.ts';
import { cannotCompute, constantAt, givenAttributes, ownWeight, rounded } from './constants.ts';
import { isPointwise } from './merge.ts';
import { biasName } from './names.ts';
import type { Refusal, Rule } from './rewriter.ts';

export const depthwiseToGroups: Rule = {
  name: 'depthwise and frozen 1x1 to groups',
  apply(b, node) {
    const depthwise = node.inputs[0]?.producer;
    if (!isPointwise(node) || !depthwise || !hasMultiplier(depthwise) || !isPlain(node)) return undefined;
    const frozen = constantAt(b.graph, node, 1);
    if ('refused' in frozen || !addsUp(frozen)) return undefined;
    const pair = constantsOf(b.graph, depthwise, node, frozen);
    if ('refused' in pair) return pair;
    const groups = groupsOf(pair);
    if (groups === 1) return { refused: `${describe(node)} sums channels across all groups.` };
    b.graph.replaceAllUses(node.outputs[0]!, composed(b, depthwise, node, pair, groups));
    return { done: `merged a depthwise convolution and a 1x1 of zeros and ones into one with ${groups} groups.` };
  },
};

/** The constants of the two convolutions. */
interface Pair {
  readonly channels: number;
  /** Maps per channel, c. */
  readonly multiplier: number;
  readonly depthwise: Tensor;
  readonly frozen: Tensor;
  readonly biases: readonly [depthwise: Tensor | undefined, frozen: Tensor | undefined];
}

/** Whether a convolution makes several maps from each channel separately. */
function hasMultiplier(node: Node): boolean {
  if (opTypeOf(node) !== 'Conv') return false;
  const { group } = attributesOf(node, 'Conv');
  const [filters, perGroup] = node.inputs[1]?.dims ?? [];
  return group > 1 && perGroup === 1 && filters !== group;
}

function isPlain(node: Node): boolean {
  const { strides, pads } = attributesOf(node, 'Conv');
  return strides.every((stride) => stride === 1) && pads.every((pad) => pad === 0);
}

function constantsOf(graph: Graph, depthwise: Node, node: Node, frozen: Tensor): Pair | Refusal {
  const [y] = depthwise.outputs;
  if (y!.users.size > 1 || graph.outputs.includes(y!)) {
    return { refused: `the output of ${describe(depthwise)} is also used elsewhere.` };
  }
  const weight = ownWeight(graph, depthwise);
  if ('refused' in weight) return weight;
  const biases = [depthwise, node].map((reader) => reader.inputs[2] && constantAt(graph, reader, 2));
  for (const bias of biases) if (bias && 'refused' in bias) return bias;
  const { group: channels } = attributesOf(depthwise, 'Conv');
  const multiplier = weight.dims[0]! / channels;
  const pair = { channels, multiplier, depthwise: weight, frozen, biases: biases as unknown as Pair['biases'] };
  return cannotCompute(weight, depthwise) ?? pair;
}

/** Whether each filter only sums channels, or sums and scales them, as after folding batch normalization. */
function addsUp({ dims, data }: Tensor): boolean {
  const perFilter = data.length / dims[0]!;
  const factors = Array.from({ length: dims[0]! }, (_, m) => {
    const values = Array.from(data.subarray(m * perFilter, (m + 1) * perFilter), Number);
    return new Set(values.filter((value) => value !== 0)).size;
  });
  return Math.max(...factors) === 1;
}

/** The largest number of groups such that every filter only reads channels of its own group. */
function groupsOf({ channels, multiplier, frozen }: Pair): number {
  const filters = frozen.dims[0]!;
  const met = Array.from(frozen.data, Number).flatMap((value, at) => (value === 0 ? [] : [at]));
  const separate = (groups: number) => {
    const [perGroup, filtersPerGroup] = [(channels / groups) * multiplier, filters / groups];
    return met.every((at) => {
      const [m, map] = [Math.floor(at / (channels * multiplier)), at % (channels * multiplier)];
      return Math.floor(m / filtersPerGroup) === Math.floor(map / perGroup);
    });
  };
  for (let groups = channels; groups > 1; groups--) {
    if (channels % groups === 0 && filters % groups === 0 && separate(groups)) return groups;
  }
  return 1;
}

function composed(b: Builder, depthwise: Node, node: Node, pair: Pair, groups: number): Value {
  const weight = composedWeight(pair, groups);
  const inputs = [depthwise.inputs[0], b.parameter(depthwise.inputs[1]!.name, weight.dims, weight)];
  const bias = composedBias(pair);
  const name = (node.inputs[2] ?? depthwise.inputs[2])?.name ?? biasName(depthwise.inputs[1]!.name);
  if (bias) inputs.push(b.parameter(name, bias.dims, bias));
  return b.op('Conv', inputs, { ...givenAttributes(depthwise, 'Conv'), group: groups }, depthwise.name || undefined);
}

function composedWeight({ channels, multiplier, depthwise, frozen }: Pair, groups: number): Tensor {
  const [filters, kernel] = [frozen.dims[0]!, depthwise.dims.slice(2)];
  const [taps, perGroup] = [elements(kernel), channels / groups];
  const values = new Float64Array(filters * perGroup * taps);
  for (let m = 0; m < filters; m++) {
    const first = Math.floor(m / (filters / groups)) * perGroup;
    for (let at = 0; at < perGroup * multiplier * taps; at++) {
      const [map, tap] = [first * multiplier + Math.floor(at / taps), at % taps];
      const channel = Math.floor(map / multiplier) - first;
      const factor = Number(frozen.data[m * channels * multiplier + map]);
      values[(m * perGroup + channel) * taps + tap]! += factor * Number(depthwise.data[map * taps + tap]);
    }
  }
  return rounded(depthwise, [filters, perGroup, ...kernel], values);
}

function composedBias({ frozen, depthwise, biases: [inner, outer] }: Pair): Tensor | undefined {
  if (!inner) return outer;
  const [filters, maps] = [frozen.dims[0]!, depthwise.dims[0]!];
  const values = Float64Array.from({ length: filters }, (_, m) => Number(outer?.data[m] ?? 0));
  for (let at = 0; at < filters * maps; at++) {
    values[Math.floor(at / maps)]! += Number(frozen.data[at]) * Number(inner.data[at % maps]);
  }
  return rounded(frozen, [filters], values);
}
