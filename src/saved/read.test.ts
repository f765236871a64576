import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { preprocessingFor } from '../data/presets.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import { exportOnnx } from './export.ts';
import { loadModel, saveModel } from './files.ts';
import type { SavedModel } from './model.ts';
import { readModel } from './read.ts';

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

test('a path, and bytes that are no model, are refused', async () => {
  await expect(readModel('runs/flowers')).rejects.toThrow(
    '"runs/flowers" is not a URL; open a path with load("runs/flowers").',
  );
  await expect(readModel(Uint8Array.of(1, 2, 3), { name: 'cat.jpg' })).rejects.toThrow(
    /^cat\.jpg .*expected safetensors/,
  );
});
