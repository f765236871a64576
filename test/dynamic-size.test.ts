/**
 * ONNX files that leave height and width open: at each of two sizes ONNX Runtime computes what it computes of a file of
 * that size, for every stem, pool, shortcut and attention, in every form; and this package reads them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import {
  convert,
  exportOnnx,
  initialWeights,
  load,
  loadModel,
  type ResNeXtOptions,
  resnext,
  type SavedModel,
  setWeights,
  stems,
} from 'resnext';
import { preprocessingFor } from 'resnext/data';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { seeded } from './tensors.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-size-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function small(options: ResNeXtOptions, inputSize: number): SavedModel {
  const base = { depths: [1, 1], cardinality: 4, baseWidth: 16, width: 16, stemWidth: 8, classes: 5 };
  const model = resnext({ ...base, ...options, inputSize });
  const preprocessing = preprocessingFor({ images: stems[model.config.stem].images, size: inputSize });
  const classes = ['a', 'b', 'c', 'd', 'e'];
  const description = { variant: 'small', config: model.config, classes, preprocessing, metrics: {} };
  const weights = initialWeights(model, 1);
  setWeights(model, weights);
  return { description, graph: model.graph, weights };
}

/** The output for seeded numbers as an image of this size. */
async function outputOf(file: string, type: 'float32' | 'uint8', dims: readonly number[]): Promise<number[]> {
  const session = await InferenceSession.create(file);
  const random = seeded(dims.length + dims[2]!);
  const length = dims.reduce((product, dim) => product * dim);
  const data =
    type === 'uint8'
      ? Uint8Array.from({ length }, () => random.integer(0, 255))
      : Float32Array.from({ length }, () => random.number(-1, 1));
  const input =
    type === 'uint8'
      ? new Tensor('uint8', data as Uint8Array, dims)
      : new Tensor('float32', data as Float32Array, dims);
  const { [session.outputNames[0]!]: output } = await session.run({ [session.inputNames[0]!]: input });
  return Array.from(output!.data as Float32Array);
}

describe.each<[string, ResNeXtOptions]>([
  ['a 7x7 stem, form A', { form: 'A' }],
  ['a deep stem, shortcut D, form B', { stem: 'deep', shortcut: 'D', form: 'B' }],
  ['a tiered stem, ECA, anti-aliased', { stem: 'tiered', attention: 'eca', antialias: true, stemPool: 'average' }],
  ['a pool that hangs over, SE, shortcut C', { stemPool: 'max-ceil', attention: 'se', shortcut: 'C' }],
  ['one 3x3, shortcut A, dilated', { stem: 'cifar', shortcut: 'A', outputStride: 1 }],
])('%s', (_, options) => {
  it.each([48, 71])('computes the same at size %i', async (size) => {
    const [open, fixed] = [join(folder, 'open.onnx'), join(folder, 'fixed.onnx')];
    await exportOnnx(open, small(options, 32), { dynamicSize: true });
    await exportOnnx(fixed, small(options, size));
    const dims = [2, 3, size, size];
    expect(await outputOf(open, 'float32', dims)).toEqual(await outputOf(fixed, 'float32', dims));
  });
});

test('pixels of any size become probabilities', async () => {
  const [open, fixed] = [join(folder, 'open.onnx'), join(folder, 'fixed.onnx')];
  const wrapped = { normalize: true, softmax: true };
  await exportOnnx(open, small({}, 32), { ...wrapped, dynamicSize: true });
  await exportOnnx(fixed, small({}, 56), wrapped);
  const dims = [1, 56, 56, 3];
  expect(await outputOf(open, 'uint8', dims)).toEqual(await outputOf(fixed, 'uint8', dims));
});

test('a converted model still takes any size', async () => {
  const [open, converted] = [join(folder, 'open.onnx'), join(folder, 'converted.onnx')];
  await exportOnnx(open, small({}, 32), { dynamicSize: true });
  await exportOnnx(converted, convert(await loadModel(open), 'A'));
  expect((await loadModel(converted)).graph.inputs[0]!.dims).toEqual(['N', 3, 'H', 'W']);
  expect(await outputOf(converted, 'float32', [1, 3, 48, 48])).toHaveLength(5);
});

test('the file is read, and classified with at two sizes', async () => {
  const file = join(folder, 'open.onnx');
  await exportOnnx(file, small({}, 32), { dynamicSize: true });
  const { graph, description } = await loadModel(file);
  expect(graph.inputs[0]!.dims).toEqual(['N', 3, 'H', 'W']);
  expect(graph.outputs[0]!.dims).toEqual(['N', 5]);
  expect(description.config.inputSize).toEqual([32, 32]);
  const frog = new URL('../examples/images/unseen/frog-1.jpg', import.meta.url).pathname;
  for (const size of [32, 48]) {
    const fixed = join(folder, `fixed-${size}.onnx`);
    const model = small({}, size);
    await exportOnnx(fixed, model);
    const { preprocessing } = model.description;
    const models = await Promise.all([load(file, { preprocessing }), load(fixed)]);
    const [here, there] = await Promise.all(models.map((model) => model.classify(frog)));
    expect(here!.map(({ label }) => label)).toEqual(there!.map(({ label }) => label));
    for (const [k, { probability }] of here!.entries()) expect(probability).toBeCloseTo(there![k]!.probability, 6);
    for (const model of models) await model.dispose();
  }
});
