/**
 * Reasons for what was left alone: every Concat or sum of several convolutions that no rule rewrote or refused gets one.
 * The two sides of a residual block, which are convolutions of different depths, are not worth a sentence.
 */
import type { Graph, Value } from '../graph/graph.ts';
import { opTypeOf } from '../graph/ops.ts';
import { channelwiseConstants, isOnnx } from './operators.ts';
import { intsOf } from './other-shapes.ts';
import { type Kernels, kernelsFrom, mapsOf, meeting, onlyInput, pathsUp } from './paths.ts';
import type { Rule } from './rewriter.ts';
import { addends, isLastSum } from './sums.ts';

/** Nodes between a convolution and a Concat or a sum, and in a residual block, at most. */
const maxTail = 16;
const maxPath = 256;

export const unmergedConcat: Rule = {
  name: 'concatenation of convolutions',
  apply({ graph }, node) {
    if (!isOnnx(node) || node.op !== 'Concat') return undefined;
    const inputs = node.inputs.filter((value) => value !== undefined);
    const ends = inputs.filter((value) => endsConvolution(graph, value));
    if (new Set(ends).size < 2) return undefined;
    const joined = `it joins ${ends.length} convolutions`;
    const axis = intsOf(node, 'axis')[0] ?? 0;
    const rank = (node.outputs[0]!.dims ?? inputs[0]!.dims)?.length;
    if (axis !== 1 && axis + (rank ?? 0) !== 1)
      return { refused: `${joined} along axis ${axis}, not along the channels.` };
    const repeated = inputs.find((value, i) => inputs.indexOf(value) < i);
    if (repeated) return { refused: `${joined}, "${repeated.name}" more than once.` };
    const other = inputs.find((value) => !ends.includes(value));
    if (other) return { refused: `${joined} and "${other.name}", which is not made by a convolution.` };
    return { refused: `${joined}${difference(graph, ends)}` };
  },
};

export const unmergedSum: Rule = {
  name: 'sum of convolutions',
  apply({ graph }, node) {
    if (!isLastSum(graph, node)) return undefined;
    const ends = addends(graph, node).filter((value) => value && endsConvolution(graph, value)) as Value[];
    if (new Set(ends).size < 2 || isResidual(graph, ends)) return undefined;
    return { refused: `it adds ${ends.length} convolutions${difference(graph, [...new Set(ends)])}` };
  },
};

/** Whether a value comes from a convolution, with nothing but channelwise operators and moves of axes after it. */
function endsConvolution(graph: Graph, value: Value): boolean {
  let node = value.producer;
  for (let i = 0; node && i < maxTail; i++) {
    if (opTypeOf(node) === 'Conv') return true;
    const isTail = channelwiseConstants(node) || (isOnnx(node) && ['Transpose', 'Unsqueeze'].includes(node.op));
    const maps = mapsOf(graph, node);
    if (!isTail || maps.length !== 1) return false;
    node = maps[0]!.producer;
  }
  return false;
}

/** The sequence of kernels from the value where the ends' paths meet to each end. */
function kernelsOf(graph: Graph, ends: readonly Value[]): (Kernels | undefined)[] | undefined {
  const up = pathsUp(graph, ends);
  const start = meeting(up, ends);
  return start && kernelsFrom(start, up, ends);
}

/** Two convolutions at different depths from one map: the last of a residual block, and its projection. */
function isResidual(graph: Graph, [a, b, ...others]: readonly Value[]): boolean {
  if (!a || !b || others.length > 0) return false;
  const [left, right] = [depths(graph, a), depths(graph, b)];
  const common = [...left.keys()].find((value) => right.has(value));
  return common !== undefined && left.get(common) !== right.get(common);
}

/** The values on one path up from a value, and the number of convolutions in between. */
function depths(graph: Graph, end: Value): Map<Value, number> {
  const found = new Map<Value, number>();
  let depth = 0;
  for (let value: Value | undefined = end; value && found.size < maxPath; ) {
    found.set(value, depth);
    if (value.producer && opTypeOf(value.producer) === 'Conv') depth++;
    value = onlyInput(graph, value) ?? (value.producer && mapsOf(graph, value.producer)[0]);
  }
  return found;
}

function difference(graph: Graph, ends: readonly Value[]): string {
  const kernels = kernelsOf(graph, ends);
  if (!kernels || kernels.includes(undefined)) return ', which do not all start from one map.';
  const [first, other] = new Set(kernels);
  if (other) return `, whose kernels differ: ${sequence(first!)} and ${sequence(other)}.`;
  return kernels[0]!.count === 1 ? ' of one map; branches to merge have two or more.' : ', whose layers differ.';
}

/** Kernels in order, such as `1x1, 3x3`. */
function sequence(kernels: Kernels): string {
  const names: string[] = [];
  for (let each: Kernels | undefined = kernels; each?.before && names.length < maxTail; each = each.before) {
    names.unshift(each.kernel);
  }
  return names.join(', ');
}
