/** The loader in the calling thread. test/loader.test.ts compares it with worker threads, in the built package. */

import { existsSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FormatError, UsageError } from '../errors.ts';
import { augmentationNames, trainTransforms } from './augmentations.ts';
import { type Batch, countBatches, type EpochOptions, Loader } from './loader.ts';
import { preprocessingFor } from './presets.ts';
import type { Sample } from './samples.ts';
import type { Transforms } from './transforms/table.ts';

/** Every image is of one color, ten times its index, so that a batch shows what it holds. */
const plain: Transforms = [
  { kind: 'center-crop', size: 2 },
  { kind: 'normalize', mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] },
];
const varied = trainTransforms(preprocessingFor({ images: 'small', size: 8 }), 'pad-and-crop');

const loader = new Loader({ workers: 0, prefetch: 2, cache: 0 });
let dir: string;
let samples: Sample[];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-loader-'));
  samples = Array.from({ length: 11 }, (_, i) => ({ path: join(dir, `${i}.png`), label: i % 3 }));
  for (const [i, { path }] of samples.entries()) {
    const background = { r: i * 10, g: i * 10, b: i * 10 };
    await sharp({ create: { width: 8, height: 8, channels: 3, background } })
      .png()
      .toFile(path);
  }
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Copies, because the loader uses its arrays again. */
async function take(options: Partial<EpochOptions>, from = loader): Promise<Batch[]> {
  const batches: Batch[] = [];
  for await (const batch of from.batches({ samples, transforms: plain, batchSize: 4, ...options })) {
    batches.push({
      ...batch,
      images: batch.images.slice(),
      labels: batch.labels.slice(),
      indices: batch.indices.slice(),
    });
  }
  return batches;
}

const indices = (batches: Batch[]): number[][] => batches.map((batch) => [...batch.indices]);

/** Replaces images by ones that cannot be read, for the time of a test. */
async function withBroken<T>(broken: number[], test: (samples: Sample[]) => Promise<T>): Promise<T> {
  const paths = broken.map((index) => join(dir, `broken-${index}.jpg`));
  for (const path of paths) writeFileSync(path, 'no image');
  const result = await test(
    samples.map((sample, i) => (broken.includes(i) ? { ...sample, path: paths[broken.indexOf(i)]! } : sample)),
  );
  for (const path of paths) rmSync(path);
  return result;
}

describe('an epoch', () => {
  it('holds every image in its place, with its label', async () => {
    const batches = await take({});
    expect(indices(batches)).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9, 10, -1],
    ]);
    expect(batches.map(({ number, count, dims }) => [number, count, dims])).toEqual([
      [0, 4, [4, 3, 2, 2]],
      [1, 4, [4, 3, 2, 2]],
      [2, 3, [4, 3, 2, 2]],
    ]);
    expect([...batches[1]!.labels]).toEqual([1, 2, 0, 1]);
    expect([...batches[1]!.images].map(Math.round)).toEqual([40, 50, 60, 70].flatMap((value) => Array(12).fill(value)));
  });

  it('fills up an incomplete batch with zeros and -1', async () => {
    const last = (await take({})).at(-1)!;
    expect([...last.labels]).toEqual([2, 0, 1, -1]);
    expect([...last.images.subarray(36)]).toEqual(Array(12).fill(0));
  });

  it('leaves out an incomplete batch with dropLast', async () => {
    expect(indices(await take({ dropLast: true }))).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ]);
    expect([countBatches(11, 4), countBatches(11, 4, true), countBatches(8, 4), countBatches(0, 4)]).toEqual([
      3, 2, 2, 0,
    ]);
  });

  it('is shuffled by seed and epoch', async () => {
    const order = async (seed: number, epoch: number) =>
      indices(await take({ shuffle: true, seed, epoch }))
        .flat()
        .slice(0, 11);
    const first = await order(1, 0);
    expect([...first].sort((a, b) => a - b)).toEqual(Array.from({ length: 11 }, (_, i) => i));
    expect(await order(1, 0)).toEqual(first);
    expect(await order(1, 1)).not.toEqual(first);
    expect(await order(2, 0)).not.toEqual(first);
  });

  it('can be entered in the middle: its tail is the same to the bit', async () => {
    const options = { shuffle: true, seed: 5, epoch: 2, transforms: varied };
    const whole = await take(options);
    for (const startBatch of [1, 2, 3]) expect(await take({ ...options, startBatch })).toEqual(whole.slice(startBatch));
  });

  it.each(augmentationNames)('can be entered in the middle with %s', async (augmentation) => {
    const transforms = trainTransforms(preprocessingFor({ images: 'small', size: 8 }), augmentation);
    const options = { shuffle: true, seed: 5, epoch: 2, transforms };
    const whole = await take(options);
    expect(await take({ ...options, startBatch: 1 })).toEqual(whole.slice(1));
  });

  it('varies an image by its index, not by its place', async () => {
    const image = async (options: Partial<EpochOptions>) => {
      const batches = await take({ transforms: varied, seed: 5, ...options });
      const batch = batches.find((batch) => batch.indices.includes(7))!;
      const place = batch.indices.indexOf(7);
      return batch.images.slice(place * 192, (place + 1) * 192);
    };
    expect(await image({ shuffle: true })).toEqual(await image({ batchSize: 3 }));
    expect(await image({ epoch: 1 })).not.toEqual(await image({ epoch: 0 }));
  });

  it('may be left early, and another begun', async () => {
    for await (const batch of loader.batches({ samples, transforms: plain, batchSize: 2 })) {
      if (batch.number === 1) break;
    }
    expect(await take({})).toHaveLength(3);
  });

  it('overwrites a batch when the next is taken', async () => {
    const epoch = loader.batches({ samples, transforms: plain, batchSize: 4 });
    const first = (await epoch.next()).value!;
    const second = (await epoch.next()).value!;
    expect(first.images).toBe(second.images);
    await epoch.return();
  });
});

describe('images kept for the next epoch', () => {
  /** Shuffled epochs, one of them entered in the middle, and validation's. */
  async function epochs(cache: number, transforms: Transforms): Promise<Batch[]> {
    const own = new Loader({ workers: 0, cache });
    const all: Batch[] = [];
    for (const options of [{ epoch: 0 }, { epoch: 1, startBatch: 1 }, { epoch: 2 }]) {
      all.push(...(await take({ ...options, transforms, shuffle: true, dropLast: true, seed: 3 }, own)));
    }
    all.push(...(await take({}, own)));
    await own.close();
    return all;
  }
  const crops = trainTransforms(preprocessingFor({ images: 'large', size: 6 }), 'random-resized-crop');
  const grayscales = trainTransforms(preprocessingFor({ images: 'small', size: 8, channels: 1 }), 'pad-and-crop');
  const hide = () => (existsSync(dir) ? renameSync(dir, `${dir}-hidden`) : undefined);
  const show = () => (existsSync(dir) ? undefined : renameSync(`${dir}-hidden`, dir));

  for (const [name, transforms] of Object.entries({ varied, crops, grayscales, plain })) {
    it(`make no difference (${name})`, async () => {
      const uncached = await epochs(0, transforms);
      for (const cache of [0.0001, 0.01, 16]) expect(await epochs(cache, transforms)).toEqual(uncached);
    });
  }

  for (const [name, transforms] of Object.entries({ varied, crops, plain })) {
    it(`are not read again (${name})`, async () => {
      const own = new Loader({ workers: 0, cache: 1 });
      const options = { transforms, shuffle: true, epoch: 4 };
      const first = await take(options, own);
      hide();
      const again = await take({ ...options, samples: samples.map((sample) => ({ ...sample })) }, own).finally(show);
      expect(again).toEqual(first);
    });
  }

  it('are read again from other files, after other steps, and after close', async () => {
    const own = new Loader({ workers: 0, cache: 1 });
    await take({}, own);
    const reversed = await take({ samples: [...samples].reverse() }, own);
    expect(reversed).toEqual(await take({ samples: [...samples].reverse() }));
    expect(await take({ transforms: varied }, own)).toEqual(await take({ transforms: varied }));
    await own.close();
    hide();
    await expect(take({ corrupt: 'throw' }, own).finally(show)).rejects.toThrow(/^There is no image/);
  });

  it('are told of again where they cannot be read', () =>
    withBroken([2, 5], async (samples) => {
      const own = new Loader({ workers: 0, cache: 1 });
      const reported: string[] = [];
      const options = { samples, onCorrupt: (path: string) => reported.push(basename(path)) };
      expect(await take(options, own)).toEqual(await take(options, own));
      expect(reported).toEqual(['broken-2.jpg', 'broken-5.jpg', 'broken-2.jpg', 'broken-5.jpg']);
    }));

  it('are none where the steps settle their size and not all of them fit', async () => {
    const own = new Loader({ workers: 0, cache: (11 * 2 * 2 * 3 - 1) / 2 ** 20 });
    await take({}, own);
    hide();
    await expect(take({ corrupt: 'throw' }, own).finally(show)).rejects.toThrow(/^There is no image/);
  });
});

describe('an image that cannot be read', () => {
  it('is left out of evaluation, and reported once per epoch', () =>
    withBroken([1, 8, 9, 10], async (samples) => {
      const reported: string[] = [];
      const batches = await take({ samples, onCorrupt: (path, message) => reported.push(`${path}: ${message}`) });
      expect(indices(batches)).toEqual([
        [0, 2, 3, -1],
        [4, 5, 6, 7],
      ]); // nothing is left of the third
      expect([...batches[0]!.images].map(Math.round)).toEqual([0, 20, 30, 0].flatMap((value) => Array(12).fill(value)));
      expect(reported).toHaveLength(4);
      expect(reported[0]).toMatch(/broken-1\.jpg: Image ".*broken-1\.jpg" cannot be read: its format is not supported/);
    }));

  it('is replaced in training by the next of its batch', () =>
    withBroken([1, 2, 7], async (samples) => {
      const batches = await take({ samples, dropLast: true });
      expect(indices(batches)).toEqual([
        [0, 3, 3, 3],
        [4, 5, 6, 4],
      ]);
      expect([...batches[1]!.labels]).toEqual([1, 2, 0, 1]);
      expect([...batches[1]!.images].map(Math.round)).toEqual(
        [40, 50, 60, 40].flatMap((value) => Array(12).fill(value)),
      );
    }));

  it('ends the epoch where asked to', () =>
    withBroken([6], async (samples) => {
      const epoch = take({ samples, corrupt: 'throw' });
      await expect(epoch).rejects.toThrow(FormatError);
      await expect(epoch).rejects.toThrow(/Image ".*broken-6\.jpg" cannot be read/);
    }));

  it('ends the epoch when its batch has no other', () =>
    withBroken([4, 5, 6, 7], (samples) =>
      expect(take({ samples, corrupt: 'replace' })).rejects.toThrow(
        /^None of the 4 images of batch 1 can be read\. The first: Image ".*broken-4\.jpg" cannot be read/,
      ),
    ));

  it('may be cut short, missing or absurdly narrow', async () => {
    const paths = ['cut.png', 'missing.png', 'narrow.png'].map((name) => join(dir, name));
    await sharp({ create: { width: 64, height: 64, channels: 3, background: 'red' } })
      .png({ compressionLevel: 0 })
      .toFile(paths[0]!);
    truncateSync(paths[0]!, 3000);
    await sharp({ create: { width: 1, height: 16_000, channels: 3, background: 'red' } })
      .png()
      .toFile(paths[2]!);
    const messages: string[] = [];
    const batches = await take({
      samples: [...paths.map((path) => ({ path, label: 0 })), samples[3]!],
      transforms: [{ kind: 'resize', size: 99, interpolation: 'bilinear' }, ...plain],
      onCorrupt: (_, message) => messages.push(message),
    });
    expect(indices(batches)).toEqual([[3, -1, -1, -1]]);
    // The reason is libvips', whose threads share one place for their complaints.
    expect(messages[0]).toMatch(/cut\.png" cannot be read: .+\. Replace or remove it\.$/);
    expect(messages[1]).toMatch(/^There is no image ".*missing\.png"\.$/);
    expect(messages[2]).toMatch(
      /narrow\.png" cannot be used\. An image of 1 × 16000 pixels is too narrow to resize: it would become 99 × 1584000 pixels\.$/,
    );
  });
});

describe('options that cannot be used', () => {
  const refuses = (options: Partial<EpochOptions>, message: RegExp) => {
    const start = () => loader.batches({ samples, transforms: plain, batchSize: 4, ...options });
    expect(start).toThrow(UsageError);
    expect(start).toThrow(message);
  };

  it('are refused at once, by name', () => {
    refuses({ batchSize: 0 }, /^batchSize is 0, but expected a whole number of at least 1\.$/);
    refuses({ seed: 0.5 }, /^seed is 0\.5, but expected a whole number\.$/);
    refuses({ startBatch: 4 }, /^startBatch is 4, but an epoch has 3 batches\.$/);
    refuses(
      { batchSize: 12, dropLast: true },
      /^batchSize is 12, but there are 11 samples\. .*choose a smaller batchSize/,
    );
    refuses({ samples: [] }, /^There are no samples\. Add images\.$/);
    refuses({ transforms: [] }, /no step of kind "normalize"/);
    expect(() => new Loader({ workers: -1 })).toThrow(/^workers is -1/);
    expect(() => new Loader({ workers: 1000 })).toThrow('workers is 1000, but expected a whole number from 0 to 256.');
    for (const cache of [-1, Number.NaN]) {
      expect(() => new Loader({ cache })).toThrow(/^cache is .+, but expected a number of at least 0\.$/);
    }
    expect(() => new Loader({ prefetch: 0 })).toThrow(/^prefetch is 0, but expected a whole number of at least 1\.$/);
  });
});
