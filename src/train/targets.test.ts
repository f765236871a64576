/** Smoothing, mixing and threshold of targets, in this order. */
import { describe, expect, it } from 'vitest';
import type { Batch } from '../data/loader.ts';
import { resolveTrainOptions } from './check-options.ts';
import type { TrainOptions } from './options.ts';
import { mixing, withTargets } from './targets.ts';

const batch = (number = 0): Batch => ({
  number,
  count: 4,
  dims: [4, 1, 8, 8],
  images: Float32Array.from({ length: 256 }, (_, i) => Math.floor(i / 64)),
  labels: Int32Array.of(0, 1, 2, 2),
  indices: Int32Array.of(0, 1, 2, 3),
});

const optionsOf = (given: Partial<TrainOptions>) =>
  resolveTrainOptions({ data: '.', out: 'run', variant: 'resnext11_4x16d_w16', ...given });

async function made(given: Partial<TrainOptions>, epoch = 0, number = 0) {
  const options = optionsOf(given);
  const batches = (async function* () {
    yield batch(number);
  })();
  for await (const each of withTargets(batches, 3, options, mixing(options, epoch))) return each;
  throw new Error('There was no batch.');
}

/** The share of its own image that the second one has. */
const own = (images: Float32Array) => images.subarray(64, 128).reduce((sum, value) => sum + value, 0) / 64;

it('without options, targets are one-hot and images as they were', async () => {
  const { images, targets, labels } = await made({});
  expect([...targets]).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1]);
  expect([images, labels]).toEqual([batch().images, batch().labels]);
});

describe.each([{ mixup: 1 }, { cutmix: 1 }, { mixup: 0.4, cutmix: 1 }])('%o', (given) => {
  it('mixes targets as much as images, and labels what dominates', async () => {
    const seen = new Set<number>();
    for (let number = 0; number < 12; number++) {
      const { images, targets, labels } = await made(given, 0, number);
      const share = own(images);
      seen.add(share);
      expect(targets[4]).toBeCloseTo(share, 5); // the second image is of class 1, and its partner of class 0
      expect(targets[3]).toBeCloseTo(1 - share, 5);
      expect([...labels]).toEqual(share > 0.5 ? [0, 1, 2, 2] : [2, 0, 1, 2]);
    }
    expect(seen.size).toBeGreaterThan(4);
  });

  it('depends on seed, epoch and batch alone, and ends after mixEpochs', async () => {
    const images = async (epoch: number, more: Partial<TrainOptions> = {}) =>
      (await made({ ...given, ...more }, epoch)).images;
    expect(await images(0)).toEqual(await images(0));
    expect(await images(0, { seed: 2 })).not.toEqual(await images(0));
    expect(await images(1, { mixEpochs: 2 })).toEqual(await images(1));
    expect(await images(2, { mixEpochs: 2 })).toEqual(batch().images);
  });
});

it('cuts smoothed and mixed targets by the threshold, which itself is below it', async () => {
  const given = { loss: 'binary-cross-entropy', labelSmoothing: 0.3 } as const;
  const cut = async (more: Partial<TrainOptions>) => [...(await made({ ...given, ...more })).targets.subarray(0, 3)];
  expect(await cut({ targetThreshold: 0.2 })).toEqual([1, 0, 0]);
  expect(await cut({ targetThreshold: 0.05 })).toEqual([1, 1, 1]);
  expect(await cut({ targetThreshold: Math.fround(0.1) })).toEqual([1, 0, 0]); // smoothed to 0.1 each
  const { targets } = await made({ ...given, mixup: 1, targetThreshold: 0.01, labelSmoothing: 0 });
  expect([...targets.subarray(3, 6)]).toEqual([1, 1, 0]);
});

it.each([
  [{ targetThreshold: 0.2 }, 'targetThreshold makes targets that do not add up to 1'],
  [{ classWeights: 'balanced', sampling: 'balanced' }, 'classWeights and sampling: balanced both make rare classes'],
  [{ linearProbe: true, from: 'a', mixup: 0.2 }, 'mixup has no effect with linearProbe'],
  [{ linearProbe: true, from: 'a', repeats: 2 }, 'repeats has no effect with linearProbe'],
  [{ augmentation: 'rand-x9' }, 'augmentation is "rand-x9", but expected auto, pad-and-crop, '],
  [
    { cropScale: [0.5, 2] },
    'cropScale is [0.5,2], but expected a pair of increasing numbers above 0 and of at most 1.',
  ],
] as [Partial<TrainOptions>, string][])('refuses %o', (given, message) => {
  expect(() => optionsOf(given)).toThrow(message);
});
