/** Maps of stages against torchvision's `create_feature_extractor`, from every file that a model can be opened from. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Golden, readGolden } from '../../test/golden-files.ts';
import { relativeError } from '../../test/tensors.ts';
import { preprocessingFor } from '../data/presets.ts';
import { forms, type ResNeXtConfig } from '../model/config.ts';
import { resnext } from '../model/resnext.ts';
import type { Stage } from '../model/stages.ts';
import { stems } from '../model/stems.ts';
import { convert } from '../saved/convert.ts';
import { exportOnnx } from '../saved/export.ts';
import { loadModel, saveModel } from '../saved/files.ts';
import type { SavedModel } from '../saved/model.ts';
import { type Tensor, tensor } from '../tensor.ts';
import type { Classifier } from './classifier.ts';
import { load } from './load.ts';

const golden = await readGolden('stages');
const cases = Object.entries(golden.metadata<Record<string, ResNeXtConfig>>('cases'));

function savedModel(name: string, options: ResNeXtConfig, { under }: Golden): SavedModel {
  const { config, graph } = resnext(options);
  const preprocessing = preprocessingFor({ images: stems[config.stem].images, size: config.inputSize[0] });
  const description = { variant: name, config, classes: ['a', 'b', 'c', 'd', 'e'], preprocessing, metrics: {} };
  return { description, graph, weights: under(`${name}.state.`) };
}

/** Each image of a batch, as prepared. */
function split({ dims, data }: Tensor): Tensor<'float32'>[] {
  const length = data.length / dims[0]!;
  return Array.from({ length: dims[0]! }, (_, n) =>
    tensor('float32', [1, ...dims.slice(1)], (data as Float32Array).slice(n * length, (n + 1) * length)),
  );
}

/** Relative error of every stage of every image, the largest; shapes are checked. */
async function largestError(classifier: Classifier, name: string): Promise<number> {
  const expected = golden.under(`${name}.map.`);
  const stages = [...expected.keys()] as Stage[];
  const features = await classifier.features(split(golden.get(`${name}.input`)), { stages });
  const errors = stages.flatMap((stage) => {
    const maps = split(expected.get(stage)!);
    expect(features.map((map) => map.get(stage)!.dims)).toEqual(maps.map(({ dims }) => dims.slice(1)));
    return maps.map((map, n) => relativeError(features[n]!.get(stage)!, map));
  });
  return Math.max(...errors);
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-features-'));
  vi.stubEnv('RESNEXT_CACHE', join(folder, 'cache'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

describe.each(cases)('%s', (name, config) => {
  it('a run folder, without and with the cache', async () => {
    const { description, weights } = savedModel(name, config, golden);
    await saveModel(folder, description, weights!);
    for (const _ of ['first', 'second']) {
      const classifier = await load(folder);
      expect(await largestError(classifier, name)).toBeLessThan(1e-5);
      await classifier.dispose();
    }
  });

  it.each(forms)('an ONNX file in form %s', async (form) => {
    const { description, weights } = savedModel(name, config, golden);
    await saveModel(folder, description, weights!);
    const path = join(folder, 'model.onnx');
    await exportOnnx(path, convert(await loadModel(folder), form));
    const classifier = await load(path);
    expect(await largestError(classifier, name)).toBeLessThan(1e-5);
    await classifier.dispose();
  });

  it('the vector of one image, and of several, is the pooled map', async () => {
    const { description, weights } = savedModel(name, config, golden);
    await saveModel(folder, description, weights!);
    const classifier = await load(folder);
    const images = split(golden.get(`${name}.input`));
    const expected = split(golden.get(`${name}.map.pooled`));
    const vectors = await classifier.features(images, { batchSize: 1 });
    for (const [n, data] of vectors.entries()) {
      expect(relativeError({ data } as Tensor, expected[n]!)).toBeLessThan(1e-5);
      expect(await classifier.features(images[n]!)).toEqual(data);
    }
    await expect(classifier.features(images, { stages: ['layer7'] })).rejects.toThrow(
      /no stage "layer7"\. Choose from stem, layer1, .*pooled, logits\.$/,
    );
    await expect(classifier.features(images, { stages: [] })).rejects.toThrow(
      'No stage was given, but expected at least one of stem',
    );
    await classifier.dispose();
  });
});
