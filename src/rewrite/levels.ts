/**
 * Joins the nodes of one level, one from each branch, into a single node: checks that they are alike and joins their
 * constants. Joined constants are copied bit for bit. Only biases that are added are computed, in float64, and rounded
 * once.
 */
import type { Builder } from '../graph/builder.ts';
import { describe, type Graph, type Node, type Value } from '../graph/graph.ts';
import { attributesOf } from '../graph/ops.ts';
import { concatTensors, type Tensor, tensor } from '../tensor.ts';
import type { Level } from './branches.ts';
import { cannotCompute, constantAt, givenAttributes, ownWeight, rounded } from './constants.ts';
import { biasName, mergedName } from './names.ts';
import type { Refusal } from './rewriter.ts';

/**
 * How the convolutions of a level are joined: as more `filters` on the same map, as `groups`, one per branch, or, for a
 * sum of convolutions, as more input `channels` of each filter.
 */
export type Joint = 'filters' | 'groups' | 'channels';

/** One input of all nodes in a level, such as their weights, in branch order. */
export interface Part {
  readonly name: string;
  readonly tensors: readonly Tensor[];
}

/** The constant inputs of a level's nodes, or the reason why the nodes cannot be joined. */
export function partsOf(graph: Graph, level: Level, joint: Joint): Part[] | Refusal {
  const parts = constantParts(graph, level, joint);
  return 'refused' in parts ? parts : (attributesProblem(level) ?? parts);
}

function constantParts(graph: Graph, { op, nodes }: Level, joint: Joint): Part[] | Refusal {
  if (op === 'Conv') return convolutionParts(graph, nodes, joint);
  return op === 'BatchNormalization' ? vectorParts(graph, nodes) : [];
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
  const weight = { name: mergedName(nodes.map((node) => node.inputs[1]!.name)), tensors: weights };
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
  const problem = joint === 'channels' && tensors.length > 1 && cannotCompute(tensors[0]!, biased[0]!);
  const name = mergedName(biased.map((node) => node.inputs[2]!.name)) || biasName(nodes[0]!.inputs[1]!.name);
  return problem || { name, tensors };
}

function vectorParts(graph: Graph, nodes: readonly Node[]): Part[] | Refusal {
  const parts: Part[] = [];
  for (const index of [1, 2, 3, 4]) {
    const tensors: Tensor[] = [];
    for (const node of nodes) {
      const contents = constantAt(graph, node, index);
      if ('refused' in contents) return contents;
      tensors.push(contents);
    }
    parts.push({ name: mergedName(nodes.map((node) => node.inputs[index]!.name)), tensors });
  }
  return parts;
}

/** The reason why attributes keep these nodes apart, if they do. A kernel's shape is that of its weight. */
function attributesProblem({ op, nodes }: Level): Refusal | undefined {
  const ofWeight = op === 'Conv' ? { kernel_shape: [] } : {};
  const [first, ...others] = nodes.map((node) => Object.entries({ ...attributesOf(node, op), ...ofWeight }));
  for (const [i, entries] of others.entries()) {
    const differences = entries.flatMap(([name, value], k) => {
      const expected = first![k]![1];
      return `${value}` === `${expected}` ? [] : `${name} (${shown(value)}, not ${shown(expected)})`;
    });
    if (differences.length === 0) continue;
    return {
      refused: `${describe(nodes[i + 1]!)} differs from ${describe(nodes[0]!)} in ${differences.join(' and ')}.`,
    };
  }
  return undefined;
}

const shown = (value: unknown): string => (Array.isArray(value) ? `[${value}]` : String(value));

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

/** The single node that replaces a level, reading `x`. */
export function joinLevel(b: Builder, { op, nodes }: Level, parts: readonly Part[], joint: Joint, x: Value): Value {
  const [first] = nodes;
  const name = mergedName(nodes.map((node) => node.name)) || undefined;
  const constants = parts.map((part, index) => {
    const joined = joint === 'channels' && index > 0 ? added(part) : concatTensors(part.tensors, axisOf(joint));
    return b.parameter(part.name, joined.dims, joined);
  });
  if (op !== 'Conv') return b.op(op, [x, ...constants], givenAttributes(first!, op), name);
  const group = joint === 'groups' ? nodes.length * attributesOf(first!, op).group : 1;
  return b.op(op, [x, ...constants], { ...givenAttributes(first!, op), group }, name);
}

const axisOf = (joint: Joint): number => (joint === 'channels' ? 1 : 0);

function added({ tensors }: Part): Tensor {
  const [first, ...others] = tensors;
  if (others.length === 0) return first!;
  const summands = tensors.map(({ data }) => data);
  const sums = Float64Array.from({ length: summands[0]!.length }, (_, i) =>
    summands.reduce((sum, data) => sum + Number(data[i]), 0),
  );
  return rounded(first!, first!.dims, sums);
}
