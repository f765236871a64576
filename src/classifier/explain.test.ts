/** Grad-CAM and CAM against PyTorch's autograd, in every form and from every file that a model can be opened from. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Golden, readGolden } from '../../test/golden-files.ts';
import { relativeError } from '../../test/tensors.ts';
import { preprocessingFor } from '../data/presets.ts';
import type { ResNeXtConfig } from '../model/config.ts';
import { resnext } from '../model/resnext.ts';
import type { Stage } from '../model/stages.ts';
import { stems } from '../model/stems.ts';
import { optimizeGraph } from '../rewrite/convert.ts';
import { convert } from '../saved/convert.ts';
import { exportOnnx } from '../saved/export.ts';
import { assemble, type SavedModel } from '../saved/model.ts';
import { type Tensor, tensor } from '../tensor.ts';
import { Classifier } from './classifier.ts';
import { load } from './load.ts';

const golden = await readGolden('explain');
const stages = await readGolden('stages');
const others = ['se-d', 'eca-t', 'aa-se', 'senet'];

/** A golden network, and its first image. */
interface Network {
  readonly model: SavedModel;
  readonly image: Tensor<'float32'>;
}

function network(config: ResNeXtConfig, file: Golden, prefix: string): Network {
  const { dims, data } = file.get(`${prefix}input`);
  const full = resnext(config).config;
  const preprocessing = preprocessingFor({ images: stems[full.stem].images, size: full.inputSize[0] });
  const classes = Array.from({ length: full.classes }, (_, k) => `class-${k}`);
  const description = { variant: 'golden', config: full, classes, preprocessing, metrics: {} };
  const first = (data as Float32Array).slice(0, data.length / dims[0]!);
  const image = tensor('float32', [1, ...dims.slice(1)], first);
  return { model: assemble(description, file.under(`${prefix}state.`)), image };
}

const networks = new Map<string, Network>(
  Object.entries(stages.metadata<Record<string, ResNeXtConfig>>('cases')).map(([name, config]) => {
    return [name, network(config, stages, `${name}.`)];
  }),
);
for (const name of others) {
  const file = await readGolden(name);
  networks.set(name, network(file.metadata('config'), file, ''));
}

/** The largest relative error of the maps of a network. */
async function largestError(classifier: Classifier, name: string, image: Tensor<'float32'>): Promise<number> {
  const errors: number[] = [];
  for (const [key, expected] of golden.under(`${name}.`)) {
    const [stage, k] = key.split('.') as [Stage | 'cam', string];
    const options = stage === 'cam' ? ({ method: 'cam' } as const) : { stage };
    const { label, map } = await classifier.explain(image, { class: Number(k), ...options });
    expect([label, map.dims]).toEqual([`class-${k}`, expected.dims]);
    errors.push(relativeError(map, expected));
  }
  expect(errors.length).toBeGreaterThanOrEqual(6);
  return Math.max(...errors);
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-explain-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const tolerance = 1e-4;

/** Opens a model, and compares all its maps. */
async function check(model: SavedModel, name: string, image: Tensor<'float32'>): Promise<void> {
  const classifier = await Classifier.open(model);
  expect(await largestError(classifier, name, image)).toBeLessThan(tolerance);
  await classifier.dispose();
}

it.each([...networks])('%s', async (name, { model, image }) => await check(model, name, image));

describe.each(['imagenet', 'se-d'])('%s', (name) => {
  const { model, image } = networks.get(name)!;
  it.each(['A', 'B'] as const)('in form %s', async (form) => await check(convert(model, form), name, image));

  it('with folded normalization', async () => {
    const { graph, report } = optimizeGraph(model.graph);
    expect(report.changes.length).toBeGreaterThan(0);
    await check({ description: model.description, graph }, name, image);
  });
});

it.each([
  ['with wrappers', { normalize: true, softmax: true }],
  ['for any size', { dynamicSize: true }],
])('an ONNX file %s', async (_, options) => {
  const { model, image } = networks.get('se-d')!;
  const path = join(folder, 'model.onnx');
  await exportOnnx(path, model, options);
  const classifier = await load(path);
  expect(await largestError(classifier, 'se-d', image)).toBeLessThan(tolerance);
  await classifier.dispose();
});

it('the Grad-CAM of the last stage is the positive part of CAM over the number of pixels, whose mean is the logit', async () => {
  const { model, image } = networks.get('imagenet')!;
  const classifier = await Classifier.open(model);
  const { map: gradCam, label, probability } = await classifier.explain(image);
  const { map: cam } = await classifier.explain(image, { method: 'cam', class: label });
  const positive = cam.data.map((value) => Math.max(0, value) / cam.data.length);
  expect(relativeError(gradCam, tensor('float32', cam.dims, positive))).toBeLessThan(1e-5);
  const k = Number(label.at(-1));
  const bias = Number(model.weights!.get('fc.bias')!.data[k]);
  const logits = (await classifier.features(image, { stages: ['logits'] })).get('logits')!.data;
  expect(cam.data.reduce((a, b) => a + b, 0) / cam.data.length + bias).toBeCloseTo(logits[k]!, 4);
  const powers = logits.map((logit) => Math.exp(logit));
  expect(probability).toBeCloseTo(Math.max(...powers) / powers.reduce((a, b) => a + b), 5);
  await classifier.dispose();
});

it('refuses what cannot be explained, in a sentence', async () => {
  const { model, image } = networks.get('cifar')!;
  const classifier = await Classifier.open(model);
  const refused = async (options: object, message: string) =>
    await expect(classifier.explain(image, options)).rejects.toThrow(message);
  await refused({ class: 'clas-3' }, 'class is "clas-3", but expected a class of the model. Did you mean class-3?');
  await refused({ class: 5 }, 'class is 5, but expected a whole number from 0 to 4.');
  await refused({ stage: 'layer4' }, 'no map of a stage "layer4". Choose from stem, layer1, layer2, layer3.');
  await refused({ stage: 'pooled' }, 'no map of a stage "pooled"');
  await refused({ method: 'cam', stage: 'layer1' }, 'CAM is defined for the last stage, layer3, only.');
  await refused({ layer: 'layer1' }, 'There is no option "layer".');
  await classifier.dispose();
});
