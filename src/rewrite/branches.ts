/**
 * Branches are chains of the same operators that start at one value and meet again in one node. They start where the
 * paths up from the values that meet come together. From the meeting point, all branches are walked up in step until
 * they read the start or slices of it.
 *
 * Convolutions tell branches from other structures (the two sides of a residual block, the different branches of an
 * Inception block): only chains with the same sequence of kernels count. Any other difference between such chains is
 * reported as a refusal.
 */
import { describe, type Graph, type Node, type Value } from '../graph/graph.ts';
import { attributesOf, isOtherVersion, opTypeOf } from '../graph/ops.ts';
import { type Kernels, kernelsFrom, meeting, pathsUp } from './paths.ts';
import type { Refusal } from './rewriter.ts';
import { isCutFrom, sliceProblem } from './slices.ts';

/** Operators that act on each channel separately, and so can be applied to branches side by side. */
export type PerChannelOp = 'AveragePool' | 'BatchNormalization' | 'Relu';

/** The node's operator if it is one of these. */
export function perChannelOp(node: Node): PerChannelOp | undefined {
  const op = opTypeOf(node);
  const isOne = op === 'AveragePool' || op === 'BatchNormalization' || op === 'Relu';
  return isOne && !isOtherVersion(node, op) ? op : undefined;
}

/** One operator from each branch, in branch order. */
export interface Level {
  readonly op: 'Conv' | PerChannelOp;
  readonly nodes: readonly Node[];
}

/** Values that convolutions with the same kernels make from one value. */
export interface Family {
  readonly start: Value;
  readonly ends: readonly Value[];
  /** Number of convolutions from `start` to each end. */
  readonly convolutions: number;
}

export interface Branches {
  /** From the start of the branches to where they meet. */
  readonly levels: readonly Level[];
  readonly start: Value;
  /** Whether every branch reads all of `start`, or each reads its own slice of the channels, in order. */
  readonly reads: 'all' | 'slices';
}

/** The largest family among `ends`, if it has two members or more. */
export function familyOf(graph: Graph, ends: readonly Value[]): Family | undefined {
  if (new Set(ends).size < ends.length) return undefined;
  const up = pathsUp(graph, ends);
  const start = meeting(up, ends);
  if (!start) return undefined;
  const kernels = kernelsFrom(start, up, ends);
  const common = mostCommon(kernels);
  const alike = ends.filter((_, i) => kernels[i] === common);
  return common && alike.length > 1 ? { start, ends: alike, convolutions: common.count } : undefined;
}

/** The first of the kernels that most ends have; undefined if no more ends have them than have none. */
function mostCommon(kernels: readonly (Kernels | undefined)[]): Kernels | undefined {
  const counts = new Map<Kernels | undefined, number>();
  for (const each of kernels) counts.set(each, (counts.get(each) ?? 0) + 1);
  const among = (each: Kernels | undefined) => counts.get(each) ?? 0;
  return [...counts.keys()].reduce((a, b) => (b && among(b) > among(a) ? b : a), undefined);
}

/** The branches of a family, operator by operator, or the reason why they differ. */
export function findBranches(graph: Graph, { start, ends }: Family): Branches | Refusal {
  const levels: Level[] = [];
  for (let values = ends; ; ) {
    if (values.every((value) => value === start)) return { levels: levels.reverse(), start, reads: 'all' };
    if (values.every((value) => isCutFrom(value, start))) {
      return sliceProblem(values, start) ?? { levels: levels.reverse(), start, reads: 'slices' };
    }
    const level = nextLevel(graph, values, start);
    if ('refused' in level) return level;
    levels.push(level);
    values = level.nodes.map((node) => node.inputs[0]!);
  }
}

function nextLevel(graph: Graph, values: readonly Value[], start: Value): Level | Refusal {
  const nodes = values.map(({ producer }) => producer!);
  const [first] = nodes;
  for (const [i, value] of values.entries()) {
    const branch = `branch ${i + 1}`;
    if (value === start)
      return { refused: `${branch} reads "${value.name}" directly, but other branches have more layers in between.` };
    if (opTypeOf(nodes[i]!) !== opTypeOf(first!)) {
      return { refused: `${branch} has ${describe(nodes[i]!)} where branch 1 has ${describe(first!)}.` };
    }
    if (value.users.size > 1 || graph.outputs.includes(value)) {
      return { refused: `the output of ${describe(nodes[i]!)} in ${branch} is also used outside the branch.` };
    }
  }
  const op = opTypeOf(first!) === 'Conv' ? 'Conv' : perChannelOp(first!);
  if (!op) {
    return {
      refused: `${describe(first!)} in branch 1 is not a convolution, batch normalization, ReLU or average pool.`,
    };
  }
  const training = op === 'BatchNormalization' ? nodes.find(isTraining) : undefined;
  return training ? { refused: `${describe(training)} is in training mode.` } : { op, nodes };
}

/** Whether a normalization uses the statistics of the batch. */
export const isTraining = (node: Node): boolean =>
  node.outputs.length > 1 || attributesOf(node, 'BatchNormalization').training_mode === 1;
