/** The steps before the rules: cleanup, shapes and names in third-party files, and values that subgraphs read. */
import { describe, expect, test } from 'vitest';
import { int64, relativeError, seeded } from '../../test/tensors.ts';
import { Builder } from '../graph/builder.ts';
import { type Attribute, type Node, Value } from '../graph/graph.ts';
import { interpret } from '../graph/interpret.ts';
import { type Tensor, tensor } from '../tensor.ts';
import { constantToInitializer, removeIdentity, separateConstants, stackToSum } from './cleanup.ts';
import { optimizeGraph, prepared } from './convert.ts';
import { type Rule, rewrite } from './rewriter.ts';

/** A network on x [2, 4, 3, 3] to which nodes of any kind can be added. */
class Network {
  readonly b = new Builder('network');
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
const apply = (n: Network, ...rules: Rule[]) => rewrite(n.graph, rules);

describe('nodes without effect', () => {
  test.each(['Identity', 'Sum', 'Concat'] as const)('removes %s of one value, and an output keeps its name', (op) => {
    const n = new Network();
    const idle = n.b.op(op, [n.b.op('Relu', [n.x])], op === 'Concat' ? { axis: 1 } : {}, 'idle');
    n.output(n.b.op('Neg', [idle])).output(n.b.op('Identity', [n.graph.outputs[0]!.producer!.inputs[0]!], {}, 'last'));
    expect(apply(n, removeIdentity).changes.map(({ text }) => text)).toEqual([
      `removed ${op} "idle", which passes its input through.`,
      'removed Identity "last", which passes its input through.',
    ]);
    expect(n.ops()).toEqual(['Relu', 'Neg']);
    expect(n.graph.outputs[1]!.name).toBe('last.output');
  });

  test('gives each name of a shared constant its own copy', () => {
    const n = new Network();
    const one = n.b.parameter('a', [4], seeded(1).tensor([4]));
    n.output(n.b.op('Neg', [n.b.op('Identity', [one], {}, 'b')])).output(n.b.op('Neg', [one]));
    apply(n, separateConstants, removeIdentity);
    expect([...n.graph.initializers].map(({ name }) => name)).toEqual(['a', 'b.output']);
  });

  test.each<[string, (n: Network) => unknown]>([
    ['an input that is also an output', (n) => n.output(n.b.op('Identity', [n.x]))],
    [
      'a second name for an output',
      (n) => n.output(n.b.op('Relu', [n.x])).output(n.b.op('Identity', [n.graph.outputs[0]!])),
    ],
    ['a sum of two values', (n) => n.output(n.b.op('Sum', [n.x, n.x]))],
  ])('%s stays', (_, build) => {
    const n = new Network();
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
  ])('turns a Constant with %s into an initializer of the same name', (name, attribute, contents) => {
    const n = new Network();
    n.output(n.b.op('Neg', [n.constant(name, attribute)]));
    expect(apply(n, constantToInitializer).changes).toHaveLength(1);
    const [value] = n.graph.initializers;
    expect([value!.name, value!.tensor]).toEqual(['Constant.0', contents]);
  });

  test.each<[string, (n: Network) => unknown]>([
    ['a constant that is an output', (n) => n.output(n.constant('value_int', int(1)))],
    ['text', (n) => n.output(n.add('Neg', [n.constant('value_string', { kind: 'string', value: 'a' })])[0]!)],
    ['a constant that a subgraph reads by name', (n) => captured(n, n.constant('value_int', int(1)))],
  ])('%s stays', (_, build) => {
    const n = new Network();
    build(n);
    expect(apply(n, constantToInitializer)).toMatchObject({ changes: [], refusals: [] });
  });

  function captured(n: Network, value: Value): void {
    const outputs = [new Value('loop')];
    n.graph.add({ op: 'Loop', inputs: [], captures: [value], outputs });
    n.output(outputs[0]!);
  }
});

describe('a sum over a stack', () => {
  const stack = (n: Network, axis: number, sumAxis: number, keepdims: number) => {
    const layers = [0, 1, 2].map(() => n.add('Unsqueeze', [n.x], { axes: ints(axis) })[0]!);
    const joined = n.add('Concat', layers, { axis: int(axis) })[0]!;
    n.output(n.add('ReduceSum', [joined, n.b.ints([sumAxis])], { keepdims: int(keepdims) })[0]!);
  };

  test.each([0, 1, -1])('along axis %i becomes a Sum', (axis) => {
    const n = new Network();
    stack(n, axis, axis, 0);
    expect(apply(n, stackToSum).changes).toMatchObject([{ text: 'rewrote a sum over a stack of 3 values as a Sum.' }]);
    expect(n.ops()).toEqual(['Sum']);
    expect(n.graph.outputs[0]!.dims).toEqual([2, 4, 3, 3]);
  });

  test.each([
    [0, 1, 0],
    [0, 0, 1],
  ])('stacked along axis %i, summed over axis %i with keepdims %i, stays', (axis, sumAxis, keepdims) => {
    const n = new Network();
    stack(n, axis, sumAxis, keepdims);
    expect(apply(n, stackToSum)).toMatchObject({ changes: [], refusals: [] });
  });
});

describe('shapes', () => {
  test('are inferred for operators of older sets, which have attributes instead of inputs', () => {
    const n = new Network();
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

  test('stay unknown where they cannot be inferred, and unchanged where the file states them', () => {
    const n = new Network();
    const [mystery] = n.add('Mystery', [n.x]);
    const [shape] = n.add('Shape', [mystery!]);
    const [reshaped] = n.add('Reshape', [n.x, shape!]);
    const [stated] = n.add('Relu', [mystery!]);
    stated!.dims = ['N', 9];
    const [after] = n.add('Relu', [stated!]);
    for (const value of [reshaped, mystery, stated, after]) n.output(value!);
    const { graph } = prepared(n.graph);
    expect(graph.outputs.map(({ dims }) => dims)).toEqual([undefined, undefined, ['N', 9], ['N', 9]]);
  });

  test('are inferred where the graph computes them', () => {
    const n = new Network();
    n.x.dims = ['N', 4, 3, 3];
    const [shape] = n.add('Shape', [n.x]);
    const [reshaped] = n.add('Reshape', [n.x, shape!]);
    const [mean] = n.add('ReduceMean', [n.x, n.b.ints([2])], { keepdims: int(0) });
    const [channels] = n.add('Gather', [shape!, n.b.ints([1])], { axis: int(0) });
    const [half] = n.add('Div', [channels!, n.b.ints([2])]);
    const [slice] = n.add('Slice', [n.x, n.b.ints([0]), half!, n.b.ints([1])]);
    const { graph } = prepared(n.output(reshaped!).output(mean!).output(slice!).graph);
    expect(graph.outputs.map(({ dims }) => dims)).toEqual([
      ['N', 4, 3, 3],
      ['N', 4, 3],
      ['N', 2, 3, 3],
    ]);
    expect([...graph.nodes].map(({ op }) => op)).toEqual(['Reshape', 'ReduceMean', 'Slice']);
  });
});

test('a name that is already taken gets a number; existing nodes keep their names', () => {
  const n = new Network();
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
      return { done: 'rewrote Neg as a product.' };
    },
  };
  expect(apply(n, negToMul).changes).toHaveLength(2);
  const names = [...n.graph.nodes, ...n.graph.initializers].map(({ name }) => name);
  expect([new Set(names).size, names]).toEqual([6, expect.arrayContaining(['b', 'half'])]);
  expect(n.graph.outputs[0]!.name).toBe('c.output');
  const after = interpret(n.graph, new Map([['x', seeded(2).tensor([2, 4, 3, 3])]])).get('c.output')!;
  expect(relativeError(after, before)).toBe(0);
});

test('ONNX operators are known by both names of their domain', () => {
  const n = new Network();
  const [axes, y] = [new Value('axes'), new Value('y')];
  const attributes = new Map([['value_ints', ints(0)]]);
  n.graph.add({ op: 'Constant', domain: 'ai.onnx', name: 'axes', inputs: [], outputs: [axes], attributes });
  n.graph.add({
    op: 'Unsqueeze',
    domain: 'ai.onnx',
    name: 'y',
    inputs: [n.x, axes],
    outputs: [y],
    attributes: new Map(),
  });
  n.output(y);
  const { graph } = prepared(n.graph);
  expect([...graph.nodes].map(({ op }) => op)).toEqual(['Unsqueeze']);
  expect(graph.outputs[0]!.dims).toEqual([1, 2, 4, 3, 3]);
});

test('a rule that remembers what it found is made again for each sweep', () => {
  const n = new Network();
  n.output(n.b.op('Neg', [n.x]));
  const seen: string[][] = [];
  const once = () => {
    const found: string[] = [];
    seen.push(found);
    const apply = (b: Builder, node: Node) => {
      found.push(node.op);
      if (node.op !== 'Neg') return undefined;
      b.graph.replaceAllUses(node.outputs[0]!, b.op('Relu', [node.inputs[0]]));
      return { done: 'replaced.' };
    };
    return { name: 'once', apply };
  };
  expect(rewrite(n.graph, [once]).changes).toHaveLength(1);
  expect(seen).toEqual([['Neg'], ['Relu']]);
});

test('optimizeGraph makes a new graph to remove identities, but not just to move constants', () => {
  const n = new Network();
  n.output(n.b.op('Neg', [n.b.op('Identity', [n.x])]));
  expect(optimizeGraph(n.graph).report).toMatchObject({ nodesBefore: 2, nodesAfter: 1, refusals: [] });
  const constant = new Network();
  const copy = constant.b.op('Identity', [constant.b.parameter('w', [1], tensor('float32', [1]))]);
  constant.output(constant.b.op('Mul', [constant.constant('value_float', { kind: 'float', value: 1 }), copy]));
  expect(optimizeGraph(constant.graph).graph).toBe(constant.graph);
});
