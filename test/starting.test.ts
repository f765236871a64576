/**
 * `resnext train` for newcomers: with very few images, from external weights for other images, or from a useless model.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadModel } from 'resnext';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { initialWeights } from '../src/model/init.ts';
import { resnext } from '../src/model/resnext.ts';
import { writeSafetensorsFile } from '../src/weights/files.ts';
import { type Ended, run } from './command.ts';

let dir: string;
let images: string;
let runs = 0;

/** External weights, without a description. If `value` is given, it replaces every number. */
async function externalWeights(name: string, inputChannels: number, value?: number): Promise<string> {
  const model = resnext({ depths: [1, 1, 1], cardinality: 2, baseWidth: 8, width: 16, classes: 5, inputChannels });
  const weights = initialWeights(model, 1);
  if (value !== undefined) for (const { data } of weights.values()) (data as Float32Array).fill(value);
  const path = join(dir, name);
  await writeSafetensorsFile(path, weights);
  return path;
}

interface Tried extends Ended {
  readonly out: string;
}

async function tune(from: string, ...rest: string[]): Promise<Tried> {
  const out = join(dir, `run-${runs++}`);
  const usual = ['--size', '32', '--epochs', '1', '--threads', '1', '--workers', '0'];
  return { out, ...(await run('train', images, '--from', from, '--out', out, ...usual, ...rest)) };
}

function expectDone({ code, stderr }: Ended): void {
  expect({ code, stderr }).toMatchObject({ code: 0 });
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-starting-'));
  images = join(dir, 'images');
  for (const [name, background] of Object.entries({ blue: '#0000ff', red: '#ff0000' })) {
    mkdirSync(join(images, name), { recursive: true });
    for (let i = 0; i < 5; i++) {
      const image = sharp({ create: { width: 32, height: 32 + i, channels: 3, background } });
      await image.png().toFile(join(images, name, `${i}.png`));
    }
  }
}, 30_000);
afterAll(() => rmSync(dir, { recursive: true }));

describe('from external weights', () => {
  let source: string;
  let tuned: Tried;
  beforeAll(async () => {
    source = await externalWeights('cats.safetensors', 3);
    tuned = await tune(source);
  }, 60_000);

  it('prints on standard error how they were imported', () => {
    expectDone(tuned);
    expect(tuned.stderr).toMatch(/^resnext11_2x8d_w16_imagenet: loaded \d+ tensors named as in torchvision\.\n/);
    expect(tuned.stderr).toContain('Using the default preprocessing: 224 x 224 pixels.\n');
  });

  it('uses all of eight images as one batch', () => {
    expect(tuned.stdout).toContain('8 images to train on in batches of 8, 2 to validate on\n');
  });

  it('suggests a batch size if the requested one is too large', async () => {
    const { code, stderr } = await tune(source, '--batch', '32');
    expect(code).toBe(1);
    expect(stderr).toContain('--batch is 32, but there are only 8 training images. Choose a smaller batch, such as 8.');
  });

  it('probes without validation images', async () => {
    const { out, ...ended } = await tune(source, '--linear-probe', '--validation', '0');
    expectDone(ended);
    expect(ended.stdout).toContain('10 images to train on in batches of 10, 0 to validate on\n');
    expect((await loadModel(out)).description.classes).toEqual(['blue', 'red']);
  });

  it('explains how to separate parts', async () => {
    const { stderr } = await tune(source, '--freeze', 'stem layer1');
    expect(stderr).toContain('Separate groups by commas, as in stem,layer1.');
  });

  it('reports them in the start event with --json, but not for models of this package', async () => {
    const [external, own] = [await tune(source, '--json'), await tune(tuned.out, '--json')];
    const start = ({ stdout }: Ended) => JSON.parse(stdout.split('\n')[0]!);
    expect(external.stderr).toBe('');
    expect(start(external)).toMatchObject({ event: 'start', batch: 8 });
    expect(start(external).notes[0]).toMatch(/named as in torchvision/);
    expect(start(own)).not.toHaveProperty('notes');
  });
});

describe('from a stem for other images', () => {
  it('names the option that adapts it', async () => {
    const four = await externalWeights('four.safetensors', 4);
    expect((await tune(four)).stderr).toMatch(
      /has a stem for 4 channels, but expected 1 or 3\. Adapt it with inputChannels: 3 \(train --input-channels 3\)/,
    );
    const adapted = await tune(four, '--input-channels', '3');
    expectDone(adapted);
    expect(adapted.stderr).toContain(
      'Adapted the stem from 4 to 3 input channels by repeating and scaling its filters.',
    );
    const { config, preprocessing } = (await loadModel(adapted.out)).description;
    expect([config.inputChannels, preprocessing.channels]).toEqual([3, 3]);
    const grayscale = await tune(adapted.out, '--input-channels', '1');
    expectDone(grayscale);
    expect((await loadModel(grayscale.out)).description.preprocessing).toMatchObject({
      channels: 1,
      mean: [expect.closeTo(0.458971, 6)],
    });
    const resumed = await run('train', '--resume', grayscale.out, '--epochs', '2');
    expectDone(resumed);
    const other = await run('train', '--resume', grayscale.out, '--epochs', '3', '--input-channels', '3');
    expect(other.stderr).toMatch(
      /--input-channels is 3, but the run in ".*" has 1 and cannot change it\. Remove --input-channels\./,
    );
  }, 60_000);

  it('settles the rest', async () => {
    const { stderr } = await tune(await externalWeights('cats.safetensors', 3), '--zero-init-last');
    expect(stderr).toContain('--zero-init-last cannot be combined with --from: ');
  });
});

test('a model of NaN is distinguished from a learning rate that is too large', async () => {
  const { code, stderr } = await tune(await externalWeights('broken.safetensors', 3, Number.NaN));
  expect(code).toBe(1);
  expect(stderr).toMatch(/broken\.safetensors: "conv1\.weight" contains NaN, so the weights are broken; training may/);
  expect(stderr).not.toContain('learning rate');
});

test('a model whose numbers overflow is distinguished from a learning rate that is too large', async () => {
  const { code, stderr } = await tune(await externalWeights('huge.safetensors', 3, 3e38));
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /The loss of ".*huge\.safetensors" on the first images is (NaN|Infinity), before any training\./,
  );
  expect(stderr).not.toContain('learning rate');
});

test('the help says what becomes of a last batch that is not full', async () => {
  const { stdout } = await run('train', '--help');
  expect(stdout.replace(/\s+/g, ' ')).toContain('an epoch skips its last batch if it is not full');
});
