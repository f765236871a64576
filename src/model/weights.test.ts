import fc from 'fast-check';
import { expect, test } from 'vitest';
import { smallConfig } from '../../test/random-configs.ts';
import { sameBits, seeded } from '../../test/tensors.ts';
import { UsageError } from '../errors.ts';
import { lazyTensor, numbersOf, type Tensor, tensor } from '../tensor.ts';
import { type Form, forms, type ResNeXtOptions } from './config.ts';
import { initialWeights } from './init.ts';
import { type Model, resnext } from './resnext.ts';
import { variant } from './variants.ts';
import { float16Weights, gatherWeights, scatterWeights, setWeights, stateDict, weightSpecs } from './weights.ts';

const tiny = {
  depths: [1, 1],
  cardinality: 2,
  baseWidth: 16,
  width: 4,
  stem: 'cifar',
  classes: 3,
  inputSize: 8,
} as const;

/** Random contents for every tensor of a model. */
function randomWeights(model: Model, seed: number): Map<string, Tensor> {
  const r = seeded(seed);
  return new Map(weightSpecs(model).map(({ name, dims }) => [name, r.tensor(dims)]));
}

test('every form needs the same tensors, in the same order', () => {
  fc.assert(
    fc.property(smallConfig, (config) => {
      const [a, b, c] = forms.map((form) => weightSpecs(resnext({ ...config, form })));
      expect(a).toEqual(c);
      expect(b).toEqual(c);
    }),
    { numRuns: 30 },
  );
});

test("the names are torchvision's, in the order of its state_dict", () => {
  expect(weightSpecs(resnext({ ...tiny, depths: [1] })).map(({ name, dims }) => `${name} [${dims}]`)).toEqual([
    'conv1.weight [4,3,3,3]',
    ...['weight', 'bias', 'running_mean', 'running_var'].map((part) => `bn1.${part} [4]`),
    'layer1.0.conv1.weight [2,4,1,1]',
    ...['weight', 'bias', 'running_mean', 'running_var'].map((part) => `layer1.0.bn1.${part} [2]`),
    'layer1.0.conv2.weight [2,1,3,3]',
    ...['weight', 'bias', 'running_mean', 'running_var'].map((part) => `layer1.0.bn2.${part} [2]`),
    'layer1.0.conv3.weight [16,2,1,1]',
    ...['weight', 'bias', 'running_mean', 'running_var'].map((part) => `layer1.0.bn3.${part} [16]`),
    'layer1.0.downsample.0.weight [16,4,1,1]',
    ...['weight', 'bias', 'running_mean', 'running_var'].map((part) => `layer1.0.downsample.1.${part} [16]`),
    'fc.weight [3,16]',
    'fc.bias [3]',
  ]);
});

test("where torchvision has no names, they are timm's, in the order of its state_dict", () => {
  const vectors = ['weight', 'bias', 'running_mean', 'running_var'];
  const named = (options: ResNeXtOptions) =>
    weightSpecs(resnext({ ...tiny, depths: [1], stemWidth: 8, ...options })).map(
      ({ name, dims }) => `${name} [${dims}]`,
    );
  expect(named({ stem: 'tiered', shortcut: 'D', attention: 'se' })).toEqual([
    'conv1.0.weight [6,3,3,3]',
    ...vectors.map((part) => `conv1.1.${part} [6]`),
    'conv1.3.weight [8,6,3,3]',
    ...vectors.map((part) => `conv1.4.${part} [8]`),
    'conv1.6.weight [16,8,3,3]',
    ...vectors.map((part) => `bn1.${part} [16]`),
    'layer1.0.conv1.weight [2,16,1,1]',
    ...vectors.map((part) => `layer1.0.bn1.${part} [2]`),
    'layer1.0.conv2.weight [2,1,3,3]',
    ...vectors.map((part) => `layer1.0.bn2.${part} [2]`),
    'layer1.0.conv3.weight [16,2,1,1]',
    ...vectors.map((part) => `layer1.0.bn3.${part} [16]`),
    'layer1.0.se.fc1.weight [8,16,1,1]',
    'layer1.0.se.fc1.bias [8]',
    'layer1.0.se.fc2.weight [16,8,1,1]',
    'layer1.0.se.fc2.bias [16]',
    'fc.weight [3,16]',
    'fc.bias [3]',
  ]);
  expect(named({ stem: 'deep', stemWidth: 4, attention: 'eca', shortcut: 'D' })).toEqual(
    expect.arrayContaining([
      'conv1.6.weight [8,4,3,3]',
      'layer1.0.se.conv.weight [1,1,3]',
      'layer1.0.downsample.1.weight [16,8,1,1]',
      'layer1.0.downsample.2.running_var [16]',
    ]),
  );
});

test('SENet-154 has half the channels in the first 1x1, and 3x3 shortcuts from the second stage on', () => {
  const shapes = new Map(weightSpecs(resnext(variant('senet154'))).map(({ name, dims }) => [name, `${dims}`]));
  expect([...shapes.entries()].filter(([name]) => /^layer[12].0.(conv.|downsample.0).weight$/.test(name))).toEqual([
    ['layer1.0.conv1.weight', '128,128,1,1'],
    ['layer1.0.conv2.weight', '256,2,3,3'],
    ['layer1.0.conv3.weight', '256,256,1,1'],
    ['layer1.0.downsample.0.weight', '256,128,1,1'],
    ['layer2.0.conv1.weight', '256,256,1,1'],
    ['layer2.0.conv2.weight', '512,4,3,3'],
    ['layer2.0.conv3.weight', '512,512,1,1'],
    ['layer2.0.downsample.0.weight', '512,256,3,3'],
  ]);
});

test('lazy weights are read once for all branches', () => {
  const model = resnext({ depths: [1], cardinality: 4, baseWidth: 16, width: 16, form: 'A', classes: 2 });
  const reads: string[] = [];
  const weights = new Map(
    Array.from(initialWeights(model, 1), ([name, { dims, data }]) => {
      const read = () => {
        reads.push(name);
        return data as Float32Array;
      };
      return [name, lazyTensor('float32', dims, read)];
    }),
  );
  scatterWeights(model, weights);
  expect(reads).toContain('layer1.0.conv2.weight');
  expect(reads).not.toContain('conv1.weight');
  expect(new Set(reads).size).toBe(reads.length);
});

test('scattering and gathering give the same bits, in every form', () => {
  fc.assert(
    fc.property(smallConfig, fc.constantFrom<Form>('A', 'B'), fc.nat(), (config, form, seed) => {
      const model = resnext({ ...config, form });
      const weights = randomWeights(model, seed);
      const parts = scatterWeights(model, weights);
      const whole = gatherWeights(model, ({ value }) => parts.get(value.name));
      expect([...whole.keys()]).toEqual([...weights.keys()]);
      for (const [name, gathered] of whole) {
        expect(gathered.dims).toEqual(weights.get(name)!.dims);
        expect(sameBits(gathered, weights.get(name)!), name).toBe(true);
      }
    }),
    { numRuns: 50 },
  );
});

test('a branch gets its own channels', () => {
  const model = resnext({ ...tiny, depths: [1], form: 'A' });
  const weights = randomWeights(model, 1);
  setWeights(model, weights);
  const contents = (name: string) => {
    return [...model.parameters.find(({ value }) => value.name === name)!.value.tensor!.data].map(Number);
  };
  const whole = (name: string) => [...weights.get(name)!.data].map(Number);
  expect(contents('layer1.0.branches.1.conv1.weight')).toEqual(whole('layer1.0.conv1.weight').slice(4));
  expect(contents('layer1.0.branches.1.conv2.weight')).toEqual(whole('layer1.0.conv2.weight').slice(9));
  expect(contents('layer1.0.branches.0.bn2.running_var')).toEqual(whole('layer1.0.bn2.running_var').slice(0, 1));
  const odd = whole('layer1.0.conv3.weight').filter((_, i) => i % 2 === 1);
  expect(contents('layer1.0.branches.1.conv3.weight')).toEqual(odd);
});

test('gathering skips parameters without a tensor', () => {
  const model = resnext({ ...tiny, form: 'B' });
  const gathered = gatherWeights(model, ({ value, trainable }) =>
    trainable ? seeded(1).tensor(value.dims as number[]) : undefined,
  );
  expect([...gathered.keys()]).toEqual(weightSpecs(model).flatMap(({ name, trainable }) => (trainable ? name : [])));
});

test('setWeights refuses missing tensors and wrong shapes, and then changes nothing', () => {
  const model = resnext(tiny);
  const weights = randomWeights(model, 1);
  const without = new Map(weights);
  without.delete('fc.bias');
  expect(() => setWeights(model, without)).toThrow(
    new UsageError('The weights have no "fc.bias", but the model needs it as [3].'),
  );
  const reshaped = new Map(weights).set('fc.weight', seeded(1).tensor([1000, 32]));
  expect(() => setWeights(model, reshaped)).toThrow(
    new UsageError('"fc.weight" is [1000,32] in the weights, but the model needs [3,32].'),
  );
  expect(model.parameters.every(({ value }) => value.tensor === undefined)).toBe(true);
  setWeights(model, new Map(weights).set('num_batches_tracked', seeded(1).tensor([])));
  expect(model.parameters.every(({ value }) => value.tensor !== undefined)).toBe(true);
});

test('a state_dict refuses what setWeights refuses', () => {
  const model = resnext(tiny);
  const weights = randomWeights(model, 1);
  weights.delete('fc.bias');
  expect(() => stateDict(model, weights)).toThrow('The weights have no "fc.bias", but the model needs it as [3].');
});

test('a state_dict has a batch count for each normalization, in its place', () => {
  const model = resnext({ ...tiny, depths: [1] });
  const state = stateDict(model, randomWeights(model, 1), 12);
  const names = [...state.keys()];
  expect(names.slice(3, 7)).toEqual([
    'bn1.running_mean',
    'bn1.running_var',
    'bn1.num_batches_tracked',
    'layer1.0.conv1.weight',
  ]);
  const counts = [...state].filter(([name]) => name.endsWith('num_batches_tracked'));
  expect(counts).toHaveLength(5);
  for (const [, count] of counts) expect(count).toEqual({ dtype: 'int64', dims: [], data: BigInt64Array.of(12n) });
});

test('float16 weights are rounded to nearest, ties to even, and other types are kept', () => {
  const u = 2 ** -11; // half of the step between float16 numbers from 1 to 2
  const cases = [
    [1 + u, 1],
    [1 + 3 * u, 1 + 4 * u],
    [1 + 1.01 * u, 1 + 2 * u],
    [-(1 + 3 * u), -(1 + 4 * u)],
    [2 - u, 2],
    [65504, 65504],
    [65519, 65504],
    [2 ** -14 - 2 ** -26, 2 ** -14],
    [2 ** -24, 2 ** -24],
    [3 * 2 ** -25, 2 ** -23],
    [2 ** -25, 0],
    [-0, -0],
  ] as const;
  const values = Float32Array.from(cases, ([value]) => value);
  const count = tensor('int64', [], BigInt64Array.of(7n));
  const weights = new Map<string, Tensor>([
    ['w', tensor('float32', [cases.length], values)],
    ['n', count],
  ]);
  const half = float16Weights(weights);
  expect(half.get('w')!.dtype).toBe('float16');
  expect(half.get('w')!.dims).toEqual([cases.length]);
  expect(Array.from(numbersOf(half.get('w')!))).toEqual(cases.map(([, rounded]) => rounded));
  expect(half.get('n')).toBe(count);
});

test.each([
  [65520, '"bn1.running_var" contains 65520, but float16 has no numbers beyond 65504. Keep the weights in float32.'],
  [-1e6, '"bn1.running_var" contains -1000000, but'],
  [Number.NaN, '"bn1.running_var" contains NaN'],
  [Number.POSITIVE_INFINITY, '"bn1.running_var" contains Infinity'],
])('%d has no float16', (value, message) => {
  const weight = lazyTensor('float32', [2], () => Float32Array.of(1, value));
  expect(() => float16Weights(new Map([['bn1.running_var', weight as Tensor]]))).toThrow(message);
  expect(() => float16Weights(new Map([['bn1.running_var', weight as Tensor]]))).toThrow(UsageError);
});
