/**
 * Cleanup that spares the other rules special cases: removes nodes that compute nothing, turns Constant nodes into
 * initializers, and rewrites a sum over the axis of a stack as a Sum.
 */
import { describe, type Graph, type Node, type Value } from '../graph/graph.ts';
import { attributesOf, opTypeOf } from '../graph/ops.ts';
import { type Tensor, tensor } from '../tensor.ts';
import { isOnnx } from './operators.ts';
import type { Rule } from './rewriter.ts';
import { inputsOf } from './shapes.ts';

export const removeIdentity: Rule = {
  name: 'identity removed',
  apply(b, node) {
    const op = opTypeOf(node);
    const [only, ...others] = node.inputs;
    const isSingle = (op === 'Sum' || op === 'Concat') && others.length === 0;
    const isIdentity = op === 'Identity' || isSingle || isIdleDropout(b.graph, node);
    if (!only || !isIdentity || (b.graph.outputs.includes(node.outputs[0]!) && !canTakeName(b.graph, only)))
      return undefined;
    b.graph.replaceAllUses(node.outputs[0]!, only);
    return { done: `removed ${describe(node)}, which passes its input through.` };
  },
};

/** Whether a node is a Dropout in inference, whose mask nothing reads. */
function isIdleDropout(graph: Graph, node: Node): boolean {
  if (node.op !== 'Dropout' || !isOnnx(node)) return false;
  const { inputs, outputs } = node;
  const [, , training] = inputs;
  const isTraining = training && !(graph.initializers.has(training) && training.tensor?.data[0] === 0);
  const isRead = outputs.slice(1).some((mask) => mask.users.size > 0 || graph.outputs.includes(mask));
  return !isTraining && !isRead;
}

/** PyTorch's exporter keeps one of several equal constants and makes the others an Identity of it; undo that. */
export const separateConstants: Rule = {
  name: 'shared constant to separate constants',
  apply(b, node) {
    const [y] = node.outputs;
    const contents = node.inputs[0]?.tensor;
    if (opTypeOf(node) !== 'Identity' || !b.graph.initializers.has(node.inputs[0]!) || !contents) return undefined;
    if (b.graph.outputs.includes(y!)) return undefined;
    b.graph.replaceAllUses(y!, b.parameter(y!.name, contents.dims, contents));
    return { done: `turned ${describe(node)} into an initializer.` };
  },
};

/** Whether a value may take the name of a graph output. */
export const canTakeName = (graph: Graph, value: Value): boolean =>
  value.producer !== undefined &&
  !graph.outputs.includes(value) &&
  ![...value.users].some(({ captures }) => captures.includes(value));

export const constantToInitializer: Rule = {
  name: 'constant node to initializer',
  apply(b, node) {
    const [y] = node.outputs;
    const contents = node.op === 'Constant' && isOnnx(node) ? contentsOf(node) : undefined;
    if (!contents || b.graph.outputs.includes(y!)) return undefined;
    b.graph.replaceAllUses(y!, b.parameter(y!.name, contents.dims, contents));
    return { done: `turned ${describe(node)} into an initializer.` };
  },
};

/** The tensor of a Constant, which is in one of several attributes. */
function contentsOf({ attributes }: Node): Tensor | undefined {
  const [[name, attribute] = []] = attributes;
  if (attribute?.kind === 'tensor') return attribute.value;
  const values = [attribute?.value ?? []].flat() as number[];
  const dims = name?.endsWith('s') ? [values.length] : [];
  if (name === 'value_int' || name === 'value_ints') {
    return tensor('int64', dims, BigInt64Array.from(values, BigInt));
  }
  return name === 'value_float' || name === 'value_floats'
    ? tensor('float32', dims, Float32Array.from(values))
    : undefined;
}

/** `torch.stack(values).sum(0)`: Unsqueeze adds an axis to each value, Concat joins them, ReduceSum sums over it. */
export const stackToSum: Rule = {
  name: 'sum over a stack to Sum',
  apply(b, node) {
    const stack = node.inputs[0]?.producer;
    if (opTypeOf(node) !== 'ReduceSum' || !stack || opTypeOf(stack) !== 'Concat') return undefined;
    const { keepdims } = attributesOf(node, 'ReduceSum');
    const { axis } = attributesOf(stack, 'Concat');
    const layers = stack.inputs.map((value) => value?.producer);
    const axes = inputsOf(node)[1]?.tensor?.data;
    if (keepdims !== 0 || `${axes}` !== `${axis}` || !layers.every((layer) => isUnsqueeze(layer, axis))) {
      return undefined;
    }
    const inputs = layers.map((layer) => layer!.inputs[0]);
    b.graph.replaceAllUses(node.outputs[0]!, b.op('Sum', inputs, {}, node.name || undefined));
    return { done: `rewrote a sum over a stack of ${layers.length} values as a Sum.` };
  },
};

/**
 * Whether a node only adds one axis, `axis`: an attribute or, from operator set 13 on, the second input. With the `rank`
 * of its output, an axis from the end counts too.
 */
export function isUnsqueeze(node: Node | undefined, axis: number, rank = 0): boolean {
  if (node?.op !== 'Unsqueeze' || !isOnnx(node)) return false;
  const added = Number(`${node.attributes.get('axes')?.value ?? node.inputs[1]?.tensor?.data}`);
  return added === axis || (rank > 0 && added + rank === axis);
}
