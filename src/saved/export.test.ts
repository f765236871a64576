/** Exported ONNX files in plain ONNX Runtime, with and without wrappers, and read back. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ort from 'onnxruntime-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Image } from '#platform/images';
import { relativeError, seeded } from '../../test/tensors.ts';
import { Classifier } from '../classifier/classifier.ts';
import { load } from '../classifier/load.ts';
import { evaluationTransforms, preprocessingFor } from '../data/presets.ts';
import { sampleRandom } from '../data/random.ts';
import { applyTransforms } from '../data/transforms/apply.ts';
import { FormatError, UsageError } from '../errors.ts';
import { toText } from '../graph/text.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import { setWeights } from '../model/weights.ts';
import { readOnnxFile, writeOnnxFile } from '../onnx/files.ts';
import type { Tensor } from '../tensor.ts';
import { convert } from './convert.ts';
import { type ExportOnnxOptions, exportOnnx } from './export.ts';
import { loadModel } from './files.ts';
import type { SavedModel } from './model.ts';

const size = 12;

/** A small network with three classes, or none. */
function saved({ channels = 3, classes = 3 }: { channels?: 1 | 3; classes?: number } = {}): SavedModel {
  const shape = { depths: [1, 1], cardinality: 4, baseWidth: 16, width: 8 } as const;
  const model = resnext({ ...shape, stem: 'cifar', inputSize: size, inputChannels: channels, classes });
  const weights = initialWeights(model, 1);
  setWeights(model, weights);
  const description = {
    variant: 'small',
    config: model.config,
    classes: ['red', 'green', 'blue'].slice(0, classes),
    preprocessing: preprocessingFor({ images: 'small', size, channels }),
    metrics: {},
  };
  return { description, graph: model.graph, weights };
}

/** Random images of the network's input size. */
function noiseImages(count: number, channels: 1 | 3 = 3): Image[] {
  const random = seeded(3);
  return Array.from({ length: count }, () => {
    const data = Uint8Array.from({ length: size * size * channels }, () => random.integer(0, 255));
    return { width: size, height: size, channels, data };
  });
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-export-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
async function exported(model: SavedModel, options?: ExportOnnxOptions): Promise<string> {
  const path = join(folder, `${files++}.onnx`);
  await exportOnnx(path, model, options);
  return path;
}

/** Runs a file on ONNX Runtime directly, and returns the names of its input and output, and the output. */
async function onOrt(path: string, feed: ort.Tensor): Promise<{ names: string[]; output: Tensor }> {
  const session = await ort.InferenceSession.create(path);
  const [input, output] = [session.inputNames[0]!, session.outputNames[0]!];
  const results = await session.run({ [input]: feed });
  await session.release();
  const { data, dims } = results[output]!;
  return { names: [input, output], output: { dtype: 'float32', data, dims } as Tensor };
}

const joined = (arrays: readonly ArrayLike<number>[]): number[] => arrays.flatMap((array) => Array.from(array));

/** Decoded images, [N, H, W, C]. */
const asBytes = (images: readonly Image[]): ort.Tensor =>
  new ort.Tensor('uint8', Uint8Array.from(joined(images.map(({ data }) => data))), [
    ...[images.length, size, size, images[0]!.channels],
  ]);

/** Images as this package preprocesses them, [N, C, H, W]. */
function asFloats({ description }: SavedModel, images: readonly Image[]): ort.Tensor {
  const transforms = evaluationTransforms(description.preprocessing);
  const prepared = images.map((image) => applyTransforms(transforms, image, sampleRandom(0, 0, 0)));
  return new ort.Tensor('float32', Float32Array.from(joined(prepared)), [
    ...[images.length, description.preprocessing.channels, size, size],
  ]);
}

function softmax(logits: Tensor): number[] {
  const powers = Array.from(logits.data as Float32Array, Math.exp);
  const classes = logits.dims[1]!;
  return powers.map((power, i) => {
    const row = i - (i % classes);
    return power / powers.slice(row, row + classes).reduce((a, b) => a + b);
  });
}

const difference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.max(...Array.from(a, (value, i) => Math.abs(value - b[i]!)));

test.each([1, 3])('a plain file accepts a batch of %d', async (count) => {
  const model = saved();
  const { names, output } = await onOrt(await exported(model), asFloats(model, noiseImages(count)));
  expect(names).toEqual(['input', 'logits']);
  expect(output.dims).toEqual([count, 3]);
});

test.each([
  [1, 3],
  [3, 3],
  [3, 1],
] as const)(
  '%d images with %d channels as bytes give the same logits as preprocessed ones',
  async (count, channels) => {
    const model = saved({ channels });
    // the transform "grayscale" starts from RGB, so the reference is preprocessed from three equal channels
    const images = noiseImages(count, channels);
    const rgb = images.map((image) => (channels === 3 ? image : threefold(image)));
    const plain = await onOrt(await exported(model), asFloats(model, rgb));
    const bytes = await onOrt(await exported(model, { normalize: true }), asBytes(images));
    expect(bytes.names).toEqual(['pixels', 'logits']);
    expect(bytes.output.dims).toEqual([count, 3]);
    expect(relativeError(bytes.output, plain.output)).toBeLessThan(1e-6);
  },
);

const threefold = (image: Image): Image => ({
  ...image,
  channels: 3,
  data: Uint8Array.from(Array.from(image.data).flatMap((value) => [value, value, value])),
});

test('with softmax, the outputs are probabilities', async () => {
  const model = saved();
  const images = asFloats(model, noiseImages(3));
  const plain = await onOrt(await exported(model), images);
  const { names, output } = await onOrt(await exported(model, { softmax: true }), images);
  expect(names).toEqual(['input', 'probabilities']);
  expect(difference(output.data as Float32Array, softmax(plain.output))).toBeLessThan(1e-6);
});

test('the graph contains the operators of the wrappers', async () => {
  const text = toText(await readOnnxFile(await exported(saved(), { normalize: true, softmax: true })));
  expect(text).toMatch(/^resnext \(uint8\[N,12,12,3\] pixels\) => \(float32\[N,3\] probabilities\)/);
  expect(text).toContain('normalize.cast.output = Cast <to = 1> (pixels)');
  expect(text).toContain('normalize.transpose.output = Transpose <perm = [0, 3, 1, 2]> (normalize.cast.output)');
  expect(text).toContain('normalize.center.output = Sub (normalize.transpose.output, normalize.mean)');
  expect(text).toContain('normalize.scale.output = Div (normalize.center.output, normalize.std)');
  expect(text).toContain('probabilities = Softmax <axis = -1> (logits)');
});

test('a file read back is just the network, and classifies as before', async () => {
  const model = saved();
  const [image] = noiseImages(1);
  const files = [await exported(model), await exported(model, { normalize: true, softmax: true })];
  const [plain, built] = await Promise.all(files.map((path) => loadModel(path)));
  expect(built!.description).toEqual(model.description);
  expect(toText(built!.graph)).toBe(toText(plain!.graph));
  expect([...built!.weights!.keys()]).toEqual([...model.weights!.keys()]);
  const answers = await Promise.all(
    [model, ...files].map(async (each) => {
      const classifier = await (typeof each === 'string' ? load(each, { cache: false }) : Classifier.open(each));
      const answer = await classifier.classify(image!);
      await classifier.dispose();
      return answer;
    }),
  );
  expect(answers[1]).toEqual(answers[0]);
  expect(answers[2]).toEqual(answers[0]);
});

test('a file with all wrappers can be exported again without them, and in another form with them', async () => {
  const model = saved();
  const images = noiseImages(2);
  const built = await loadModel(await exported(model, { normalize: true, softmax: true }));
  const expected = await onOrt(await exported(model), asFloats(model, images));
  const plain = await onOrt(await exported(built), asFloats(model, images));
  expect(plain.names).toEqual(['input', 'logits']);
  expect(plain.output.data).toEqual(expected.output.data);
  const branches = await onOrt(await exported(convert(built, 'A'), { normalize: true }), asBytes(images));
  expect(relativeError(branches.output, expected.output)).toBeLessThan(1e-5);
});

test('a network without classes outputs features, and has no softmax', async () => {
  const model = saved({ classes: 0 });
  const { names, output } = await onOrt(await exported(model, { normalize: true }), asBytes(noiseImages(2)));
  expect(names).toEqual(['pixels', 'features']);
  expect(output.dims).toEqual([2, 64]);
  const refused = exported(model, { softmax: true });
  await expect(refused).rejects.toThrow(UsageError);
  await expect(refused).rejects.toThrow(
    'softmax needs an output "logits", but the network outputs "features". Omit softmax.',
  );
});

test.each([
  ['normalize', 'its input is not only used by Cast'],
  ['softmax', 'its output does not come from Softmax'],
])('a file that only claims to have the wrapper %s is refused', async (claim, reason) => {
  const path = await exported(saved());
  const graph = await readOnnxFile(path);
  const description = JSON.parse(graph.metadata.get('resnext')!);
  graph.metadata.set('resnext', JSON.stringify({ ...description, wrappers: [claim] }));
  await writeOnnxFile(path, graph);
  await expect(loadModel(path)).rejects.toThrow(FormatError);
  await expect(loadModel(path)).rejects.toThrow(
    `${path} is described as having the wrapper "${claim}", but ${reason}. Export the model again.`,
  );
});

test('a file from version 0.1, with other names for the wrappers, opens', async () => {
  const path = await exported(saved({ channels: 1 }), { normalize: true, softmax: true });
  const graph = await readOnnxFile(path);
  const { wrappers, ...description } = JSON.parse(graph.metadata.get('resnext')!);
  expect(wrappers).toEqual(['normalize', 'softmax']);
  graph.metadata.set('resnext', JSON.stringify({ ...description, builtIn: ['normalise', 'softmax'] }));
  await writeOnnxFile(path, graph);
  expect((await loadModel(path)).graph.inputs.map(({ name }) => name)).toEqual(['input']);
});
