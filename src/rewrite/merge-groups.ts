/**
 * Narrow groups side by side are one wider group whose filters are zero where the groups must not mix:
 *
 *   w₁ ⋆ x₁, w₂ ⋆ x₂, …, in g groups  =  diag(w₁, …, wₖ) ⋆ (x₁ … xₖ), …, in g/k groups
 *
 * for finite numbers. That multiplies k times as often and is faster all the same where k groups fill one vector of the
 * processor: ONNX Runtime computes 8 or 16 channels, a block, at a time, and what does not come in whole blocks it takes
 * apart into one small matrix product per group, with a change of layout before and after.
 */
import { describe, type Node } from '../graph/graph.ts';
import { attributesOf, opTypeOf } from '../graph/ops.ts';
import { allocate, derivedTensor, type Tensor } from '../tensor.ts';
import { constantAt, givenAttributes } from './constants.ts';
import type { Rule } from './rewriter.ts';

/** The groups of a convolution that are no whole blocks. */
export interface GroupMerge {
  readonly groups: number;
  /** Input and output channels of a group. */
  readonly channels: readonly [input: number, output: number];
  /** How many groups together fill whole blocks; undefined where no number of them does. */
  readonly factor: number | undefined;
}

export interface MergeOptions {
  /** Channels that the runtime computes at a time. */
  readonly block: number;
  /** Whether to merge; the cost rule `isProfitable` by default. */
  readonly merges?: (merge: GroupMerge) => boolean;
}

/**
 * The cost rule, from measurements: it pays where at most 4 groups fill one block. More zeros cost more than whole blocks
 * save, and groups wider than a block are matrix products large enough as they are.
 */
export const isProfitable = (
  { channels: [input], factor = Number.POSITIVE_INFINITY }: GroupMerge,
  block: number,
): boolean => factor <= 4 && factor * input <= block;

/** Puts together as many groups as it takes to fill whole blocks, and no more. */
export const mergeNarrowGroups = ({ block, merges = (merge) => isProfitable(merge, block) }: MergeOptions): Rule => ({
  name: `narrow groups to blocks of ${block} channels`,
  apply(b, node) {
    const merge = groupMergeOf(node, block);
    if (!merge) return undefined;
    const { groups, channels, factor } = merge;
    const are = `${describe(node)} is in ${groups} groups of ${widths(channels)}`;
    if (!factor) return { refused: `${are}, which do not fill blocks of ${block}.` };
    if (!merges(merge)) return { refused: `${are}; filling blocks of ${block} with ${factor} of them is slower.` };
    const weight = constantAt(b.graph, node, 1);
    if ('refused' in weight) return weight;
    const wide = blockDiagonal(weight, groups, factor);
    const inputs = [node.inputs[0], b.parameter(node.inputs[1]!.name, wide.dims, wide), ...node.inputs.slice(2)];
    const attributes = { ...givenAttributes(node, 'Conv'), group: groups / factor };
    b.graph.replaceAllUses(node.outputs[0]!, b.op('Conv', inputs, attributes, node.name || undefined));
    return { done: `${are}, now in ${groups / factor} of ${widths(channels.map((width) => factor * width))}.` };
  },
});

/**
 * The groups of a convolution of maps that are no whole blocks; undefined of any other node. Groups of one channel in and
 * one out are left out: the runtime has a kernel of its own for these.
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
