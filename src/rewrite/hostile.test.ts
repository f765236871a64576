/** Graphs on which a rule that recurses, or that follows every path by itself, would overflow the stack or never end. */
import { expect, test } from 'vitest';
import { relativeError } from '../../test/tensors.ts';
import { Builder } from '../graph/builder.ts';
import { Value } from '../graph/graph.ts';
import { interpret } from '../graph/interpret.ts';
import { type Tensor, tensor } from '../tensor.ts';
import { convertGraph, optimizeGraph } from './convert.ts';

const dims = [1, 2, 3, 3];
const waves = (dims: readonly number[], seed: number): Tensor<'float32'> => {
  const size = dims.reduce((a, b) => a * b, 1);
  return tensor(
    'float32',
    dims,
    Float32Array.from({ length: size }, (_, i) => Math.sin(seed + 3 * i)),
  );
};
const start = () => {
  const b = new Builder('network');
  return { b, x: b.input('x', dims) };
};
const chain = (x: Value, length: number, next: (x: Value, i: number) => Value): Value =>
  Array.from({ length }).reduce<Value>((y, _, i) => next(y, i), x);
const pointwise = (b: Builder, x: Value, seed: number): Value =>
  b.op('Conv', [x, b.parameter(`w${seed}`, [2, 2, 1, 1], waves([2, 2, 1, 1], seed))], { kernel_shape: [1, 1] });

test('a chain of sums of a value with itself has 2^60 terms, and is left alone', () => {
  for (const op of ['Add', 'Sum'] as const) {
    const { b, x } = start();
    b.output(chain(pointwise(b, x, 1), 60, (y) => b.op(op, [y, y])));
    expect(optimizeGraph(b.graph).report.changes).toEqual([]);
  }
});

test('a chain of 20,000 sums is left alone', () => {
  const { b, x } = start();
  b.output(chain(x, 20_000, (y) => b.op('Add', [y, x])));
  expect(optimizeGraph(b.graph).report.changes).toEqual([]);
});

test('a chain of 1,000 sums of branches becomes one branch, with the same result', () => {
  const { b, x } = start();
  const branch = (i: number) => pointwise(b, pointwise(b, x, i), i + 5000);
  const sums = chain(branch(0), 1000, (y, i) => b.op('Add', [y, branch(i + 1)]));
  b.output(sums, 'y');
  const { graph, report } = optimizeGraph(b.graph);
  expect(report.refusals).toEqual([]);
  expect(graph.nodes.size).toBeLessThan(10);
  const feeds = new Map([['x', waves(dims, 7)]]);
  expect(relativeError(interpret(graph, feeds).get('y')!, interpret(b.graph, feeds).get('y')!)).toBeLessThan(1e-5);
});

test('a sum that is added to itself keeps its value', () => {
  const { b, x } = start();
  const sum = b.op('Add', [pointwise(b, x, 1), pointwise(b, x, 2)]);
  b.output(b.op('Add', [b.op('Add', [sum, sum]), pointwise(b, x, 3)]), 'y');
  const feeds = new Map([['x', waves(dims, 7)]]);
  const { graph } = optimizeGraph(b.graph);
  expect(relativeError(interpret(graph, feeds).get('y')!, interpret(b.graph, feeds).get('y')!)).toBeLessThan(1e-5);
});

test('a node with more inputs than a call can have arguments is left alone', () => {
  const { b, x } = start();
  b.output(
    b.op(
      'Sum',
      Array.from({ length: 130_000 }, () => b.op('Relu', [x])),
    ),
  );
  expect(optimizeGraph(b.graph).report.changes).toEqual([]);
});

test('8,000 branches from all along a chain of 8,000 nodes have 32 million nodes on their paths, and are left alone', () => {
  for (const op of ['Sum', 'Concat'] as const) {
    const { b, x } = start();
    const ends: Value[] = [];
    chain(x, 8000, (y) => {
      const w = b.parameter('w', [2, 2, 1, 1], waves([2, 2, 1, 1], 1));
      ends.push(b.op('Conv', [y, w], { kernel_shape: [1, 1] }));
      return b.op('Relu', [y]);
    });
    b.output(b.op(op, ends, op === 'Concat' ? { axis: 1 } : {}));
    for (const form of ['A', 'B', 'C'] as const) expect(convertGraph(b.graph, form).report.changes).toEqual([]);
  }
});

test('a chain of sums of cut channels has 2^60 terms, and is left alone', () => {
  const { b, x } = start();
  const cut = b.op('Slice', [pointwise(b, x, 1), b.ints([0]), b.ints([1]), b.ints([1])]);
  b.output(chain(cut, 60, (y) => b.op('Add', [y, y])));
  expect(optimizeGraph(b.graph).report.changes).toEqual([]);
});

test('chains of 5,000 transposes, slices and concatenations of one map are followed in proportion to their length', () => {
  const { b, x } = start();
  const perms = chain(pointwise(b, x, 1), 5000, (y) => b.op('Transpose', [b.op('Relu', [y])], { perm: [0, 2, 3, 1] }));
  const cuts = chain(pointwise(b, x, 2), 5000, (y) => b.op('Slice', [y, b.ints([0]), b.ints([2]), b.ints([1])]));
  const joined = chain(pointwise(b, x, 3), 50, (y) => b.op('Concat', [y, x], { axis: 1 }));
  for (const y of [perms, cuts, joined]) b.output(y);
  expect(optimizeGraph(b.graph).report.changes).toEqual([]);
});

test('5,000 computed sizes in a chain are followed in proportion to their number', () => {
  const { b, x } = start();
  const ones = b.ints([1, 1, 1, 1]);
  const node = b.graph.add({ op: 'Shape', inputs: [x], outputs: [new Value('shape', 'int64')] });
  b.output(b.op('Reshape', [x, chain(node.outputs[0]!, 5000, (y) => b.op('Mul', [y, ones]))]));
  expect(optimizeGraph(b.graph).report.changes).toEqual([]);
});
