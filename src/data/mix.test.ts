/** Mixing against torchvision's formulas (golden/mix.py), and the distribution of what is drawn. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { applyMix, beta, cutMixOf, dominatingLabels, drawMix, type Mixable } from './mix.ts';
import { drawRandom, mixRandom } from './random.ts';

interface Case {
  name: 'mixup' | 'cutmix';
  given: { own: number; x: number; y: number };
  own: number;
  images: number[];
  targets: number[];
  smoothed: number[];
}
const golden = JSON.parse(readFileSync(new URL('golden/mix.json', import.meta.url), 'utf8')) as {
  dims: [number, number, number, number];
  images: number[];
  targets: number[];
  cases: Case[];
};
const { dims } = golden;
const [, , height, width] = dims;
const batchOf = (targets: readonly number[]): Mixable => ({
  dims,
  images: Float32Array.from(golden.images),
  targets: Float32Array.from(targets),
});
const mixOf = ({ name, given: { own, x, y } }: Case) =>
  name === 'mixup' ? { own } : cutMixOf(own, [x, y], height, width);
/** Rounding of float32, and of the golden file's six digits. */
const close = (actual: Float32Array, expected: readonly number[]) => {
  expect(actual).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(Math.abs(actual[i]! - value), `${i}`).toBeLessThan(1.5e-6);
};

describe.each(golden.cases.map((each) => [each.name, each.given, each] as const))('%s %o', (_, __, each) => {
  it("is torchvision's", () => {
    const batch = batchOf(golden.targets);
    const mix = mixOf(each);
    applyMix(batch, mix);
    expect(mix.own).toBeCloseTo(each.own, 12);
    close(batch.images, each.images);
    close(batch.targets, each.targets);
  });

  it('mixes smoothed targets as it smooths mixed ones', () => {
    const batch = batchOf(golden.targets.map((share) => share * 0.9 + 0.1 / 4));
    applyMix(batch, mixOf(each));
    close(batch.targets, each.smoothed);
  });
});

it('takes the partner from further before, around the batch', () => {
  const mixed = (distance: number) => {
    const batch: Mixable = {
      dims: [5, 1, 1, 1],
      images: Float32Array.of(1, 2, 3, 4, 5),
      targets: Float32Array.of(1, 2, 3, 4, 5),
    };
    applyMix(batch, { own: 0 }, distance);
    expect(batch.targets).toEqual(batch.images);
    return [...batch.images];
  };
  expect(mixed(1)).toEqual([5, 1, 2, 3, 4]);
  expect(mixed(2)).toEqual([4, 5, 1, 2, 3]);
  expect(mixed(3)).toEqual([3, 4, 5, 1, 2]);
  expect(mixed(7)).toEqual(mixed(2));
});

it('finds the label with the larger share', () => {
  expect([...dominatingLabels(Float32Array.of(0.7, 0, 0.3, 0.4, 0.6, 0), 2)]).toEqual([0, 1]);
});

describe('what is drawn', () => {
  it.each([0.2, 0.8, 1, 4])('Beta(%d, …) has its mean, variance and symmetry', (alpha) => {
    const random = drawRandom(3, 0);
    const n = 20_000;
    const drawn = Array.from({ length: n }, () => beta(alpha, random));
    const mean = drawn.reduce((sum, x) => sum + x, 0) / n;
    const variance = drawn.reduce((sum, x) => sum + (x - 0.5) ** 2, 0) / n;
    const expected = 1 / (4 * (2 * alpha + 1));
    expect(Math.abs(mean - 0.5)).toBeLessThan(4 * Math.sqrt(expected / n)); // 4 standard deviations
    expect(Math.abs(variance / expected - 1)).toBeLessThan(0.04);
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...drawn)).toBeLessThanOrEqual(1);
  });

  it('is a number for the smallest α', () => {
    const random = drawRandom(3, 0);
    for (let i = 0; i < 1000; i++) expect(Math.abs(beta(1e-4, random) - 0.5)).toBeLessThanOrEqual(0.5);
  });

  const draw = (mixup: number, cutmix: number, batch: number) =>
    drawMix({ mixup, cutmix }, dims, mixRandom(1, 0, batch));

  it('is either of the two, evenly, or the only one', () => {
    expect(draw(0, 0, 0)).toBeUndefined();
    const kinds = (mixup: number, cutmix: number) =>
      Array.from({ length: 400 }, (_, i) => draw(mixup, cutmix, i)?.box !== undefined).filter(Boolean).length;
    expect([kinds(1, 0), kinds(0, 1)]).toEqual([0, 400]);
    expect(Math.abs(kinds(0.2, 1) - 200)).toBeLessThan(40); // 4 standard deviations
  });

  it('depends on seed, epoch and batch alone', () => {
    expect(draw(1, 1, 5)).toEqual(draw(1, 1, 5));
    const own = [mixRandom(1, 0, 0), mixRandom(2, 0, 0), mixRandom(1, 1, 0), mixRandom(1, 0, 1)].map(
      (random) => drawMix({ mixup: 1, cutmix: 0 }, dims, random)!.own,
    );
    expect(new Set(own).size).toBe(4);
  });
});
