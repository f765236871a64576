/**
 * Builds graphs node by node. Shapes are inferred as each node is added, so a mistake is reported at the line that
 * makes it, with the node's name and the conflicting numbers.
 */
import { type DType, elements, type Tensor, tensor } from '../tensor.ts';
import { type Dim, Graph, type Node, Value } from './graph.ts';
import { type Attributes, domainOf, isSemantic, type OpType, semanticDomain, toAttributes } from './ops.ts';
import { inferNode } from './shapes.ts';

/**
 * @example
 * const b = new Builder('network');
 * const x = b.input('x', ['N', 8, 32, 32]);
 * const w = b.parameter('w', [16, 2, 3, 3]); // 4 groups of 2 channels
 * b.output(b.op('Conv', [x, w], { group: 4, pads: [1, 1, 1, 1] }), 'y'); // [N, 16, 32, 32]
 */
export class Builder {
  readonly graph: Graph;

  constructor(graph: Graph | string) {
    this.graph = typeof graph === 'string' ? new Graph(graph) : graph;
  }

  /** A graph input. A dimension may be a name, such as the batch `N`. */
  input(name: string, dims: readonly Dim[], dtype: DType = 'float32'): Value {
    const value = new Value(name, dtype, dims);
    this.graph.inputs.push(value);
    return value;
  }

  /** A named initializer: weights or, if no tensor is given, a placeholder for them. */
  parameter(name: string, dims: readonly number[], contents?: Tensor): Value {
    const value = new Value(name, contents?.dtype ?? 'float32', dims);
    value.tensor = contents;
    this.graph.initializers.add(value);
    return value;
  }

  /** A constant with a unique name. */
  constant(contents: Tensor, stem = 'constant'): Value {
    return this.parameter(this.graph.freshName(stem), contents.dims, contents);
  }

  /** A float32 constant: a scalar, or an array of `dims` filled with the value. */
  number(value: number, dims: readonly number[] = []): Value {
    return this.constant(tensor('float32', dims, new Float32Array(elements(dims)).fill(value)), 'number');
  }

  /** An int64 vector, the form in which ONNX takes shapes, axes and pads. */
  ints(values: readonly number[]): Value {
    return this.constant(tensor('int64', [values.length], BigInt64Array.from(values, BigInt)), 'ints');
  }

  /**
   * Adds a node with one output. Both are named after `name` or, by default, uniquely after the operator.
   *
   * @throws UsageError with the node's name and the numbers if the inputs do not fit together.
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

  /** Adds an optional output to an existing node, with its shape. */
  addOutput(node: Node, name: string): Value {
    const value = this.graph.addOutput(node, name);
    inferNode(node);
    return value;
  }

  /** Makes a value a graph output, renamed to `name` if one is given. */
  output(value: Value, name?: string): Value {
    if (name) value.name = name;
    this.graph.outputs.push(value);
    return value;
  }
}
