/**
 * The folder written by `exportTransformers`, opened by transformers.js itself, offline. For images of the network's
 * input size, both return the same probabilities. If images are resized, they differ because of transformers.js's
 * resizing in Node: "lanczos" equals Pillow's filter up to rounding, but "bilinear" and "bicubic" only read the nearest
 * 4 or 16 pixels, even when downscaling. The initial weights used here are less sensitive to this than trained ones.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { env, type ImageClassificationOutput, pipeline } from '@huggingface/transformers';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Classifier } from '../src/classifier/classifier.ts';
import { load } from '../src/classifier/load.ts';
import type { Prediction } from '../src/classifier/predictions.ts';
import { decode } from '../src/data/image-source.ts';
import { type Preprocessing, preprocessingFor } from '../src/data/presets.ts';
import { resize } from '../src/data/resize.ts';
import { UsageError } from '../src/errors.ts';
import { initialWeights } from '../src/model/init.ts';
import { resnext } from '../src/model/resnext.ts';
import { setWeights } from '../src/model/weights.ts';
import { loadModel } from '../src/saved/files.ts';
import type { SavedModel } from '../src/saved/model.ts';
import { type ExportTransformersOptions, exportTransformers } from '../src/saved/transformers.ts';
import { tensor } from '../src/tensor.ts';

const unseen = fileURLToPath(new URL('../examples/images/unseen', import.meta.url));
const photos = readdirSync(unseen).map((name) => readFileSync(join(unseen, name)));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-transformers-'));
  env.allowRemoteModels = false;
  env.localModelPath = `${folder}/`;
});
afterAll(() => rmSync(folder, { recursive: true }));

/**
 * A network with ten classes and initial weights. Those of the head are ten times larger, for confident predictions.
 */
function saved(given: Partial<Preprocessing> = {}): SavedModel {
  const preprocessing = { ...preprocessingFor({ images: 'small', size: 32, channels: given.channels ?? 3 }), ...given };
  const model = resnext({
    ...({ depths: [1, 1], cardinality: 8, baseWidth: 16, width: 16, stem: 'cifar', classes: 10 } as const),
    inputChannels: preprocessing.channels,
  });
  const weights = initialWeights(model, 1);
  const { dims, data } = weights.get('fc.weight')!;
  weights.set(
    'fc.weight',
    tensor(
      'float32',
      dims,
      (data as Float32Array).map((value) => 10 * value),
    ),
  );
  setWeights(model, weights);
  const classes = ['ant', 'bee', 'cat', 'dog', 'elk', 'fox', 'gnu', 'hen', 'ibis', 'jay'];
  return {
    description: { variant: 'small', config: model.config, classes, preprocessing, metrics: {} },
    graph: model.graph,
    weights,
  };
}

let folders = 0;
async function exported(model: SavedModel, options?: ExportTransformersOptions): Promise<string> {
  const name = `model-${folders++}`;
  await exportTransformers(join(folder, name), model, options);
  return name;
}

const json = (name: string, file: string) => JSON.parse(readFileSync(join(folder, name, file), 'utf8'));

/** The top five classes of transformers.js and of this package. */
async function answers(
  name: string,
  model: SavedModel | string,
  images: readonly Uint8Array<ArrayBuffer>[],
): Promise<{ theirs: ImageClassificationOutput; ours: Prediction[] }[]> {
  const classify = await pipeline('image-classification', name, { local_files_only: true });
  const classifier = await (typeof model === 'string' ? load(model, { cache: false }) : Classifier.open(model));
  const results = [];
  for (const image of images) {
    const theirs = (await classify(new Blob([image]), { top_k: 5 })) as ImageClassificationOutput;
    results.push({ theirs, ours: await classifier.classify(image) });
  }
  await classifier.dispose();
  await classify.dispose();
  return results;
}

/** The largest difference of the five probabilities. Expects the same classes in the same order. */
function expectSameOrder({ theirs, ours }: { theirs: ImageClassificationOutput; ours: Prediction[] }): number {
  expect(theirs.map(({ label }) => label)).toEqual(ours.map(({ label }) => label));
  return Math.max(...theirs.map(({ score }, i) => Math.abs(score - ours[i]!.probability)));
}

/** The images, enlarged and no longer square. */
const enlarged = (): Promise<Uint8Array<ArrayBuffer>[]> =>
  Promise.all(
    photos.map(async (bytes) => {
      const { data, width, height, channels } = resize(await decode(bytes), 100, 76, 'bicubic');
      return new Uint8Array(await sharp(data, { raw: { width, height, channels } }).png().toBuffer());
    }),
  );

test('the config files describe the model and its preprocessing', async () => {
  const name = await exported(saved({ resize: 37, interpolation: 'bicubic' }));
  const config = json(name, 'config.json');
  expect(config).toMatchObject({
    model_type: 'resnet',
    architectures: ['ResNetForImageClassification'],
    num_labels: 10,
  });
  expect(config.id2label).toMatchObject({ 0: 'ant', 9: 'jay' });
  expect(config.label2id).toMatchObject({ ant: 0, jay: 9 });
  expect(json(name, 'preprocessor_config.json')).toMatchObject({
    ...{ image_processor_type: 'BitImageProcessor', size: { shortest_edge: 37 }, resample: 3 },
    ...{ crop_size: { height: 32, width: 32 }, image_mean: [125.3 / 255, 123 / 255, 113.9 / 255] },
  });
});

test('images of the network’s size: the same top five in the same order, probabilities within 1e-6', async () => {
  const model = saved();
  const differences = (await answers(await exported(model), model, photos)).map(expectSameOrder);
  expect(differences).toHaveLength(12);
  expect(Math.max(...differences)).toBeLessThan(1e-6);
});

test.each(['lanczos', 'bilinear', 'bicubic'] as const)(
  'images that are made smaller by %s: the same five in the same order, to 0.01',
  async (interpolation) => {
    const model = saved({ interpolation });
    const differences = (await answers(await exported(model), model, await enlarged())).map(expectSameOrder);
    expect(Math.max(...differences)).toBeLessThan(0.01);
  },
);

test('a grayscale network accepts the same images, up to the rounding of grayscale to bytes', async () => {
  const model = saved({ channels: 1 });
  const name = await exported(model);
  expect(json(name, 'preprocessor_config.json').image_mean).toHaveLength(3);
  const differences = (await answers(name, model, photos)).map(expectSameOrder);
  expect(Math.max(...differences)).toBeLessThan(1e-3);
});

test('a network with external weights, which this package also opens', async () => {
  const name = await exported(saved(), { externalAbove: 0 });
  expect(existsSync(join(folder, name, 'onnx/model.onnx_data'))).toBe(true);
  const file = join(folder, name, 'onnx/model.onnx');
  expect((await loadModel(file)).graph.inputs[0]!.name).toBe('input');
  const differences = (await answers(name, file, photos.slice(0, 2))).map(expectSameOrder);
  expect(Math.max(...differences)).toBeLessThan(1e-6);
});

test('a network for neither color nor grayscale is refused', async () => {
  const model = resnext({ depths: [1], cardinality: 8, baseWidth: 16, width: 16, classes: 2, inputChannels: 4 });
  const { description } = saved();
  const refused = exported({ graph: model.graph, description: { ...description, config: model.config } });
  await expect(refused).rejects.toThrow(
    'The network has 4 input channels, but transformers.js provides images with 3.',
  );
});

test('a network without classes is refused', async () => {
  const { graph, weights, description } = saved();
  const model = {
    graph,
    weights: weights!,
    description: { ...description, config: { ...description.config, classes: 0 } },
  };
  await expect(exported(model)).rejects.toThrow(UsageError);
  await expect(exported(model)).rejects.toThrow(
    'The model (small) has no classes, but image classification needs at least 1.',
  );
});
