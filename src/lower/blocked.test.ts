/**
 * The blocked lowering, rule by rule: ONNX Runtime against the float64 interpreter on the source graph. Whole networks
 * are compared with PyTorch in test/pytorch-runtime.test.ts. The file is long because all rules share its comparison.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { Session, thisMachine } from '#platform';
import { relativeError, seeded } from '../../test/tensors.ts';
import { gradient } from '../grad/gradient.ts';
import { Builder } from '../graph/builder.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { interpret } from '../graph/interpret.ts';
import { sizes } from '../graph/shapes.ts';
import { attend } from '../model/attention.ts';
import { Layers } from '../model/layers.ts';
import { type Tensor, tensor } from '../tensor.ts';
import { lowerBlocked } from './blocked.ts';
import { lowerStandard } from './standard.ts';

let block: number;
beforeAll(async () => {
  block = (await thisMachine()).block!;
});

interface Lowered {
  readonly graph: Graph;
  readonly actual: ReadonlyMap<string, Tensor>;
  readonly expected: ReadonlyMap<string, Tensor>;
}

/** Runs the lowered graph on ONNX Runtime and the source in float64. */
async function lowered(source: Graph, feeds: ReadonlyMap<string, Tensor>): Promise<Lowered> {
  const graph = lowerBlocked(source, block);
  return { graph, actual: await run(graph, feeds), expected: interpret(source, feeds) };
}

async function run(graph: Graph, feeds: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>> {
  const session = await Session.open(graph, { threads: 2, optimization: 'disabled' });
  try {
    return await session.run(feeds);
  } finally {
    await session.dispose();
  }
}

function expectNear({ actual, expected }: Lowered, tolerance: number): void {
  for (const [name, reference] of expected) {
    expect(actual.get(name)!.dims, name).toEqual(reference.dims);
    expect(relativeError(actual.get(name)!, reference), name).toBeLessThan(tolerance);
  }
}

const blockedNodes = (graph: Graph, op: string): number =>
  [...graph.nodes].filter((node) => node.domain === 'com.microsoft.nchwc' && node.op === op).length;

/** Adds the loss Σ y · c, so that y's gradient is c, and the gradients of the inputs as outputs "name.gradient". */
function differentiate(b: Builder, y: Value, c: Value, inputs: readonly Value[]): void {
  b.output(y, 'y');
  const loss = b.op('ReduceSum', [b.op('Mul', [y, c])], { keepdims: 0 });
  gradient(b.graph, loss, inputs).forEach((dx, i) => {
    b.output(b.op('Identity', [dx]), `${inputs[i]!.name}.gradient`);
  });
}

describe('a convolution and its gradients', () => {
  const pads = (size: number) => [size, size, size, size];
  test.each([
    ['1x1', [3, 32, 9, 7], [48, 32, 1, 1], {}],
    ['1x1 with many weights and few pixels', [2, 64, 3, 3], [96, 64, 1, 1], {}],
    ['1x1, stride 2', [2, 32, 8, 6], [16, 32, 1, 1], { strides: [2, 2] }],
    ['groups of 1', [2, 32, 8, 8], [32, 1, 3, 3], { group: 32, pads: pads(1) }],
    ['groups of 4', [3, 32, 9, 8], [32, 4, 3, 3], { group: 8, pads: pads(1) }],
    ['groups of 8, stride 2', [2, 64, 8, 12], [64, 8, 3, 3], { group: 8, pads: pads(1), strides: [2, 2] }],
    ['groups of 16, dilated', [2, 32, 9, 9], [32, 16, 3, 3], { group: 2, pads: pads(2), dilations: [2, 2] }],
    ['groups of 32, stride 2', [2, 64, 6, 6], [64, 32, 3, 3], { group: 2, pads: pads(1), strides: [2, 2] }],
    ['groups of 48', [2, 96, 5, 5], [96, 48, 3, 3], { group: 2, pads: pads(1) }],
    ['groups of 48, stride 2', [3, 96, 8, 6], [96, 48, 3, 3], { group: 2, pads: pads(1), strides: [2, 2] }],
    ['groups of 8 to 16', [2, 32, 5, 5], [64, 8, 3, 3], { group: 4, pads: pads(1) }],
    ['one group, 5x3, uneven padding', [2, 16, 8, 8], [32, 16, 5, 3], { pads: [2, 0, 1, 2] }],
    ['a stem of 7x7, stride 2', [2, 3, 16, 20], [32, 3, 7, 7], { pads: pads(3), strides: [2, 2] }],
    ['a stem of 3x3', [4, 3, 8, 8], [16, 3, 3, 3], { pads: pads(1) }],
    ['1x1 with a bias', [2, 32, 6, 6], [32, 32, 1, 1], {}, [32]],
  ] as const)('%s', async (_, x, w, attributes, bias?: readonly number[]) => {
    const random = seeded(3);
    const b = new Builder('convolution');
    const [input, weight] = [b.input('x', x), b.input('w', w)];
    const parameters = [weight, ...(bias ? [b.input('bias', bias)] : [])];
    const y = b.op('Conv', [input, ...parameters], { ...attributes, kernel_shape: w.slice(2) });
    const c = b.input('c', sizes(y));
    differentiate(b, y, c, [...parameters, ...(x[1] >= block ? [input] : [])]);
    const feeds = new Map([input, ...parameters, c].map((value) => [value.name, random.tensor(sizes(value))]));
    const result = await lowered(b.graph, feeds);
    expect(blockedNodes(result.graph, 'Conv')).toBeGreaterThan(0);
    expectNear(result, 2e-6);
  });

  test.each([
    ['channels that do not fill a block', [2, 12, 6, 6], [12, 12, 1, 1], {}],
    ['groups that do not fill a block', [2, 20, 6, 6], [20, 4, 3, 3], { group: 5, pads: [1, 1, 1, 1] }],
    ['an odd map with stride 2', [2, 32, 7, 9], [32, 4, 3, 3], { group: 8, pads: [1, 1, 1, 1], strides: [2, 2] }],
    ['stride 3', [2, 32, 9, 9], [32, 32, 3, 3], { strides: [3, 3] }],
    ['dilation with stride', [2, 16, 8, 8], [16, 16, 3, 3], { pads: [2, 2, 2, 2], strides: [2, 2], dilations: [2, 2] }],
  ] as const)('falls back to standard operators: %s', async (_, x, w, attributes) => {
    const random = seeded(4);
    const b = new Builder('convolution');
    const inputs = [b.input('x', x), b.input('w', w)];
    const y = b.op('Conv', inputs, { ...attributes, kernel_shape: w.slice(2) });
    const c = b.input('c', sizes(y));
    differentiate(b, y, c, inputs);
    const feeds = new Map([...inputs, c].map((value) => [value.name, random.tensor(sizes(value))]));
    expectNear(await lowered(b.graph, feeds), 2e-6);
  });
});

describe('a convolution with a constant weight', () => {
  const pads = [1, 1, 1, 1];
  test.each([
    ['1x1', [2, 32, 6, 6], [48, 32, 1, 1], {}],
    ['groups of 4', [2, 32, 6, 6], [32, 4, 3, 3], { group: 8, pads }],
    ['groups of 8 to 16', [2, 32, 5, 7], [64, 8, 3, 3], { group: 4, pads }],
    ['groups of 32', [2, 64, 5, 7], [64, 32, 3, 3], { group: 2, pads }],
    ['groups of 8, stride 2', [2, 64, 8, 12], [64, 8, 3, 3], { group: 8, pads, strides: [2, 2] }],
    ['a stem', [2, 3, 16, 12], [32, 3, 7, 7], { pads: [3, 3, 3, 3], strides: [2, 2] }],
  ] as const)('%s: takes in bias, addition and ReLU, and has an input gradient', async (_, dims, w, window) => {
    const random = seeded(6);
    const b = new Builder('constant');
    const x = b.input('x', dims);
    const parameters = [b.constant(random.tensor(w)), b.constant(random.tensor([w[0]]))];
    const z = b.op('Conv', [x, ...parameters], { ...window, kernel_shape: w.slice(2) });
    const other = b.input('other', sizes(z));
    const blocked = b.op('Relu', [b.op('Conv', [other, b.constant(random.tensor([w[0], w[0], 1, 1]))])]);
    const c = b.input('c', sizes(z));
    differentiate(b, b.op('Relu', [b.op('Add', [z, blocked])]), c, [other, ...(dims[1] >= block ? [x] : [])]);
    const feeds = new Map([x, other, c].map((value) => [value.name, random.tensor(sizes(value))]));
    const result = await lowered(b.graph, feeds);
    expectNear(result, 2e-6);
    const forward = [...result.graph.nodes].filter(({ attributes }) => attributes.has('activation'));
    expect(forward).toHaveLength(2); // one of them with the addition
    expect(forward.map(({ inputs }) => inputs.length).sort()).toEqual([2, 4]);
    const filters = forward.map(({ inputs }) => inputs[1]!);
    expect(filters.every((filter) => result.graph.initializers.has(filter))).toBe(true);
  });
});

/** Convolution, normalization and ReLU, as in a network, with a shortcut if the shapes allow. */
function normalized(
  b: Builder,
  x: Value,
  w: Value,
  attributes: { readonly group: number; readonly pads: readonly number[] },
) {
  const [filters] = sizes(w) as [number];
  const vectors = ['gamma', 'beta', 'mean', 'variance'].map((name) => b.input(name, [filters]));
  const z = b.op('Conv', [x, w], { ...attributes, kernel_shape: sizes(w).slice(2) });
  const node = b.node('BatchNormTraining', [z, ...vectors], {}, 5);
  const [v, nextMean, nextVariance] = node.outputs as [Value, Value, Value];
  const y = b.op('Relu', [sizes(v).join() === sizes(x).join() ? b.op('Add', [v, x]) : v]);
  b.output(nextMean, 'mean.next');
  b.output(nextVariance, 'variance.next');
  return { y, gamma: vectors[0]!, beta: vectors[1]! };
}

describe('normalization with batch statistics', () => {
  test.each([
    ['after a 1x1', [32, 16, 1, 1], { group: 1, pads: [0, 0, 0, 0] }],
    ['after a 3x3 in groups', [16, 4, 3, 3], { group: 4, pads: [1, 1, 1, 1] }],
    ['after a 1x1, with a shortcut', [16, 16, 1, 1], { group: 1, pads: [0, 0, 0, 0] }],
  ] as const)('%s: stays accurate for means far from zero', async (_, w, attributes) => {
    const random = seeded(5);
    const b = new Builder('normalization');
    const [x, weight] = [b.input('x', [4, 16, 10, 10]), b.input('w', w)];
    const { y, gamma, beta } = normalized(b, x, weight, attributes);
    const c = b.input('c', sizes(y));
    differentiate(b, y, c, [weight, gamma, beta, x]);
    const feeds = new Map<string, Tensor>(b.graph.inputs.map((value) => [value.name, random.tensor(sizes(value))]));
    const far = random.tensor([4, 16, 10, 10]);
    feeds.set('x', { ...far, data: far.data.map((value) => value + 30) });
    feeds.set('variance', tensor('float32', [w[0]], new Float32Array(w[0]).fill(1)));
    const result = await lowered(b.graph, feeds);
    expect(blockedNodes(result.graph, 'ReorderInput')).toBeGreaterThan(0);
    const standard = await run(lowerStandard(b.graph), feeds); // subtracts the mean before squaring
    for (const [name, reference] of result.expected) {
      const own = relativeError(standard.get(name)!, reference);
      expect(relativeError(result.actual.get(name)!, reference), name).toBeLessThan(3 * own + 2e-6);
    }
  });

  test('centers a map that is not from a convolution in a separate pass', async () => {
    const random = seeded(6);
    const b = new Builder('normalization');
    const x = b.input('x', [2, 16, 6, 6]);
    const weight = b.input('w', [16, 16, 1, 1]);
    const z = b.op('Relu', [b.op('Conv', [x, weight], { kernel_shape: [1, 1] })]);
    const vectors = ['gamma', 'beta', 'mean', 'variance'].map((name) => b.input(name, [16]));
    const [y] = b.node('BatchNormTraining', [z, ...vectors], {}, 5).outputs;
    differentiate(b, y!, b.input('c', sizes(y!)), [weight, ...vectors.slice(0, 2)]);
    const feeds = new Map(b.graph.inputs.map((value) => [value.name, random.tensor(sizes(value))]));
    expectNear(await lowered(b.graph, feeds), 1e-5);
  });
});

describe('max pooling after a ReLU', () => {
  test.each([
    ['3x3, padding 1', [3, 3], [1, 1, 1, 1]],
    ['2x2', [2, 2], [0, 0, 0, 0]],
  ] as const)('%s: the gradient goes to the first of equal maxima', async (_, kernel, pads) => {
    const random = seeded(7);
    const b = new Builder('pool');
    const x = b.input('x', [2, 16, 8, 12]);
    const weight = b.input('w', [16, 16, 1, 1]);
    const map = b.op('Relu', [b.op('Conv', [x, weight], { kernel_shape: [1, 1] })]);
    const y = b.op('MaxPool', [map], { kernel_shape: kernel, strides: [2, 2], pads });
    const c = b.input('c', sizes(y));
    differentiate(b, y, c, [x]);
    const eye = tensor(
      'float32',
      [16, 16, 1, 1],
      Float32Array.from({ length: 256 }, (_, i) => (i % 17 === 0 ? 1 : 0)),
    );
    const dims = [2, 16, 8, 12];
    const levels = Float32Array.from(random.tensor(dims).data, (value) => Math.round(value)); // many are equal
    const feeds = new Map([
      ['x', tensor('float32', dims, levels)],
      ['w', eye],
      ['c', random.tensor(sizes(y))],
    ]);
    const result = await lowered(b.graph, feeds);
    expect(blockedNodes(result.graph, 'MaxPool')).toBe(1);
    expectNear(result, 1e-7);
  });

  test('falls back to standard operators without a ReLU before it', async () => {
    const random = seeded(8);
    const b = new Builder('pool');
    const x = b.input('x', [2, 16, 8, 8]);
    const y = b.op('MaxPool', [x], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
    differentiate(b, y, b.input('c', sizes(y)), [x]);
    const feeds = new Map(b.graph.inputs.map((value) => [value.name, random.tensor(sizes(value))]));
    const result = await lowered(b.graph, feeds);
    expect(blockedNodes(result.graph, 'MaxPool')).toBe(0);
    expectNear(result, 1e-7);
  });
});

test.each([
  [0.9, 1, 0.1],
  [0.9, 0, 0],
  [0, 0, 0.1],
])(
  'short vectors are updated together, long ones in passes: momentum %d, nesterov %d, decay %d',
  async (momentum, nesterov, decay) => {
    const random = seeded(9);
    const b = new Builder('updates');
    const rate = b.input('rate', []);
    for (const [i, length] of [3, 7, 5, 16 * 256 * 2].entries()) {
      const [w, g, v] = ['w', 'g', 'v'].map((name) => b.input(`${name}${i}`, [length])) as [Value, Value, Value];
      const settings = { momentum, nesterov, weight_decay: i === 2 ? 0.7 : decay };
      const [next, buffer] = b.node('SgdUpdate', [w, g, v, rate], settings, 2).outputs;
      b.output(next!, `w${i}.next`);
      b.output(buffer!, `v${i}.next`);
    }
    const feeds = new Map(b.graph.inputs.map((value) => [value.name, random.tensor(sizes(value))]));
    const result = await lowered(b.graph, feeds);
    expect([...result.graph.nodes].filter(({ op }) => op === 'Split')).toHaveLength(2); // of the first two's results
    expect(blockedNodes(result.graph, 'Conv')).toBe((decay > 0 ? 1 : 0) + nesterov);
    expectNear(result, 1e-6);
  },
);

describe('an addition is not merged into the convolution before', () => {
  const build = (finish: (b: Builder, c: Value, x: Value) => void) => {
    const b = new Builder('addition');
    const x = b.input('x', [2, 16, 4, 4]);
    const c = b.op('Conv', [x, b.input('w', [16, 16, 1, 1])], { kernel_shape: [1, 1] });
    finish(b, c, x);
    return b;
  };
  const normalizedBy = (b: Builder, c: Value) =>
    b.node(
      'BatchNormTraining',
      [c, ...['gamma', 'beta', 'mean', 'variance'].map((name) => b.input(name, [16]))],
      {},
      5,
    );
  test.each([
    [
      'that already has a ReLU',
      (b: Builder, c: Value, x: Value) => b.output(b.op('Add', [b.op('Relu', [normalizedBy(b, c).outputs[0]!]), x])),
    ],
    ['whose result is also an output', (b: Builder, c: Value, x: Value) => b.output(b.op('Add', [b.output(c), x]))],
    ['that is added to itself', (b: Builder, c: Value) => b.output(b.op('Add', [c, c]))],
  ] as const)('%s', async (_, finish) => {
    const random = seeded(10);
    const b = build(finish);
    expectNear(
      await lowered(b.graph, new Map(b.graph.inputs.map((value) => [value.name, random.tensor(sizes(value))]))),
      1e-5,
    );
  });
});

describe('parts of later architectures between blocked layers', () => {
  const blocks: readonly [string, (layers: Layers, x: Value) => Value][] = [
    ['squeeze-and-excitation that fills blocks', (layers, x) => attend(layers, x, 'se', 'se')],
    ['ECA', (layers, x) => attend(layers, x, 'eca', 'se')],
    ['an average after a ReLU', (layers, x) => layers.average('aa', layers.relu('relu', x), 2)],
  ];
  test.each(blocks)('%s', async (_, middle) => {
    const random = seeded(13);
    const b = new Builder('block');
    const layers = new Layers(b);
    const x = b.input('x', [2, 32, 6, 6]);
    const z = layers.convolution('conv1', x, { filters: 256 });
    const vectors = ['gamma', 'beta', 'mean', 'variance'].map((name) => b.input(name, [256]));
    const inside = middle(layers, b.node('BatchNormTraining', [z, ...vectors], {}, 5).outputs[0]!);
    const y = layers.convolution('conv2', inside, { filters: 32 });
    const c = b.input('c', sizes(y));
    const parameters = layers.parameters.map(({ value }) => value);
    for (const value of parameters) value.tensor = random.tensor(sizes(value), -0.2, 0.2);
    differentiate(b, y, c, [x, ...parameters]);
    const feeds = new Map(b.graph.inputs.map((value) => [value.name, random.tensor(sizes(value))]));
    const result = await lowered(b.graph, feeds);
    expect(blockedNodes(result.graph, 'Conv')).toBeGreaterThan(0);
    expectNear(result, 1e-5);
    const standard = lowerStandard(b.graph);
    expectNear({ graph: standard, actual: await run(standard, feeds), expected: result.expected }, 1e-5);
  });
});

describe('a map times a number per image', () => {
  const rest: readonly [string, (b: Builder, y: Value, x: Value) => Value, number][] = [
    ['between normalization, shortcut and ReLU', (b, y, x) => b.op('Relu', [b.op('Add', [y, x])]), 1], // of the ReLU
    ['before a convolution', (_, y) => y, 0],
    ['twice', (b, y, x) => b.op('Add', [b.op('Mul', [b.input('n', [3, 1, 1, 1]), y]), x]), 0],
  ];
  test.each(rest)('%s needs no pass of its own', async (_, finish, products) => {
    const random = seeded(13);
    const b = new Builder('images');
    const [x, w] = [b.input('x', [3, 16, 6, 5]), b.input('w', [16, 16, 1, 1])];
    const vectors = ['gamma', 'beta', 'mean', 'variance'].map((name) => b.input(name, [16]));
    const map = b.op('Conv', [x, w], { kernel_shape: [1, 1] });
    const [normalized] = b.node('BatchNormTraining', [map, ...vectors], {}, 5).outputs;
    const product = b.op('Mul', [normalized, b.input('m', [3, 1, 1, 1])]);
    const y = b.op('Conv', [finish(b, product, x), b.input('w2', [32, 16, 1, 1])], { kernel_shape: [1, 1] });
    differentiate(b, y, b.input('c', sizes(y)), [x, w, vectors[0]!]);
    b.graph.removeDead();
    const feeds = new Map(b.graph.inputs.map((value) => [value.name, random.tensor(sizes(value))]));
    const result = await lowered(b.graph, feeds);
    const ofMaps = [...result.graph.nodes].filter(({ op, outputs: [z] }) => op === 'Mul' && z?.dims?.[3] === 5);
    expect(ofMaps).toHaveLength(1 + products); // 1 in the loss
    expectNear(result, 2e-6);
  });
});

test('a variance that rounds to zero is not negative', async () => {
  const b = new Builder('still');
  const [x, w] = [b.input('x', [7, 16, 1, 1]), b.input('w', [16, 16, 3, 3])];
  const z = b.op('Conv', [x, w], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
  const vectors = ['gamma', 'beta', 'mean', 'variance'].map((name) => b.input(name, [16]));
  const node = b.node('BatchNormTraining', [z, ...vectors], {}, 5);
  b.output(node.outputs[0]!, 'y');
  b.output(node.outputs[2]!, 'variance.next');
  const random = seeded(11);
  const feeds = new Map<string, Tensor>(b.graph.inputs.map((value) => [value.name, random.tensor(sizes(value), 0, 1)]));
  const image = random.tensor([16], 5, 30).data;
  feeds.set(
    'x',
    tensor(
      'float32',
      [7, 16, 1, 1],
      Float32Array.from({ length: 112 }, (_, i) => image[i % 16]!),
    ),
  );
  const { actual } = await lowered(b.graph, feeds);
  expect(actual.get('y')!.data.every(Number.isFinite)).toBe(true);
  expect(Math.min(...(actual.get('variance.next')!.data as Float32Array))).toBeGreaterThanOrEqual(0);
});

test('a padded 1x1 convolution before a normalization is centered by measuring', async () => {
  const b = new Builder('padded');
  const [x, w] = [b.input('x', [2, 16, 4, 4]), b.input('w', [16, 16, 1, 1])];
  const z = b.op('Conv', [x, w], { kernel_shape: [1, 1], pads: [1, 1, 1, 1] });
  const vectors = ['gamma', 'beta', 'mean', 'variance'].map((name) => b.input(name, [16]));
  b.output(b.node('BatchNormTraining', [z, ...vectors], {}, 5).outputs[0]!, 'y');
  const random = seeded(12);
  expectNear(
    await lowered(b.graph, new Map(b.graph.inputs.map((value) => [value.name, random.tensor(sizes(value))]))),
    1e-5,
  );
});

test('a node that reads an output of the step is rejected', () => {
  const b = new Builder('late');
  const [w, g, v, rate] = [b.input('w', [4]), b.input('g', [4]), b.input('v', [4]), b.input('rate', [])];
  const [next] = b.node('SgdUpdate', [w, g, v, rate], {}, 2).outputs;
  b.output(b.op('Relu', [next]), 'y');
  expect(() => lowerBlocked(b.graph, block)).toThrow(
    /is an output of the training step, so no node of the step can read it/,
  );
});

test('an input that is also an output keeps its name', async () => {
  const b = new Builder('through');
  const x = b.input('x', [1, 16, 2, 2]);
  b.output(x);
  b.output(b.op('Relu', [x]), 'y');
  const feeds = new Map([['x', seeded(1).tensor([1, 16, 2, 2])]]);
  const { actual } = await lowered(b.graph, feeds);
  expect([...actual.get('x')!.data]).toEqual([...feeds.get('x')!.data]);
});
