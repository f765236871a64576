/**
 * One checker for all gradient rules. For random weights c of the outputs and a random direction v of an input x,
 *
 *   loss(x) = Σ c·y(x)      ⟨∂loss/∂x, v⟩ = (loss(x + h·v) − loss(x − h·v)) / 2h + O(h²)
 *
 * where the left side is the graph that the rule adds, and the right side is two runs of the interpreter. The cases in
 * `test/operator-cases.ts` cover strides, groups, paddings, dilations and broadcasts. The same graph then runs on ONNX
 * Runtime.
 */

import { expect, test } from 'vitest';
import { Session } from '#platform';
import { type Case, casesOf, graphOf } from '../../test/operator-cases.ts';
import { relativeError, seeded } from '../../test/tensors.ts';
import { UsageError } from '../errors.ts';
import { Builder } from '../graph/builder.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { interpret, type Tensor64 } from '../graph/interpret.ts';
import { type Differentiable, type OpType, opTypes } from '../graph/ops.ts';
import { lowerStandard } from '../lower/standard.ts';
import { type Tensor, tensor } from '../tensor.ts';
import { gradient } from './gradient.ts';
import { rules } from './rules.ts';

const step = 1e-5;
const tolerance = 1e-8;

/** The inputs with a gradient, for operators where some float inputs have none. */
const differentiated: { readonly [O in OpType]?: readonly number[] } = {
  BatchNormalization: [0, 1, 2],
  BatchNormTraining: [0, 1, 2],
  Pad: [0],
  SoftmaxCrossEntropy: [0],
};
/** Operators where only the first output has a gradient. */
const firstOutputOnly: ReadonlySet<OpType> = new Set(['BatchNormTraining', 'MaxPool']);

interface Site {
  readonly graph: Graph;
  readonly feeds: ReadonlyMap<string, Tensor>;
  readonly loss: Value;
  /** The inputs with a gradient. */
  readonly inputs: readonly Value[];
}

/** The case's node, with Σ c·y over its outputs as the loss. */
function siteOf<O extends OpType>(op: O, each: Case<O>): Site {
  const r = seeded(2);
  const { graph, node, feeds } = graphOf(op, each);
  const b = new Builder(graph);
  const parts = node.outputs.slice(0, firstOutputOnly.has(op) ? 1 : undefined).map((y) => {
    const weighted = b.op('Mul', [y, b.constant(r.tensor(y.dims as number[]))]);
    return b.op('ReduceSum', [weighted], { keepdims: 0 });
  });
  const inputs = graph.inputs.filter(({ name }) => differentiated[op]?.includes(Number(name.slice(1))) ?? true);
  return { graph, feeds, inputs, loss: b.op('Sum', parts) };
}

const isDifferentiable = (op: OpType): op is Differentiable => op in rules;

const sitesOf = (op: OpType): Site[] => casesOf(op).flatMap((each) => (each.smooth === false ? [] : siteOf(op, each)));

const inner = (a: Tensor, b: Tensor): number =>
  (a.data as Float64Array).reduce((sum, value, i) => sum + value * Number(b.data[i]), 0);
const norm = (x: Tensor): number => Math.sqrt(inner(x, x));

/** x + h·v in float64. */
const moved = (x: Tensor, v: Tensor, h: number): Tensor64 =>
  tensor(
    'float64',
    x.dims,
    Float64Array.from(x.data as Float32Array, (value, i) => value + h * Number(v.data[i])),
  );

/** |⟨dx, v⟩ − difference quotient| / (‖dx‖·‖v‖) for a random v. */
function differenceError({ graph, feeds, loss }: Site, input: Value, dx: Tensor): number {
  const { name } = input;
  const x = feeds.get(name)!;
  const v = seeded(3).tensor(x.dims);
  const lossAt = (h: number) => interpret(graph, new Map([...feeds, [name, moved(x, v, h)]]), [loss.name]);
  const [after, before] = [step, -step].map((h) => lossAt(h).get(loss.name)!.data[0]!) as [number, number];
  return Math.abs(inner(dx, v) - (after - before) / (2 * step)) / (norm(dx) * norm(v) || 1);
}

test.each(opTypes.filter(isDifferentiable))('%s: its gradient agrees with the difference quotient', (op) => {
  for (const site of sitesOf(op)) {
    const gradients = gradient(site.graph, site.loss, site.inputs);
    const names = gradients.map(({ name }) => name);
    const computed = interpret(site.graph, site.feeds, names);
    site.inputs.forEach((input, i) => {
      const dx = computed.get(names[i]!)!;
      expect(dx.dims, `${op} by ${input.name}`).toEqual(input.dims);
      expect(differenceError(site, input, dx), `${op} [${input.dims}] by ${input.name}`).toBeLessThan(tolerance);
    });
  }
});

test.each(opTypes.filter(isDifferentiable))('%s: its gradient runs on ONNX Runtime', async (op) => {
  for (const { graph, feeds, loss, inputs } of sitesOf(op)) {
    graph.outputs.splice(0, graph.outputs.length, ...new Set(gradient(graph, loss, inputs)));
    const session = await Session.open(lowerStandard(graph), { threads: 1 });
    const used = new Map([...feeds].filter(([name]) => session.inputNames.includes(name)));
    const actual = await session.run(used);
    await session.dispose();
    for (const [name, expected] of interpret(graph, feeds)) {
      expect(actual.get(name)!.dims, op).toEqual(expected.dims);
      expect(relativeError(actual.get(name)!, expected), op).toBeLessThan(1e-5);
    }
  }
});

test.each(opTypes.filter((op) => !isDifferentiable(op)))('%s: throws, since it has no gradient', (op) => {
  const { graph, loss, inputs } = siteOf(op, casesOf(op)[0]!);
  expect(() => gradient(graph, loss, inputs)).toThrow(
    new UsageError(`${op} "node" has no gradient, but the loss depends on it.`),
  );
});

test('throws with the node for cases that a rule does not cover', () => {
  const [, , , steps] = casesOf('Slice');
  const [, , , cropping] = casesOf('Pad');
  const refusal = <O extends OpType>(op: O, each: Case<O>) => {
    const { graph, loss, inputs } = siteOf(op, each);
    return () => gradient(graph, loss, inputs);
  };
  expect(refusal('Slice', steps!)).toThrow('Slice "node" has no gradient unless its steps are 1.');
  const sentence = 'Pad "node" has no gradient unless it adds a constant around its input.';
  expect(refusal('Pad', cropping!)).toThrow(sentence);
  expect(refusal('Pad', { ...casesOf('Pad')[0]!, attributes: { mode: 'reflect' } })).toThrow(sentence);
});
