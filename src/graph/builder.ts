/**
 * Builds graphs node by node. Every shape is inferred as the node is added, so a mistake is reported at the line that
 * makes it, with the node's name and the numbers that do not go together.
 */
import { type DType, elements, type Tensor, tensor } from '../tensor.ts';
import { type Dim, Graph, type Node, Value } from './graph.ts';
import { type Attributes, domainOf, isSemantic, type OpType, semanticDomain, toAttributes } from './ops.ts';
import { inferNode } from './shapes.ts';

/**
 * @example
 * const b = new Builder('net');
 * const x = b.input('x', ['N', 8, 32, 32]);
 * const w = b.parameter('w', [16, 2, 3, 3]); // 4 groups of 2 channels
 * b.output(b.op('Conv', [x, w], { group: 4, pads: [1, 1, 1, 1] }), 'y'); // [N, 16, 32, 32]
 */
export class Builder {
  readonly graph: Graph;

  constructor(graph: Graph | string) {
    this.graph = typeof graph === 'string' ? new Graph(graph) : graph;
  }

  /** A graph input; a dimension may be a name, such as the batch's. */
  input(name: string, dims: readonly Dim[], dtype: DType = 'float32'): Value {
    const value = new Value(name, dtype, dims);
    this.graph.inputs.push(value);
    return value;
  }

  /** A named initializer: weights, or the promise of weights where no tensor is given. */
  parameter(name: string, dims: readonly number[], contents?: Tensor): Value {
    const value = new Value(name, contents?.dtype ?? 'float32', dims);
    value.tensor = contents;
    this.graph.initializers.add(value);
    return value;
  }

  /** A constant under a fresh name. */
  constant(contents: Tensor, stem = 'constant'): Value {
    return this.parameter(this.graph.freshName(stem), contents.dims, contents);
  }

  /** A float32 constant: a scalar, or filled into `dims`. */
  number(value: number, dims: readonly number[] = []): Value {
    return this.constant(tensor('float32', dims, new Float32Array(elements(dims)).fill(value)), 'number');
  }

  /** An int64 vector, as ONNX takes shapes, axes and pads. */
  ints(values: readonly number[]): Value {
    return this.constant(tensor('int64', [values.length], BigInt64Array.from(values, BigInt)), 'ints');
  }

  /**
   * Adds a node with one output. Node and output are named after `name`, or freshly after the operator.
   *
   * @throws UsageError with the node's name and the numbers, when the inputs do not go together.
   */
  op<O extends OpType>(
    op: O,
    inputs: readonly (Value | undefined)[],
    attributes: Partial<Attributes<O>> = {},
    name?: string,
  ): Value {
    return this.node(op, inputs, attributes, 1, name).outputs[0]!;
  }

  /** Adds a node with `count` outputs. */
  node<O extends OpType>(
    op: O,
    inputs: readonly (Value | undefined)[],
    attributes: Partial<Attributes<O>>,
    count: number,
    name: string = this.graph.freshName(op),
  ): Node {
    const outputs = Array.from({ length: count }, (_, i) => new Value(`${name}.${i === 0 ? 'output' : `output${i}`}`));
    if (isSemantic(op)) this.graph.opsets.set(semanticDomain, 1);
    const domain = domainOf(op);
    const node = this.graph.add({ op, domain, name, inputs, outputs, attributes: toAttributes(op, attributes) });
    inferNode(node);
    return node;
  }

  /** An optional output that a node was built without, with its shape. */
  addOutput(node: Node, name: string): Value {
    const value = this.graph.addOutput(node, name);
    inferNode(node);
    return value;
  }

  /** Makes a value a graph output, under `name` where one is given. */
  output(value: Value, name?: string): Value {
    if (name) value.name = name;
    this.graph.outputs.push(value);
    return value;
  }
}
