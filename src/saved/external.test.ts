import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Session } from '#platform';
import { findWeights } from '../catalog/published.ts';
import { writeStateDict } from '../checkpoints/write.ts';
import { FormatError, UsageError } from '../errors.ts';
import { initialWeights } from '../model/init.ts';
import { type Model, resnext } from '../model/resnext.ts';
import { setWeights, type Weights } from '../model/weights.ts';
import { bytesOf, type Tensor, tensor } from '../tensor.ts';
import { openStateDict, writeSafetensorsFile } from '../weights/files.ts';
import { fromStateDict, notesOn, withChannels, withClasses } from './external.ts';
import { loadModel, saveModel } from './files.ts';
import { exportStateDict } from './layout.ts';
import type { SavedModel } from './model.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'external-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const options = { depths: [1, 1, 1, 1], cardinality: 2, baseWidth: 4, width: 64, classes: 3 } as const;

function seededModel(changes = {}): Model {
  const model = resnext({ ...options, ...changes });
  setWeights(model, initialWeights(model, 3));
  return model;
}

const weightsOf = (model: Model): Map<string, Tensor> =>
  new Map(model.parameters.map(({ value }) => [value.name, value.tensor!]));

/** Expects the same tensors, bit for bit. */
function expectSame(actual: Weights | undefined, expected: Weights): void {
  const names = [...actual!.keys()].filter((name) => !name.endsWith('.num_batches_tracked'));
  expect(names).toEqual([...expected.keys()]);
  for (const [name, whole] of expected) {
    expect(Buffer.compare(bytesOf(actual!.get(name)!), bytesOf(whole)), name).toBe(0);
  }
}

const saved = (model: Model): SavedModel => ({
  description: {
    ...{ variant: 'resnext14_2x4d', config: model.config, classes: ['cat', 'dog', 'owl'], metrics: { top1: 90 } },
    preprocessing: { channels: 3, size: 224, resize: 232, interpolation: 'bicubic', mean: [0, 0, 0], std: [1, 1, 1] },
  },
  graph: model.graph,
  weights: weightsOf(model),
});

test('external weights are opened with the defaults', async () => {
  const model = seededModel();
  const file = join(folder, 'cats.safetensors');
  await writeSafetensorsFile(file, writeStateDict(model, weightsOf(model), 'mmpretrain'));
  const { description, weights, report } = await loadModel(file);
  expect(description).toMatchObject({ variant: 'resnext14_2x4d', classes: ['class 0', 'class 1', 'class 2'] });
  expect(description.config).toEqual(model.config);
  expect(description.preprocessing).toMatchObject({ size: 224, resize: 256, interpolation: 'bilinear' });
  expect(report).toMatchObject({ layout: 'mmpretrain', unexpected: [], missing: [] });
  expect(report!.notes).toEqual(['Using the default preprocessing: 224 x 224 pixels.']);
  expectSame(weights, weightsOf(model));
});

test('the hub’s config.json next to weights provides the rest', async () => {
  const model = seededModel({ attention: 'se', stem: 'deep', shortcut: 'D', antialias: true, stemPool: 'average' });
  const hub = join(folder, 'hub');
  await exportStateDict(join(hub, 'elsewhere.safetensors'), saved(seededModel()), 'torchvision');
  await writeSafetensorsFile(join(hub, 'model.safetensors'), writeStateDict(model, weightsOf(model), 'timm'));
  const images = {
    ...{ input_size: [3, 160, 160], test_input_size: [3, 192, 192], crop_pct: 0.95, interpolation: 'bicubic' },
    ...{ mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], label_names: ['a', 'b', 'c'] },
  };
  writeFileSync(
    join(hub, 'config.json'),
    JSON.stringify({ architecture: 'seresnextaa101d_32x8d', pretrained_cfg: images }),
  );
  const { description, report } = await loadModel(hub);
  expect(description.config).toEqual({ ...model.config, inputSize: [192, 192] });
  expect(description.preprocessing).toMatchObject({
    size: 192,
    resize: 202,
    interpolation: 'bicubic',
    mean: [0.5, 0.5, 0.5],
  });
  expect(description.classes).toEqual(['a', 'b', 'c']);
  expect(report!.notes).toEqual([]);
});

test('a file that is not a ResNeXt, or not for images, is refused by name', async () => {
  const file = join(folder, 'other.safetensors');
  await writeSafetensorsFile(file, new Map([['cls_token', tensor('float32', [1, 1, 8])]]));
  await expect(loadModel(file)).rejects.toThrow(FormatError);
  await expect(loadModel(file)).rejects.toThrow(`${file} is not a ResNeXt: it has 1 tensors such as "cls_token"`);
  const satellite = seededModel({ inputChannels: 12 });
  await writeSafetensorsFile(file, weightsOf(satellite));
  await expect(loadModel(file)).rejects.toThrow('has a stem for 12 channels, but expected 1 or 3');
});

test.each(['[]', '{ // settings', '{"architecture": ["ResNet"]}'])(
  'a config.json that contains %j is ignored',
  async (text) => {
    const other = join(folder, 'beside');
    await exportStateDict(join(other, 'x.safetensors'), saved(seededModel()), 'torchvision');
    writeFileSync(join(other, 'config.json'), text);
    await writeSafetensorsFile(join(other, 'cats.pth'), weightsOf(seededModel()));
    const { report } = await loadModel(join(other, 'cats.pth'));
    expect(report!.notes[0]).toMatch(/^.*config\.json.*\. It was ignored\.$/);
  },
);

test('a file that only has the name of published weights is not mistaken for them', async () => {
  const file = join(folder, 'resnext50_32x4d-7cdf4587.pth');
  await writeSafetensorsFile(file, weightsOf(seededModel()));
  const { description, report } = await loadModel(file);
  expect(description.weights).toBeUndefined();
  expect(description.preprocessing.resize).toBe(256);
  expect(report!.notes).toContain(
    'Despite its name, the file is not resnext50_32x4d.tv_in1k, which has another architecture.',
  );
});

describe('importing for another purpose', () => {
  const stored = async () => {
    const file = join(folder, 'imported.safetensors');
    await writeSafetensorsFile(file, weightsOf(seededModel()));
    return openStateDict(file);
  };

  test('does not give a new head for a thousand classes ImageNet’s names', async () => {
    const { description } = fromStateDict(await stored(), { classes: 1000 });
    expect(description.classes.slice(0, 2)).toEqual(['class 0', 'class 1']);
  });

  test('keeps the preprocessing of color images for grayscale ones', async () => {
    const hub = { preprocessing: { ...findWeights('resnext50_32x4d').preprocessing, mean: [0.5, 0.5, 0.5] } };
    const { preprocessing } = fromStateDict(await stored(), { inputChannels: 1, hub }).description;
    expect(preprocessing).toMatchObject({ channels: 1, size: 224, resize: 232, interpolation: 'bilinear' });
    expect(preprocessing.mean).toHaveLength(1);
    expect(preprocessing.mean[0]).toBeCloseTo(0.5, 12);
  });
});

describe('a model exported in a layout', () => {
  test.each(['imagenet', 'deep'] as const)('legacy-se with a stem %s is restored exactly', async (stem) => {
    const model = seededModel({ attention: 'se', stem, stemPool: 'max-ceil' });
    const file = join(folder, `legacy-${stem}.safetensors`);
    await exportStateDict(file, saved(model), 'legacy-se');
    const { description, weights } = await loadModel(file);
    expect(description.config).toEqual(model.config);
    expectSame(weights, weightsOf(model));
  });

  test.each(['torchvision', 'timm', 'mmpretrain', 'pytorchcv'])('%s is restored exactly', async (layout) => {
    const model = saved(seededModel({ form: 'A' }));
    const formC = { ...model, weights: weightsOf(seededModel()) };
    const file = join(folder, layout, 'model.safetensors');
    const { config } = await exportStateDict(file, formC, layout);
    expect(config).toBe(layout === 'timm' ? join(folder, 'timm', 'config.json') : undefined);
    const { description, weights } = await loadModel(file);
    expect(description).toEqual(model.description);
    expectSame(weights, formC.weights);
  });

  test('does not overwrite a config.json that is not timm’s', async () => {
    const file = join(folder, 'app', 'model.safetensors');
    await exportStateDict(file, saved(seededModel()), 'torchvision');
    writeFileSync(join(folder, 'app', 'config.json'), '{"port": 80}');
    const attempt = exportStateDict(file, saved(seededModel()), 'timm');
    await expect(attempt).rejects.toThrow(UsageError);
    await expect(attempt).rejects.toThrow("exists and is not timm's");
  });
});

describe('other channels', () => {
  const logits = async ({ graph }: SavedModel, channels: number): Promise<number[]> => {
    const plane = Float32Array.from({ length: 32 * 32 }, (_, i) => Math.sin(i));
    const image = tensor('float32', [1, channels, 32, 32]);
    for (let c = 0; c < channels; c++) image.data.set(plane, c * plane.length);
    const session = await Session.open(graph, { threads: 1 });
    const results = await session.run(new Map([['input', image]]));
    await session.dispose();
    return Array.from(results.get('logits')!.data as Float32Array);
  };

  test.each(['imagenet', 'deep'] as const)(
    'a stem %s gives the same logits for grayscale images, and can be adapted back',
    async (stem) => {
      const before = saved(seededModel({ inputSize: 32, stem }));
      const grayscale = withChannels(before, 1);
      const color = withChannels(grayscale, 3);
      expect(grayscale.description).toMatchObject({
        config: { inputChannels: 1 },
        preprocessing: { channels: 1 },
        metrics: {},
      });
      expect(color.description).toEqual({ ...before.description, metrics: {} });
      const expected = await logits(before, 3);
      for (const found of [await logits(grayscale, 1), await logits(color, 3)]) {
        found.forEach((value, k) => {
          expect(value).toBeCloseTo(expected[k]!, 4);
        });
      }
    },
  );

  test('a model that has them is returned unchanged; one without weights, or 2 channels, is refused', () => {
    const model = saved(seededModel());
    const { weights: _, ...folded } = model;
    expect(withChannels(model, 3)).toBe(model);
    expect(() => withChannels(folded, 1)).toThrow('The model has no separate weights');
    expect(() => withChannels(model, 2 as 1)).toThrow('inputChannels is 2, but expected 1 or 3.');
  });

  test('can be requested when loading any file', async () => {
    const [others, own] = [join(folder, 'satellite.safetensors'), join(folder, 'own')];
    await writeSafetensorsFile(others, weightsOf(seededModel({ inputChannels: 4 })));
    await expect(loadModel(others)).rejects.toThrow('Adapt it with inputChannels: 3 (train --input-channels 3)');
    const adapted = await loadModel(others, { inputChannels: 3 });
    expect(adapted.description.config.inputChannels).toBe(3);
    expect(notesOn(adapted)[1]).toMatch(
      /^Adapted the stem from 4 to 3 input channels by repeating and scaling its filters\.$/,
    );
    const { description, weights } = saved(seededModel());
    await saveModel(own, description, weights!);
    const grayscale = await loadModel(own, { inputChannels: 1, lazy: true });
    expect(grayscale.weights!.get('conv1.weight')!.dims).toEqual([64, 1, 7, 7]);
    expect(notesOn(grayscale)).toEqual([]);
  });
});

describe('other classes', () => {
  test('get a new head and leave the rest unchanged', async () => {
    const before = saved(seededModel({ inputSize: 32 }));
    const { description, graph, weights } = withClasses(before, ['red', 'blue'], 9);
    expect(description).toMatchObject({ classes: ['red', 'blue'], config: { classes: 2 }, metrics: {} });
    for (const [name, kept] of before.weights!) if (!name.startsWith('fc.')) expect(weights!.get(name)).toBe(kept);
    const session = await Session.open(graph, { threads: 1 });
    const results = await session.run(new Map([['input', tensor('float32', [1, 3, 32, 32])]]));
    await session.dispose();
    expect(results.get('logits')!.dims).toEqual([1, 2]);
    const head = (seed: number) => withClasses(before, 2, seed).weights!.get('fc.weight');
    expect(head(9)).toEqual(weights!.get('fc.weight'));
    expect(head(8)).not.toEqual(head(9));
  });

  test.each([0, 1.5, -1])('%d is refused', (count) => {
    expect(() => withClasses(saved(seededModel()), count)).toThrow(UsageError);
  });
});
