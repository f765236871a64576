/** One pool of worker threads for all who read images, in the built package. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Classifier, initialWeights, resnext, setWeights, UsageError } from 'resnext';
import { decode, evaluationTransforms, Loader, type NamedImage, preprocessingFor, WorkerPool } from 'resnext/data';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ImageJob } from '../src/data/job.ts';

const preprocessing = preprocessingFor({ images: 'small', size: 16 });
const transforms = evaluationTransforms(preprocessing);
const config = {
  depths: [1],
  width: 16,
  cardinality: 4,
  baseWidth: 16,
  inputSize: 16,
  stem: 'cifar',
  classes: 3,
} as const;
const count = 40;
const bad = 23;

let dir: string;
let paths: string[];
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-pool-'));
  paths = Array.from({ length: count }, (_, i) => join(dir, `${i}.png`));
  for (const [i, path] of paths.entries()) {
    const data = Uint8Array.from({ length: 20 * 18 * 3 }, (_, p) => Math.imul(p + 31 * i, 40503) >> 8);
    await sharp(data, { raw: { width: 20, height: 18, channels: 3 } })
      .png()
      .toFile(path);
  }
  writeFileSync(paths[bad]!, 'no image');
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Copies of all batches, and the failures. */
async function batches(loader: Loader, samples: readonly (NamedImage | { path: string; label: number })[]) {
  const failures: [string, string, number][] = [];
  const onCorrupt = (...failure: [string, string, number]) => failures.push(failure);
  const all: { indices: number[]; images: Float32Array }[] = [];
  for await (const { indices, images } of loader.batches({ samples, transforms, batchSize: 9, onCorrupt })) {
    all.push({ indices: [...indices], images: images.slice() });
  }
  return { all, failures };
}

/** A pool that notes how many images its threads were given. */
class CountingPool extends WorkerPool {
  images = 0;

  override async start() {
    const workers = await super.start();
    const run = (job: Omit<ImageJob, 'budget'>) => {
      this.images += job.images.length;
      return workers.run(job);
    };
    return { ...workers, run };
  }
}

describe('a pool', () => {
  it('reads paths, bytes, Blobs, promises of them and pixels alike, in order, past one that is broken', async () => {
    const pool = new WorkerPool({ workers: 2 });
    const loader = new Loader({ pool, cache: 0 });
    const expected = await batches(
      loader,
      paths.map((path) => ({ path, label: 0 })),
    );
    expect(expected.failures).toEqual([[paths[bad], expect.stringMatching(/^Image ".*23\.png" cannot be read/), bad]]);
    expect(expected.all.flatMap(({ indices }) => indices.filter((i) => i >= 0))).toEqual(
      [...paths.keys()].filter((i) => i !== bad),
    );
    const kinds: ((path: string) => NamedImage['image'])[] = [
      (path) => path,
      (path) => readFileSync(path),
      (path) => new Blob([readFileSync(path)]),
      (path) => async () => new Uint8Array(readFileSync(path)),
    ];
    for (const kind of kinds) {
      const samples = paths.map((path) => ({ name: path, image: kind(path) }));
      expect(await batches(loader, samples)).toEqual(expected);
    }
    const whole = paths.filter((_, i) => i !== bad);
    const pixels = await Promise.all(whole.map(async (name) => ({ name, image: await decode(name) })));
    const [fromPixels, fromPaths] = [pixels, whole.map((path) => ({ path, label: 0 }))];
    expect((await batches(loader, fromPixels)).all).toEqual((await batches(loader, fromPaths)).all);
    await pool.close();
  });

  it('is shared by loaders, which do not close it, and starts again after it was closed', async () => {
    const pool = new WorkerPool({ workers: 1 });
    expect(pool.isStarted).toBe(false);
    const samples = paths.map((path) => ({ path, label: 1 }));
    const [first, second] = [new Loader({ pool }), new Loader({ pool, cache: 0, prefetch: 1 })];
    const [a, b] = await Promise.all([batches(first, samples), batches(second, samples)]);
    expect(a).toEqual(b);
    await first.close();
    expect(pool.isStarted).toBe(true);
    expect(await batches(second, samples)).toEqual(b);
    await pool.close();
    expect(pool.isStarted).toBe(false);
    expect(await batches(second, samples)).toEqual(b);
    await pool.close();
  });

  it.each([0, 1])(
    'fails an epoch that still runs when it is closed, and starts no thread again: %i workers',
    async (workers) => {
      const pool = new WorkerPool({ workers });
      const loader = new Loader({ pool, cache: 0, prefetch: 1 });
      const samples = paths.map((path) => ({ path, label: 1 }));
      const reading = async () => {
        for await (const { number } of loader.batches({ samples, transforms, batchSize: 9 })) {
          if (number === 0) await pool.close();
        }
      };
      await expect(reading()).rejects.toThrow('The worker threads were closed while images were being read');
      expect(pool.isStarted).toBe(false);
    },
  );

  it('refuses a number of workers that cannot be', () => {
    expect(() => new WorkerPool({ workers: 1.5 })).toThrow(
      'workers is 1.5, but expected a whole number from 0 to 256.',
    );
  });
});

describe('a classifier', () => {
  const model = resnext(config);
  setWeights(model, initialWeights(model, 1));
  const classes = ['a', 'b', 'c'];
  const saved = {
    description: { variant: 'small', config: model.config, classes, preprocessing, metrics: {} },
    ...model,
  };

  it('reads long lists in threads, and a single image or a short list here', async () => {
    const pool = new CountingPool({ workers: 2 });
    const classifier = await Classifier.open(saved, { pool });
    const whole = paths.filter((_, i) => i !== bad);
    const one = await classifier.classify(paths[0]!);
    const few = await classifier.classify(whole.slice(0, 16));
    expect([pool.isStarted, pool.images]).toEqual([false, 0]);
    const all = await classifier.classify(whole, { batchSize: 7 });
    expect(pool.images).toBe(count - 1);
    expect(all.slice(0, 16)).toEqual(few);
    expect(all[0]).toEqual(one);
    expect(await classifier.features(whole, { batchSize: 7 })).toHaveLength(count - 1);
    expect(pool.images).toBe(2 * (count - 1));
    const evaluated = await classifier.evaluate(whole.map((path) => ({ path, label: 0 })));
    expect([evaluated.images, pool.images]).toEqual([count - 1, 3 * (count - 1)]);
    await classifier.dispose();
    expect(pool.isStarted).toBe(true);
    await pool.close();
  });

  it('reads the next batch while one runs', async () => {
    const pool = new CountingPool({ workers: 1 });
    const classifier = await Classifier.open(saved, { pool });
    for await (const _ of classifier.classifyEach(paths, { batchSize: 10 })) break; // the first batch has run
    expect(pool.images).toBe(20);
    await classifier.dispose();
    await pool.close();
  });

  it('gives each image of a list its outcome in its place', async () => {
    const classifier = await Classifier.open(saved, { workers: 2 });
    const outcomes: string[] = [];
    for await (const outcome of classifier.classifyEach(paths, { batchSize: 6, top: 1 })) {
      outcomes.push('error' in outcome ? outcome.error.message : outcome.result[0]!.label);
    }
    const whole = paths.filter((_, i) => i !== bad);
    const labels = (await classifier.classify(whole, { top: 1 })).map(([best]) => best!.label);
    expect(outcomes.toSpliced(bad, 1)).toEqual(labels);
    expect(outcomes[bad]).toMatch(/^Image ".*23\.png" cannot be read/);
    await expect(classifier.classify(paths)).rejects.toThrow(outcomes[bad]!);
    for await (const _ of classifier.classifyEach([])) throw new Error('an outcome of nothing');
    for await (const outcome of classifier.classifyEach([paths[bad]!, paths[bad]!]))
      expect(outcome).toHaveProperty('error');
    await classifier.dispose();
  });
});

it('threads that are idle do not keep a program alive', async () => {
  const script = `
    import { Loader, evaluationTransforms } from 'resnext/data';
    const samples = [{ path: ${JSON.stringify(paths[0])}, label: 0 }];
    const loader = new Loader({ workers: 2 });
    const transforms = evaluationTransforms(${JSON.stringify(preprocessing)});
    for await (const { count } of loader.batches({ samples, transforms, batchSize: 1 })) console.log(count);
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
  expect(stdout).toBe('1\n');
});

it('an error that a user can fix stays one on its way out of a thread', async () => {
  const pool = new WorkerPool({ workers: 1 });
  const { run } = await pool.start();
  const pixels = { width: 1, height: 1, channels: 3, data: Uint8Array.of(1, 2, 3) } as const;
  const outs = [new Float32Array(3)];
  const job = { indices: [0], repetitions: [0], prefix: [], rest: [], cache: undefined, seed: 0, epoch: 0, outs };
  const attempt = run({ ...job, images: [{ name: 'a', pixels }] });
  await expect(attempt).rejects.toThrow(UsageError);
  await expect(attempt).rejects.toThrow('transforms has no step of kind "normalize"');
  await pool.close();
});
