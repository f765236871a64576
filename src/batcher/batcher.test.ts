/** Batches of many callers compute what a classifier does, and what happens when there are too many. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { smallClassifier, smallDescription } from '../../test/small-model.ts';
import { relativeError } from '../../test/tensors.ts';
import type { Classifier } from '../classifier/classifier.ts';
import { load } from '../classifier/load.ts';
import { listImages } from '../data/folder.ts';
import { initialWeights } from '../model/init.ts';
import { loadModel, saveModel } from '../saved/files.ts';
import { tensor } from '../tensor.ts';
import { type Batcher, type BatcherOptions, createBatcher } from './batcher.ts';
import type { BatchReport } from './options.ts';
import { QueueFullError } from './queue-full.ts';

const unseen = fileURLToPath(new URL('../../examples/images/unseen', import.meta.url));

let folder: string;
let classifier: Classifier;
let images: Uint8Array[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-batcher-'));
  await saveModel(folder, smallDescription, initialWeights(smallClassifier, 3));
  classifier = await load(folder, { cache: false });
  images = [...(await listImages(unseen)).paths].map((path) => new Uint8Array(readFileSync(path)));
});
afterAll(async () => {
  await classifier.dispose();
  rmSync(folder, { recursive: true });
});

async function withBatcher<T>(options: BatcherOptions, use: (batcher: Batcher) => Promise<T>): Promise<T> {
  const batcher = await createBatcher(folder, { workers: 0, threads: 1, ...options });
  try {
    return await use(batcher);
  } finally {
    await batcher.close();
  }
}

test('images of many callers run in batches, with the results of a classifier', async () => {
  const batches: BatchReport[] = [];
  const options = { maxBatch: 5, maxWait: 50, onBatch: (report: BatchReport) => batches.push(report) };
  const expected = await classifier.classify(images);
  const vectors = await classifier.features(images);
  await withBatcher(options, async (batcher) => {
    const results = await Promise.all(images.map((image) => batcher.classify(image)));
    for (const [n, result] of results.entries()) {
      expect(result.map(({ label }) => label)).toEqual(expected[n]!.map(({ label }) => label));
      const data = Float32Array.from(result, ({ probability }) => probability);
      expect(
        relativeError({ data }, { data: Float32Array.from(expected[n]!, ({ probability }) => probability) }),
      ).toBeLessThan(1e-5);
    }
    expect(batches.reduce((sum, { images }) => sum + images, 0)).toBe(12);
    expect(batches.length).toBeLessThan(7);
    expect(Math.max(...batches.map(({ images }) => images))).toBeLessThanOrEqual(5);
    const features = await batcher.features(images);
    for (const [n, data] of features.entries()) {
      expect(relativeError({ data }, { data: vectors[n]! })).toBeLessThan(1e-5);
    }
    expect(batcher.waiting).toBe(0);
  });
});

test('images may be prepared, a model may be in memory, and lists have their options', async () => {
  const batcher = await createBatcher(await loadModel(folder), { workers: 0, threads: 1 });
  const prepared = await classifier.prepare(images[0]!);
  expect(await batcher.classify([prepared, images[0]!], { top: 2, threshold: 0 })).toEqual(
    Array(2).fill(await batcher.classify(prepared, { top: 2 })),
  );
  const other = { ...prepared, dims: [3, 24, 24] };
  await expect(batcher.classify(other)).rejects.toThrow(
    'A prepared image is [24, 24], but the model expects [3, 24, 24]',
  );
  const broken = tensor('float32', [1, 3, 24, 24], new Float32Array(3 * 24 * 24).fill(Number.NaN));
  const [bad, good] = await Promise.allSettled([batcher.classify(broken), batcher.classify(prepared)]);
  expect(bad).toMatchObject({ reason: { message: expect.stringMatching('A prepared image contains NaN') } });
  expect(good.status).toBe('fulfilled');
  await batcher.close();
});

test('explanations are those of a classifier', async () => {
  await withBatcher({}, async (batcher) => {
    const all = await Promise.all(images.slice(0, 3).map((image) => batcher.explain(image, { class: 'frog' })));
    for (const [n, { map, ...rest }] of all.entries()) {
      const { map: expected, probability, ...others } = await classifier.explain(images[n]!, { class: 'frog' });
      expect(rest).toEqual({ ...others, probability: expect.closeTo(probability, 5) });
      expect(map.dims).toEqual(expected.dims);
      expect(relativeError(map, expected)).toBeLessThan(1e-4);
    }
    await expect(batcher.explain(images[0]!, { stage: 'layer9' })).rejects.toThrow('no map of a stage "layer9"');
  });
});

test('an image that cannot be read has an error, and the others have results', async () => {
  await withBatcher({}, async (batcher) => {
    const truncated = images[1]!.slice(0, 300);
    const outcomes = await batcher.run([images[0]!, { name: 'cut.jpg', image: truncated }, images[2]!]);
    expect(outcomes.map((outcome) => 'result' in outcome)).toEqual([true, false, true]);
    expect(outcomes[1]).toMatchObject({ error: { message: expect.stringMatching('Image "cut.jpg" cannot be read') } });
    await expect(batcher.classify(truncated)).rejects.toThrow('Image "image" cannot be read');
    expect(batcher.waiting).toBe(0);
  });
});

test('images beyond maxQueue are refused at once, and there is room again later', async () => {
  await withBatcher({ maxQueue: 4 }, async (batcher) => {
    const accepted = batcher.classify(images.slice(0, 3));
    const refused = await batcher.classify(images.slice(3, 5)).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(QueueFullError);
    expect((refused as QueueFullError).message).toBe(
      'The 2 images are not accepted, because 3 are waiting. Try again in 1 s.',
    );
    expect(await accepted).toHaveLength(3);
    expect(await batcher.classify(images.slice(3, 5))).toHaveLength(2);
    await expect(batcher.classify(images)).rejects.toThrow(
      'There are 12 images, but at most 4 (maxQueue) can wait at a time.',
    );
  });
});

test('a call ends when its signal aborts, and its images give up their places', async () => {
  await withBatcher({ maxQueue: 12 }, async (batcher) => {
    const controller = new AbortController();
    const call = batcher.classify(images, { signal: controller.signal });
    controller.abort(new Error('The client has left.'));
    await expect(call).rejects.toThrow('The client has left.');
    while (batcher.waiting > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await batcher.classify(images)).toHaveLength(12);
  });
});

test('a call of many images listens to its signal without a warning', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => void warnings.push(warning);
  process.on('warning', note);
  await withBatcher({ maxBatch: 1 }, async (batcher) => {
    const { signal } = new AbortController();
    expect(await batcher.classify([...images, ...images], { signal })).toHaveLength(24);
  });
  process.off('warning', note);
  expect(warnings).toEqual([]);
});

test('closing waits for what was accepted, and refuses more', async () => {
  const batcher = await createBatcher(folder, { workers: 0, threads: 1 });
  const accepted = batcher.classify(images);
  const closed = batcher.close();
  await expect(batcher.classify(images[0]!)).rejects.toThrow('The batcher is closed. Create another one.');
  expect(await accepted).toHaveLength(12);
  await closed;
});

test('arguments are checked, and a model that was changed is not mixed with what is open', async () => {
  await expect(createBatcher('no-such-model')).rejects.toThrow('There is no file, folder or published model');
  await expect(createBatcher(folder, { maxBatch: 0 })).rejects.toThrow('maxBatch is 0, but expected a whole number');
  await expect(createBatcher(folder, { labels: ['one'] })).rejects.toThrow('labels has 1 name');
  await withBatcher({}, async (batcher) => {
    await expect(batcher.classify(7 as never)).rejects.toThrow('images[0] is 7, but expected a path');
    await expect(batcher.classify(images[0]!, { topp: 3 } as never)).rejects.toThrow('Did you mean top?');
    const file = join(folder, 'model.safetensors');
    const before = readFileSync(file);
    writeFileSync(file, before);
    await expect(batcher.explain(images[0]!)).rejects.toThrow('was changed after it was opened. Open it again.');
  });
});
