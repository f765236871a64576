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
import {
  type Contents,
  canCompute,
  compute,
  FreeSizes,
  integersOf,
  isOpen,
  maxComputed,
  toContents,
} from './computed.ts';
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
  const free = new FreeSizes();
  for (const node of graph.sorted()) {
    inferNode(node, contents, free);
    const made = computed(node, contents, free);
    if (made) for (const [i, output] of node.outputs.entries()) contents.set(output, made[i]!);
  }
  placeConstants(graph, contents);
}

/** Fills in the shapes of one node's outputs, as far as they follow from its inputs. */
export const inferOutputs = (node: Node): void => inferNode(node, new Map(), new FreeSizes());

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

function inferNode(node: Node, contents: ReadonlyMap<Value, Contents>, free: FreeSizes): void {
  const op = opTypeOf(node);
  const inputs = shapedInputs(node, contents);
  if (inputs.some((input) => input && !input.dims)) return;
  try {
    const known = op && isUnderstood(node, op) ? op : undefined;
    const dims = known
      ? knownDims(node, known, inputs as Shaped[], free)
      : otherDims(node, (inputs as Shaped[]).map(withoutFree));
    for (const [i, output] of node.outputs.entries()) {
      output.dims = refined(
        output.dims,
        dims[i]?.map((dim) => (typeof dim === 'number' ? free.dimOf(dim) : dim)),
      );
      output.dtype ??= typeOf(node, i);
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error; // shapes that the graph computes stay unknown
  }
}

function knownDims<O extends OpType>(
  node: Node,
  op: O,
  inputs: readonly Shaped[],
  free: FreeSizes,
): (readonly Dim[])[] {
  const [x, shape] = inputs;
  if (op === 'Reshape' && shape?.tensor) return [reshapedDims(x!.dims, shape, free)];
  return outputDims(op, inputs.map(withoutFree), attributesOf(node, op), node.outputs.length);
}

/** Numbers that stand for free sizes are not known where they are limits or counts. */
function withoutFree(input: Shaped): Shaped {
  if (input?.tensor?.dtype !== 'float64' || !input.tensor.data.some(isOpen)) return input;
  const data = input.tensor.data.map((value) => (isOpen(value) ? Number.NaN : value));
  return { ...input, tensor: tensor('float64', input.dims as readonly number[], data) };
}

/**
 * The shape that a Reshape asks for. A free size that it names is one of the input's; if there are others, a -1 is
 * what is left of the known ones once the free ones are the same on both sides.
 */
function reshapedDims(dims: readonly Dim[], shape: Shaped, free: FreeSizes): readonly Dim[] {
  const { data } = toContents(shape.tensor!);
  const asked = Array.from(data, (size, i) => (size === 0 ? dims[i]! : size === -1 ? size : free.dimOf(size)));
  const names = (list: readonly Dim[]) =>
    list
      .filter((dim) => typeof dim === 'string')
      .toSorted()
      .join('\n');
  const product = (list: readonly Dim[]) =>
    list.reduce<number>((p, dim) => (typeof dim === 'number' && dim > 0 ? p * dim : p), 1);
  const at = asked.indexOf(-1);
  if (at < 0) return asked;
  const rest = product(dims) / product(asked);
  if (names(dims) === names(asked) && !asked.includes(unknownDim))
    return asked.with(at, Number.isInteger(rest) ? rest : unknownDim);
  const [left, ...others] = dims.filter((dim) => typeof dim === 'string' && !asked.includes(dim));
  return asked.with(at, rest === 1 && others.length === 0 && left !== undefined ? left : unknownDim);
}

/** A Reshape's shape from that of its output, with -1 for the only size that is not known. */
function constantShape(dims: Value['dims']): number[] | undefined {
  const shape = dims?.map((size) => (typeof size === 'number' ? size : -1));
  const isClear = shape?.every((size) => size !== 0) && shape.filter((size) => size === -1).length <= 1;
  return isClear ? shape : undefined;
}

/** The sizes that the file states and, for those that it leaves open, the inferred ones. */
function refined(stated: Value['dims'], inferred: readonly Dim[] | undefined): Value['dims'] {
  const known = inferred;
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
function computed(node: Node, contents: ReadonlyMap<Value, Contents>, free: FreeSizes): Contents[] | undefined {
  const dims = node.outputs.map((output) => output.dims);
  if (!canCompute(node) || !dims.every((each) => each?.every((size) => typeof size === 'number'))) return undefined;
  const isShape = node.op === 'Shape' || node.op === 'Size';
  const inputs: (Contents | undefined)[] = [];
  for (const input of isShape ? [] : shapedInputs(node, contents)) {
    if (input && (!input.tensor || input.tensor.dims.reduce((a, b) => a * b, 1) > maxComputed)) return undefined;
    inputs.push(input && toContents(input.tensor!));
  }
  return compute(node, inputs, dims as number[][], free);
}

/** Replaces computed integers by constants, and computed shapes of Reshapes with at most one open size. */
function placeConstants(graph: Graph, contents: ReadonlyMap<Value, Contents>): void {
  const b = new Builder(graph);
  const isCaptured = (value: Value) => [...value.users].some(({ captures }) => captures.includes(value));
  for (const [value, { dims, data }] of contents) {
    if (graph.outputs.includes(value) || isCaptured(value)) continue;
    const constant = integersOf(value.dtype, dims, data);
    if (constant) graph.replaceAllUses(value, b.parameter(value.name, dims, constant));
    const reshapes = constant
      ? []
      : [...value.users].filter(({ op, inputs }) => op === 'Reshape' && inputs[1] === value);
    for (const node of reshapes) {
      const shape = constantShape(node.outputs[0]!.dims);
      if (shape) graph.setInput(node, 1, b.ints(shape));
    }
  }
  if (contents.size > 0) graph.removeDead();
}
