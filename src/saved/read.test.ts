import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { preprocessingFor } from '../data/presets.ts';
import { FormatError } from '../errors.ts';
import type { ResNeXtConfig } from '../model/config.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import { readDescription, writeDescription } from './description.ts';
import { exportOnnx } from './export.ts';
import { loadModel, saveModel } from './files.ts';
import type { SavedModel } from './model.ts';
import { readModel } from './read.ts';
import { writeModel } from './write.ts';

const external = fileURLToPath(new URL('../../test/checkpoints/layouts/mmpretrain.pth', import.meta.url));
let folder: string;
let files: readonly string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-read-'));
  const model = resnext({ depths: [1, 1], cardinality: 2, baseWidth: 8, width: 16, stem: 'cifar', classes: 2 });
  const preprocessing = preprocessingFor({ images: 'small', size: 32 });
  const description = { variant: 'small', config: model.config, classes: ['a', 'b'], preprocessing, metrics: {} };
  await saveModel(folder, description, initialWeights(model, 1));
  const onnx = join(folder, 'model.onnx');
  await exportOnnx(onnx, await loadModel(folder), { normalize: true, softmax: true });
  files = [join(folder, 'model.safetensors'), onnx, external];
});
afterAll(() => rmSync(folder, { recursive: true }));

const facts = ({ description, weights }: SavedModel) => ({
  description,
  weights: [...weights!].map(([name, { dims, data }]) => [name, dims, [...data]]),
});

test('bytes, a Blob and a URL give the model of the file', async () => {
  for (const file of files) {
    const expected = facts(await loadModel(file));
    const bytes = readFileSync(file);
    const url = `data:application/octet-stream;base64,${bytes.toString('base64')}`;
    for (const source of [bytes, new Blob([bytes]), url]) {
      expect(facts(await readModel(source, { name: file }))).toEqual(expected);
    }
  }
});

test('a description without an option that every version wrote is refused; newer options have their defaults', async () => {
  const { description } = await loadModel(folder);
  const without = (option: string) =>
    writeDescription({ ...description, config: { ...description.config, [option]: undefined } as ResNeXtConfig });
  for (const option of ['depths', 'cardinality', 'baseWidth', 'width', 'stem', 'shortcut', 'form', 'classes']) {
    expect(() => readDescription(without(option), 'model.json')).toThrow(
      new RegExp(`^model\\.json: "config" .* cannot be read: ${option} is required: expected .*[^.]\\.$`),
    );
  }
  expect(() => readDescription(without('inputChannels'), 'model.json')).toThrow(FormatError);
  expect(() => readDescription(without('inputSize'), 'model.json')).toThrow(FormatError);
  for (const option of ['stemWidth', 'stemPool', 'attention', 'halvedSplit'] as const) {
    expect(readDescription(without(option), 'model.json').config[option]).toBe(description.config[option]);
  }
});

test('a path, and bytes that are no model, are refused', async () => {
  await expect(readModel('runs/flowers')).rejects.toThrow(
    '"runs/flowers" is not a URL; open a path with load("runs/flowers").',
  );
  await expect(readModel(Uint8Array.of(1, 2, 3), { name: 'cat.jpg' })).rejects.toThrow(
    /^cat\.jpg .*expected safetensors/,
  );
});

test('bytes are written as the files of a run, and read again', async () => {
  const model = await loadModel(folder);
  expect(Buffer.from(writeModel(model, 'safetensors'))).toEqual(readFileSync(join(folder, 'model.safetensors')));
  expect(Buffer.from(writeModel(model, 'json'))).toEqual(readFileSync(join(folder, 'model.json')));
  const { description, weights } = facts(model);
  const kept = weights.filter(([name]) => !`${name}`.endsWith('num_batches_tracked')); // ONNX has no place for it
  expect(facts(await readModel(writeModel(model, 'onnx')))).toEqual({ description, weights: kept });
});
