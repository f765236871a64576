import { expect, test } from 'vitest';
import { relativeError, seeded } from '../../test/tensors.ts';
import { Builder } from '../graph/builder.ts';
import type { Graph, Node, Value } from '../graph/graph.ts';
import { interpret } from '../graph/interpret.ts';
import { tensor } from '../tensor.ts';
import { foldBatchNorm } from './fold-batchnorm.ts';
import { rewrite } from './rewriter.ts';

interface Site {
  readonly b: Builder;
  readonly conv: Node;
  readonly norm: Node;
  readonly y: Value;
}

/** x → conv → norm → y, in float32 or float64, optionally with groups and a bias. */
function site({ group = 1, bias = false, dtype = 'float32' as 'float32' | 'float64' } = {}): Site {
  const r = seeded(2);
  const b = new Builder('network');
  const draw = (name: string, dims: number[], low = -1) => {
    const { data } = r.tensor(dims, low, 1);
    return b.parameter(
      name,
      dims,
      dtype === 'float32' ? tensor(dtype, dims, data) : tensor(dtype, dims, new Float64Array(data)),
    );
  };
  const inputs = [b.input('x', ['N', 4, 5, 5], dtype), draw('conv.weight', [6, 4 / group, 3, 3])];
  if (bias) inputs.push(draw('conv.bias', [6]));
  const z = b.op('Conv', inputs, { group, pads: [1, 1, 1, 1] }, 'conv');
  const vectors = ['weight', 'bias', 'running_mean', 'running_var'].map((part) => {
    return draw(`bn.${part}`, [6], part === 'running_var' ? 0.2 : -1);
  });
  const y = b.output(b.op('BatchNormalization', [z, ...vectors], { epsilon: 0.01 }, 'bn'), 'y');
  return { b, conv: z.producer!, norm: y.producer!, y };
}

const x = seeded(3).tensor([2, 4, 5, 5]);
const outputOf = (graph: Graph) => interpret(graph, new Map([['x', x]])).get('y')!;

test.each([
  ['a convolution', {}, 1e-7],
  ['a convolution with a bias', { bias: true }, 1e-7],
  ['a grouped convolution', { group: 2 }, 1e-7],
  ['a float64 convolution', { bias: true, dtype: 'float64' as const }, 1e-15],
])('folds the normalization into %s', (_, options, tolerance) => {
  const { b } = site(options);
  const before = outputOf(b.graph);
  const { changes, refusals } = rewrite(b.graph, [foldBatchNorm]);
  expect([changes.map(({ text }) => text), refusals]).toEqual([
    ['folded BatchNormalization "bn" into Conv "conv".'],
    [],
  ]);
  expect([...b.graph.nodes].map(({ op, name }) => `${op} ${name}`)).toEqual(['Conv conv']);
  expect([...b.graph.initializers].map(({ name }) => name).sort()).toEqual(['conv.bias', 'conv.weight']);
  expect(relativeError(outputOf(b.graph), before)).toBeLessThan(tolerance);
});

test('a weight that two convolutions share is copied for each before folding', () => {
  const { b, conv, norm } = site();
  const z = b.op('Conv', [...conv.inputs], { group: 1, pads: [1, 1, 1, 1] }, 'twin');
  const vectors = norm.inputs.slice(1).toReversed();
  b.output(b.op('BatchNormalization', [z, vectors[3], vectors[2], vectors[1], vectors[0]], {}, 'twin.bn'), 'y2');
  const before = outputOf(b.graph);
  expect(rewrite(b.graph, [foldBatchNorm]).changes).toHaveLength(2);
  expect(relativeError(outputOf(b.graph), before)).toBeLessThan(1e-7);
  expect(new Set([...b.graph.initializers].map(({ name }) => name)).size).toBe(4);
});

const used = 'the output of Conv "conv" is also used elsewhere.';
test.each<[string, (s: Site) => void, string]>([
  ['whose convolution has other readers', ({ b, conv }) => b.output(b.op('Neg', [conv.outputs[0]])), used],
  ['whose convolution is an output', ({ b, conv }) => b.output(conv.outputs[0]!), used],
  [
    'in training mode',
    ({ norm }) => norm.attributes.set('training_mode', { kind: 'int', value: 1 }),
    'BatchNormalization "bn" is in training mode.',
  ],
  [
    'with a computed mean',
    ({ b, norm }) => b.graph.setInput(norm, 3, b.op('Neg', [norm.inputs[3]], {}, 'mean')),
    'BatchNormalization "bn" reads "mean.output", which is not a constant.',
  ],
  [
    'whose convolution is of integers',
    ({ conv }) => {
      conv.inputs[1]!.tensor = tensor('int32', [6, 4, 3, 3]);
    },
    'Conv "conv" has a weight of int32; only floating-point types are supported.',
  ],
  [
    'in a network without weights',
    ({ conv }) => {
      conv.inputs[1]!.tensor = undefined;
    },
    '"conv.weight" has no weights; load or initialize them first.',
  ],
])('refused: a normalization %s', (_, change, reason) => {
  const s = site();
  change(s);
  const { changes, refusals } = rewrite(s.b.graph, [foldBatchNorm]);
  expect([changes, refusals.map(({ text }) => text)]).toEqual([[], [reason]]);
});

test('a normalization of anything but a convolution is not reported', () => {
  const { b, conv, norm } = site();
  b.graph.setInput(norm, 0, b.op('Relu', [conv.outputs[0]]));
  const { changes, refusals } = rewrite(b.graph, [foldBatchNorm]);
  expect([changes, refusals]).toEqual([[], []]);
});
