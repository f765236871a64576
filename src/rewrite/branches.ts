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
  const paths = ends.map((end) => pathUp(graph, end));
  const start = meeting(paths);
  if (!start) return undefined;
  const kernels = paths.map((path) => kernelsTo(path, start));
  const count = (kernel: string) => kernels.filter((other) => other === kernel).length;
  const common = kernels.filter((kernel) => kernel !== '').reduce((a, b) => (count(b) > count(a) ? b : a), '');
  const alike = ends.filter((_, i) => kernels[i] === common && common !== '');
  return alike.length > 1 ? { start, ends: alike, convolutions: common.split(' ').length } : undefined;
}

/** The path up from a value, through nodes with a single non-constant input. */
function pathUp(graph: Graph, end: Value): Value[] {
  const path = [end];
  for (let { producer } = end; producer; ) {
    const inputs = producer.inputs.filter((value) => value && !graph.initializers.has(value)) as Value[];
    if (inputs.length !== 1) break;
    path.push(inputs[0]!);
    producer = inputs[0]!.producer;
  }
  return path;
}

/** The value on most paths; if there are several, the one closest to the ends. */
function meeting(paths: readonly (readonly Value[])[]): Value | undefined {
  const counts = new Map<Value, number>();
  for (const value of paths.flat()) counts.set(value, (counts.get(value) ?? 0) + 1);
  const most = Math.max(...counts.values());
  return most > 1 ? [...counts].find(([, count]) => count === most)![0] : undefined;
}

/** The kernels of the convolutions on the path up to `start`; empty if the path does not lead there. */
function kernelsTo(path: readonly Value[], start: Value): string {
  const nodes = path.slice(0, Math.max(0, path.indexOf(start))).map(({ producer }) => producer!);
  const convolutions = nodes.filter((node) => opTypeOf(node) === 'Conv');
  return convolutions.map((node) => node.inputs[1]?.dims?.slice(2).join('x') ?? '?').join(' ');
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
