/**
 * Reasons for what was left alone: every Concat or sum of several convolutions that no rule rewrote or refused gets one.
 * The two sides of a residual block, which are convolutions of different depths, are not worth a sentence.
 */
import type { Graph, Node, Value } from '../graph/graph.ts';
import { opTypeOf } from '../graph/ops.ts';
import { channelwiseConstants, isOnnx } from './operators.ts';
import { intsOf } from './other-shapes.ts';
import { mapsOf, onlyInput } from './paths.ts';
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
    const ends = inputs.filter((value) => endsConvolution(graph, value, true));
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
    const ends = addends(graph, node).filter((value) => value && endsConvolution(graph, value, false)) as Value[];
    if (new Set(ends).size < 2 || isResidual(graph, ends)) return undefined;
    return { refused: `it adds ${ends.length} convolutions${difference(graph, [...new Set(ends)])}` };
  },
};

/**
 * Whether a value comes from a convolution, with nothing but channelwise operators and moves of axes after it, or, if
 * `several`, also sums and products of maps and other concatenations.
 */
function endsConvolution(graph: Graph, end: Value, several: boolean): boolean {
  const open = new Set([end]);
  for (const { producer } of open) {
    if (open.size > maxTail || !producer) continue;
    if (isConvolution(producer)) return true;
    const isMove = isOnnx(producer) && (producer.op === 'Transpose' || producer.op === 'Unsqueeze');
    const joins = several && isOnnx(producer) && producer.op === 'Concat';
    const maps = channelwiseConstants(producer) || isMove || joins ? mapsOf(graph, producer) : [];
    if (several || maps.length === 1) for (const map of maps.slice(0, maxTail)) open.add(map);
  }
  return false;
}

const isConvolution = (node: Node): boolean => opTypeOf(node) === 'Conv' || opTypeOf(node) === 'ConvTranspose';

/** Two convolutions at different depths from one map: the last of a residual block, and its projection. */
function isResidual(graph: Graph, ends: readonly Value[]): boolean {
  const kernels = ends.length === 2 ? kernelsOf(graph, ends) : undefined;
  return kernels !== undefined && kernels[0]!.length !== kernels[1]!.length;
}

/** The kernels from the value where the ends' paths meet to each end. */
function kernelsOf(graph: Graph, ends: readonly Value[]): (readonly string[])[] | undefined {
  const paths = ends.map((end) => pathUp(graph, end));
  const [first, ...others] = paths.map((path) => new Set(path));
  const start = paths[0]!.find((value) => others.every((path) => path.has(value)));
  if (!start || !first) return undefined;
  return paths.map((path) => path.slice(0, path.indexOf(start)).flatMap(kernelOf).reverse());
}

/** The values on one path up from a value. */
function pathUp(graph: Graph, end: Value): Value[] {
  const path: Value[] = [];
  for (let value: Value | undefined = end; value && path.length < maxPath; ) {
    path.push(value);
    value = onlyInput(graph, value) ?? (value.producer && mapsOf(graph, value.producer)[0]);
  }
  return path;
}

const kernelOf = ({ producer }: Value): string[] =>
  producer && isConvolution(producer) ? [producer.inputs[1]?.dims?.slice(2).join('x') ?? '?'] : [];

function difference(graph: Graph, ends: readonly Value[]): string {
  if (ends.some(({ producer }) => producer?.op === 'ConvTranspose')) return '; transposed ones are not merged.';
  const kernels = kernelsOf(graph, ends);
  if (!kernels) return ', which do not all start from one map.';
  const [first, other] = new Set(kernels.map((each) => each.join(', ')));
  if (other !== undefined) return `, whose kernels differ: ${first || 'none'} and ${other || 'none'}.`;
  return kernels[0]!.length === 1 ? ' of one map; branches to merge have two or more.' : ', whose layers differ.';
}
