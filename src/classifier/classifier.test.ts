/** Classifying lists, views and every kind of image, and evaluation, on a net with random weights. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { smallClassifier, smallDescription } from '../../test/small-model.ts';
import { relativeError } from '../../test/tensors.ts';
import { listImages } from '../data/folder.ts';
import { decode } from '../data/image-source.ts';
import { Loader } from '../data/loader.ts';
import { WorkerPool } from '../data/pool.ts';
import { initialWeights } from '../model/init.ts';
import { withClasses } from '../saved/external.ts';
import { loadModel, saveModel } from '../saved/files.ts';
import { type Tensor, tensor } from '../tensor.ts';
import type { Classifier } from './classifier.ts';
import { load } from './load.ts';
import type { Prediction } from './predictions.ts';

const unseen = fileURLToPath(new URL('../../examples/images/unseen', import.meta.url));
const { classes } = smallDescription;
const description = { ...smallDescription, metrics: { top1: 12 } };

let folder: string;
let classifier: Classifier;
let paths: string[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-classifier-'));
  await saveModel(folder, description, initialWeights(smallClassifier, 3));
  classifier = await load(folder);
  paths = [...(await listImages(unseen)).paths];
});
afterAll(async () => {
  await classifier.dispose();
  rmSync(folder, { recursive: true });
});

/** Probabilities in the order of the classes. */
const probabilities = (predictions: readonly Prediction[]): Pick<Tensor, 'data'> => ({
  data: Float32Array.from(classes, (name) => predictions.find(({ label }) => label === name)!.probability),
});

/** Logits of views [V, C, H, W], by themselves. */
async function logits(prepared: Tensor<'float32'>): Promise<Float32Array[]> {
  const all = await classifier.logits(prepared.data);
  return Array.from({ length: prepared.dims[0]! }, (_, v) => all.slice(v * 4, (v + 1) * 4));
}

describe('classify', () => {
  it.each([1, 5, 12, 100])('a list in batches of %i gives what each image gives', async (batchSize) => {
    const all = await classifier.classify(paths, { batchSize });
    expect(all).toHaveLength(12);
    for (const [n, path] of paths.entries()) {
      const one = await classifier.classify(path);
      expect(relativeError(probabilities(all[n]!), probabilities(one))).toBeLessThan(1e-5);
    }
    expect(await classifier.classify([])).toEqual([]);
  });

  it('every kind of image gives the same', async () => {
    const path = paths[0]!;
    const bytes = readFileSync(path);
    const kinds = [
      bytes,
      new Blob([bytes]),
      await decode(path),
      new URL(`file://${path}`).href,
      await classifier.prepare(path),
    ];
    const expected = await classifier.classify(path);
    for (const kind of kinds) expect(await classifier.classify(kind)).toEqual(expected);
  });

  it.each([
    ['flip', 2],
    ['ten-crop', 10],
  ] as const)('%s averages the logits of %i views', async (views, count) => {
    const all = await classifier.classify(paths, { views, batchSize: 5 });
    for (const [n, path] of paths.entries()) {
      const prepared = await classifier.prepare(path, views);
      expect(prepared.dims).toEqual([count, 3, 24, 24]);
      const rows = await logits(prepared);
      const powers = classes.map((_, k) => Math.exp(rows.reduce((sum, row) => sum + row[k]!, 0) / count));
      const total = powers.reduce((a, b) => a + b);
      const expected = { data: Float32Array.from(powers, (power) => power / total) };
      expect(relativeError(probabilities(all[n]!), expected)).toBeLessThan(1e-5);
    }
  });

  it('top and threshold leave out what is unlikely', async () => {
    const all = await classifier.classify(paths[0]!);
    expect(await classifier.classify(paths[0]!, { top: 2 })).toEqual(all.slice(0, 2));
    expect(await classifier.classify(paths[0]!, { threshold: all[1]!.probability })).toEqual(all.slice(0, 2));
    expect(await classifier.classify(paths[0]!, { threshold: 1 })).toEqual([]);
  });

  it.each([{ top: 0 }, { threshold: 1.5 }, { threshold: Number.NaN }])('refuses %j', async (options) => {
    const [[name, value]] = Object.entries(options) as [[string, number]];
    await expect(classifier.classify(paths[0]!, options)).rejects.toThrow(`${name} is ${value}, but expected a`);
  });

  it('refuses an image that was prepared for a model of another size', async () => {
    const image = tensor('float32', [1, 3, 48, 48]); // as many numbers as four of its own
    await expect(classifier.classify(image)).rejects.toThrow(
      'A prepared image is [3, 48, 48], but the model expects [3, 24, 24]. Prepare it with this classifier.',
    );
  });

  it('refuses batches of nothing, images prepared in several ways, and an image that is not there', async () => {
    await expect(classifier.classify(paths, { batchSize: 0 })).rejects.toThrow('batchSize is 0');
    const mixed = [await classifier.prepare(paths[0]!), await classifier.prepare(paths[0]!, 'flip')];
    await expect(classifier.classify(mixed)).rejects.toThrow(
      'Image 1 was prepared as [2,3,24,24], but the first one as',
    );
    await expect(classifier.classify([paths[0]!, 'nowhere.png'])).rejects.toThrow('There is no image "nowhere.png".');
  });
});

const samplesOf = (paths: readonly string[]) => paths.map((path, i) => ({ path, label: Math.floor(i / 3) }));

describe('evaluate', () => {
  const loader = new Loader({ workers: 0 });

  it.each(['center', 'flip', 'ten-crop'] as const)('%s counts what classify names', async (views) => {
    const predicted: number[] = [];
    const onPrediction = (index: number, k: number) => {
      predicted[index] = k;
    };
    const result = await classifier.evaluate(samplesOf(paths), { loader, views, batchSize: 5, onPrediction });
    const named = await classifier.classify(paths, { views, top: 1 });
    expect(predicted.map((k) => classes[k])).toEqual(named.map(([best]) => best!.label));
    const counts = classes.map((_, t) =>
      classes.map((_, p) => predicted.slice(3 * t, 3 * t + 3).filter((k) => k === p).length),
    );
    expect(result.confusion.map((row) => Array.from(row))).toEqual(counts);
    expect(result.top1).toBeCloseTo((100 * counts.reduce((sum, row, t) => sum + row[t]!, 0)) / 12, 10);
    expect(result).toMatchObject({ images: 12, top5: 100 });
    expect(result.scores.map(({ label, recall }) => [label, recall])).toEqual(Object.entries(result.classes));
  });

  it('refuses no images', async () => {
    await expect(classifier.evaluate([])).rejects.toThrow('There are no images to evaluate. Give at least one.');
  });
});

describe('dispose', () => {
  it('ends everything once, after which nothing is opened', async () => {
    const pool = new WorkerPool({ workers: 1 });
    const start = vi.spyOn(pool, 'start');
    const other = await load(folder, { pool });
    await Promise.all([other.dispose(), other.dispose()]);
    await other.dispose();
    const message = 'The classifier is closed. Open another one.';
    const many = Array.from({ length: 20 }, () => paths[0]!);
    await expect(other.classify(many)).rejects.toThrow(message);
    await expect(other.features(paths[0]!)).rejects.toThrow(message);
    await expect(other.features(tensor('float32', [1, 3, 24, 24]))).rejects.toThrow(message);
    await expect(other.evaluate(samplesOf(paths))).rejects.toThrow(message);
    expect(start).not.toHaveBeenCalled();
  });
});

describe('withClasses', () => {
  it('keeps everything but the head, which the seed decides', async () => {
    const names = ['oak', 'elm'];
    const saved = await loadModel(folder);
    const [first, again, other] = [1, 1, 2].map((seed) => withClasses(saved, names, seed).weights!);
    expect(first!.get('fc.weight')).toEqual(again!.get('fc.weight'));
    expect(first!.get('fc.weight')!.data).not.toEqual(other!.get('fc.weight')!.data);
    expect(first!.get('fc.weight')!.dims).toEqual([2, 128]);
    for (const [name, { data }] of saved.weights!) {
      if (!name.startsWith('fc.')) expect(first!.get(name)!.data).toBe(data);
    }
    expect(withClasses(saved, 3).description).toMatchObject({
      classes: ['class 0', 'class 1', 'class 2'],
      metrics: {},
    });
  });

  it('a classifier with other classes sees the same', async () => {
    const adapted = await classifier.withClasses(['oak', 'elm', 'ash']);
    expect((await adapted.classify(paths[0]!)).map(({ label }) => label).sort()).toEqual(['ash', 'elm', 'oak']);
    const [own, same] = [await adapted.features(paths[0]!), await classifier.features(paths[0]!)];
    expect(relativeError(tensor('float32', [128], own), tensor('float32', [128], same))).toBeLessThan(1e-6);
    await adapted.dispose();
  });

  it('refuses no classes', async () => {
    await expect(classifier.withClasses(0)).rejects.toThrow('classes is 0, but expected a whole number of at least 1.');
    await expect(classifier.withClasses([])).rejects.toThrow(
      'classes is 0, but expected a whole number of at least 1.',
    );
    await expect(classifier.withClasses(2.5)).rejects.toThrow(
      'classes is 2.5, but expected a whole number of at least 1.',
    );
  });
});
