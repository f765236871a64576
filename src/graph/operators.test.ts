/**
 * Every operator on the cases of `test/operator-cases.ts`. For standard operators, the interpreter in float64 must
 * agree with ONNX Runtime in float32. For semantic ones, the operator and its body in standard operators must agree, in
 * the interpreter and on the runtime.
 */
import { expect, test } from 'vitest';
import { Session } from '#platform';
import { type Case, casesOf, graphOf } from '../../test/operator-cases.ts';
import { relativeError } from '../../test/tensors.ts';
import { lowerStandard } from '../lower/standard.ts';
import { type Tensor, tensor } from '../tensor.ts';
import { Builder } from './builder.ts';
import type { Graph } from './graph.ts';
import { interpret } from './interpret.ts';
import { isSemantic, type OpType, opTypes, type SemanticOp } from './ops.ts';

/** Bodies with a constant that float32 rounds, such as 1/N or ε. They differ from the operator by that rounding. */
const rounded: ReadonlySet<SemanticOp> = new Set([
  ...(['AdamWUpdate', 'AveragePoolGrad', 'BatchNormTraining', 'MovingAverage', 'RmsPropUpdate', 'SgdUpdate'] as const),
  ...(['SoftmaxCrossEntropy', 'SoftmaxCrossEntropyGrad'] as const),
]);

async function onRuntime(graph: Graph, feeds: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>> {
  const session = await Session.open(graph, { threads: 1 });
  const results = await session.run(feeds);
  await session.dispose();
  return results;
}

/** Checks names, shapes, and values within `tolerance` by norm; whole numbers must be exact. */
function expectSame(actual: Map<string, Tensor>, expected: Map<string, Tensor>, tolerance: number, what: string): void {
  expect([...actual.keys()], what).toEqual([...expected.keys()]);
  for (const [name, { dims, data, dtype }] of actual) {
    expect(dims, `${what}: shape of ${name}`).toEqual(expected.get(name)!.dims);
    const error = relativeError({ data }, expected.get(name)!);
    expect(error, `${what}: error of ${name}`).toBeLessThanOrEqual(dtype === 'int64' ? 0 : tolerance);
  }
}

/** A case in one line, for messages. */
const describeCase = <O extends OpType>(op: O, { inputs, attributes }: Case<O>): string =>
  `${op} (${inputs.map((input) => (input ? `[${input.dims}]` : '-')).join(', ')}) ${JSON.stringify(attributes ?? {})}`;

test.each(opTypes.filter((op) => !isSemantic(op)))('%s: the interpreter agrees with ONNX Runtime', async (op) => {
  for (const each of casesOf(op)) {
    const { graph, node, feeds } = graphOf(op, each);
    const expected = interpret(graph, feeds);
    node.outputs.forEach(({ name, dims }) => {
      expect(dims, describeCase(op, each)).toEqual(expected.get(name)!.dims);
    });
    expectSame(await onRuntime(graph, feeds), expected, 1e-6, describeCase(op, each));
  }
});

test.each(['int32', 'int64'] as const)('Div truncates the quotient of %s toward zero', async (dtype) => {
  const b = new Builder('division');
  const [x, y] = [b.input('x', [6], dtype), b.input('y', [6], dtype)];
  b.output(b.op('Div', [x, y]), 'quotient');
  const whole = (...values: number[]): Tensor =>
    dtype === 'int32'
      ? tensor('int32', [6], Int32Array.from(values))
      : tensor('int64', [6], BigInt64Array.from(values, BigInt));
  const feeds = new Map([
    ['x', whole(7, -7, 7, -7, 6, -1)],
    ['y', whole(2, 2, -2, -2, 3, 4)],
  ]);
  const { data } = interpret(b.graph, feeds).get('quotient')!;
  expect([...data].map((value) => value + 0)).toEqual([3, -3, -3, 3, 2, 0]);
  expect(Array.from((await onRuntime(b.graph, feeds)).get('quotient')!.data, Number)).toEqual([3, -3, -3, 3, 2, 0]);
});

test('a body whose constants depend on a free size is rejected', () => {
  const b = new Builder('free');
  const x = b.input('x', ['N', 2, 4, 4]);
  const vectors = Array.from({ length: 4 }, (_, i) => b.input(`v${i}`, [2]));
  b.output(b.node('BatchNormTraining', [x, ...vectors], {}, 5).outputs[0]!);
  expect(() => lowerStandard(b.graph)).toThrow(/^"x" has shape \[N,2,4,4\], but every size must be a number/);
});

test.each(opTypes.filter(isSemantic))('%s: the operator agrees with its body', async (op) => {
  for (const each of casesOf(op)) {
    const { graph, feeds } = graphOf<OpType>(op, each);
    const body = lowerStandard(graph);
    const expected = interpret(graph, feeds);
    expectSame(interpret(body, feeds), expected, rounded.has(op) ? 1e-7 : 1e-12, describeCase<OpType>(op, each));
    expectSame(await onRuntime(body, feeds), expected, 1e-5, describeCase<OpType>(op, each));
  }
});
