/** `resnext export` on the command line: what each target becomes, what is printed, and what is refused. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readSafetensorsFile, toFloat32 } from 'resnext/weights';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { relativeDifference } from '../src/tensor.ts';
import { json, run } from './command.ts';

const frog = fileURLToPath(new URL('../examples/images/unseen/frog-1.jpg', import.meta.url));
const variant = ['resnext11_4x16d_w16', '--classes', '7'];

interface Answer {
  readonly predictions: readonly { readonly label: string; readonly probability: number }[];
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-cli-export-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The output of a successful command. */
async function said(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run('export', ...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

test('by default, an ONNX file takes normalized images and returns logits', async () => {
  const file = join(folder, 'plain.onnx');
  const [first, second] = (await said(...variant, '-o', file)).split('\n');
  expect(first).toMatch(/^Wrote .*plain\.onnx: resnext11_4x16d_w16, form C, [\d,]+ parameters, \d+ nodes\.$/);
  expect(second).toBe('Input: input, float32 [N, 3, 32, 32] normalized. Output: logits [N, 7].');
});

test('with bytes and softmax, it takes pixels, returns probabilities and classifies the same', async () => {
  const [plain, built] = [join(folder, 'a.onnx'), join(folder, 'b.onnx')];
  await said(...variant, '-o', plain);
  const text = await said(...variant, '-o', built, '--input', 'bytes', '--softmax');
  expect(text).toContain('\nInput: pixels, uint8 [N, 32, 32, 3]. Output: probabilities [N, 7].\n');
  const answers = await Promise.all([plain, built].map((model) => json<object>('classify', frog, '--model', model)));
  expect(answers[1]).toEqual(answers[0]);
});

test('a target without an extension, or an existing folder, becomes a folder for transformers.js', async () => {
  const target = join(folder, 'model');
  expect(await said(...variant, '-o', target)).toContain(
    `\nIn transformers.js, set env.localModelPath to '${folder}/' and open it with pipeline('image-classification', 'model').\n`,
  );
  const files = readdirSync(target, { recursive: true, encoding: 'utf8' });
  expect(files.sort()).toEqual(['config.json', 'onnx', 'onnx/model.onnx', 'preprocessor_config.json']);
  expect(JSON.parse(readFileSync(join(target, 'config.json'), 'utf8')).id2label).toMatchObject({ 6: 'class 6' });
  expect(await json('export', ...variant, '-o', target)).toMatchObject({ file: target, format: 'transformers' });
});

test('--format takes precedence over the name of the target', async () => {
  const target = join(folder, 'model.v2');
  expect(await json('export', ...variant, '-o', target, '--format', 'transformers')).toMatchObject({
    format: 'transformers',
  });
  const file = join(folder, 'file.model');
  expect(await json('export', ...variant, '-o', file, '--format', 'onnx')).toMatchObject({ file, format: 'onnx' });
});

test('--size exports a model at another size, and --dynamic-size leaves it open', async () => {
  const [fixed, open] = [join(folder, 'fixed.onnx'), join(folder, 'open.onnx')];
  await said(...variant, '-o', fixed);
  const text = await said(fixed, '-o', open, '--size', '48', '--dynamic-size');
  expect(text).toContain('\nInput: input, float32 [N, 3, H, W] normalized. Output: logits [N, 7].\n');
  const [atSize, again] = await Promise.all([
    json<object>('classify', frog, '--model', open),
    json<object>('classify', frog, '--model', fixed, '--size', '48'),
  ]);
  expect(atSize).toEqual(again);
});

/** The largest step between two float16 numbers, relative to their size, is 2^-10; rounding errs by at most half of it. */
const halfStep = 2 ** -11;

test.each(['safetensors', 'resnext'])(
  '--dtype float16 writes %s of half the size that classifies the same',
  async (format) => {
    const [target, whole] = [join(folder, `half-${format}`), join(folder, `whole-${format}`)];
    await said(...variant, '-o', whole, '--format', format);
    const text = await said(...variant, '-o', target, '--format', format, '--dtype', 'float16');
    expect(text).toContain(format === 'resnext' ? `use it with --model ${target}.` : 'named as in torchvision.');
    const file = (place: string) => (format === 'resnext' ? join(place, 'model.safetensors') : place);
    const [half, full] = await Promise.all([target, whole].map((place) => readSafetensorsFile(file(place))));
    expect([...half!.tensors.keys()]).toEqual([...full!.tensors.keys()]);
    for (const [name, { dtype, dims, data }] of full!.tensors) {
      const stored = half!.tensors.get(name)!;
      expect([stored.dtype, stored.dims]).toEqual([dtype === 'float32' ? 'float16' : dtype, dims]);
      if (dtype !== 'float32') expect(stored.data).toEqual(data);
      else expect(relativeDifference({ dtype, dims, data }, toFloat32(stored))).toBeLessThan(halfStep);
    }
    const ask = (model: string) => json<[Answer]>('classify', frog, '--model', model, '--top', '10');
    const [[short], [long]] = await Promise.all([ask(target), ask(whole)]);
    for (const { label, probability } of long.predictions) {
      expect(short.predictions.find((found) => found.label === label)!.probability).toBeCloseTo(probability, 2);
    }
  },
);

test('a folder for this package has no more than a run’s model, and is never a run', async () => {
  const target = join(folder, 'kept');
  await said(...variant, '-o', target, '--format', 'resnext');
  expect(readdirSync(target).sort()).toEqual(['model.json', 'model.safetensors']);
  writeFileSync(join(target, 'run.json'), '{}');
  const { code, stderr } = await run('export', ...variant, '-o', target, '--format', 'resnext');
  expect(code).toBe(1);
  expect(stderr).toContain('is a training run, whose model would be replaced. Name another folder.');
});

test.each([
  [
    'float16 in an ONNX file',
    ['-o', 'x.onnx', '--dtype', 'float16'],
    '--dtype has no effect here: ONNX files are in float32.',
  ],
  [
    'float16 in a folder for transformers.js',
    ['-o', 'model', '--dtype', 'float16'],
    '--dtype has no effect here: ONNX files are in float32.',
  ],
  [
    'a layout of the folder',
    ['-o', 'x', '--format', 'resnext', '--layout', 'timm'],
    '--layout has no effect here: the folder',
  ],
  [
    'a target with an unknown extension',
    ['-o', 'model.tflite'],
    '"model.tflite" ends in ".tflite", but expected .onnx or .safetensors.',
  ],
  [
    'softmax in a folder for transformers.js',
    ['-o', 'model', '--softmax'],
    '--softmax has no effect here: transformers.js fixes input and output. Remove it.',
  ],
  ['bytes in a folder for transformers.js', ['-o', 'model', '--input', 'bytes'], '--input has no effect here'],
  [
    'an open size in a file of weights',
    ['-o', 'net.safetensors', '--dynamic-size'],
    '--dynamic-size has no effect here: a file of weights has no graph.',
  ],
  [
    'softmax without classes',
    ['-o', 'model.onnx', '--softmax', '--classes', '0'],
    'softmax needs an output "logits", but the network outputs "features"',
  ],
  [
    'a folder without classes',
    ['-o', 'model', '--classes', '0'],
    'has no classes, but image classification needs at least 1.',
  ],
])('%s is refused', async (_, args, sentence) => {
  const { code, stdout, stderr } = await run('export', variant[0]!, ...args);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain(sentence);
});
