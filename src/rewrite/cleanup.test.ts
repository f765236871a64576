/** What comes before the rules: clean-up, shapes of other people's files, names, and values that subgraphs read. */
import { describe, expect, test } from 'vitest';
import { int64, relativeError, seeded } from '../../test/tensors.ts';
import { Builder } from '../graph/builder.ts';
import { type Attribute, Value } from '../graph/graph.ts';
import { interpret } from '../graph/interpret.ts';
import { type Tensor, tensor } from '../tensor.ts';
import { constantToInitializer, removeIdentity, separateConstants, stackToSum } from './cleanup.ts';
import { optimizeGraph, prepared } from './convert.ts';
import { type Rule, rewrite } from './rewriter.ts';

/** A net on x [2, 4, 3, 3], and a node of any kind in it. */
class Net {
  readonly b = new Builder('net');
  readonly x = this.b.input('x', [2, 4, 3, 3]);
  get graph() {
    return this.b.graph;
  }
  add(op: string, inputs: Value[], attributes: Record<string, Attribute> = {}, count = 1): Value[] {
    const outputs = Array.from({ length: count }, (_, i) => new Value(`${op}.${i}`));
    this.graph.add({ op, name: op, inputs, outputs, attributes: new Map(Object.entries(attributes)) });
    return outputs;
  }
  constant(attribute: string, value: Attribute): Value {
    return this.add('Constant', [], { [attribute]: value })[0]!;
  }
  output(value: Value): this {
    this.b.output(value);
    return this;
  }
  ops(): string[] {
    return [...this.graph.nodes].map(({ op }) => op);
  }
}

const ints = (...value: number[]): Attribute => ({ kind: 'ints', value });
const int = (value: number): Attribute => ({ kind: 'int', value });
const apply = (n: Net, ...rules: Rule[]) => rewrite(n.graph, rules);

describe('nodes without effect', () => {
  test.each(['Identity', 'Sum', 'Concat'] as const)('%s of one value is gone, and an output keeps its name', (op) => {
    const n = new Net();
    const idle = n.b.op(op, [n.b.op('Relu', [n.x])], op === 'Concat' ? { axis: 1 } : {}, 'idle');
    n.output(n.b.op('Neg', [idle])).output(n.b.op('Identity', [n.graph.outputs[0]!.producer!.inputs[0]!], {}, 'last'));
    expect(apply(n, removeIdentity).changes.map(({ text }) => text)).toEqual([
      `${op} "idle" has one input and is that value.`,
      'Identity "last" has one input and is that value.',
    ]);
    expect(n.ops()).toEqual(['Relu', 'Neg']);
    expect(n.graph.outputs[1]!.name).toBe('last.output');
  });

  test('a constant that goes by several names is one of each', () => {
    const n = new Net();
    const one = n.b.parameter('a', [4], seeded(1).tensor([4]));
    n.output(n.b.op('Neg', [n.b.op('Identity', [one], {}, 'b')])).output(n.b.op('Neg', [one]));
    apply(n, separateConstants, removeIdentity);
    expect([...n.graph.initializers].map(({ name }) => name)).toEqual(['a', 'b.output']);
  });

  test.each<[string, (n: Net) => unknown]>([
    ['an input that is an output too', (n) => n.output(n.b.op('Identity', [n.x]))],
    [
      'a second name for an output',
      (n) => n.output(n.b.op('Relu', [n.x])).output(n.b.op('Identity', [n.graph.outputs[0]!])),
    ],
    ['a sum of two', (n) => n.output(n.b.op('Sum', [n.x, n.x]))],
  ])('%s stays', (_, build) => {
    const n = new Net();
    build(n);
    expect(apply(n, removeIdentity)).toMatchObject({ changes: [], refusals: [] });
  });
});

describe('constants', () => {
  test.each<[string, Attribute, Tensor]>([
    ['value', { kind: 'tensor', value: int64([2], [3, 4]) }, int64([2], [3, 4])],
    ['value_ints', ints(5, -1), int64([2], [5, -1])],
    ['value_int', int(7), int64([], [7])],
    ['value_floats', { kind: 'floats', value: [0.5, 2] }, tensor('float32', [2], Float32Array.of(0.5, 2))],
    ['value_float', { kind: 'float', value: 0.25 }, tensor('float32', [], Float32Array.of(0.25))],
  ])('a Constant with %s is an initializer under its name', (name, attribute, contents) => {
    const n = new Net();
    n.output(n.b.op('Neg', [n.constant(name, attribute)]));
    expect(apply(n, constantToInitializer).changes).toHaveLength(1);
    const [value] = n.graph.initializers;
    expect([value!.name, value!.tensor]).toEqual(['Constant.0', contents]);
  });

  test.each<[string, (n: Net) => unknown]>([
    ['a constant that is an output', (n) => n.output(n.constant('value_int', int(1)))],
    ['text', (n) => n.output(n.add('Neg', [n.constant('value_string', { kind: 'string', value: 'a' })])[0]!)],
    ['what a subgraph reads by name', (n) => captured(n, n.constant('value_int', int(1)))],
  ])('%s stays', (_, build) => {
    const n = new Net();
    build(n);
    expect(apply(n, constantToInitializer)).toMatchObject({ changes: [], refusals: [] });
  });

  function captured(n: Net, value: Value): void {
    const outputs = [new Value('loop')];
    n.graph.add({ op: 'Loop', inputs: [], captures: [value], outputs });
    n.output(outputs[0]!);
  }
});

describe('the sum of a stack', () => {
  const stack = (n: Net, axis: number, sumAxis: number, keepdims: number) => {
    const layers = [0, 1, 2].map(() => n.add('Unsqueeze', [n.x], { axes: ints(axis) })[0]!);
    const joined = n.add('Concat', layers, { axis: int(axis) })[0]!;
    n.output(n.add('ReduceSum', [joined, n.b.ints([sumAxis])], { keepdims: int(keepdims) })[0]!);
  };

  test.each([0, 1, -1])('along axis %i is a sum', (axis) => {
    const n = new Net();
    stack(n, axis, axis, 0);
    expect(apply(n, stackToSum).changes).toMatchObject([{ text: 'the sum of a stack of 3 is their sum.' }]);
    expect(n.ops()).toEqual(['Sum']);
    expect(n.graph.outputs[0]!.dims).toEqual([2, 4, 3, 3]);
  });

  test.each([
    [0, 1, 0],
    [0, 0, 1],
  ])('along axis %i, over axis %i, with keepdims %i, it stays', (axis, sumAxis, keepdims) => {
    const n = new Net();
    stack(n, axis, sumAxis, keepdims);
    expect(apply(n, stackToSum)).toMatchObject({ changes: [], refusals: [] });
  });
});

describe('shapes', () => {
  test('of operators of older sets, which had attributes for inputs', () => {
    const n = new Net();
    const [slice] = n.add('Slice', [n.x], { starts: ints(1), ends: ints(2 ** 31 - 1), axes: ints(1) });
    const [a, b] = n.add('Split', [slice!], { axis: int(1), split: ints(1, 2) }, 2);
    const [pad] = n.add('Pad', [b!], { pads: ints(0, 0, 1, 1, 0, 0, 0, 0), value: { kind: 'float', value: 0 } });
    const [sum] = n.add('ReduceSum', [b!], { axes: ints(2), keepdims: int(0) });
    const { graph } = prepared(n.output(sum!).output(pad!).output(a!).graph);
    expect(graph.outputs.map(({ dims }) => dims)).toEqual([
      [2, 2, 3],
      [2, 2, 4, 4],
      [2, 1, 3, 3],
    ]);
  });

  test('that cannot be told stay unknown, and those that the file states stay as they are', () => {
    const n = new Net();
    const [shape] = n.add('Shape', [n.x]);
    const [reshaped] = n.add('Reshape', [n.x, shape!]);
    const [mean] = n.add('ReduceMean', [n.x, n.b.ints([2])], { keepdims: int(0) });
    const [mystery] = n.add('Mystery', [n.x]);
    const [stated] = n.add('Relu', [mystery!]);
    stated!.dims = ['N', 9];
    const [after] = n.add('Relu', [stated!]);
    for (const value of [reshaped, mean, mystery, stated, after]) n.output(value!);
    const { graph } = prepared(n.graph);
    expect(graph.outputs.map(({ dims }) => dims)).toEqual([undefined, undefined, undefined, ['N', 9], ['N', 9]]);
  });
});

test('a name that is taken gets a number; what was there keeps its own', () => {
  const n = new Net();
  const half = tensor('float32', [1], Float32Array.of(0.5));
  const y = n.b.op('Mul', [n.b.op('Neg', [n.x], {}, 'a'), n.b.parameter('half', [1], half)], {}, 'b');
  n.output(n.b.op('Neg', [y], {}, 'c'));
  const before = interpret(n.graph, new Map([['x', seeded(2).tensor([2, 4, 3, 3])]])).get('c.output')!;
  const negToMul: Rule = {
    name: 'neg',
    apply(b, node) {
      if (node.op !== 'Neg') return undefined;
      const minus = b.parameter('half', [1], tensor('float32', [1], Float32Array.of(-1)));
      b.graph.replaceAllUses(node.outputs[0]!, b.op('Mul', [node.inputs[0], minus], {}, 'b'));
      return { done: 'a product.' };
    },
  };
  expect(apply(n, negToMul).changes).toHaveLength(2);
  const names = [...n.graph.nodes, ...n.graph.initializers].map(({ name }) => name);
  expect([new Set(names).size, names]).toEqual([6, expect.arrayContaining(['b', 'half'])]);
  expect(n.graph.outputs[0]!.name).toBe('c.output');
  const after = interpret(n.graph, new Map([['x', seeded(2).tensor([2, 4, 3, 3])]])).get('c.output')!;
  expect(relativeError(after, before)).toBe(0);
});

test('idle nodes alone are worth a new graph to optimize, constants are not', () => {
  const n = new Net();
  n.output(n.b.op('Neg', [n.b.op('Identity', [n.x])]));
  expect(optimizeGraph(n.graph).report).toMatchObject({ nodesBefore: 2, nodesAfter: 1, refusals: [] });
  const constant = new Net();
  const copy = constant.b.op('Identity', [constant.b.parameter('w', [1], tensor('float32', [1]))]);
  constant.output(constant.b.op('Mul', [constant.constant('value_float', { kind: 'float', value: 1 }), copy]));
  expect(optimizeGraph(constant.graph).graph).toBe(constant.graph);
});
