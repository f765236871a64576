/** What rules read and write: constant tensors, and the names that go with them. */
import type { Builder } from '../graph/builder.ts';
import type { Graph, Node, Value } from '../graph/graph.ts';
import type { Tensor } from '../tensor.ts';

/** The contents of an input that is a constant which no other node reads, or why it is not. */
export function ownConstant(graph: Graph, node: Node, index: number): Tensor | { refused: string } {
  const value = node.inputs[index]!;
  if (!graph.initializers.has(value) || !value.tensor) return { refused: `"${value.name}" is not a constant.` };
  if (value.users.size > 1) return { refused: `the weight "${value.name}" is shared by ${value.users.size} nodes.` };
  return value.tensor;
}

/** The part of a branch's path that says which branch it is, as this package names branches. */
const branchPart = /\bbranches\.\d+\./;

/** The name for what several branches' nodes become: theirs without the branch, or a fresh one. */
export const mergedName = (graph: Graph, first: string, stem: string): string =>
  branchPart.test(first) ? first.replace(branchPart, '') : graph.freshName(first || stem);

/** The name of branch i's part of a layer: `layer1.0.conv2` → `layer1.0.branches.3.conv2`. */
export const branchName = (name: string, i: number): string => name.replace(/([^.]*)$/, `branches.${i}.$1`);

/** A constant named after its layer as ours are, `layer1.0.conv2.weight`. */
export const layerConstant = (b: Builder, layer: string, part: string, contents: Tensor): Value =>
  b.parameter(`${layer}.${part}`, contents.dims, contents);

export const convolutionParts = ['weight', 'bias'] as const;
export const normalisationParts = ['weight', 'bias', 'running_mean', 'running_var'] as const;
