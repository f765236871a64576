import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pick } from '../options.ts';
import { tensor } from '../tensor.ts';
import { readSafetensorsFile, writeSafetensorsFile } from '../weights/files.ts';
import { resolveTrainOptions } from './check-options.ts';
import { type Checkpoint, readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { recipe } from './options.ts';
import { noProgress } from './progress.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-checkpoint-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const ones = () => new Map([['fc.bias', tensor('float32', [2], Float32Array.of(1, 1))]]);
const options = resolveTrainOptions({ data: 'flowers', out: 'runs/flowers', from: 'model.onnx', freeze: ['backbone'] });
const checkpoint: Checkpoint = {
  options,
  classes: ['rose', 'tulip'],
  progress: { ...noProgress, epoch: 2, step: 3, correct: 5, count: 8 },
  weights: ones(),
  slots: new Map([['momentum', ones()]]),
  average: ones(),
};

/** A checkpoint some of whose metadata is other text. */
async function changed(fields: Readonly<Record<string, string>>): Promise<string> {
  const path = join(folder, 'last.safetensors');
  await writeCheckpoint(path, checkpoint);
  const { tensors, metadata } = await readSafetensorsFile(path);
  await writeSafetensorsFile(path, tensors, new Map([...metadata, ...Object.entries(fields)]));
  return path;
}

test('is read as it was written', async () => {
  expect(await readCheckpoint(await changed({}))).toEqual({ ...checkpoint, options: pick<object>(recipe, options) });
});

test('version 0.1 had other names for the backbone, correct and count, and did not name the best epoch', async () => {
  const { progress, options: read } = await readCheckpoint(
    await changed({
      progress: JSON.stringify({ epoch: 2, step: 3, right: 5, seen: 8 }),
      options: JSON.stringify({ ...pick<object>(recipe, options), freeze: ['all but fc'] }),
    }),
  );
  const expected = { ...checkpoint.progress, bestEpoch: 2 };
  expect({ progress, freeze: read.freeze }).toEqual({ progress: expected, freeze: ['backbone'] });
});

test.each([
  [{ classes: '5' }, 'the classes in the checkpoint cannot be read: '],
  [{ classes: '["rose", null]' }, 'the classes in the checkpoint cannot be read: '],
  [{ progress: '{"epoch": "two"}' }, 'the progress in the checkpoint cannot be read: '],
  [{ options: '{"data": "flowers", "epochs": -1}' }, 'the options in the checkpoint cannot be read: epochs is -1'],
  [{ progress: '{' }, "the checkpoint's progress is not JSON."],
])('%j is refused', async (fields, message) => {
  const path = await changed(fields);
  await expect(readCheckpoint(path)).rejects.toThrow(`${path}: ${message}`);
});

test('state of another type than float32 is refused', async () => {
  const path = await changed({});
  const { tensors, metadata } = await readSafetensorsFile(path);
  tensors.set('slots.momentum.fc.bias', tensor('int32', [2], Int32Array.of(1, 1)));
  await writeSafetensorsFile(path, tensors, metadata);
  await expect(readCheckpoint(path)).rejects.toThrow(
    `${path}: "slots.momentum.fc.bias" is int32, but the state of a run is float32. The file is damaged.`,
  );
});

test('batch counts of frozen normalizations are int64', async () => {
  const path = await changed({});
  const { tensors, metadata } = await readSafetensorsFile(path);
  tensors.set('weights.bn1.num_batches_tracked', tensor('int64', [], BigInt64Array.of(7n)));
  await writeSafetensorsFile(path, tensors, metadata);
  const { weights } = await readCheckpoint(path);
  expect(weights.get('bn1.num_batches_tracked')!.data).toEqual(BigInt64Array.of(7n));
});

test('other files are no checkpoints', async () => {
  const path = join(folder, 'weights.safetensors');
  await writeSafetensorsFile(path, ones(), new Map());
  await expect(readCheckpoint(path)).rejects.toThrow(`${path}: the file is not a checkpoint of a training run.`);
});
