/**
 * Branches: chains of the same operators that start at one value and meet again in one node. The walk goes upward from
 * the values that meet, all branches in step, until they read the same value or the slices of one value.
 *
 * Branches are told apart from the parts of other nets (a residual block's two sides, an Inception block's unlike
 * branches) by their convolutions: only chains with the same kernels one after the other count. Among those, whatever
 * keeps them from being one is a refusal, said in a sentence.
 */
import { describe, type Graph, type Node, type Value } from '../graph/graph.ts';
import { attributesOf, type OpType, opTypeOf } from '../graph/ops.ts';
import { constantInts } from '../graph/shapes.ts';

/** One operator of each branch, in branch order. */
export interface Level {
  readonly op: 'Conv' | 'BatchNormalization' | 'Relu';
  readonly nodes: readonly Node[];
}

export interface Branches {
  /** From where the branches start to where they meet. */
  readonly levels: readonly Level[];
  readonly start: Value;
  /** Whether every branch reads all of `start`, or each its own slice of the channels, in order. */
  readonly reads: 'all' | 'slices';
}

const chainOps: ReadonlySet<OpType | undefined> = new Set(['Conv', 'BatchNormalization', 'Relu', 'Identity']);

/**
 * The branches whose results are `ends`, a refusal, or undefined where these are no branches.
 */
export function findBranches(graph: Graph, ends: readonly Value[]): Branches | { refused: string } | undefined {
  if (ends.length < 2 || !haveSameConvolutions(ends)) return undefined;
  const levels: Level[] = [];
  let values = ends;
  for (;;) {
    const start = commonStart(values);
    if (start && levels.some(({ op }) => op === 'Conv')) return { levels: levels.reverse(), ...start };
    const level = nextLevel(graph, values);
    if ('refused' in level) return level;
    levels.push(level);
    values = level.nodes.map((node) => node.inputs[0]!);
  }
}

/** The kernels of the convolutions on the way up from a value, as far as the chain goes: to where all branches start. */
function convolutionsAbove(end: Value, branches: number): string {
  const kernels: string[] = [];
  for (let node = end.producer; node && chainOps.has(opTypeOf(node)); node = node.inputs[0]?.producer) {
    if (node.op === 'Conv') kernels.push(`${node.inputs[1]?.dims?.slice(2)}`);
    if ((node.inputs[0]?.users.size ?? 0) >= branches) break;
  }
  return kernels.join(' ');
}

function haveSameConvolutions(ends: readonly Value[]): boolean {
  const [first, ...others] = ends.map((end) => convolutionsAbove(end, ends.length));
  return first !== '' && others.every((kernels) => kernels === first);
}

/** What all branches read: one value, or all of its channels cut into slices in order. */
function commonStart(values: readonly Value[]): Pick<Branches, 'start' | 'reads'> | undefined {
  const [first] = values;
  if (values.every((value) => value === first)) return { start: first!, reads: 'all' };
  const source = first!.producer?.inputs[0];
  if (!source || !values.every((value) => value.producer?.inputs[0] === source)) return undefined;
  const ranges = values.map(channelRange);
  let next = 0;
  for (const range of ranges) {
    if (range?.start !== next) return undefined;
    next = range.end;
  }
  return next === source.dims?.[1] ? { start: source, reads: 'slices' } : undefined;
}

/** The channels of its node's input that a value is, where a Slice or Split made it. */
function channelRange(value: Value): { start: number; end: number } | undefined {
  const node = value.producer!;
  const size = value.dims?.[1];
  if (typeof size !== 'number') return undefined;
  if (node.op === 'Split' && attributesOf(node, 'Split').axis === 1) {
    const before = node.outputs.slice(0, node.outputs.indexOf(value)).map(({ dims }) => dims![1] as number);
    const start = before.reduce((a, b) => a + b, 0);
    return { start, end: start + size };
  }
  if (node.op !== 'Slice') return undefined;
  const [, starts, , axes, steps] = node.inputs;
  if (!starts?.tensor || !axes?.tensor || (steps && `${constantInts(steps, 'steps')}` !== '1')) return undefined;
  const start = constantInts(starts, 'starts');
  return `${constantInts(axes, 'axes')}` === '1' ? { start: start[0]!, end: start[0]! + size } : undefined;
}

function nextLevel(graph: Graph, values: readonly Value[]): Level | { refused: string } {
  const nodes = values.map(({ producer }) => producer);
  const op = nodes[0] && opTypeOf(nodes[0]);
  for (const [i, node] of nodes.entries()) {
    const branch = `branch ${i + 1}`;
    if (!node) return { refused: `${branch} starts at "${values[i]!.name}", where the others go on.` };
    if (node.op !== nodes[0]!.op) {
      return { refused: `${branch} has ${describe(node)} where branch 1 has ${describe(nodes[0]!)}.` };
    }
    if (values[i]!.users.size > 1 || graph.outputs.includes(values[i]!)) {
      return { refused: `"${values[i]!.name}" of ${branch} is used outside the branch as well.` };
    }
  }
  if (op !== 'Conv' && op !== 'BatchNormalization' && op !== 'Relu') {
    return { refused: `the branches begin with ${describe(nodes[0]!)}, which is neither shared nor an ordered slice.` };
  }
  return { op, nodes: nodes as Node[] };
}
