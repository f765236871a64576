/**
 * Branches: chains of the same operators that start at one value and meet again in one node. Where they start is where
 * the ways up from the values that meet come together; then all branches are walked in step, from there where they meet,
 * until they read the start or slices of it.
 *
 * Branches are told apart from the parts of other nets (a residual block's two sides, an Inception block's unlike
 * branches) by their convolutions: only chains with the same kernels one after the other count. Among those, whatever
 * keeps them from being one is a refusal, said in a sentence.
 */
import { describe, type Graph, type Node, type Value } from '../graph/graph.ts';
import { attributesOf, isOtherVersion, opTypeOf } from '../graph/ops.ts';
import type { Refusal } from './rewriter.ts';
import { isCutFrom, sliceProblem } from './slices.ts';

/** Operators that act on each channel by itself, so that it does not matter whether branches are side by side. */
export type PerChannelOp = 'AveragePool' | 'BatchNormalization' | 'Relu';

/** Which of these a node is, if so. */
export function perChannelOp(node: Node): PerChannelOp | undefined {
  const op = opTypeOf(node);
  const isOne = op === 'AveragePool' || op === 'BatchNormalization' || op === 'Relu';
  return isOne && !isOtherVersion(node, op) ? op : undefined;
}

/** One operator of each branch, in branch order. */
export interface Level {
  readonly op: 'Conv' | PerChannelOp;
  readonly nodes: readonly Node[];
}

/** Values that like convolutions make of one value. */
export interface Family {
  readonly start: Value;
  readonly ends: readonly Value[];
  /** How many convolutions stand between. */
  readonly convolutions: number;
}

export interface Branches {
  /** From where the branches start to where they meet. */
  readonly levels: readonly Level[];
  readonly start: Value;
  /** Whether every branch reads all of `start`, or each its own slice of the channels, in order. */
  readonly reads: 'all' | 'slices';
}

/** Those of `ends` that like convolutions make of one value, if there are two or more. */
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

/** The way up from a value, through nodes with one input that is no constant. */
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

/** The value that most paths lead through, of several the one nearest to the ends. */
function meeting(paths: readonly (readonly Value[])[]): Value | undefined {
  const counts = new Map<Value, number>();
  for (const value of paths.flat()) counts.set(value, (counts.get(value) ?? 0) + 1);
  const most = Math.max(...counts.values());
  return most > 1 ? [...counts].find(([, count]) => count === most)![0] : undefined;
}

/** The kernels of the convolutions on the way up to `start`; none where the way does not lead there. */
function kernelsTo(path: readonly Value[], start: Value): string {
  const nodes = path.slice(0, Math.max(0, path.indexOf(start))).map(({ producer }) => producer!);
  const convolutions = nodes.filter((node) => opTypeOf(node) === 'Conv');
  return convolutions.map((node) => node.inputs[1]?.dims?.slice(2).join('x') ?? '?').join(' ');
}

/** The branches of a family, operator by operator, or why they are not alike. */
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
    if (value === start) return { refused: `${branch} starts at "${value.name}", where the others go on.` };
    if (opTypeOf(nodes[i]!) !== opTypeOf(first!)) {
      return { refused: `${branch} has ${describe(nodes[i]!)} where branch 1 has ${describe(first!)}.` };
    }
    if (value.users.size > 1 || graph.outputs.includes(value)) {
      return { refused: `what ${describe(nodes[i]!)} makes in ${branch} is used outside the branch as well.` };
    }
  }
  const op = opTypeOf(first!) === 'Conv' ? 'Conv' : perChannelOp(first!);
  if (!op) {
    return { refused: `${describe(first!)} in branch 1 is no convolution, batch normalization, ReLU or average-pool.` };
  }
  const training = op === 'BatchNormalization' ? nodes.find(isTraining) : undefined;
  return training ? { refused: `${describe(training)} is in training mode.` } : { op, nodes };
}

/** Whether a normalization uses the batch's own statistics. */
export const isTraining = (node: Node): boolean =>
  node.outputs.length > 1 || attributesOf(node, 'BatchNormalization').training_mode === 1;
