/** What rules read from nodes: constant tensors, and attributes as the node states them. Nodes like others. */
import { eachIndex, offset } from '../graph/array.ts';
import type { Builder } from '../graph/builder.ts';
import { type Attribute, describe, type Graph, type Node, Value } from '../graph/graph.ts';
import { type Attributes, attributesOf, type OpType } from '../graph/ops.ts';
import { bytesOf, fromNumbers, numbersOf, type Tensor, tensor } from '../tensor.ts';
import type { Refusal } from './rewriter.ts';
import { inferOutputs } from './shapes.ts';

/** The tensor of a constant input, or the reason why there is none. */
export function constantAt(graph: Graph, node: Node, index: number): Tensor | Refusal {
  const value = node.inputs[index];
  if (!value) return { refused: `${describe(node)} has no input ${index}.` };
  if (!graph.initializers.has(value))
    return { refused: `${describe(node)} reads "${value.name}", which is not a constant.` };
  return value.tensor ?? { refused: `"${value.name}" has no weights; load or initialize them first.` };
}

/**
 * A convolution's weight, which no other node may read, since training would then change the copies independently.
 * (Vectors may be shared: exporters merge equal ones, such as the normalization weights that are all ones.)
 */
export function ownWeight(graph: Graph, node: Node): Tensor | Refusal {
  const value = node.inputs[1];
  const readers = value?.users.size ?? 0;
  if (readers > 1) return { refused: `${describe(node)} shares its weight "${value!.name}" with ${others(readers)}.` };
  return constantAt(graph, node, 1);
}

const others = (readers: number): string => (readers === 2 ? 'another node' : `${readers - 1} other nodes`);

/** A refusal if numbers of this type cannot be computed with. */
export const cannotCompute = ({ dtype }: Tensor, node: Node): Refusal | undefined =>
  dtype.includes('float')
    ? undefined
    : { refused: `${describe(node)} has a weight of ${dtype}; only floating-point types are supported.` };

/** A tensor of the same type as `like` from float64 values, rounded once. */
export const rounded = (like: Tensor, dims: readonly number[], values: Float64Array): Tensor =>
  like.dtype === 'float64' ? tensor('float64', dims, values) : fromNumbers(like.dtype, dims, values);

/** The elements of a tensor as float64 numbers. */
export const toFloat64 = (contents: Tensor): Float64Array =>
  Float64Array.from(numbersOf(contents) as ArrayLike<number>, Number);

/** The attributes that a node states. Defaults are left out, since older operator sets do not know all of them. */
export function givenAttributes<O extends OpType>(node: Node, op: O): Partial<Attributes<O>> {
  const given = Object.entries(attributesOf(node, op)).filter(([name]) => node.attributes.has(name));
  return Object.fromEntries(given) as Partial<Attributes<O>>;
}

/** Whether two tensors are the same, bit for bit. */
export function sameContents(a: Tensor, b: Tensor): boolean {
  if (a === b) return true;
  if (a.dtype !== b.dtype || `${a.dims}` !== `${b.dims}`) return false;
  const [left, right] = [bytesOf(a), bytesOf(b)];
  return left.every((byte, i) => byte === right[i]);
}

interface Changes {
  readonly inputs: readonly (Value | undefined)[];
  readonly attributes?: ReadonlyMap<string, Attribute>;
  readonly name?: string | undefined;
}

/** A node like `from`, of any operator, with these inputs. Its outputs are named after it. */
export function copyNode(
  { graph }: Builder,
  from: Pick<Node, 'op' | 'domain' | 'attributes' | 'outputs'>,
  { inputs, attributes = from.attributes, name }: Changes,
): Node {
  const { op, domain } = from;
  const own = name ?? graph.freshName(op);
  const outputs = from.outputs.map(({ dtype }, i) => new Value(`${own}.${i === 0 ? 'output' : `output${i}`}`, dtype));
  const node = graph.add({ op, domain, name: own, inputs, outputs, attributes });
  inferOutputs(node);
  return node;
}

/** The output of such a node. */
export const copyOf = (b: Builder, from: Node, changes: Changes): Value => copyNode(b, from, changes).outputs[0]!;

/** A tensor with its axes in another order. */
export function transposeTensor(source: Tensor, perm: readonly number[]): Tensor {
  const dims = perm.map((axis) => source.dims[axis]!);
  const made = tensor(source.dtype, dims) as Tensor<'float32'>;
  const { data } = source as Tensor<'float32'>;
  eachIndex(dims, (index, i) => {
    const at = perm.map((_, axis) => index[perm.indexOf(axis)]!);
    made.data[i] = data[offset(source.dims, at)]!;
  });
  return made as Tensor;
}
