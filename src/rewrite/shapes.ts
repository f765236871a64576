/**
 * Infers shapes in third-party files as far as possible. They may hold unknown operators, shapes that the graph
 * computes, and operators of older sets, with attributes for what are inputs now. Shapes that the file states are kept.
 */
import { UsageError } from '../errors.ts';
import type { Graph, Node } from '../graph/graph.ts';
import { attributesOf, type OpType, opTypeOf } from '../graph/ops.ts';
import { outputDims, outputType, type Shaped } from '../graph/shapes.ts';
import { tensor } from '../tensor.ts';

/** Inputs after the first that were attributes up to operator set 9 (Slice), 10 (Pad) or 12 (the others). */
const formerAttributes: { readonly [O in OpType]?: readonly string[] } = {
  Pad: ['pads', 'value'],
  ReduceSum: ['axes'],
  Slice: ['starts', 'ends', 'axes'],
  Split: ['split'],
};

/** Fills in the shapes that the file does not state and that follow from others. */
export function inferKnownShapes(graph: Graph): void {
  for (const node of graph.sorted()) {
    const op = opTypeOf(node);
    if (op && node.outputs.some(({ dims }) => !dims) && isUnderstood(node, op)) inferNode(node, op);
  }
}

/** The inputs that the node would have in a newer operator set. */
export function inputsOf(node: Node): readonly (Shaped | undefined)[] {
  const op = opTypeOf(node);
  const former = (op && formerAttributes[op]) ?? [];
  if (!former.some((name) => node.attributes.has(name))) return node.inputs as (Shaped | undefined)[];
  const constants = former.map((name) => {
    const attribute = node.attributes.get(name);
    if (!attribute) return undefined;
    const data = Float64Array.from([attribute.value as number | readonly number[]].flat());
    return { dims: [data.length], tensor: tensor('float64', [data.length], data) };
  });
  return [node.inputs[0] as Shaped, ...constants];
}

/**
 * Whether everything that the node states is understood. From operator set 18 on, Split counts its outputs and
 * ReduceMean takes its axes as an input.
 */
function isUnderstood(node: Node, op: OpType): boolean {
  const known = new Set([...Object.keys(attributesOf(node, op)), ...(formerAttributes[op] ?? []), 'num_outputs']);
  const isNewer = op === 'ReduceMean' && node.inputs.length > 1;
  return !isNewer && [...node.attributes.keys()].every((name) => known.has(name));
}

function inferNode<O extends OpType>(node: Node, op: O): void {
  const inputs = inputsOf(node);
  if (inputs.some((input) => input && !input.dims)) return;
  try {
    const dims = outputDims(op, inputs as Shaped[], attributesOf(node, op), node.outputs.length);
    for (const [i, output] of node.outputs.entries()) {
      output.dims ??= dims[i];
      output.dtype ??= outputType(node, op, i);
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error; // shapes that the graph computes stay unknown
  }
}
