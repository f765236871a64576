/** The loader's worker threads in the built package: epochs are bit-identical for any number of workers. */

import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import {
  type Augmentation,
  augmentations,
  type EpochOptions,
  Loader,
  preprocessingFor,
  type Sample,
  type Transforms,
  trainTransforms,
} from 'resnext/data';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';

const preprocessing = preprocessingFor({ images: 'large', size: 24 });
const crops = trainTransforms(preprocessing, 'random-resized-crop');
let dir: string;
let samples: Sample[];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-workers-'));
  samples = Array.from({ length: 50 }, (_, i) => ({ path: join(dir, `${i}.jpg`), label: i % 7 }));
  for (const [i, { path }] of samples.entries()) {
    const [width, height] = [30 + (i % 5), 28 + (i % 3)];
    const data = Uint8Array.from({ length: width * height * 3 }, (_, p) => Math.imul(p + i, 40503) >> 8);
    await sharp(data, { raw: { width, height, channels: 3 } })
      .jpeg()
      .toFile(path);
  }
  writeFileSync(samples[17]!.path, 'no image');
});
afterAll(() => rmSync(dir, { recursive: true }));

/** One line per batch: what it holds, and a digest of its pixels. */
async function epoch(
  loader: Loader,
  options: Pick<EpochOptions, 'epoch' | 'startBatch' | 'repeats' | 'balanced'>,
  transforms: Transforms = crops,
): Promise<string[]> {
  const lines: string[] = [];
  const corrupt: string[] = [];
  const onCorrupt = (path: string) => corrupt.push(path);
  const shared = { samples, transforms, batchSize: 8, shuffle: true, dropLast: true, seed: 11, onCorrupt };
  for await (const { number, count, indices, labels, images } of loader.batches({ ...shared, ...options })) {
    const digest = createHash('sha256').update(images).digest('hex');
    lines.push(`${number} ${count} ${indices} ${labels} ${digest}`);
  }
  return [...lines, ...corrupt];
}

it('gives the same epochs with 0, 1 and 3 workers, whether images are kept or not', async () => {
  const runs: string[][] = [];
  for (const [workers, cache] of [
    [0, 0],
    [1, 0],
    [3, 0],
    [0, 8],
    [1, 8],
    [3, 8],
    [3, 0.27],
  ]) {
    const loader = new Loader({ workers: workers!, cache: cache! });
    runs.push([...(await epoch(loader, { epoch: 0 })), ...(await epoch(loader, { epoch: 1, startBatch: 2 }))]);
    await loader.close();
  }
  expect(runs[0]!.filter((line) => /^\d /.test(line))).toHaveLength(6 + 4);
  for (const run of runs) expect(run).toEqual(runs[0]);
});

it('gives the same epochs with 0 and 2 workers for every augmentation', async () => {
  const [one, two] = [new Loader({ workers: 0, cache: 8 }), new Loader({ workers: 2, cache: 8 })];
  for (const name of Object.keys(augmentations) as Augmentation[]) {
    const transforms = trainTransforms(preprocessing, name, 'large');
    const first = await epoch(one, { epoch: 0 }, transforms);
    const second = await epoch(one, { epoch: 1 }, transforms);
    expect(await epoch(two, { epoch: 0 }, transforms), name).toEqual(first);
    expect(await epoch(two, { epoch: 1, startBatch: 2 }, transforms), name).toEqual(second.slice(2));
    expect(second).not.toEqual(first);
  }
  await Promise.all([one.close(), two.close()]);
});

it('gives the same epochs with 0 and 2 workers where images come several times, each time another augmentation', async () => {
  const [one, two] = [new Loader({ workers: 0, cache: 8 }), new Loader({ workers: 2, cache: 8 })];
  const varied = { rotation: 20, blur: 0.3, erasing: 0.5, erasingMode: 'pixel', verticalFlip: 0.5 } as const;
  for (const more of [{ repeats: 3 }, { balanced: true }, { balanced: true, repeats: 2 }]) {
    const transforms = trainTransforms(preprocessing, { ...varied, augmentation: 'rand-m7-n2-mstd0.5-t3aw' }, 'large');
    const first = await epoch(one, { epoch: 0, ...more }, transforms);
    const second = await epoch(one, { epoch: 1, ...more }, transforms);
    expect(await epoch(two, { epoch: 0, ...more }, transforms)).toEqual(first);
    expect(await epoch(two, { epoch: 1, startBatch: 3, ...more }, transforms)).toEqual(second.slice(3));
    expect(second).not.toEqual(first);
  }
  await Promise.all([one.close(), two.close()]);
});

it('augments each repetition of an image anew, and the first as if there were no others', async () => {
  const loader = new Loader({ workers: 0 });
  const shared = { samples: samples.slice(0, 8), transforms: crops, seed: 11, shuffle: true };
  const digests = async (repeats: number, batchSize: number) => {
    const found: string[] = [];
    for await (const { images } of loader.batches({ ...shared, batchSize, repeats })) {
      const length = images.length / batchSize;
      for (let n = 0; n < batchSize; n++) {
        found.push(
          createHash('sha256')
            .update(images.subarray(n * length, (n + 1) * length))
            .digest('hex'),
        );
      }
    }
    return found;
  };
  const [once, twice] = [await digests(1, 8), await digests(2, 4)];
  expect([0, 2, 4, 6].map((n) => twice[n])).toEqual(once.slice(0, 4));
  expect(new Set([...once, ...twice]).size).toBe(8 + 4);
  await loader.close();
});

it('can run two epochs at once, and can be reused after closing', async () => {
  const loader = new Loader({ workers: 2, prefetch: 2 });
  const [first, second] = await Promise.all([epoch(loader, { epoch: 0 }), epoch(loader, { epoch: 1 })]);
  await loader.close();
  expect(await epoch(loader, { epoch: 0 })).toEqual(first);
  expect(await epoch(loader, { epoch: 1 })).toEqual(second);
  await loader.close();
});

it('needs no more shared memory for later epochs, and none that jobs still write to', async () => {
  const loader = new Loader({ workers: 2, prefetch: 3 });
  let made = 0;
  const Shared = globalThis.SharedArrayBuffer;
  class Counted extends Shared {
    constructor(length: number) {
      super(length);
      if (length === 8 * 3 * 24 * 24 * 4) made++; // a batch
    }
  }
  vi.stubGlobal('SharedArrayBuffer', Counted);
  const epochs: string[][] = [];
  for (let number = 0; number < 5; number++) epochs.push(await epoch(loader, { epoch: number }));
  expect(made).toBe(3);
  const options = { samples, transforms: crops, batchSize: 8, shuffle: true, dropLast: true, seed: 11 };
  for await (const { images } of loader.batches(options)) if (images.length > 0) break;
  expect(await epoch(loader, { epoch: 0 })).toEqual(epochs[0]);
  expect(await epoch(loader, { epoch: 3 })).toEqual(epochs[3]);
  vi.unstubAllGlobals();
  await loader.close();
});

it('prepares batches while the calling thread is blocked', async () => {
  const copies = join(dir, 'copies');
  mkdirSync(copies);
  const copied = samples.slice(0, 16).map(({ path, label }) => ({ path: join(copies, basename(path)), label }));
  for (const [i, { path }] of copied.entries()) copyFileSync(samples[i]!.path, path);
  const loader = new Loader({ workers: 2, prefetch: 3 });
  const batches = loader.batches({ samples: copied, transforms: crops, batchSize: 4 });
  const counts = [(await batches.next()).value?.count];
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000); // like a long call into the runtime
  rmSync(copies, { recursive: true }); // files not read by now cannot be read any more
  for await (const { count } of batches) counts.push(count);
  expect(counts).toEqual([4, 4, 4, 4]);
  await loader.close();
});
