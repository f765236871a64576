import { expect, test } from 'vitest';
import { sameBits } from '../../test/tensors.ts';
import type { Tensor } from '../tensor.ts';
import { forms, type ResNeXtOptions } from './config.ts';
import { initialWeights } from './init.ts';
import { resnext } from './resnext.ts';

const config: ResNeXtOptions = { depths: [1, 1], cardinality: 8, baseWidth: 16, stem: 'cifar', classes: 50 };
const weights = (options: ResNeXtOptions, seed: number) => initialWeights(resnext({ ...config, ...options }), seed);
const moment = ({ data }: Tensor, power: number): number =>
  (data as Float32Array).reduce((sum, value) => sum + value ** power, 0) / data.length;

test('is the same for every form', () => {
  const [a, b, c] = forms.map((form) => weights({ form }, 7));
  for (const [name, drawn] of c!) {
    expect(sameBits(a!.get(name)!, drawn), name).toBe(true);
    expect(sameBits(b!.get(name)!, drawn), name).toBe(true);
  }
});

test("convolutions have He's standard deviation by the full fan-out, and mean zero", () => {
  let count = 0;
  for (const [name, weight] of weights({}, 3)) {
    if (weight.dims.length !== 4) continue;
    const [filters, , height, width] = weight.dims as [number, number, number, number];
    const expected = Math.sqrt(2 / (filters * height * width));
    const spread = 4 / Math.sqrt(weight.data.length); // four standard errors
    expect(Math.abs(moment(weight, 1)) / expected, name).toBeLessThan(spread);
    expect(Math.abs(Math.sqrt(moment(weight, 2)) / expected - 1), name).toBeLessThan(spread);
    expect(Math.abs(moment(weight, 4) / expected ** 4 - 3), name).toBeLessThan(12 * spread);
    count += 1;
  }
  expect(count).toBe(9);
});

test('normalizations start as the identity, the classifier uniform in ±1/√features', () => {
  const initial = weights({}, 3);
  for (const [name, { data }] of initial) {
    if (name.startsWith('fc.') || initial.get(name)!.dims.length === 4) continue;
    const expected = name.endsWith('.weight') || name.endsWith('.running_var') ? 1 : 0;
    expect(
      (data as Float32Array).every((value) => value === expected),
      name,
    ).toBe(true);
  }
  const bound = 1 / Math.sqrt(512);
  const classifier = initial.get('fc.weight')!;
  expect(Math.max(...(classifier.data as Float32Array).map(Math.abs))).toBeLessThanOrEqual(bound);
  expect(moment(classifier, 2) / (bound ** 2 / 3)).toBeCloseTo(1, 1);
  expect(moment(initial.get('fc.bias')!, 2)).toBeGreaterThan(0);
});

test.each(['se', 'eca'] as const)(
  'attention (%s) starts with convolutions like the others, and zero biases',
  (attention) => {
    const initial = weights({ attention }, 3);
    const own = [...initial].filter(([name]) => name.includes('.se.'));
    const weightsOnly = own.filter(([name]) => name.endsWith('.weight'));
    expect(weightsOnly.map(([, { dims }]) => dims.length)).toEqual(attention === 'se' ? [4, 4, 4, 4] : [3, 3]);
    for (const [name, { data }] of own.filter(([name]) => name.endsWith('.bias'))) {
      expect(
        (data as Float32Array).every((value) => value === 0),
        name,
      ).toBe(true);
    }
    for (const [name, weight] of weightsOnly) {
      const [filters, , ...kernel] = weight.dims as [number, number, ...number[]];
      const expected = Math.sqrt(2 / (filters * kernel.reduce((a, b) => a * b)));
      const spread = 4 / Math.sqrt(weight.data.length);
      expect(Math.abs(Math.sqrt(moment(weight, 2)) / expected - 1), name).toBeLessThan(spread);
    }
  },
);

test('zeroInitLast starts only the last normalization of each block at zero', () => {
  const [plain, zero] = [weights({}, 3), weights({ zeroInitLast: true }, 3)];
  for (const [name, { data }] of zero) {
    if (name.endsWith('bn3.weight'))
      expect(
        (data as Float32Array).every((value) => value === 0),
        name,
      ).toBe(true);
    else expect(data, name).toEqual(plain.get(name)!.data);
  }
});

test('the same seed gives the same bits, another seed different ones', () => {
  const [first, again, other] = [weights({}, 1), weights({}, 1), weights({}, 2)];
  for (const [name, drawn] of first) {
    expect(sameBits(again.get(name)!, drawn), name).toBe(true);
    const isRandom = drawn.dims.length === 4 || name.startsWith('fc.');
    expect(sameBits(other.get(name)!, drawn), name).toBe(!isRandom);
  }
});

test('a tensor depends only on its name: a deeper network starts with the same weights', () => {
  const [shallow, deep] = [weights({}, 1), weights({ depths: [1, 2] }, 1)];
  for (const [name, drawn] of shallow) expect(sameBits(deep.get(name)!, drawn), name).toBe(true);
});

test('all tensors are different', () => {
  const drawn = [...weights({}, 1)].filter(([, { dims }]) => dims.length === 4);
  expect(new Set(drawn.map(([, { data, dims }]) => Number(data[0]) * Math.sqrt(dims[0]!))).size).toBe(drawn.length);
});
