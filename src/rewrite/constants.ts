/** What rules read of nodes: constant tensors, and attributes as they are given. */
import type { Graph, Node } from '../graph/graph.ts';
import { describe } from '../graph/graph.ts';
import { type Attributes, attributesOf, type OpType } from '../graph/ops.ts';
import { type Tensor, tensor } from '../tensor.ts';
import type { Refusal } from './rewriter.ts';

/** The contents of an input that is a constant, or why there are none. */
export function constantAt(graph: Graph, node: Node, index: number): Tensor | Refusal {
  const value = node.inputs[index];
  if (!value) return { refused: `${describe(node)} has no input ${index}.` };
  if (!graph.initializers.has(value)) return { refused: `${describe(node)} reads "${value.name}", no constant.` };
  return value.tensor ?? { refused: `"${value.name}" has no contents; load or draw the weights first.` };
}

/**
 * A convolution's weight, which no other node may read: a copy of it would be trained by itself from then on. (Vectors
 * may be shared: exporters give equal ones, such as normalizations' weights of ones, a single name.)
 */
export function ownWeight(graph: Graph, node: Node): Tensor | Refusal {
  const value = node.inputs[1];
  const readers = value?.users.size ?? 0;
  if (readers > 1) return { refused: `${describe(node)} shares its weight "${value!.name}" with ${others(readers)}.` };
  return constantAt(graph, node, 1);
}

const others = (readers: number): string => (readers === 2 ? 'another node' : `${readers - 1} other nodes`);

/** Why numbers of this type cannot be computed with, if so. */
export const cannotCompute = ({ dtype }: Tensor, node: Node): Refusal | undefined =>
  dtype === 'float32' || dtype === 'float64'
    ? undefined
    : { refused: `${describe(node)} has a weight in ${dtype}; only float32 and float64 are computed with.` };

/** A tensor of `like`'s type, from numbers in float64: rounded once. */
export const rounded = (like: Tensor, dims: readonly number[], values: Float64Array): Tensor =>
  like.dtype === 'float64' ? tensor('float64', dims, values) : tensor('float32', dims, new Float32Array(values));

/** The attributes that a node states, without defaults, some of which older operator sets do not know. */
export function givenAttributes<O extends OpType>(node: Node, op: O): Partial<Attributes<O>> {
  const given = Object.entries(attributesOf(node, op)).filter(([name]) => node.attributes.has(name));
  return Object.fromEntries(given) as Partial<Attributes<O>>;
}
