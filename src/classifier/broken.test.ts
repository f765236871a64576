/** Models with broken weights, and with one output, in every way of using them. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FormatError, UsageError } from '../errors.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import type { Weights } from '../model/weights.ts';
import { exportOnnx } from '../saved/export.ts';
import { loadModel, saveModel } from '../saved/files.ts';
import { exportStateDict } from '../saved/layout.ts';
import { assemble, type SavedModel } from '../saved/model.ts';
import { exportTransformers } from '../saved/transformers.ts';
import { type Tensor, tensor } from '../tensor.ts';
import { writeSafetensorsFile } from '../weights/files.ts';
import { Classifier } from './classifier.ts';
import { load } from './load.ts';

const config = { depths: [1, 1], cardinality: 4, baseWidth: 8, width: 16, inputSize: 32, classes: 3 } as const;
const model = resnext(config);
const image = tensor(
  'float32',
  [1, 3, 224, 224],
  Float32Array.from({ length: 3 * 224 * 224 }, (_, i) => Math.sin(i)),
);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-broken-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Initial weights, in which all or the first elements of one tensor have another value. */
function spoiled(name: string, value: number, count?: number): Map<string, Tensor> {
  const weights = initialWeights(model, 1);
  (weights.get(name)!.data as Float32Array).fill(value, 0, count);
  return weights;
}

const saved = (weights: Weights): SavedModel => {
  const { mean, std } = { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
  const preprocessing = { channels: 3, size: 32, resize: 32, interpolation: 'bilinear', mean, std } as const;
  const classes = ['a', 'b', 'c'];
  return assemble({ variant: 'small', config: model.config, classes, preprocessing, metrics: {} }, weights);
};

describe.each([
  ['conv1.weight', Number.NaN, 1],
  ['layer1.0.bn1.running_var', Number.POSITIVE_INFINITY, 1], // of which the logits show nothing
  ['fc.bias', Number.NEGATIVE_INFINITY, 1],
])('%s with %d', (name, value, count) => {
  const sentence = `"${name}" contains ${value}, so `;

  it('is refused in a file, whether its weights are read now or later', async () => {
    const file = join(folder, `${name}.safetensors`);
    await writeSafetensorsFile(file, spoiled(name, value, count));
    for (const open of [loadModel(file), load(file), load(file, { cache: false })]) {
      await expect(open).rejects.toThrow(FormatError);
      await expect(open).rejects.toThrow(`${file}: ${sentence}the weights are broken`);
    }
  });

  it('is not written', async () => {
    const broken = saved(spoiled(name, value, count));
    const [onnx, layout, site, run] = ['x.onnx', 'x.safetensors', 'site', 'run'].map((path) => join(folder, path));
    const attempts = [
      exportOnnx(onnx!, broken),
      exportStateDict(layout!, broken, 'timm'),
      exportTransformers(site!, broken),
      saveModel(run!, broken.description, broken.weights!),
    ];
    for (const attempt of attempts) {
      await expect(attempt).rejects.toThrow(UsageError);
      await expect(attempt).rejects.toThrow(`${sentence}nothing was written`);
    }
    for (const path of [onnx, layout, join(site!, 'config.json'), join(run!, 'model.safetensors')]) {
      expect(existsSync(path!)).toBe(false);
    }
  });
});

it('weights too large to compute with are refused by their outputs', async () => {
  const small = tensor(
    'float32',
    [1, 3, 32, 32],
    Float32Array.from({ length: 3 * 32 * 32 }, (_, i) => Math.sin(i)),
  );
  const classifier = await Classifier.open(saved(spoiled('fc.weight', 3e38)));
  const message = /^The (logits|features) are -?(Infinity|NaN), so the model's weights are broken/;
  await expect(classifier.classify(small)).rejects.toThrow(message);
  await expect(classifier.features(small, { stages: ['logits'] })).rejects.toThrow(message);
  await expect(classifier.logits(small.data)).rejects.toThrow(message);
  expect((await classifier.features(small)).every(Number.isFinite)).toBe(true); // the head is not needed
  await classifier.dispose();
});

describe('a model with one output', () => {
  const one = resnext({ ...config, classes: 1, inputSize: 224 });
  const weights = initialWeights(one, 1);

  it('trained with binary cross-entropy is one of two classes', async () => {
    const file = join(folder, 'binary.safetensors');
    await writeSafetensorsFile(file, weights);
    const classifier = await load(file);
    expect(classifier.notes).toContain(
      'Read the single output as that of two classes: its sigmoid is the probability of the second.',
    );
    const predictions = await classifier.classify(image);
    const [, z] = (await classifier.features(image, { stages: ['logits'] })).get('logits')!.data;
    const sigmoid = 1 / (1 + Math.exp(-z!));
    expect(z).not.toBe(0);
    const found = Object.fromEntries(predictions.map(({ label, probability }) => [label, probability]));
    expect(Object.keys(found).sort()).toEqual(['class 0', 'class 1']);
    expect(found['class 1']).toBeCloseTo(sigmoid, 6);
    expect(found['class 0']).toBeCloseTo(1 - sigmoid, 6);
    await classifier.dispose();
  });

  it('of this package is not classified with', async () => {
    const preprocessing = { ...saved(spoiled('fc.bias', 0)).description.preprocessing, size: 224 };
    const description = { variant: 'small', config: one.config, classes: ['a'], preprocessing, metrics: {} };
    const classifier = await Classifier.open(assemble(description, weights));
    await expect(classifier.classify(image)).rejects.toThrow('(small) has one output, but classes need two or more');
    await expect(classifier.evaluate([])).rejects.toThrow('has one output');
    await classifier.dispose();
  });
});
