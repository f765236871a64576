/**
 * Infers shapes in third-party files as far as possible. They may hold unknown operators, shapes that the graph
 * computes, and operators of older sets, with attributes for what are inputs now. Sizes that the file states are kept.
 *
 * Exporters compute sizes in the graph: `torch.chunk` is a Shape, a Gather, a Div, Muls and Slices. Where they follow
 * from known sizes, the values become constants.
 */
import { UsageError } from '../errors.ts';
import { Builder } from '../graph/builder.ts';
import { type Dim, type Graph, type Node, unknownDim, type Value } from '../graph/graph.ts';
import { attributesOf, type OpType, opTypeOf } from '../graph/ops.ts';
import { outputDims, outputType, type Shaped } from '../graph/shapes.ts';
import { type DType, tensor } from '../tensor.ts';
import { type Contents, compute, integersOf, maxComputed, toContents } from './computed.ts';
import { isComparison, isElementwise } from './operators.ts';
import { otherDims } from './other-shapes.ts';

/** Inputs after the first that were attributes up to operator set 9 (Slice), 10 (Pad) or 12 (the others). */
const formerAttributes: { readonly [op: string]: readonly string[] } = {
  Pad: ['pads', 'value'],
  ReduceSum: ['axes'],
  Slice: ['starts', 'ends', 'axes'],
  Split: ['split'],
  Squeeze: ['axes'],
  Unsqueeze: ['axes'],
};

/** Fills in the sizes that the file does not state and that follow from others, and makes computed ones constants. */
export function inferKnownShapes(graph: Graph): void {
  const contents = new Map<Value, Contents>();
  for (const node of graph.sorted()) {
    inferNode(node, contents);
    const made = computed(node, contents);
    if (made) for (const [i, output] of node.outputs.entries()) contents.set(output, made[i]!);
  }
  placeConstants(graph, contents);
}

/** Fills in the shapes of one node's outputs, as far as they follow from its inputs. */
export const inferOutputs = (node: Node): void => inferNode(node, new Map());

/** The inputs that the node would have in a newer operator set. */
export function inputsOf(node: Node): readonly (Shaped | undefined)[] {
  const former = formerAttributes[node.op] ?? [];
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
  const isNewer = (op === 'ReduceMean' || op === 'ReduceMax') && node.inputs.length > 1;
  return !isNewer && [...node.attributes.keys()].every((name) => known.has(name));
}

/** The node's inputs, with the contents of those that the graph computes. */
const shapedInputs = (node: Node, contents: ReadonlyMap<Value, Contents>): (Shaped | undefined)[] =>
  inputsOf(node).map((input, i) => {
    const found = contents.get(node.inputs[i]!);
    return found && input ? { dims: found.dims, tensor: tensor('float64', found.dims, found.data) } : input;
  });

function inferNode(node: Node, contents: ReadonlyMap<Value, Contents>): void {
  const op = opTypeOf(node);
  const inputs = shapedInputs(node, contents);
  if (inputs.some((input) => input && !input.dims)) return;
  try {
    const known = op && isUnderstood(node, op) ? op : undefined;
    const dims = known ? knownDims(node, known, inputs as Shaped[]) : otherDims(node, inputs as Shaped[]);
    for (const [i, output] of node.outputs.entries()) {
      output.dims = refined(output.dims, dims[i]);
      output.dtype ??= typeOf(node, i);
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error; // shapes that the graph computes stay unknown
  }
}

function knownDims<O extends OpType>(node: Node, op: O, inputs: readonly Shaped[]): (readonly Dim[])[] {
  const [x, shape] = inputs;
  const free = op === 'Reshape' && shape?.tensor ? freeSize(toContents(shape.tensor)) : undefined;
  const given = free ? [x!, { dims: [free.length], tensor: tensor('float64', [free.length], free) }] : inputs;
  return outputDims(op, given, attributesOf(node, op), node.outputs.length);
}

/** Reshape's shape with -1 in place of its only unknown size; undefined unless that is the same. */
function freeSize({ data }: Contents): Float64Array | undefined {
  const known = data.filter((size) => !Number.isNaN(size));
  const isFree = known.length === data.length - 1 && known.every((size) => size > 0);
  return isFree ? data.map((size) => (Number.isNaN(size) ? -1 : size)) : undefined;
}

/** The sizes that the file states and, for those that it leaves open, the inferred ones. */
function refined(stated: Value['dims'], inferred: readonly Dim[] | undefined): Value['dims'] {
  const known = inferred?.map((dim) => (Number.isNaN(dim) ? unknownDim : dim));
  if (!stated || !known || stated.length !== known.length) return stated ?? known;
  const refines = stated.some((dim, axis) => typeof dim === 'string' && typeof known[axis] === 'number');
  return refines ? stated.map((dim, axis) => (typeof dim === 'string' ? known[axis]! : dim)) : stated;
}

function typeOf(node: Node, index: number): DType | undefined {
  if (isElementwise(node) && isComparison(node)) return 'bool';
  if (node.op === 'Shape' || node.op === 'Size') return 'int64';
  if (node.op === 'Where') return node.inputs[1]?.dtype;
  if (node.op === 'ConstantOfShape') {
    const value = node.attributes.get('value');
    return value?.kind === 'tensor' ? value.value.dtype : 'float32';
  }
  const op = opTypeOf(node);
  if (op) return outputType(node, op, index);
  return index === 0 ? node.inputs[0]?.dtype : undefined;
}

/** The contents of the node's outputs if they follow from small constants and known sizes. */
function computed(node: Node, contents: ReadonlyMap<Value, Contents>): Contents[] | undefined {
  const dims = node.outputs.map((output) => output.dims);
  if (!dims.every((each) => each?.every((size) => typeof size === 'number'))) return undefined;
  const isShape = node.op === 'Shape' || node.op === 'Size';
  const inputs: (Contents | undefined)[] = [];
  for (const input of isShape ? [] : shapedInputs(node, contents)) {
    if (input && (!input.tensor || input.tensor.dims.reduce((a, b) => a * b, 1) > maxComputed)) return undefined;
    inputs.push(input && toContents(input.tensor!));
  }
  return compute(node, inputs, dims as number[][]);
}

/** Replaces computed integers by constants. A shape with one unknown size gets a -1 there. */
function placeConstants(graph: Graph, contents: ReadonlyMap<Value, Contents>): void {
  const b = new Builder(graph);
  const isCaptured = (value: Value) => [...value.users].some(({ captures }) => captures.includes(value));
  for (const [value, { dims, data }] of contents) {
    if (graph.outputs.includes(value) || isCaptured(value)) continue;
    const constant = integersOf(value.dtype, dims, data);
    if (constant) graph.replaceAllUses(value, b.parameter(value.name, dims, constant));
    const free = constant ? undefined : freeSize({ dims, data });
    if (!free) continue;
    const reshapes = [...value.users].filter(({ op, inputs }) => op === 'Reshape' && inputs[1] === value);
    for (const node of reshapes) graph.setInput(node, 1, b.ints([...free]));
  }
  if (contents.size > 0) graph.removeDead();
}
