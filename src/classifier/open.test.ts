import { mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { thisMachine } from '#platform';
import { relativeError, seeded } from '../../test/tensors.ts';
import { writeTuning } from '../cache/tuning.ts';
import { preprocessingFor } from '../data/presets.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import type { ModelDescription } from '../saved/description.ts';
import { exportOnnx } from '../saved/export.ts';
import { loadModel, saveModel } from '../saved/files.ts';
import { tensor } from '../tensor.ts';
import { writeSafetensorsFile } from '../weights/files.ts';
import { Classifier } from './classifier.ts';
import { load } from './load.ts';
import type { FileOptions } from './open-file.ts';

const model = resnext({
  depths: [1, 1],
  stem: 'cifar',
  width: 16,
  cardinality: 8,
  baseWidth: 16,
  inputSize: 8,
  classes: 3,
});
const description: ModelDescription = {
  variant: 'resnext8_8x16d_w16',
  config: model.config,
  classes: ['a', 'b', 'c'],
  preprocessing: preprocessingFor({ images: 'small', size: 8 }),
  metrics: {},
};

let folder: string;
const models = () => join(folder, 'cache', 'models');
const entries = () => readdirSync(models());
const save = (seed: number) => saveModel(join(folder, 'run'), description, initialWeights(model, seed));

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-open-'));
  vi.stubEnv('RESNEXT_CACHE', join(folder, 'cache'));
  await save(1);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const pixels = seeded(1).tensor([2, 3, 8, 8]).data;
async function logits(path = join(folder, 'run'), options: FileOptions = {}) {
  const classifier = await load(path, options);
  expect(classifier.description).toEqual(description);
  const data = await classifier.logits(pixels);
  await classifier.dispose();
  return tensor('float32', [2, 3], data);
}

test('the second start finds what the first one left, and gives the same logits', async () => {
  const plain = await logits(undefined, { cache: false });
  const first = await logits();
  const [key, ...others] = entries();
  expect(others).toEqual([]);
  expect(readdirSync(join(models(), key!)).sort()).toEqual(['entry.json', 'model.onnx', 'model.onnx.data']);
  const made = statSync(join(models(), key!, 'model.onnx')).mtimeMs;
  const second = await logits();
  expect([entries(), statSync(join(models(), key!, 'model.onnx')).mtimeMs]).toEqual([[key], made]);
  expect([first.data, second.data]).toEqual([plain.data, plain.data]);
});

test('features are not taken from a file that was replaced', async () => {
  const classifier = await load(join(folder, 'run'));
  await save(2);
  const image = tensor('float32', [1, 3, 8, 8]);
  const message = 'model.safetensors was changed after it was opened. Open it again.';
  await expect(classifier.features(image)).rejects.toThrow(message);
  await expect(classifier.withClasses(2)).rejects.toThrow(message);
  expect(await classifier.classify(image)).toHaveLength(3);
  await classifier.dispose();
});

test('a file by another name, which tells another net, is another model', async () => {
  const net = resnext({ depths: [1, 1], cardinality: 4, baseWidth: 8, width: 32, inputSize: 32, classes: 3 });
  const [plain, linked] = ['resnext8_4x8d.safetensors', 'resnextaa8_4x8d.safetensors'].map((name) =>
    join(folder, name),
  );
  await writeSafetensorsFile(plain!, initialWeights(net, 1));
  symlinkSync(plain!, linked!);
  for (const [path, antialias] of [
    [plain!, false],
    [linked!, true],
  ] as const) {
    const classifier = await load(path);
    expect(classifier.description.config.antialias).toBe(antialias);
    await classifier.dispose();
  }
});

test('a rewritten file is read again', async () => {
  const before = await logits();
  await save(2);
  const after = await logits();
  expect(entries()).toHaveLength(2);
  expect(relativeError(after, before)).toBeGreaterThan(0.01);
  expect(after.data).toEqual((await logits(undefined, { cache: false })).data);
});

test.each<[string, (entry: string) => void]>([
  ['is no model', (entry) => writeFileSync(join(entry, 'model.onnx'), 'no model')],
  ['lost its weights', (entry) => rmSync(join(entry, 'model.onnx.data'))],
  ['has too few weights', (entry) => truncateSync(join(entry, 'model.onnx.data'), 100)],
  ['lost its list', (entry) => rmSync(join(entry, 'entry.json'))],
])('an entry that %s is replaced', async (_, spoil) => {
  const before = await logits();
  const entry = join(models(), entries()[0]!);
  spoil(entry);
  expect((await logits()).data).toEqual(before.data);
  expect(readdirSync(entry).sort()).toEqual(['entry.json', 'model.onnx', 'model.onnx.data']);
});

test.each<[string, FileOptions, string?]>([
  ['with the cache off', { cache: false }],
  ['for other optimizations', { optimization: 'basic' }],
  ['with RESNEXT_CACHE=off', {}, 'off'],
])('nothing is kept %s', async (_, options, env) => {
  if (env) vi.stubEnv('RESNEXT_CACHE', env);
  await logits(undefined, options);
  expect(readdirSync(folder)).toEqual(['run']);
});

test('a cache that cannot be written is not used', async () => {
  writeFileSync(join(folder, 'cache'), 'a file');
  expect((await logits()).data).toEqual((await logits(undefined, { cache: false })).data);
});

test('an ONNX file is kept as well, and what is in memory is not', async () => {
  const saved = await loadModel(join(folder, 'run'));
  const path = join(folder, 'model.onnx');
  await exportOnnx(path, saved);
  const [first, second] = [await logits(path), await logits(path)];
  expect(first.data).toEqual(second.data);
  expect(entries()).toHaveLength(1);
  const classifier = await Classifier.open(saved);
  expect(await classifier.logits(pixels)).toEqual(first.data);
  await classifier.dispose();
  expect(entries()).toHaveLength(1);
});

test('what was measured here is heeded, and part of the key', async () => {
  const before = await logits();
  await writeTuning(join(folder, 'cache'), await thisMachine(), { mergeGroups: { 4: false, 8: false }, threads: 1 });
  expect(relativeError(await logits(), before)).toBeLessThan(1e-5);
  expect(entries()).toHaveLength(2);
});

test('labels name the classes, from the cache too, if they are as many', async () => {
  const image = tensor('float32', [1, 3, 8, 8], pixels.slice(0, 3 * 8 * 8) as Float32Array);
  for (const _ of ['first', 'second']) {
    const classifier = await load(join(folder, 'run'), { labels: ['x', 'y', 'z'] });
    expect((await classifier.classify(image)).map(({ label }) => label).sort()).toEqual(['x', 'y', 'z']);
    await classifier.dispose();
  }
  await expect(load(join(folder, 'run'), { labels: ['x'] })).rejects.toThrow(
    'labels has 1 name, but the model has 3 classes. Give one name per class.',
  );
});

test('an image of NaN, and numbers of classes that there cannot be, are refused', async () => {
  const image = tensor('float32', [1, 3, 8, 8], new Float32Array(3 * 8 * 8).fill(Number.NaN));
  const classifier = await load(join(folder, 'run'));
  await expect(classifier.classify(image)).rejects.toThrow(
    'A prepared image contains NaN, but expected finite numbers.',
  );
  await expect(classifier.classify(image, { top: -1 })).rejects.toThrow(
    'top is -1, but expected a whole number of at least 1.',
  );
  await classifier.dispose();
});

test('a model without classes names nothing, but has features', async () => {
  const features = resnext({ ...model.config, classes: 0 });
  const path = join(folder, 'features');
  await saveModel(path, { ...description, config: features.config, classes: [] }, initialWeights(features, 1));
  const image = tensor('float32', [1, 3, 8, 8], pixels.slice(0, 3 * 8 * 8) as Float32Array);
  for (const _ of ['first', 'second']) {
    const classifier = await load(path);
    await expect(classifier.classify(image)).rejects.toThrow('(resnext8_8x16d_w16) has no classes');
    await expect(classifier.evaluate([])).rejects.toThrow('has no classes. Use features() instead.');
    const whole = await load(join(folder, 'run'));
    expect(await classifier.features(image)).toEqual(await whole.features(image));
    await Promise.all([classifier.dispose(), whole.dispose()]);
  }
});
