/**
 * The shipped models are as good as their cards say, on the images in `test/samples`, and predict the same classes in every
 * form, as ONNX files in plain ONNX Runtime, and in PyTorch.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { loadModel } from 'resnext';
import { tensor } from 'resnext/graph';
import { openStateDict, shippedModels, writeSafetensorsFile } from 'resnext/weights';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { accuracyOf, evaluate, modelFolder, readRecorded, samplePath, tolerance } from '../bench/models/accuracy.ts';
import { logitsInForm, logitsOfOnnx, mostLikely, readImages } from '../bench/models/logits.ts';

const run = promisify(execFile);
const python = '/usr/bin/python3';
const checker = fileURLToPath(new URL('golden/check_models.py', import.meta.url));

/** What a shipped model has to have: top-1 in percent on all test images, and at most so many bytes. */
const limits: Readonly<Record<string, { readonly top1: number; readonly bytes: number }>> = {
  cifar10: { top1: 89, bytes: 6e6 },
  objects200: { top1: 38, bytes: 8e6 },
};

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-shipped-'));
  vi.stubEnv('RESNEXT_CACHE', join(dir, 'cache')); // where the samples are decompressed
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true });
});

const names = shippedModels.map(({ name }) => name);
const missing = names.filter((name) => !existsSync(modelFolder(name)));
if (missing.length > 0) console.log(`skipped: models/ does not have ${missing.join(' and ')} yet`);

describe.each(names)('%s', (name) => {
  const folder = modelFolder(name);
  const shipped = test.skipIf(missing.includes(name));

  shipped('is a small file in float16, with the accuracy that a shipped model needs', async () => {
    const { tensors } = await openStateDict(folder);
    const types = new Set([...tensors].filter(([key]) => !key.endsWith('_tracked')).map(([, { dtype }]) => dtype));
    expect([...types]).toEqual(['float16']);
    expect(statSync(join(folder, 'model.safetensors')).size).toBeLessThanOrEqual(limits[name]!.bytes);
    const { images, correct } = readRecorded(name).test;
    expect(images).toBe(5000);
    expect((100 * correct) / images).toBeGreaterThanOrEqual(limits[name]!.top1);
  });

  shipped('gets as many images of its sample right as its files say', async () => {
    const { sample, test: all } = readRecorded(name);
    const measured = accuracyOf(await evaluate(folder, samplePath(name)));
    expect(measured.images).toBe(500);
    expect(Math.abs(measured.correct - sample.correct)).toBeLessThanOrEqual(tolerance(500)); // 2
    expect(Math.abs(measured.correctInFive - sample.correctInFive)).toBeLessThanOrEqual(tolerance(500));
    expect(measured.loss).toBeCloseTo(sample.loss, 3);
    const card = readFileSync(join(folder, 'README.md'), 'utf8');
    for (const { images, correct } of [sample, all]) {
      expect(card).toContain(`| ${((100 * correct) / images).toFixed(2)} % | ${correct.toLocaleString('en')} |`);
    }
    const { metrics } = (await loadModel(folder)).description;
    expect(metrics.top1).toBeCloseTo((100 * all.correct) / all.images, 6);
  });

  shipped(
    'predicts the same in forms A and B and in plain ONNX Runtime',
    async () => {
      const { model, images, logits } = await inFormC(folder, samplePath(name));
      const expected = mostLikely(logits, images);
      expect(mostLikely(await logitsInForm(model, 'A', images), images)).toEqual(expected);
      expect(mostLikely(await logitsInForm(model, 'B', images), images)).toEqual(expected);
      expect(mostLikely(await logitsOfOnnx(model, images), images)).toEqual(expected);
    },
    180_000,
  );

  shipped(
    'predicts the same in PyTorch, which reads the weights and the images by itself',
    async ({ skip }) => {
      const { images, logits } = await inFormC(folder, samplePath(name));
      const file = join(dir, 'logits.safetensors');
      const tensors = new Map([['logits', tensor('float32', [500, logits.length / 500], logits)]]);
      await writeSafetensorsFile(file, tensors, new Map([['names', JSON.stringify(images.names)]]));
      const result = await run(python, [checker, folder, samplePath(name), file]).catch((error: Error) => error);
      if (result instanceof Error) {
        if (/No module named|ENOENT/.test(result.message)) return skip(`${python} lacks torch, torchvision or PIL`);
        throw result;
      }
      const answer = JSON.parse(result.stdout) as { relative: number };
      expect(answer).toMatchObject({ images: 500, same: 500 });
      expect(answer.relative).toBeLessThan(1e-5);
    },
    180_000,
  );
});

async function inFormC(folder: string, data: string) {
  const model = await loadModel(folder);
  const images = await readImages(model, data);
  return { model, images, logits: await logitsInForm(model, 'C', images) };
}
