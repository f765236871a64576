/**
 * Other people's software takes what this package writes: torchvision loads a checkpoint strictly and computes the same
 * logits, onnx's checker accepts an exported graph, and ONNX Runtime opens it without this package. The first two need
 * Python with PyTorch, torchvision and onnx; where it is missing they are skipped, and say so.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ort from 'onnxruntime-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { initialWeights } from '../src/model/init.ts';
import { type Model, resnext } from '../src/model/resnext.ts';
import { variant } from '../src/model/variants.ts';
import { setWeights, stateDict } from '../src/model/weights.ts';
import { writeOnnxFile } from '../src/onnx/files.ts';
import { Session } from '../src/runtime/session.ts';
import { type Tensor, tensor } from '../src/tensor.ts';
import { writeSafetensorsFile } from '../src/weights/files.ts';
import { relativeError, seeded } from './tensors.ts';

const python = '/usr/bin/python3';
const checker = fileURLToPath(new URL('golden/check_export.py', import.meta.url));
const run = promisify(execFile);
let missing = '';
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'resnext-export-'));
  try {
    await run(python, ['-c', 'import torch, torchvision, onnx']);
  } catch {
    missing = `skipped: ${python} has no torch, torchvision and onnx`;
    console.warn(missing);
  }
}, 60_000);
afterAll(() => rm(folder, { recursive: true }));

const check = async (...args: string[]): Promise<string> => (await run(python, [checker, ...args])).stdout;

/** Initial weights in the model's graph, and as torchvision's state_dict. */
function initialised(model: Model): Map<string, Tensor> {
  const weights = initialWeights(model, 1);
  setWeights(model, weights);
  return stateDict(model, weights);
}

async function logitsOf(model: Model, input: Tensor): Promise<Tensor> {
  const session = await Session.open(model.graph);
  const results = await session.run(new Map([['input', input]]));
  await session.dispose();
  return results.get('logits')!;
}

test('torchvision loads resnext50_32x4d strictly and computes the same logits', async ({ skip }) => {
  skip(missing !== '', missing);
  const model = resnext({ ...variant('resnext50_32x4d'), inputSize: 64 });
  const [weights, images] = [join(folder, 'model.safetensors'), join(folder, 'input.safetensors')];
  const input = seeded(1).tensor([1, 3, 64, 64]);
  await writeSafetensorsFile(weights, initialised(model));
  await writeSafetensorsFile(images, new Map([['input', input]]));
  const answer = JSON.parse(await check('--weights', weights, '--model', 'resnext50_32x4d', '--input', images));
  expect(answer.tensors).toBe(320);
  const theirs = tensor('float64', [1, 1000], Float64Array.from(answer.logits.flat()));
  expect(relativeError(await logitsOf(model, input), theirs)).toBeLessThan(1e-4);
});

/** A small net in an ONNX file. */
async function exported(): Promise<{ model: Model; path: string }> {
  const shape = { depths: [1, 1], cardinality: 2, baseWidth: 16, width: 8, classes: 5 } as const;
  const model = resnext({ ...shape, inputSize: 33, shortcut: 'D' });
  initialised(model);
  const path = join(folder, 'small.onnx');
  await writeOnnxFile(path, model.graph);
  return { model, path };
}

test('plain ONNX Runtime opens an exported graph', async () => {
  const { model, path } = await exported();
  const input = seeded(1).tensor([2, 3, 33, 33]);
  const session = await ort.InferenceSession.create(path);
  const { logits } = await session.run({ input: new ort.Tensor('float32', input.data, input.dims) });
  await session.release();
  expect(logits!.dims).toEqual([2, 5]);
  expect(relativeError({ data: logits!.data } as Tensor, await logitsOf(model, input))).toBeLessThan(1e-6);
});

test("onnx's checker accepts an exported graph", async ({ skip }) => {
  skip(missing !== '', missing);
  const { path } = await exported();
  expect(await check('--onnx', path)).toMatch(/^checker: ok\nopset: 17\nIR version: \d\n$/);
});
