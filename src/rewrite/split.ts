/**
 * From groups to branches, the other way round: a 1x1 convolution, a convolution in G groups and a 1x1 convolution, with
 * BatchNormalization and Relu between them, become G branches.
 *
 *   C → B   rows iᵗʰ of the first filters, the iᵗʰ group of the second, and the iᵗʰ part of each per-channel vector make
 *           branch i; the branches are concatenated for the last convolution
 *   B → A   w ⋆ concat(z₁, z₂, …)  =  Σᵢ wᵢ ⋆ zᵢ, with wᵢ the columns of w that meet zᵢ
 *
 * Only numbers are moved: going back with `merge.ts` gives the same bits.
 */
import type { Builder } from '../graph/builder.ts';
import { describe, type Node, type Value } from '../graph/graph.ts';
import { attributesOf } from '../graph/ops.ts';
import { sliceTensor, type Tensor, tensor } from '../tensor.ts';
import { findBranches } from './branches.ts';
import { branchName, convolutionParts, layerConstant, normalisationParts, ownConstant } from './constants.ts';
import type { Rule } from './rewriter.ts';

/** C → B at a convolution in groups. */
export const groupsToBranches: Rule = {
  name: 'groups to branches (C to B)',
  apply(b, node) {
    if (node.op !== 'Conv') return undefined;
    const groups = attributesOf(node, 'Conv').group;
    if (groups === 1) return undefined;
    const chain = chainAround(node);
    if ('refused' in chain) return chain;
    const constants: Tensor[][] = [];
    for (const link of chain.links) {
      const own: Tensor[] = [];
      for (let i = 1; i < link.inputs.length; i++) {
        const contents = ownConstant(b.graph, link, i);
        if ('refused' in contents) return contents;
        own.push(contents);
      }
      constants.push(own);
    }
    const ends = Array.from({ length: groups }, (_, i) => branch(b, chain.links, constants, i, groups));
    const last = chain.links.at(-1)!;
    const path = last.name.replace(/[^.]*$/, 'concat') || undefined;
    b.graph.replaceAllUses(last.outputs[0]!, b.op('Concat', ends, { axis: 1 }, path));
    return { done: `a convolution in ${groups} groups is ${groups} branches.` };
  },
};

/** B → A at the convolution after a concatenation of branches. */
export const concatToSum: Rule = {
  name: 'one convolution to a sum of convolutions (B to A)',
  apply(b, node) {
    const concat = node.inputs[0]?.producer;
    if (node.op !== 'Conv' || concat?.op !== 'Concat' || attributesOf(concat, 'Concat').axis !== 1) return undefined;
    const branches = findBranches(b.graph, concat.inputs as Value[]);
    if (!branches || 'refused' in branches) return branches;
    const attributes = attributesOf(node, 'Conv');
    if (attributes.group !== 1) return undefined;
    if (concat.outputs[0]!.users.size > 1) return { refused: `${describe(concat)} is read by other nodes as well.` };
    const weight = ownConstant(b.graph, node, 1);
    if ('refused' in weight) return weight;
    const bias = node.inputs[2] && ownConstant(b.graph, node, 2);
    if (bias && 'refused' in bias) return bias;
    let start = 0;
    const terms = (concat.inputs as Value[]).map((z, i) => {
      const size = z.dims![1] as number;
      const name = branchName(node.name, i);
      const own = [layerConstant(b, name, 'weight', sliceTensor(weight, 1, start, size))];
      start += size;
      if (bias) own.push(layerConstant(b, name, 'bias', i === 0 ? bias : tensor(bias.dtype, bias.dims)));
      return b.op('Conv', [z, ...own], attributes, name);
    });
    const sum = b.op('Sum', terms, {}, node.name.replace(/[^.]*$/, 'sum') || undefined);
    b.graph.replaceAllUses(node.outputs[0]!, sum);
    return {
      done: `one convolution of ${terms.length} branches' concatenation is a sum of ${terms.length} convolutions.`,
    };
  },
};

/** The nodes from the 1x1 convolution before the grouped one to the last before the 1x1 convolution after it. */
function chainAround(grouped: Node): { links: Node[] } | { refused: string } {
  const links = [grouped];
  for (let node = grouped; node === grouped || !isPointwise(node); ) {
    const before = node.inputs[0]!.producer;
    if (!before || !isLink(before) || before.outputs[0]!.users.size > 1) {
      return { refused: `${describe(grouped)} has no 1x1 convolution before it to split with it.` };
    }
    links.unshift(before);
    node = before;
  }
  for (let node = grouped; ; ) {
    const users = [...node.outputs[0]!.users];
    if (users.length !== 1 || !isLink(users[0]!)) {
      return { refused: `${describe(grouped)} has no 1x1 convolution after it to read the branches.` };
    }
    if (isPointwise(users[0]!)) return { links };
    links.push(users[0]!);
    node = users[0]!;
  }
}

const isLink = (node: Node): boolean => node.op === 'BatchNormalization' || node.op === 'Relu' || isPointwise(node);

/** A 1x1 convolution in one group. */
const isPointwise = (node: Node): boolean =>
  node.op === 'Conv' && attributesOf(node, 'Conv').group === 1 && `${node.inputs[1]?.dims?.slice(2)}` === '1,1';

/** Branch i of `count`: the chain with every constant cut to its part. */
function branch(b: Builder, links: readonly Node[], constants: readonly Tensor[][], i: number, count: number): Value {
  return links.reduce((x, node, k) => {
    const name = branchName(node.name || node.outputs[0]!.name, i);
    const names = node.op === 'Conv' ? convolutionParts : normalisationParts;
    const own = constants[k]!.map((whole, part) => {
      const size = whole.dims[0]! / count;
      return layerConstant(b, name, names[part]!, sliceTensor(whole, 0, i * size, size));
    });
    if (node.op === 'Relu') return b.op('Relu', [x], {}, name);
    if (node.op !== 'Conv')
      return b.op('BatchNormalization', [x, ...own], attributesOf(node, 'BatchNormalization'), name);
    return b.op('Conv', [x, ...own], { ...attributesOf(node, 'Conv'), group: 1 }, name);
  }, links[0]!.inputs[0]!);
}
