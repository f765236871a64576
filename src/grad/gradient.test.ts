import { expect, test } from 'vitest';
import { seeded } from '../../test/tensors.ts';
import { Builder } from '../graph/builder.ts';
import type { Value } from '../graph/graph.ts';
import { interpret } from '../graph/interpret.ts';
import { tensor } from '../tensor.ts';
import { gradient } from './gradient.ts';

const at = (...values: number[]) => tensor('float64', [values.length], Float64Array.from(values));

/** The values of the gradients at x = (2, 3). */
function gradientsAt(b: Builder, loss: Value, wrt: Value[]): number[][] {
  const gradients = gradient(b.graph, loss, wrt);
  const values = interpret(
    b.graph,
    new Map([['x', at(2, 3)]]),
    gradients.map(({ name }) => name),
  );
  return gradients.map(({ name }) => [...values.get(name)!.data]);
}

test('gradients of a value that is used several times add up', () => {
  const b = new Builder('square');
  const x = b.input('x', [2]);
  const square = b.op('Mul', [x, x]);
  const total = b.op('Sum', [square, x, b.op('Mul', [square, x])]);
  expect(gradientsAt(b, b.op('ReduceSum', [total], { keepdims: 0 }), [x])).toEqual([[1 + 4 + 12, 1 + 6 + 27]]);
});

test('intermediate values and the loss itself have gradients too', () => {
  const b = new Builder('between');
  const x = b.input('x', [2]);
  const square = b.op('Mul', [x, x]);
  const loss = b.op('ReduceSum', [b.op('Mul', [square, b.number(3)])], { keepdims: 0 });
  expect(gradientsAt(b, loss, [x, square, loss])).toEqual([[12, 18], [3, 3], [1]]);
});

test('a value that the loss does not depend on has gradient zero', () => {
  const b = new Builder('apart');
  const x = b.input('x', [2]);
  const other = b.parameter('other', [3], seeded(1).tensor([3]));
  b.op('Mul', [other, b.op('ReduceSum', [x])]);
  expect(gradientsAt(b, b.op('ReduceSum', [x], { keepdims: 0 }), [x, other])).toEqual([
    [1, 1],
    [0, 0, 0],
  ]);
});

test('an operator without a gradient is allowed off the path to the loss', () => {
  const b = new Builder('beside');
  const x = b.input('x', [2]);
  const mask = b.op('HardSigmoid', [b.parameter('m', [2], seeded(1).tensor([2]))]);
  b.op('HardSigmoid', [x]);
  expect(() => gradientsAt(b, b.op('ReduceSum', [b.op('Mul', [x, mask])], { keepdims: 0 }), [x])).not.toThrow();
});

test('an unknown operator on the path to the loss is named', () => {
  const b = new Builder('unknown');
  const x = b.input('x', [2]);
  const loss = b.op('ReduceSum', [x], { keepdims: 0 });
  const [node] = x.users;
  const init = { op: 'Mystery', domain: 'elsewhere', name: 'm', inputs: [x], outputs: [b.constant(at(0, 0))] };
  const mystery = b.graph.add(init);
  b.graph.setInput(node!, 0, mystery.outputs[0]);
  expect(() => gradient(b.graph, loss, [x])).toThrow('Mystery "m" has no gradient, but the loss depends on it.');
});

test('a free size is rejected with advice', () => {
  const b = new Builder('free');
  const x = b.input('x', ['N', 2]);
  const loss = b.op('ReduceSum', [x], { keepdims: 0 });
  expect(() => gradient(b.graph, loss, [x])).toThrow(
    `"x" has shape [N,2], but every size must be a number; fix the batch size and other free sizes first.`,
  );
});
