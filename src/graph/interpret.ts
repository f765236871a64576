/**
 * The interpreter defines what every operator means, with the simplest possible code in float64. It is slow. Shapes,
 * rewrites, gradients, lowering and the runtime are all tested against it.
 */
import { checkArgument, map } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import { type DType, type Tensor, tensor } from '../tensor.ts';
import type { Array64 } from './array.ts';
import { describe, type Graph, graphKind, type Node, opset, type Value } from './graph.ts';
import { kernels } from './kernels.ts';
import { attributesOf, isOtherVersion, type OpType, opTypeOf } from './ops.ts';
import { outputDims, outputType } from './shapes.ts';

export type Tensor64 = Tensor<'float64'>;

/**
 * Runs a graph in float64. `feeds` maps names of graph inputs to tensors of any data type. It may also replace the
 * contents of initializers.
 *
 * @returns the graph's outputs by name, or the values named in `fetches`.
 * @throws UsageError for a missing input, an unknown operator, or shapes that do not fit together.
 * @example interpret(graph, new Map([['input', image]])).get('logits')
 */
export function interpret(
  graph: Graph,
  feeds: ReadonlyMap<string, Tensor>,
  fetches: readonly string[] = graph.outputs.map(({ name }) => name),
): Map<string, Tensor64> {
  checkArgument('graph', graph, graphKind);
  checkArgument('feeds', feeds, map);
  const arrays = new Map<Value, Array64>();
  const types = new Map<Value, DType | undefined>();
  for (const value of [...graph.inputs, ...graph.initializers]) {
    const source = feeds.get(value.name) ?? value.tensor;
    if (!source) throw new UsageError(`The graph's input "${value.name}" is missing; add it to the feeds.`);
    arrays.set(value, toArray64(source));
    types.set(value, value.dtype ?? source.dtype);
  }
  for (const node of graph.sorted()) evaluateNode(node, arrays, types);
  const byName = new Map([...arrays].map(([value, array]) => [value.name, array]));
  return new Map(
    fetches.map((name) => {
      const array = byName.get(name);
      if (!array) throw new UsageError(`The graph has no value named "${name}".`);
      return [name, tensor('float64', array.dims, array.data)];
    }),
  );
}

function evaluateNode(node: Node, arrays: Map<Value, Array64>, types: Map<Value, DType | undefined>): void {
  const op = opTypeOf(node);
  if (!op || isOtherVersion(node, op)) {
    const name = `${node.domain || 'ai.onnx'}.${node.op}`;
    const problem = op ? `only supports ${name} as defined in operator set ${opset}` : `has no kernel for ${name}`;
    throw new UsageError(`${describe(node)}: the interpreter ${problem}.`);
  }
  const inputs = node.inputs.map((value) => value && arrays.get(value)!);
  const first = node.inputs[0] && types.get(node.inputs[0]);
  try {
    evaluateOp(op, node, inputs, first).forEach((array, i) => {
      arrays.set(node.outputs[i]!, array);
      types.set(node.outputs[i]!, outputType(node, op, i, first));
    });
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${describe(node)}: ${error.message}`);
    throw error;
  }
}

function evaluateOp<O extends OpType>(
  op: O,
  node: Node,
  inputs: readonly (Array64 | undefined)[],
  dtype: DType | undefined,
): Array64[] {
  const attributes = attributesOf(node, op);
  const shaped = inputs.map(
    (input) => input && { dims: input.dims, tensor: tensor('float64', input.dims, input.data) },
  );
  const dims = outputDims(op, shaped as NonNullable<(typeof shaped)[number]>[], attributes, node.outputs.length);
  return kernels[op](inputs as Array64[], attributes, dims as number[][], dtype);
}

function toArray64({ dims, data, dtype }: Tensor): Array64 {
  if (dtype === 'float16' || dtype === 'bfloat16') {
    throw new UsageError(`The interpreter does not support ${dtype} tensors.`);
  }
  if (data instanceof Float64Array) return { dims, data };
  const isBig = data instanceof BigInt64Array || data instanceof BigUint64Array;
  return { dims, data: isBig ? Float64Array.from(data, Number) : new Float64Array(data) };
}
