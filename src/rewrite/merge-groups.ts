/**
 * Narrow groups side by side are one wider group whose filters are zero where the groups must not mix. For finite
 * numbers:
 *
 *   w₁ ⋆ x₁, w₂ ⋆ x₂, …, in g groups  =  diag(w₁, …, wₖ) ⋆ (x₁ … xₖ), …, in g/k groups
 *
 * This takes k times as many multiplications and is still faster when k groups fill one vector of the processor. ONNX
 * Runtime computes 8 or 16 channels, one block, at a time. It splits groups that are not whole blocks into one small
 * matrix product each, and changes the layout before and after.
 */
import { describe, type Node } from '../graph/graph.ts';
import { attributesOf, opTypeOf } from '../graph/ops.ts';
import { allocate, derivedTensor, type Tensor } from '../tensor.ts';
import { constantAt, givenAttributes } from './constants.ts';
import type { Rule } from './rewriter.ts';

/** A convolution whose groups are not whole blocks. */
export interface GroupMerge {
  readonly groups: number;
  /** Input and output channels of a group. */
  readonly channels: readonly [input: number, output: number];
  /** How many groups together fill whole blocks; undefined if no number of them does. */
  readonly factor: number | undefined;
}

export interface MergeOptions {
  /** Channels that the runtime computes at a time. */
  readonly block: number;
  /** Whether to merge. Defaults to the cost rule `isProfitable`. */
  readonly merges?: (merge: GroupMerge) => boolean;
}

/**
 * The cost rule, from measurements: merging pays off while at most 4 groups fill one block. With more, the zeros cost
 * more than whole blocks save. Groups wider than a block are large enough matrix products already.
 */
export const isProfitable = (
  { channels: [input], factor = Number.POSITIVE_INFINITY }: GroupMerge,
  block: number,
): boolean => factor <= 4 && factor * input <= block;

/** Merges just as many groups as fill whole blocks. */
export const mergeNarrowGroups = ({ block, merges = (merge) => isProfitable(merge, block) }: MergeOptions): Rule => ({
  name: `narrow groups to blocks of ${block} channels`,
  apply(b, node) {
    const merge = groupMergeOf(node, block);
    if (!merge) return undefined;
    const { groups, channels, factor } = merge;
    const has = `${describe(node)} has ${groups} groups of ${widths(channels)}`;
    if (!factor) return { refused: `${has}, which cannot fill blocks of ${block}.` };
    if (!merges(merge)) return { refused: `${has}; merging ${factor} at a time to fill blocks of ${block} is slower.` };
    const weight = constantAt(b.graph, node, 1);
    if ('refused' in weight) return weight;
    const wide = blockDiagonal(weight, groups, factor);
    const inputs = [node.inputs[0], b.parameter(node.inputs[1]!.name, wide.dims, wide), ...node.inputs.slice(2)];
    const attributes = { ...givenAttributes(node, 'Conv'), group: groups / factor };
    b.graph.replaceAllUses(node.outputs[0]!, b.op('Conv', inputs, attributes, node.name || undefined));
    return { done: `${has}; merged into ${groups / factor} of ${widths(channels.map((width) => factor * width))}.` };
  },
});

/**
 * How to merge the groups of a convolution that are not whole blocks; undefined for any other node. Depthwise
 * convolutions with one channel in and out per group are skipped: the runtime has a kernel for them.
 */
export function groupMergeOf(node: Node, block: number): GroupMerge | undefined {
  const dims = node.inputs[1]?.dims as readonly number[] | undefined;
  if (opTypeOf(node) !== 'Conv' || dims?.length !== 4) return undefined;
  const { group } = attributesOf(node, 'Conv');
  const [input, output] = [dims[1]!, dims[0]! / group];
  const isWhole = (factor: number) => (factor * input) % block === 0 && (factor * output) % block === 0;
  if (group === 1 || (input === 1 && output === 1) || isWhole(1)) return undefined;
  return { groups: group, channels: [input, output], factor: divisors(group).find(isWhole) };
}

const widths = ([input, output]: readonly number[]): string =>
  input === output ? `${input} channels` : `${input} channels in and ${output} out`;

const divisors = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0);

/** [M, C/g, kh, kw] in g groups → [M, k·C/g, kh, kw] in g/k groups. */
function blockDiagonal(weight: Tensor, group: number, factor: number): Tensor {
  const [filters, perGroup, ...kernel] = weight.dims as [number, number, number, number];
  const run = perGroup * kernel[0] * kernel[1];
  return derivedTensor(weight as Tensor<'float32'>, [filters, factor * perGroup, ...kernel], () => {
    const from = weight.data as Float32Array;
    const to = allocate(weight.dtype, from.length * factor) as Float32Array;
    for (let m = 0; m < filters; m++) {
      const place = Math.floor((m * group) / filters) % factor;
      to.set(from.subarray(m * run, (m + 1) * run), (m * factor + place) * run);
    }
    return to;
  });
}
