/** Changed preprocessing: the resize for another size, warnings, and what is refused. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { findWeights } from '../catalog/published.ts';
import { Classifier } from '../classifier/classifier.ts';
import { imagenetPreprocessing, type Preprocessing } from '../data/presets.ts';
import { UsageError } from '../errors.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import { setWeights } from '../model/weights.ts';
import { convert } from './convert.ts';
import { exportOnnx } from './export.ts';
import { withChannels, withClasses } from './external.ts';
import { loadModel } from './files.ts';
import { type SavedModel, withFreeSize } from './model.ts';
import { preprocessingWarningFor, withPreprocessing } from './preprocessing.ts';

const folder = mkdtempSync(join(tmpdir(), 'resnext-preprocessing-'));
afterAll(() => rmSync(folder, { recursive: true }));

const network = resnext({ depths: [1, 1], cardinality: 4, baseWidth: 32, width: 8, classes: 3, inputSize: 64 });
const weights = initialWeights(network, 1);
setWeights(network, weights);
const preprocessing = { ...imagenetPreprocessing, size: 64, resize: 73 };
const model: SavedModel = {
  description: { variant: 'small', config: network.config, classes: ['a', 'b', 'c'], preprocessing, metrics: {} },
  ...{ graph: network.graph, weights },
};

test('a new size rebuilds the network and keeps the ratio of the resize', () => {
  const { description, graph } = withPreprocessing(model, { size: 96 });
  expect(description.preprocessing).toEqual({ ...preprocessing, size: 96, resize: 110 });
  expect(description.config.inputSize).toEqual([96, 96]);
  expect(graph.inputs[0]!.dims).toEqual(['N', 3, 96, 96]);
  expect(model.graph.inputs[0]!.dims).toEqual(['N', 3, 64, 64]);
});

test('given values take precedence, and the graph is kept if its size is', () => {
  const changed = withPreprocessing(model, { resize: 80, interpolation: 'bicubic' });
  expect(changed.description.preprocessing).toEqual({ ...preprocessing, resize: 80, interpolation: 'bicubic' });
  expect(changed.graph).toBe(model.graph);
  expect(withPreprocessing(model, { size: 96, resize: 100 }).description.preprocessing).toMatchObject({ resize: 100 });
});

test('published weights have a larger view with a resize of its own', () => {
  const { name, preprocessing: usual, larger } = findWeights('resnext50_32x4d.a1h_in1k');
  const published = { ...model, description: { ...model.description, weights: name, preprocessing: usual } };
  expect(larger).toMatchObject({ size: 288, resize: 288 });
  const changed = withPreprocessing(published, { size: 288 });
  expect(changed.description.preprocessing).toEqual(larger);
  expect(preprocessingWarningFor(changed.description)).toBeUndefined();
});

test('published weights warn about a wrong resize; other weights do not', () => {
  const { name, preprocessing: usual } = findWeights('resnext101_64x4d.tv_in1k');
  const published = { ...model, description: { ...model.description, weights: name, preprocessing: usual } };
  expect(preprocessingWarningFor(published.description)).toBeUndefined();
  const { description } = withPreprocessing(published, { resize: 256 });
  expect(preprocessingWarningFor(description)).toMatch(/was evaluated with a resize to 232 .* use the same resize\.$/);
  expect(preprocessingWarningFor(withPreprocessing(model, { resize: 256 }).description)).toBeUndefined();
});

test('a classifier classifies at another size', async () => {
  const image = { width: 120, height: 100, channels: 3 as const, data: new Uint8Array(36_000).fill(90) };
  const classifier = await Classifier.open(model, { preprocessing: { size: 96 } });
  expect((await classifier.prepare(image)).dims).toEqual([1, 3, 96, 96]);
  expect(await classifier.classify(image)).toHaveLength(3);
  await classifier.dispose();
});

test.each<[Partial<Preprocessing>, string]>([
  [{ size: 0 }, 'size is 0, but expected a whole number of at least 1.'],
  [{ resize: 1.5 }, 'resize is 1.5, but expected a whole number of at least 1.'],
  [{ channels: 1 }, 'channels is 1, but the network reads 3.'],
  [{ mean: [0.5] }, "mean is [0.5], but expected a number for each of the network's 3 channels."],
  [{ std: [0, 1, 1] }, 'std is [0,1,1], but expected a list of numbers above 0.'],
  [{ interpolation: 'cubic' as 'bicubic' }, 'interpolation is "cubic", but expected nearest, box, bilinear'],
])('%j is refused', (changes, message) => {
  expect(() => withPreprocessing(model, changes)).toThrow(UsageError);
  expect(() => withPreprocessing(model, changes)).toThrow(message);
});

test('an ONNX file whose weights are folded keeps its size', async () => {
  const file = join(folder, 'model.onnx');
  await exportOnnx(file, model);
  const { weights: _, ...folded } = await loadModel(file);
  expect(() => withPreprocessing(folded, { size: 96 })).toThrow(
    'size is 96, but the input size of an ONNX file cannot change. Omit size.',
  );
});

test('an input that accepts any size stays open whatever changes', () => {
  const open = withFreeSize(model);
  const changed = [
    withPreprocessing(open, { size: 96 }),
    withClasses(open, 5),
    withChannels(open, 1),
    convert(open, 'A'),
  ];
  expect(changed.map(({ graph }) => graph.inputs[0]!.dims)).toEqual([
    ['N', 3, 'H', 'W'],
    ['N', 3, 'H', 'W'],
    ['N', 1, 'H', 'W'],
    ['N', 3, 'H', 'W'],
  ]);
  const { weights: _, ...folded } = open;
  const { description, graph } = withPreprocessing(folded, { size: 96 });
  expect([description.config.inputSize, graph]).toEqual([[96, 96], open.graph]);
});
