/**
 * The cost of a graph: parameters, and multiply-adds per image. As in torchvision and the paper, only convolutions and
 * matrix products count, and a multiplication with its addition counts as one.
 */
import { checkArgument } from '../arguments.ts';
import { elements } from '../tensor.ts';
import { type Dim, type Graph, graphKind, type Node, type Value } from './graph.ts';
import { type OpType, opTypeOf } from './ops.ts';

export interface Cost {
  /** Trained numbers: weights, biases, scales. Running statistics do not count. */
  readonly parameters: number;
  /** Multiply-adds per image. */
  readonly macs: number;
  /** Number of nodes in the graph. */
  readonly nodes: number;
}

/** Which inputs of an operator are trained, and which are running statistics. */
const parameterInputs: {
  readonly [O in OpType]?: { readonly trained: readonly number[]; readonly running?: readonly number[] };
} = {
  BatchNormalization: { trained: [1, 2], running: [3, 4] },
  BatchNormTraining: { trained: [1, 2], running: [3, 4] },
  Conv: { trained: [1, 2] },
  ConvTranspose: { trained: [1, 2] },
  Gemm: { trained: [1, 2] },
  MatMul: { trained: [1] },
};

type Macs = (dims: { inputs: readonly (readonly number[])[]; outputs: readonly (readonly number[])[] }) => number;

/**
 * Each element that meets one filter costs n_in/g channels times the kernel. All other operators only move, compare, add
 * or scale, which is free.
 */
const macs: { readonly [O in OpType]?: Macs } = {
  Conv: ({ inputs: [, w], outputs: [y] }) => elements(y!) * elements(w!.slice(1)),
  ConvInputGrad: ({ inputs: [dy, w] }) => elements(dy!) * elements(w!.slice(1)),
  ConvTranspose: ({ inputs: [x, w] }) => elements(x!) * elements(w!.slice(1)),
  ConvWeightGrad: ({ inputs: [, dy], outputs: [dw] }) => elements(dy!) * elements(dw!.slice(1)),
  Gemm: ({ inputs: [a], outputs: [y] }) => (elements(a!) * elements(y!)) / (y![0] || 1),
  MatMul: ({ inputs: [a], outputs: [y] }) => elements(a!) * y!.at(-1)!,
};

/** The trained initializers, that is weights, biases and scales, in the order of the nodes that read them. */
export const trainedParameters = (graph: Graph): Set<Value> => parametersAt(graph, 'trained');

/** The initializers that hold running statistics. */
export const runningStatistics = (graph: Graph): Set<Value> => parametersAt(graph, 'running');

/**
 * The cost of a graph. A free dimension, such as the batch, counts as one; nodes of unknown shape count as zero.
 *
 * @example cost(resnext(variant('resnext50_32x4d')).graph) // { parameters: 25028904, macs: 4230479872, … }
 */
export function cost(graph: Graph): Cost {
  checkArgument('graph', graph, graphKind);
  const parameters = [...trainedParameters(graph)].reduce((sum, value) => sum + elements(concrete(value.dims)), 0);
  const total = [...graph.nodes].reduce((sum, node) => sum + nodeMacs(node), 0);
  return { parameters, macs: total, nodes: graph.nodes.size };
}

/** Multiply-adds of one node per image. */
export function nodeMacs(node: Node): number {
  const op = opTypeOf(node);
  const formula = op && macs[op];
  if (!formula || node.outputs.some((output) => !output.dims)) return 0;
  const inputs = node.inputs.map((value) => concrete(value?.dims));
  return formula({ inputs, outputs: node.outputs.map((value) => concrete(value.dims)) });
}

const concrete = (dims: readonly Dim[] = []): number[] => dims.map((dim) => (typeof dim === 'number' ? dim : 1));

function parametersAt(graph: Graph, kind: 'trained' | 'running'): Set<Value> {
  const found = new Set<Value>();
  for (const node of graph.nodes) {
    const op = opTypeOf(node);
    for (const index of (op && parameterInputs[op]?.[kind]) ?? []) {
      const value = reshaped(node.inputs[index]);
      if (value && graph.initializers.has(value)) found.add(value);
    }
  }
  return found;
}

/** The value that this one reshapes, if it does: a one-dimensional filter may be used as a two-dimensional one. */
function reshaped(value: Value | undefined): Value | undefined {
  const { producer } = value ?? {};
  return producer && opTypeOf(producer) === 'Reshape' ? reshaped(producer.inputs[0]) : value;
}
