import { expect, test } from 'vitest';
import { Builder } from '../graph/builder.ts';
import { interpret } from '../graph/interpret.ts';
import { tensor } from '../tensor.ts';
import { attend, slidingKernel, squeezedWidth } from './attention.ts';
import { Layers } from './layers.ts';
import { resnext } from './resnext.ts';

test('SE reduces to a 16th of the channels, rounded to a multiple of 8', () => {
  expect([16, 128, 191, 192, 256, 320, 2048].map(squeezedWidth)).toEqual([8, 8, 8, 16, 16, 24, 128]);
});

test("ECA's kernel grows with the logarithm of the channels", () => {
  expect([1, 16, 64, 128, 256, 1024, 2048].map(slidingKernel)).toEqual([3, 3, 3, 5, 5, 5, 7]);
});

/** The weights for the channels of a map that is 1 in channel 0, 2 in channel 1, and so on. */
function weightsOf(
  kind: 'se' | 'eca',
  channels: number,
  contents: Readonly<Record<string, readonly number[]>>,
): number[] {
  const layers = new Layers(new Builder('attention'));
  const x = layers.builder.input('x', [1, channels, 1, 2]);
  layers.builder.output(attend(layers, x, kind, 'se'), 'y');
  for (const { value } of layers.parameters) {
    value.tensor = tensor('float64', value.dims as number[], Float64Array.from(contents[value.name]!));
  }
  const map = Float64Array.from({ length: 2 * channels }, (_, i) => Math.floor(i / 2) + 1);
  const y = interpret(layers.builder.graph, new Map([['x', tensor('float64', x.dims as number[], map)]])).get('y')!;
  return Array.from({ length: channels }, (_, c) => y.data[2 * c]! / (c + 1));
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

test('ECA convolves the means of the channels, padded with zeros', () => {
  const weights = weightsOf('eca', 4, { 'se.conv.weight': [0.5, -1, 0.25] });
  const expected = [-1 + 0.5, 0.5 - 2 + 0.75, 1 - 3 + 1, 1.5 - 4].map(sigmoid);
  weights.forEach((weight, c) => {
    expect(weight).toBeCloseTo(expected[c]!, 14);
  });
});

test('SE applies two layers to the means, the first with a ReLU', () => {
  const at = (size: number, entries: Readonly<Record<number, number>>) =>
    Array.from({ length: size }, (_, i) => entries[i] ?? 0);
  const weights = weightsOf('se', 2, {
    'se.fc1.weight': at(16, { 0: 1, 1: 1, 2: -1 }), // 1 + 2, −1, zeros
    'se.fc1.bias': at(8, { 0: -2.5, 1: 0.5 }), // 0.5, −0.5 → 0
    'se.fc2.weight': at(16, { 0: 2, 1: 7, 8: -4 }),
    'se.fc2.bias': [0.25, 0],
  });
  expect(weights[0]).toBeCloseTo(sigmoid(1.25), 14);
  expect(weights[1]).toBeCloseTo(sigmoid(-2), 14);
});

test('anti-aliasing rounds half of an odd size up, as does the shortcut', () => {
  const options = {
    depths: [1, 1, 1],
    cardinality: 2,
    baseWidth: 16,
    width: 8,
    stem: 'cifar',
    inputSize: [13, 6],
  } as const;
  for (const shortcut of ['A', 'B', 'C', 'D'] as const) {
    const { graph } = resnext({ ...options, shortcut, antialias: true });
    const sizes = graph
      .sorted()
      .filter(({ name }) => name.endsWith('.add'))
      .map(({ outputs: [y] }) => y!.dims!.slice(2));
    expect(sizes).toEqual([
      [13, 6],
      [7, 3],
      [4, 2],
    ]);
  }
});
