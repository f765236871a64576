/**
 * Joins the nodes of one level, one from each branch, into a single node: checks that they are alike and joins their
 * constants. Joined constants are copied bit for bit. Only biases that are added are computed, in float64, and rounded
 * once.
 */
import type { Builder } from '../graph/builder.ts';
import { describe, type Graph, type Node, type Value } from '../graph/graph.ts';
import { attributesOf, opTypeOf } from '../graph/ops.ts';
import { concatTensors, type Tensor, tensor } from '../tensor.ts';
import type { Level } from './branches.ts';
import { cannotCompute, constantAt, copyOf, ownWeight, rounded, sameContents, toFloat64 } from './constants.ts';
import { biasName, mergedName } from './names.ts';
import { type ConstantsOf, channelsOf, channelwiseConstants } from './operators.ts';
import type { Refusal } from './rewriter.ts';

/**
 * How the convolutions of a level are joined: as more `filters` on the same map, as `groups`, one per branch, or, for a
 * sum of convolutions, as more input `channels` of each filter.
 */
export type Joint = 'filters' | 'groups' | 'channels';

/** One constant input of all nodes in a level, such as their weights, in branch order. */
export interface Part {
  /** Its place among the node's inputs. */
  readonly index: number;
  readonly name: string;
  readonly tensors: readonly Tensor[];
  /** The axis along which the tensors are joined; undefined if they are equal and one serves all. */
  readonly axis: number | undefined;
}

/** The constant inputs of a level's nodes, or the reason why the nodes cannot be joined. */
export function partsOf(graph: Graph, level: Level, joint: Joint): Part[] | Refusal {
  const parts = level.op === 'Conv' ? convolutionParts(graph, level.nodes, joint) : channelwiseParts(graph, level);
  return 'refused' in parts ? parts : (attributesProblem(level) ?? parts);
}

function convolutionParts(graph: Graph, nodes: readonly Node[], joint: Joint): Part[] | Refusal {
  const weights: Tensor[] = [];
  for (const node of nodes) {
    const weight = ownWeight(graph, node);
    if ('refused' in weight) return weight;
    weights.push(weight);
  }
  const problem = filtersProblem(nodes, weights, joint);
  if (problem) return problem;
  const name = mergedName(nodes.map((node) => node.inputs[1]!.name));
  const weight = { index: 1, name, tensors: weights, axis: joint === 'channels' ? 1 : 0 };
  const bias = biasPart(graph, nodes, weights, joint);
  if (!bias) return [weight];
  return 'refused' in bias ? bias : [weight, bias];
}

/** The biases. If only some nodes have one, the others count as zeros, or are skipped where biases are added. */
function biasPart(
  graph: Graph,
  nodes: readonly Node[],
  weights: readonly Tensor[],
  joint: Joint,
): Part | Refusal | undefined {
  const biased = nodes.filter((node) => node.inputs[2]);
  if (biased.length === 0) return undefined;
  const tensors: Tensor[] = [];
  for (const [i, node] of nodes.entries()) {
    if (!node.inputs[2] && joint === 'channels') continue;
    const { dtype, dims } = weights[i]!;
    const bias = node.inputs[2] ? constantAt(graph, node, 2) : tensor(dtype, [dims[0]!]);
    if ('refused' in bias) return bias;
    tensors.push(bias);
  }
  const name = mergedName(biased.map((node) => node.inputs[2]!.name)) || biasName(nodes[0]!.inputs[1]!.name);
  if (joint !== 'channels' || tensors.length === 1) return { index: 2, name, tensors, axis: 0 };
  return cannotCompute(tensors[0]!, biased[0]!) ?? { index: 2, name, tensors: [added(tensors)], axis: 0 };
}

/** The constants of a channelwise operator, at whichever input they are. */
function channelwiseParts(graph: Graph, { nodes, inputs }: Level): Part[] | Refusal {
  const kind = channelwiseConstants(nodes[0]!);
  const parts: Part[] = [];
  const channels = kind === 'broadcast' ? branchChannels(nodes, inputs) : [];
  if ('refused' in channels) return channels;
  for (const index of inputs.keys()) {
    if (inputs[index] || nodes.every((node) => !node.inputs[index])) continue;
    const tensors: Tensor[] = [];
    for (const node of nodes) {
      const contents = constantAt(graph, node, index);
      if ('refused' in contents) return contents;
      tensors.push(contents);
    }
    const name = mergedName(nodes.map((node) => node.inputs[index]!.name));
    const joined = joinedConstants(nodes, tensors, kind, channels);
    if ('refused' in joined) return joined;
    parts.push({ index, name, ...joined });
  }
  return parts;
}

function joinedConstants(
  nodes: readonly Node[],
  tensors: readonly Tensor[],
  kind: ConstantsOf | undefined,
  channels: readonly number[],
): Pick<Part, 'tensors' | 'axis'> | Refusal {
  if (kind === 'each') return { tensors, axis: 0 };
  const odd = tensors.findIndex((contents) => !sameContents(contents, tensors[0]!));
  const rank = nodes[0]!.outputs[0]!.dims?.length ?? 0;
  const isNarrow = tensors.every(({ dims }) => (dims[dims.length - rank + 1] ?? 1) === 1);
  if (odd < 0 && (kind === 'same' || isNarrow)) return { tensors: [tensors[0]!], axis: undefined };
  if (kind === 'same') {
    return { refused: `${describe(nodes[odd]!)} differs from ${describe(nodes[0]!)} in its constants.` };
  }
  return { tensors: tensors.map((contents, i) => perChannel(contents, rank, channels[i]!)), axis: 0 };
}

/** The channels of each branch after an operator that broadcasts. All maps must have them. */
function branchChannels(nodes: readonly Node[], inputs: Level['inputs']): number[] | Refusal {
  const counts: number[] = [];
  for (const node of nodes) {
    const maps = [...node.inputs.filter((_, i) => inputs[i]), node.outputs[0]!] as Value[];
    const [first] = maps;
    const unknown = maps.find(({ dims }) => channelsOf(dims) === undefined);
    if (unknown) return { refused: `"${unknown.name}" has an unknown number of channels.` };
    const odd = maps.find(({ dims }) => dims!.length !== first!.dims!.length || dims![1] !== first!.dims![1]);
    if (odd) return { refused: `${describe(node)} combines maps of shapes [${first!.dims}] and [${odd.dims}].` };
    counts.push(channelsOf(first!.dims)!);
  }
  return counts;
}

/** A constant that is broadcast to [N, C, …], as [C, …]. */
function perChannel(contents: Tensor, rank: number, channels: number): Tensor {
  const { dims } = contents;
  const padded = [...new Array<number>(Math.max(0, rank - dims.length)).fill(1), ...dims].slice(1);
  const narrow = { ...contents, dims: padded, data: contents.data } as Tensor;
  return padded[0] === channels ? narrow : concatTensors(new Array<Tensor>(channels).fill(narrow), 0);
}

/** The reason why attributes keep these nodes apart, if they do. A kernel's shape is that of its weight. */
function attributesProblem({ op, nodes }: Level): Refusal | undefined {
  const [first, ...others] = nodes.map(comparedAttributes);
  for (const [i, values] of others.entries()) {
    const names = [...new Set([...Object.keys(first!), ...Object.keys(values)])];
    const differences = names.flatMap((name) => {
      const [found, expected] = [values[name], first![name]];
      if (`${found}` === `${expected}` || (op === 'Conv' && name === 'kernel_shape')) return [];
      return `${name} (${attributeInWords(found)}, not ${attributeInWords(expected)})`;
    });
    if (differences.length === 0) continue;
    return {
      refused: `${describe(nodes[i + 1]!)} differs from ${describe(nodes[0]!)} in ${differences.join(' and ')}.`,
    };
  }
  return undefined;
}

/** The attributes that a node states, and the defaults of others if its operator is one of ours. */
function comparedAttributes(node: Node): Readonly<Record<string, unknown>> {
  const op = opTypeOf(node);
  const stated = [...node.attributes].map(([name, { value }]) => [name, value] as const);
  return { ...(op && attributesOf(node, op)), ...Object.fromEntries(stated) };
}

const attributeInWords = (value: unknown): string => {
  if (value === undefined) return 'the default';
  return Array.isArray(value) ? `[${value}]` : String(value);
};

/** The reason why filters of these shapes cannot be joined, if they cannot. */
function filtersProblem(nodes: readonly Node[], weights: readonly Tensor[], joint: Joint): Refusal | undefined {
  const grouped = joint === 'groups' ? undefined : nodes.find((node) => attributesOf(node, 'Conv').group !== 1);
  if (grouped) return { refused: `${describe(grouped)} is already grouped.` };
  const free = { filters: 0, groups: undefined, channels: 1 }[joint];
  const shape = ({ dims }: Tensor) => `${dims.map((size, axis) => (axis === free ? 0 : size))}`;
  const odd = weights.findIndex((weight) => shape(weight) !== shape(weights[0]!));
  if (odd < 0) return undefined;
  const expected = `but ${describe(nodes[0]!)} has [${weights[0]!.dims}]`;
  return { refused: `${describe(nodes[odd]!)} has weight shape [${weights[odd]!.dims}], ${expected}.` };
}

/** The single node that replaces a level, reading what replaces the levels before. */
export function joinLevel(
  b: Builder,
  { op, nodes }: Level,
  parts: readonly Part[],
  joint: Joint,
  maps: readonly (Value | undefined)[],
): Value {
  const [first] = nodes;
  const name = mergedName(nodes.map((node) => node.name)) || undefined;
  const inputs = [...maps];
  for (const { index, name, tensors, axis } of parts) {
    const joined = axis === undefined ? tensors[0]! : concatTensors(tensors, axis);
    inputs[index] = b.parameter(name, joined.dims, joined);
  }
  const attributes = new Map(first!.attributes);
  if (op === 'Conv') {
    const group = joint === 'groups' ? nodes.length * attributesOf(first!, op).group : 1;
    attributes.set('group', { kind: 'int', value: group });
  }
  return copyOf(b, first!, { inputs, attributes, name });
}

function added(tensors: readonly Tensor[]): Tensor {
  const [first] = tensors;
  const summands = tensors.map(toFloat64);
  const sums = summands[0]!.map((_, i) => summands.reduce((sum, values) => sum + values[i]!, 0));
  return rounded(first!, first!.dims, sums);
}
