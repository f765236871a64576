/** Images of every kind, and what is none, passed to a classifier from JavaScript. */
import { readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decode, readImage } from '../data/image-source.ts';
import { Loader } from '../data/loader.ts';
import { WorkerPool } from '../data/pool.ts';
import { evaluationTransforms, preprocessingFor } from '../data/presets.ts';
import { sampleRandom } from '../data/random.ts';
import { resize } from '../data/resize.ts';
import { applyTransforms } from '../data/transforms/apply.ts';
import { FormatError, UsageError } from '../errors.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import { assemble } from '../saved/model.ts';
import { tensor } from '../tensor.ts';
import { Classifier } from './classifier.ts';

const rose = fileURLToPath(new URL('../../examples/images/unseen/frog-1.jpg', import.meta.url));
const model = resnext({ depths: [1, 1], cardinality: 2, baseWidth: 16, width: 16, stem: 'cifar', classes: 3 });
const preprocessing = preprocessingFor({ images: 'small', size: 32 });
const description = { variant: 'small', config: model.config, classes: ['a', 'b', 'c'], preprocessing, metrics: {} };

let classifier: Classifier;
beforeAll(async () => {
  classifier = await Classifier.open(assemble(description, initialWeights(model, 1)));
});
afterAll(() => classifier.dispose());

/** Calls a method as JavaScript does, without types. */
// biome-ignore lint/complexity/noBannedTypes: any method
const call = async (method: Function, ...args: unknown[]): Promise<unknown> => method.apply(classifier, args);

it('an image is a path, a URL, a Blob, a File, an ArrayBuffer, a Uint8Array, a Buffer or pixels', async () => {
  const bytes = readFileSync(rose);
  const plain = new Uint8Array(bytes);
  const sources = [pathToFileURL(rose), new Blob([bytes]), new File([bytes], 'a.jpg'), plain, plain.buffer, bytes];
  const expected = await classifier.classify(rose);
  for (const source of [...sources, await decode(rose)]) expect(await classifier.classify(source)).toEqual(expected);
  expect(await classifier.classify([...sources])).toHaveLength(sources.length);
  expect(await decode(plain.buffer)).toEqual(await readImage(pathToFileURL(rose)));
});

describe('what is no image is refused', () => {
  it.each<[unknown, string]>([
    [undefined, 'image is required: expected a path, a URL, a Blob, an ArrayBuffer, a Uint8Array, or pixels'],
    [null, 'image is null, but expected a path'],
    [42, 'image is 42, but expected a path'],
    ['', 'image is "", but'],
    [new Float32Array(3), 'image is a Float32Array of 12 bytes, but'],
    [Promise.resolve(rose), 'image is a Promise, which has to be awaited, but'],
    [{ width: 2, height: 2 }, 'image is {"width":2,"height":2}, but'],
    [[rose, 7], 'images[1] is 7, but'],
  ])('%o', async (image, message) => {
    for (const method of [classifier.classify, classifier.features]) {
      await expect(call(method, image)).rejects.toThrow(UsageError);
      await expect(call(method, image)).rejects.toThrow(message);
    }
  });

  it.each<[object, string]>([
    [
      { width: 10, height: 10, channels: 3, data: new Uint8Array(5) },
      'Image "image" has 5 bytes for 10 × 10 pixels of 3',
    ],
    [{ width: 1, height: 1, channels: 4, data: new Uint8Array(4) }, 'has 4 bytes for 1 × 1 pixels of 4 channels'],
    [{ width: 1.5, height: 2, channels: 1, data: new Uint8Array(3) }, 'has 3 bytes for 1.5 × 2 pixels'],
    [{ width: '1', height: 1, channels: 3, data: new Uint8Array(3) }, 'has 3 bytes for "1" × 1 pixels'],
    [
      { width: 1, height: 1, channels: 3, data: [1, 2, 3] },
      'The data of image "image" is [1,2,3], but expected a Uint8Array.',
    ],
  ])('%o', async (pixels, message) => {
    const steps = evaluationTransforms(preprocessing);
    const random = sampleRandom(0, 0, 0);
    await expect(call(classifier.classify, pixels)).rejects.toThrow(FormatError);
    await expect(call(classifier.classify, pixels)).rejects.toThrow(message);
    await expect(call(resize, pixels, 1, 1, 'bilinear')).rejects.toThrow(message);
    await expect(call(applyTransforms, steps, pixels, random)).rejects.toThrow(message);
  });
});

describe('a tensor is one prepared image', () => {
  const zeros = (...dims: number[]) => tensor('float32', dims);

  it.each([
    [zeros(1, 3, 48, 48), 'A prepared image is [3, 48, 48], but the model expects [3, 32, 32].'],
    [zeros(3, 32, 32), 'A prepared image is [32, 32], but the model expects [3, 32, 32].'],
    [zeros(1, 1, 32, 32), 'A prepared image is [1, 32, 32], but'],
    [zeros(4, 3, 32, 32), 'A prepared image has 4 views, but expected 1 or 2 or 10 of one image.'],
    [{ ...zeros(1, 3, 32, 32), data: new Float32Array(5) }, 'is not float32 [1, 3, 32, 32]. Prepare it'],
    [tensor('float64', [1, 3, 32, 32]), 'is not float32 [1, 3, 32, 32]. Prepare it'],
  ])('%#', async (image, message) => {
    for (const images of [image, [image, image]]) {
      await expect(call(classifier.classify, images)).rejects.toThrow(message);
      await expect(call(classifier.features, images)).rejects.toThrow(message);
    }
  });

  it('with as many views as are asked for', async () => {
    const flipped = await classifier.prepare(rose, 'flip');
    expect(await classifier.classify(flipped)).toEqual(await classifier.classify(rose, { views: 'flip' }));
    await expect(classifier.classify(flipped, { views: 'ten-crop' })).rejects.toThrow(
      'A prepared image has 2 views, but expected 10 of one image.',
    );
  });
});

it.each<[string, readonly unknown[], string]>([
  ['classify', [rose, { topK: 1 }], 'There is no option "topK". Did you mean top?'],
  ['classify', [rose, { views: 'tencrop' }], 'views is "tencrop", but expected center, flip or ten-crop.'],
  ['classify', [rose, 5], 'The options are 5, but expected an object with top, threshold, batchSize, views.'],
  ['classifyEach', [rose], 'but expected an array, with a path'],
  ['classifyEach', [[{ name: 'a', image: 3 }]], 'images[0] is {"name":"a","image":3}, but'],
  ['features', [rose, { stage: ['layer1'] }], 'There is no option "stage". Did you mean stages?'],
  ['featuresEach', [[rose]], 'The options are undefined, but expected an object with batchSize, stages.'],
  ['prepare', [rose, 'mirror'], 'views is "mirror", but expected center, flip or ten-crop.'],
  ['logits', [[1, 2]], 'images is [1,2], but expected a Float32Array of [N, 3, 32, 32].'],
  ['logits', [new Float32Array(5)], 'images is a Float32Array of 20 bytes, but'],
  ['evaluate', ['val'], 'samples is "val", but expected an array, with { path, label }'],
  ['evaluate', [[{ path: rose, label: 3 }]], 'a label that is a whole number from 0 to 2.'],
  [
    'evaluate',
    [[{ path: rose, label: 0 }], { batchsize: 2 }],
    'There is no option "batchsize". Did you mean batchSize?',
  ],
  ['withClasses', ['cat'], 'classes is "cat", but expected an array, with a name each.'],
])('%s(%j) is refused', async (method, args, message) => {
  const attempt = call(Reflect.get(classifier, method), ...args);
  await expect(attempt).rejects.toThrow(UsageError);
  await expect(attempt).rejects.toThrow(message);
});

it('pools, loaders and models are checked too', async () => {
  const make = (Class: new (options: never) => unknown, options: object) => () => Reflect.construct(Class, [options]);
  expect(make(WorkerPool, { threads: 2 })).toThrow('There is no option "threads". The options are workers, queue');
  expect(make(Loader, { pool: {} })).toThrow('pool is {}, but expected a WorkerPool.');
  const loader = new Loader({ workers: 0 });
  const batches = (options: object) => () => Reflect.apply(loader.batches, loader, [options]);
  const transforms = evaluationTransforms(preprocessing);
  expect(batches({ samples: [rose], transforms, batchSize: 1 })).toThrow('samples[0] is');
  expect(batches({ samples: [], batchSize: 1 })).toThrow('transforms is required: expected an array of transforms.');
  expect(batches({ samples: [], transforms, batch: 1 })).toThrow('There is no option "batch". Did you mean batchSize?');
  await expect(call(Classifier.open, 5)).rejects.toThrow(
    'model is 5, but expected a model, or its file: a URL, a Blob',
  );
  await expect(call(Classifier.open, classifier)).rejects.toThrow('model is a Classifier, but');
  await expect(call(Classifier.open, assemble(description, initialWeights(model, 1)), { thread: 1 })).rejects.toThrow(
    'There is no option "thread". Did you mean threads?',
  );
});
