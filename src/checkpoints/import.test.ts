import { describe, expect, test } from 'vitest';
import { FormatError, UsageError } from '../errors.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import { stateDict } from '../model/weights.ts';
import { type Tensor, tensor } from '../tensor.ts';
import type { StoredTensor } from '../weights/state-dict.ts';
import { adaptStem } from './adapt.ts';
import { describeReport, importWeights } from './import.ts';
import { writeStateDict } from './write.ts';

const model = resnext({ depths: [1, 1], cardinality: 2, baseWidth: 16, width: 16, classes: 3 });
const weights = initialWeights(model, 5);

const stored = (tensors: ReadonlyMap<string, Tensor>): Map<string, StoredTensor> =>
  new Map(Array.from(tensors, ([name, whole]) => [name, { dtype: whole.dtype, dims: whole.dims, read: () => whole }]));

describe('a report', () => {
  test('is one line if there is nothing to note', () => {
    const { report } = importWeights(stored(stateDict(model, weights)));
    expect(describeReport(report)).toEqual(['resnext[1,1]_2x16d_w16: loaded 47 tensors named as in torchvision.']);
  });

  test('names renamed, converted, unexpected and missing tensors', () => {
    const tensors = new Map(writeStateDict(model, weights, 'pytorchcv'));
    for (const name of tensors.keys()) if (name.endsWith('num_batches_tracked')) tensors.delete(name);
    const { dims, data } = weights.get('fc.bias')!;
    tensors.set('output.bias', tensor('float64', dims, Float64Array.from(data as Float32Array)));
    tensors.set('epoch', tensor('int64', []));
    const { report, weights: taken } = importWeights(stored(tensors));
    expect(taken).toEqual(weights);
    expect(describeReport(report)).toEqual([
      'resnext[1,1]_2x16d_w16: loaded 47 tensors named as in pytorchcv (47 renamed).',
      'Converted 1 tensor from float64 to float32.',
      'Unexpected: epoch.',
      'Missing, but not needed: 9 batch counts.',
    ]);
  });
});

test('16-bit numbers are converted', () => {
  const tensors = new Map<string, Tensor>(weights);
  tensors.set('fc.bias', tensor('float16', [3], Uint16Array.of(0x3c00, 0xc000, 0x0001)));
  tensors.set('bn1.bias', tensor('bfloat16', [16], new Uint16Array(16).fill(0x3fc0)));
  const { weights: taken, report } = importWeights(stored(tensors));
  expect(taken.get('fc.bias')!.data).toEqual(Float32Array.of(1, -2, 2 ** -24));
  expect(taken.get('bn1.bias')!.data).toEqual(new Float32Array(16).fill(1.5));
  expect(report.converted).toEqual({ float16: 1, bfloat16: 1 });
});

test('integers are refused', () => {
  const tensors = new Map<string, Tensor>(weights).set('bn1.bias', tensor('int8', [16]));
  expect(() => importWeights(stored(tensors))).toThrow(FormatError);
  expect(() => importWeights(stored(tensors))).toThrow('"bn1.bias" is int8, but expected floating-point numbers');
});

test('a new head leaves the rest unchanged and depends on the seed', () => {
  const { config, weights: taken, report } = importWeights(stored(weights), { classes: 7, seed: 2 });
  expect(config.classes).toBe(7);
  expect(report.adapted).toEqual([
    'Dropped the head for 3 classes.',
    'Added a new head for 7 classes, which needs training.',
  ]);
  expect(report.unexpected).toEqual(['fc.weight', 'fc.bias']);
  const fresh = initialWeights(resnext(config), 2);
  for (const [name, { data }] of taken)
    expect(data).toEqual((name.startsWith('fc.') ? fresh : weights).get(name)!.data);
});

test('a missing head is created on request, and otherwise omitted', () => {
  const headless = new Map([...weights].filter(([name]) => !name.startsWith('fc.')));
  const without = importWeights(stored(headless));
  expect(without.config.classes).toBe(0);
  expect(without.report.missing.slice(0, 2)).toEqual(['fc.weight', 'fc.bias']);
  const { weights: taken, report } = importWeights(stored(headless), { classes: 2 });
  expect(taken.get('fc.weight')!.dims).toEqual([2, 128]);
  expect(report.adapted).toEqual(['Added a new head for 2 classes, which needs training.']);
});

test('a linear layer after dropout is the head; a head of several layers is dropped', () => {
  const body = [...weights].filter(([name]) => !name.startsWith('fc.'));
  const [weight, bias] = [weights.get('fc.weight')!, weights.get('fc.bias')!];
  const dropout = importWeights(stored(new Map([...body, ['fc.1.weight', weight], ['fc.1.bias', bias]])));
  expect(dropout.config.classes).toBe(3);
  expect(dropout.weights.get('fc.weight')!.data).toEqual(weight.data);
  expect(dropout.report).toMatchObject({ renamed: 2, unexpected: [], notes: [] });
  const deep = new Map([...body, ['fc.0.weight', weight], ['fc.0.bias', bias], ['fc.2.weight', weight]]);
  const { config, report } = importWeights(stored(deep));
  expect(config.classes).toBe(0);
  expect(report.unexpected).toEqual(['fc.0.weight', 'fc.0.bias', 'fc.2.weight']);
  expect(report.notes).toEqual([
    'Dropped the head, which has several layers ("fc.0.weight" and others): the network outputs features.',
  ]);
});

test('a head with batch normalizations is one linear layer', () => {
  const body = [...weights].filter(([name]) => !name.startsWith('fc.'));
  const random = (...dims: number[]) =>
    tensor(
      'float32',
      dims,
      Float32Array.from({ length: dims.reduce((a, b) => a * b) }, (_, i) => 0.5 + ((i * 7919) % 97) / 97),
    );
  const norm = (path: string, width: number) =>
    ['weight', 'bias', 'running_mean', 'running_var'].map((field): [string, Tensor] => [
      `${path}.${field}`,
      random(width),
    ]);
  const given = new Map<string, Tensor>([
    ...norm('head.0', 128),
    ['head.1.weight', random(3, 128)],
    ...norm('head.2', 3),
  ]);
  const { weights: taken, report } = importWeights(stored(new Map([...body, ...given])));
  const at = (name: string, i: number) => Number(given.get(name)!.data[i]!);
  const normalized = (path: string, i: number, x: number) =>
    ((x - at(`${path}.running_mean`, i)) / Math.sqrt(at(`${path}.running_var`, i) + 1e-5)) * at(`${path}.weight`, i) +
    at(`${path}.bias`, i);
  const x = Float64Array.from({ length: 128 }, (_, i) => Math.sin(i));
  const linear = (k: number, of: (f: number) => number) =>
    x.reduce((sum, _, f) => sum + at('head.1.weight', 128 * k + f) * of(f), 0);
  for (const k of [0, 1, 2]) {
    const merged = x.reduce(
      (sum, value, f) => sum + Number(taken.get('fc.weight')!.data[128 * k + f]!) * value,
      Number(taken.get('fc.bias')!.data[k]!),
    );
    const expected = normalized(
      'head.2',
      k,
      linear(k, (f) => normalized('head.0', f, x[f]!)),
    );
    expect(merged).toBeCloseTo(expected, 3);
  }
  expect(report).toMatchObject({ loaded: 54, unexpected: [] });
});

test('tensors of a network that are the same data are refused, and other names of its tensors are not unexpected', () => {
  const shared = stored(stateDict(model, weights));
  shared.set('copy.conv1.weight', shared.get('conv1.weight')!);
  expect(importWeights(shared).report.unexpected).toEqual([]);
  shared.set('layer1.0.bn1.weight', shared.get('layer1.0.bn1.bias')!);
  expect(() => importWeights(shared, { source: 'cats.pth' })).toThrow(
    'cats.pth: "layer1.0.bn1.weight" and "layer1.0.bn1.bias" are the same data, which they never are in a network.',
  );
});

describe('a stem', () => {
  const rgb = tensor('float32', [1, 3, 1, 2], Float32Array.of(1, 2, 10, 20, 100, 200));

  test.each([
    [1, [111, 222]],
    [3, [1, 2, 10, 20, 100, 200]],
    [4, [1, 2, 10, 20, 100, 200, 1, 2].map((value) => Math.fround(0.75 * value))],
    [2, [1.5, 3, 15, 30]],
  ])('with 3 channels is adapted to %i', (channels, expected) => {
    expect([...adaptStem(rgb, channels).data]).toEqual(expected);
  });

  test('with 1 channel is adapted to 3', () => {
    const grayscale = tensor('float32', [1, 1, 1, 2], Float32Array.of(3, 6));
    expect([...adaptStem(grayscale, 3).data]).toEqual([1, 2, 1, 2, 1, 2]);
  });

  test('is adapted on request', () => {
    const { weights: taken, config, report } = importWeights(stored(weights), { inputChannels: 1 });
    expect(config.inputChannels).toBe(1);
    expect(taken.get('conv1.weight')!.dims).toEqual([16, 1, 7, 7]);
    expect(report.adapted).toEqual(['Adapted the stem from 3 to 1 input channels by summing its filters.']);
  });
});

describe('a layout is refused', () => {
  test('if it is unknown', () => {
    expect(() => writeStateDict(model, weights, 'keras')).toThrow(UsageError);
    expect(() => writeStateDict(model, weights, 'keras')).toThrow('layout is "keras", but expected torchvision, timm');
  });

  test('if it cannot name the network, or would be read as a different one', () => {
    expect(() => writeStateDict(model, weights, 'prlz77')).toThrow(
      'prlz77 has no names for a network with stem "imagenet"',
    );
    expect(() => writeStateDict(model, weights, 'legacy-se')).toThrow('stemPool "max"');
    const smooth = resnext({ ...model.config, antialias: true, stemPool: 'average' });
    expect(() => writeStateDict(smooth, weights, 'mmpretrain')).toThrow('has no names for an anti-aliased network');
    expect(writeStateDict(smooth, weights, 'timm').size).toBeGreaterThan(0);
    expect(writeStateDict(smooth.config, weights, 'timm')).toEqual(writeStateDict(smooth, weights, 'timm'));
    const attentive = resnext({ ...model.config, attention: 'eca' });
    const write = (layout: string) => writeStateDict(attentive, initialWeights(attentive, 1), layout);
    expect(() => write('torchvision')).toThrow('torchvision has no name for "layer1.0.se.conv.weight"');
    expect(write('timm').has('layer1.0.se.conv.weight')).toBe(true);
  });
});
