import { expect, it } from 'vitest';
import { cost } from '../graph/cost.ts';
import { resnext } from '../model/resnext.ts';
import { variant } from '../model/variants.ts';
import { isUneven, unevenness } from './balance.ts';
import { candidatesFor, epochsFor } from './choose.ts';

const variantsFor = (...given: Parameters<typeof candidatesFor>) => [
  ...new Set(candidatesFor(...given).map(({ variant }) => variant)),
];

it('considers larger networks for more images', () => {
  expect(variantsFor(800, 375)).toEqual(['resnext14_16x4d_w32']);
  expect(variantsFor(6000, 375)[0]).toBe('resnext26_32x4d');
  expect(variantsFor(100_000, 375)[0]).toBe('resnext50_32x4d');
  expect(variantsFor(800, 32)).toEqual(['resnext20_8x16d_w16', 'resnext11_8x16d_w16']);
  expect(variantsFor(40_000, 32)[0]).toBe('resnext29_32x4d');
});

it('does not enlarge images, and a given size decides', () => {
  const sizes = (...given: Parameters<typeof candidatesFor>) => candidatesFor(...given).map(({ size }) => size);
  expect(sizes(800, 375)).toEqual([224, 160, 112]);
  expect(sizes(800, 150)).toEqual([160, 112]);
  expect(sizes(800, 100)).toEqual([112]);
  expect(sizes(800, 64)).toEqual([64, 32, 64, 32]);
  expect(sizes(800, 28)).toEqual([32, 32]);
  expect(candidatesFor(800, 375, 48).map(({ variant, size }) => [variant, size])).toEqual([
    ['resnext20_8x16d_w16', 48],
    ['resnext11_8x16d_w16', 48],
  ]);
});

it.each([
  [100_000, 375],
  [100_000, 64],
])('of %i images of %i pixels, the last candidate is the cheapest', (images, side) => {
  const macs = candidatesFor(images, side).map(
    (each) => cost(resnext({ ...variant(each.variant), inputSize: each.size }).graph).macs,
  );
  expect(macs.at(-1)).toBe(Math.min(...macs));
});

it('trains longer on fewer images', () => {
  expect([100, 800, 3200, 50_000].map(epochsFor)).toEqual([80, 80, 20, 10]);
});

it('names the classes that are uneven', () => {
  const train = [...new Array(200).fill(0), ...new Array(4).fill(1)].map((label: number) => ({ path: '', label }));
  const classes = ['cats', 'dogs'];
  const usual = { classWeights: 'none', sampling: 'shuffled' } as const;
  const said = unevenness({ classes, train }, usual);
  expect(said).toMatch(/^The classes are uneven: "cats" has 200 training images, "dogs" only 4\./);
  expect(said).toContain('try --class-weights balanced or --sampling balanced');
  expect(unevenness({ classes, train }, { ...usual, sampling: 'balanced' })).not.toContain('--sampling');
  expect(unevenness({ classes, train: train.slice(190) }, usual)).toBeUndefined();
  expect([isUneven([40, 10]), isUneven([39, 10])]).toEqual([true, false]);
});
