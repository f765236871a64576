/** Complete preprocessing of real images: the cropped bytes equal Pillow's, and the logits PyTorch's. */
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Classifier, type ResNeXtConfig, resnext, setWeights } from 'resnext';
import {
  applyTransforms,
  decode,
  evaluationTransforms,
  type Image,
  imagenetPreprocessing,
  type Preprocessing,
  sampleRandom,
} from 'resnext/data';
import { readSafetensorsFile } from 'resnext/weights';
import { beforeAll, describe, expect, test } from 'vitest';

const at = (name: string): string => fileURLToPath(new URL(`./preprocessing/${name}`, import.meta.url));
const { tensors, metadata } = await readSafetensorsFile(at('golden.safetensors'));
const json = <T>(key: string): T => JSON.parse(metadata.get(key)!) as T;
const presets = json<Record<string, Partial<Preprocessing>>>('presets');
const hashes = json<Record<string, string>>('hashes');
const images = ['astronaut.jpg', 'cat.jpg', 'coffee.jpg'];

const model = resnext(json<Partial<ResNeXtConfig>>('config'));

beforeAll(() => {
  const state = [...tensors].filter(([name]) => name.startsWith('state.'));
  setWeights(model, new Map(state.map(([name, value]) => [name.slice('state.'.length), value])));
});

/** Converts normalized floats back to bytes [H, W, C]. */
function bytesOf(pixels: Float32Array, { mean, std }: Preprocessing): Uint8Array {
  const area = pixels.length / 3;
  return Uint8Array.from(pixels, (_, i) => {
    const c = i % 3;
    return Math.round(255 * (pixels[c * area + Math.floor(i / 3)]! * std[c]! + mean[c]!));
  });
}

describe.each(Object.entries(presets))('%s', (name, preset) => {
  const preprocessing: Preprocessing = { ...imagenetPreprocessing, ...preset };

  test.each(images)('%s has the same pixels', async (file) => {
    const image: Image = await decode(at(file));
    const pixels = applyTransforms(evaluationTransforms(preprocessing), image, sampleRandom(0, 0, 0));
    const hash = createHash('sha256').update(bytesOf(pixels, preprocessing)).digest('hex');
    expect(hash).toBe(hashes[`${name}/${file}`]);
  });

  test('gives the same logits within a relative 1e-4', async () => {
    const classes = Array.from({ length: 10 }, (_, k) => `${k}`);
    const config = { ...model.config, inputSize: [preprocessing.size, preprocessing.size] as const };
    const description = { variant: 'small', config, classes, preprocessing, metrics: {} };
    const sized = resnext(config);
    for (const [i, { value }] of sized.parameters.entries()) value.tensor = model.parameters[i]!.value.tensor;
    const classifier = await Classifier.open({ description, graph: sized.graph });
    for (const file of images) {
      const pixels = applyTransforms(
        evaluationTransforms(preprocessing),
        await decode(at(file)),
        sampleRandom(0, 0, 0),
      );
      const logits = await classifier.logits(pixels);
      const expected = tensors.get(`logits.${name}/${file}`)!.data as Float32Array;
      const size = Math.max(...expected.map(Math.abs));
      expect(Math.max(...logits.map((value, k) => Math.abs(value - expected[k]!))) / size).toBeLessThan(1e-4);
    }
    await classifier.dispose();
  });
});
