/**
 * From groups to branches, the inverse of `merge.ts`: a 1x1 convolution, a convolution in G groups and a 1x1
 * convolution, with operators that treat each channel separately in between, become G branches.
 *
 *   C → B   branch i takes the iᵗʰ share of the first convolution's filters, the iᵗʰ group of the second, and the iᵗʰ
 *           part of each per-channel vector; the branches are concatenated for the last convolution
 *   B → A   w ⋆ concat(z₁, z₂, …)  =  Σᵢ wᵢ ⋆ zᵢ, where wᵢ is the columns of w that multiply zᵢ
 *
 * Numbers are only moved, so going back with `merge.ts` gives the same bits.
 */
import type { Builder } from '../graph/builder.ts';
import { describe, type Graph, type Node, type Value } from '../graph/graph.ts';
import { attributesOf, opTypeOf } from '../graph/ops.ts';
import { sliceTensor, type Tensor } from '../tensor.ts';
import { findBranches, isTraining } from './branches.ts';
import { constantAt, copyOf, givenAttributes, ownWeight } from './constants.ts';
import { concatenatedFamily, isFormB, isPointwise, partsOfAll } from './merge.ts';
import { beside, branchConstant, branchNode } from './names.ts';
import { channelwiseConstants } from './operators.ts';
import type { Refusal, Rule } from './rewriter.ts';

/** C → B at a grouped convolution. */
export const groupsToBranches: Rule = {
  name: 'groups to branches (C to B)',
  apply(b, node) {
    const groups = opTypeOf(node) === 'Conv' ? attributesOf(node, 'Conv').group : 1;
    if (groups === 1) return undefined;
    const links = chainAround(b.graph, node);
    if ('refused' in links) return links;
    const constants: Tensor[][] = [];
    for (const link of links) {
      const own = constantsOf(b.graph, link);
      if ('refused' in own) return own;
      constants.push(own);
    }
    const ends = Array.from({ length: groups }, (_, i) => branch(b, links, constants, i, groups));
    const last = links.at(-1)!;
    b.graph.replaceAllUses(last.outputs[0]!, b.op('Concat', ends, { axis: 1 }, beside(last.name, 'concat')));
    return { done: `split a convolution with ${groups} groups into ${groups} branches.` };
  },
};

/** B → A at a concatenation of branches that a 1x1 convolution reads. A bias goes to the first branch. */
export const concatToSum: Rule = {
  name: 'one convolution to a sum of convolutions (B to A)',
  apply(b, node) {
    const family = concatenatedFamily(b.graph, node);
    if (!family || !isFormB(b.graph, node, family)) return undefined;
    const branches = findBranches(b.graph, family);
    if ('refused' in branches) return branches;
    const alike = partsOfAll(b.graph, branches, 'groups');
    if ('refused' in alike) return alike;
    if (b.graph.outputs.includes(node.outputs[0]!))
      return { refused: `the output of ${describe(node)} is a graph output.` };
    const [convolution] = node.outputs[0]!.users as Set<Node>;
    const constants = constantsOf(b.graph, convolution!);
    if ('refused' in constants) return constants;
    const widths = branches.levels.findLast(({ op }) => op === 'Conv')!.nodes.map((last) => last.inputs[1]!.dims![0]);
    const sum = sumOfParts(b, convolution!, family.ends, widths as number[], constants);
    b.graph.replaceAllUses(convolution!.outputs[0]!, sum);
    const count = family.ends.length;
    return { done: `split a convolution of ${count} concatenated branches into a sum of ${count} convolutions.` };
  },
};

/** One convolution per value of `ends`, with the columns of the weight that multiply its `widths[i]` channels. */
function sumOfParts(
  b: Builder,
  node: Node,
  ends: readonly Value[],
  widths: readonly number[],
  [weight, bias]: readonly Tensor[],
): Value {
  const [, w, c] = node.inputs;
  let start = 0;
  const terms = ends.map((z, i) => {
    const part = sliceTensor(weight!, 1, start, widths[i]!);
    start += widths[i]!;
    const own = [b.parameter(branchConstant(w!.name, i), part.dims, part)];
    if (bias && i === 0) own.push(b.parameter(branchConstant(c!.name, i), bias.dims, bias));
    return b.op('Conv', [z, ...own], givenAttributes(node, 'Conv'), branchNode(node.name, i));
  });
  return b.op('Sum', terms, {}, beside(node.name, 'sum'));
}

/** The nodes from the 1x1 convolution before the grouped one up to, but not including, the 1x1 convolution after it. */
function chainAround(graph: Graph, grouped: Node): Node[] | Refusal {
  const before = chainBefore(graph, grouped);
  if ('refused' in before) return before;
  const links = [...before, grouped];
  for (let node = grouped; ; ) {
    const [user, ...others] = node.outputs[0]!.users;
    if (!user || others.length > 0 || graph.outputs.includes(node.outputs[0]!)) return usedOutside(node);
    if (isPointwise(user)) return links;
    if (!isLink(graph, user)) return { refused: `${describe(user)} comes before the next 1x1 convolution.` };
    links.push(user);
    node = user;
  }
}

function chainBefore(graph: Graph, grouped: Node): Node[] | Refusal {
  const links: Node[] = [];
  for (let node = grouped; node === grouped || !isPointwise(node); ) {
    const value = node.inputs[0]!;
    const { producer } = value;
    if (!producer || !(isLink(graph, producer) || isPointwise(producer))) {
      const found = producer ? describe(producer) : `"${value.name}"`;
      return {
        refused: `${describe(grouped)} follows ${found} with no 1x1 convolution in between to split.`,
      };
    }
    if (value.users.size > 1 || graph.outputs.includes(value)) return usedOutside(producer);
    links.unshift(producer);
    node = producer;
  }
  return links;
}

const usedOutside = (node: Node): Refusal => ({
  refused: `the output of ${describe(node)} is also used outside its block.`,
});

/** Whether a node treats each channel of one map separately and has fixed statistics. */
const isLink = (graph: Graph, node: Node): boolean =>
  channelwiseConstants(node) !== undefined &&
  node.inputs.every((value, i) => i === 0 || !value || graph.initializers.has(value)) &&
  !(node.op === 'BatchNormalization' && isTraining(node));

/** The constant inputs of a node. */
function constantsOf(graph: Graph, node: Node): Tensor[] | Refusal {
  const constants: Tensor[] = [];
  for (let i = 1; i < node.inputs.length; i++) {
    if (!node.inputs[i]) continue;
    const contents = i === 1 && opTypeOf(node) === 'Conv' ? ownWeight(graph, node) : constantAt(graph, node, i);
    if ('refused' in contents) return contents;
    constants.push(contents);
  }
  return constants;
}

/** Branch i of `count`: the chain with its share of every constant. */
function branch(b: Builder, links: readonly Node[], constants: readonly Tensor[][], i: number, count: number): Value {
  return links.reduce((x, node, k) => {
    const name = branchNode(node.name || node.outputs[0]!.name, i);
    const places = [...node.inputs.keys()].filter((index) => index > 0 && node.inputs[index]);
    const inputs = node.inputs.map((value, index) => {
      if (index === 0 || !value) return index === 0 ? x : undefined;
      const part = share(node, constants[k]![places.indexOf(index)]!, i, count);
      return b.parameter(branchConstant(value.name, i), part.dims, part);
    });
    const attributes = new Map(node.attributes);
    if (opTypeOf(node) === 'Conv') attributes.set('group', { kind: 'int', value: 1 });
    return copyOf(b, node, { inputs, attributes, name });
  }, links[0]!.inputs[0]!);
}

/** The share that branch i of `count` has in a constant: its channels, or all if there is nothing to share. */
function share(node: Node, whole: Tensor, i: number, count: number): Tensor {
  const kind = channelwiseConstants(node);
  if (kind === 'same') return whole;
  const rank = node.outputs[0]!.dims?.length ?? 0;
  const axis = kind === 'broadcast' ? whole.dims.length - rank + 1 : 0;
  if (kind === 'broadcast' && (whole.dims[axis] ?? 1) === 1) return whole;
  const size = whole.dims[axis]! / count;
  return sliceTensor(whole, axis, i * size, size);
}
