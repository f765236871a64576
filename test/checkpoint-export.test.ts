/**
 * Other software accepts what this package writes: torchvision loads a checkpoint strictly and computes the same
 * logits, onnx's checker accepts an exported graph, and ONNX Runtime opens it without this package, in Node and in
 * WebAssembly. Tests that need Python with PyTorch, torchvision and onnx are skipped, with a note, if these are
 * missing.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import ort from 'onnxruntime-node';
import * as web from 'onnxruntime-web';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { preprocessingFor } from '../src/data/presets.ts';
import { initialWeights } from '../src/model/init.ts';
import { type Model, resnext } from '../src/model/resnext.ts';
import { variant } from '../src/model/variants.ts';
import { setWeights, stateDict } from '../src/model/weights.ts';
import { Session } from '../src/platform/node.ts';
import { type ExportOnnxOptions, exportOnnx } from '../src/saved/export.ts';
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

/** Initial weights, in the model's graph and as a torchvision state_dict. */
function initialized(model: Model): Map<string, Tensor> {
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
  await writeSafetensorsFile(weights, initialized(model));
  await writeSafetensorsFile(images, new Map([['input', input]]));
  const answer = JSON.parse(await check('--weights', weights, '--model', 'resnext50_32x4d', '--input', images));
  expect(answer.tensors).toBe(320);
  const theirs = tensor('float64', [1, 1000], Float64Array.from(answer.logits.flat()));
  expect(relativeError(await logitsOf(model, input), theirs)).toBeLessThan(1e-4);
});

/** Exports a small network as an ONNX file with these options. */
async function exported(options: ExportOnnxOptions = {}): Promise<{ model: Model; path: string }> {
  const shape = { depths: [1, 1], cardinality: 2, baseWidth: 16, width: 8, classes: 5 } as const;
  const model = resnext({ ...shape, inputSize: 33, shortcut: 'D' });
  initialized(model);
  const preprocessing = preprocessingFor({ images: 'large', size: 33 });
  const description = { variant: 'small', config: model.config, classes: [], preprocessing, metrics: {} };
  const path = join(folder, 'small.onnx');
  await exportOnnx(path, { description, graph: model.graph }, options);
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

test('ONNX Runtime in WebAssembly also opens it and computes the same', async () => {
  const { path } = await exported({ normalize: true, softmax: true });
  const random = seeded(2);
  const pixels = Uint8Array.from({ length: 2 * 33 * 33 * 3 }, () => random.integer(0, 255));
  const outputs: Tensor[] = [];
  for (const { InferenceSession, Tensor } of [ort, web]) {
    const session = await InferenceSession.create(await readFile(path));
    const { probabilities } = await session.run({ pixels: new Tensor('uint8', pixels, [2, 33, 33, 3]) });
    await session.release();
    expect(probabilities!.dims).toEqual([2, 5]);
    outputs.push({ data: probabilities!.data } as Tensor);
  }
  expect(relativeError(outputs[1]!, outputs[0]!)).toBeLessThan(1e-6);
});

test.for([
  ['without wrappers', {}],
  ['with normalization and softmax', { normalize: true, softmax: true }],
] as const)("onnx's checker accepts an exported graph %s", async ([, options], { skip }) => {
  skip(missing !== '', missing);
  const { path } = await exported(options);
  expect(await check('--onnx', path)).toMatch(/^checker: ok\nopset: 17\nIR version: \d\n$/);
});
