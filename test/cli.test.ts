/**
 * The command line as people and scripts meet it: processes of the built package on small folders of images, with what
 * they print, their exit codes and the files they leave.
 */
import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { readSafetensorsFile } from 'resnext/weights';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Ended, json, run, start } from './command.ts';
import { seeded } from './tensors.ts';

const classes = ['blue', 'green', 'red'];
const epochs = 3;
const stepsPerEpoch = 27;
let dir: string;
let images: string;
let trained: string;
let training: Ended;

/** Training on `data` as every test here does it. */
const trainArgs = (data: string, out: string, ...rest: string[]): string[] => [
  ...['train', data, '--variant', 'resnext11_4x16d_w16', '--epochs', `${epochs}`, '--batch', '2', '--lr', '0.02'],
  ...['--size', '16', '--out', out, ...rest],
];

/** Noise with a little more of one color than of the others. */
async function paint(folder: string, label: number, count: number, seed: number): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const random = seeded(seed);
  for (let i = 0; i < count; i++) {
    const data = Uint8Array.from({ length: 32 * 32 * 3 }, (_, p) => random.number(0, p % 3 === 2 - label ? 216 : 200));
    await sharp(data, { raw: { width: 32, height: 32, channels: 3 } })
      .png()
      .toFile(join(folder, `${i}.png`));
  }
}

/** A copy of the images that a test may modify. */
function copyOfImages(name: string): string {
  const copy = join(dir, name);
  cpSync(images, copy, { recursive: true });
  return copy;
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-cli-'));
  images = join(dir, 'images');
  for (const [label, name] of classes.entries()) {
    await paint(join(images, 'train', name), label, 18, label);
    await paint(join(images, 'val', name), label, 6, 10 + label);
  }
  trained = join(dir, 'trained');
  training = await run(...trainArgs(images, trained, '--workers', '1', '--json'));
}, 60_000);
afterAll(() => rmSync(dir, { recursive: true }));

interface Line {
  readonly event: string;
  readonly [key: string]: unknown;
}

const lines = (text: string): Line[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

const metrics = (out: string): Line[] => lines(readFileSync(join(out, 'metrics.jsonl'), 'utf8'));

/** A digest of the weights and velocities of a run's last checkpoint, and its progress. */
async function lastCheckpoint(out: string): Promise<{ digest: string; epoch: number; step: number }> {
  const { tensors, metadata } = await readSafetensorsFile(join(out, 'checkpoints/last.safetensors'));
  const hash = createHash('sha256');
  for (const [name, { data }] of tensors) hash.update(name).update(data);
  const { epoch, step } = JSON.parse(metadata.get('progress')!) as { epoch: number; step: number };
  return { digest: hash.digest('hex'), epoch, step };
}

/** Trains until there is a checkpoint in the middle of a later epoch, then sends a signal. */
async function stopWithinEpoch(out: string, signal: NodeJS.Signals, ...rest: string[]): Promise<Ended> {
  const { child, ended } = start(...trainArgs(images, out, '--checkpoint-every', '0', ...rest));
  for (;;) {
    await pause(5);
    if (child.exitCode !== null) break;
    if (!existsSync(join(out, 'checkpoints/last.safetensors'))) continue;
    const { epoch, step } = await lastCheckpoint(out);
    if (epoch >= 1 && step >= 3) break;
  }
  child.kill(signal);
  return ended;
}

/** Expects the same run as without an interruption. */
async function expectSameAsUninterrupted(out: string): Promise<void> {
  const timeless = (line: Line) => ({ ...line, seconds: undefined, images: undefined }); // of this session
  expect(metrics(out).map(timeless)).toEqual(metrics(trained).map(timeless));
  expect(await lastCheckpoint(out)).toEqual(await lastCheckpoint(trained));
  const model = (run: string) => readFileSync(join(run, 'model.safetensors'));
  expect(model(out).equals(model(trained))).toBe(true);
}

/** Expects exit code 1 and an error message on one line, without a stack. */
function expectError({ code, stderr }: Ended, message: RegExp): void {
  expect(stderr).toMatch(message);
  expect(stderr).toMatch(/^error: .*[.?]\n$/);
  expect(code).toBe(1);
}

describe('summary and list', () => {
  it.each([
    ['resnext50_32x4d', 25028904, '4.23'],
    ['resnext101_32x8d', 88791336, '16.41'],
    ['resnext101_64x4d', 83455272, '15.46'],
    ['resnext29_8x64d', 34426698, '5.39'],
    ['resnext29_16x64d', 68155210, undefined],
  ])('%s is as large as published, in every form', async (name, parameters, giga) => {
    type Summary = { name: string; form: string; parameters: number; macs: number };
    const found = ['A', 'B', 'C'].map((form) => json<Summary>('summary', name, '--form', form));
    for (const [i, summary] of (await Promise.all(found)).entries()) {
      expect(summary).toMatchObject({ name, form: 'ABC'[i], parameters });
      expect(summary.macs).toBe((await found[2]!).macs);
      if (giga) expect((summary.macs / 1e9).toFixed(2)).toBe(giga);
    }
  });

  it('list shows the variants with their size', async () => {
    const rows = await json<{ name: string }[]>('list');
    const size = { parameters: 25028904, macs: 4230479872, inputSize: [224, 224], classes: 1000 };
    expect(rows).toContainEqual({ name: 'resnext50_32x4d', ...size });
    const { stdout } = await run('list');
    for (const { name } of rows) expect(stdout).toContain(`\n${name} `);
  });
});

describe('help and invalid arguments', () => {
  it('every command has an example in its help', async () => {
    const commands = [...(await run('--help')).stdout.matchAll(/^ {2}(?!help)(\w+) [<[]/gm)].map(([, name]) => name!);
    expect(commands).toEqual(expect.arrayContaining(['list', 'summary', 'train', 'evaluate', 'classify', 'export']));
    for (const name of commands) {
      const { code, stdout } = await run(name, '--help');
      expect(code).toBe(0);
      expect(stdout).toMatch(new RegExp(`\nExamples?:\n  \\$ resnext ${name}\\b`));
    }
  });

  it('an unknown variant gets a suggestion', async () => {
    expectError(await run('summary', 'resnext50_32x4'), /"resnext50_32x4" .* Did you mean resnext50_32x4d\?/);
  });

  it.each([
    ['unknown option', ['list', '--color']],
    ['unknown command', ['trian']],
  ])('%s: commander reports it, with an exit code other than 0', async (_, args) => {
    const { code, stderr } = await run(...args);
    expect(code).toBeGreaterThan(0);
    expect(stderr).toMatch(/^error: .*\n/);
  });

  it.each([
    [
      'missing required option',
      ['verify'],
      /Name a variant or a model, such as resnext50_32x4d or model\.onnx: <model> is missing\./,
    ],
    [
      'missing image',
      ['classify', '--model', 'x'],
      /Name one or more images, such as photo\.jpg: <image\.\.\.> is missing\./,
    ],
    [
      'missing runs',
      ['compare'],
      /Name one or more folders of a run, such as runs\/a runs\/b: <run\.\.\.> is missing\./,
    ],
    ['part of a list', ['train', 'a', '--train-size', '48,x'], /--train-size is "48,x", but expected a list/],
    [
      'a part of a policy',
      ['train', 'a', '--augmentation', 'rand-m7-foo3'],
      /Its part "foo3" is unknown or out of range/,
    ],
    ['a similar name', ['train', 'a', '--augmentation', 'randaugment'], /Did you mean rand-augment\?/],
    ['missing output', ['features', 'a.png', '--model', 'x'], /Name a file to write with -o, such as features\.npy\./],
    [
      'not a number',
      ['train', 'a', '--epochs', 'ten'],
      /--epochs is "ten", but expected a whole number of at least 1\./,
    ],
    ['choices', ['summary', 'resnext50_32x4d', '--form', 'D'], /--form is "D", but expected A, B or C\./],
    ['a rate of 0', ['train', 'a', '--out', 'b', '--lr', '0'], /--learning-rate is 0, but expected a number above 0\./],
    [
      'weights to freeze',
      ['train', 'a', '--out', 'b', '--freeze', 'stem'],
      /--freeze needs pretrained weights\. Add --from MODEL\./,
    ],
    [
      'a parameter group that the published model does not have',
      ['train', 'examples/images', '--from', 'resnext50_32x4d', '--out', 'b', '--freeze', 'layer7'],
      /--freeze is "layer7", but expected parameter groups of this model: stem, layer1, layer2, layer3, layer4, fc/,
    ],
    ['train without a folder', ['train'], /Name the folder of images/],
    ['train without --out', ['train', 'images'], /--out RUN/],
    [
      'a channel count that no image has',
      ['train', 'a', '--out', 'b', '--input-channels', '2'],
      /--input-channels is 2, but expected 1 or 3\./,
    ],
    [
      'no class to name',
      ['classify', 'a.png', '--model', 'b', '--top', '0'],
      /--top is 0, but expected a whole number of at least 1\./,
    ],
    ['a folder for a run that has one', ['train', '--resume', 'a', '--out', 'b'], /Remove --out/],
    [
      'a share of more than all',
      ['train', 'a', '--out', 'b', '--validation', '1.5'],
      /--validation is 1\.5, but expected a number of at least 0 and below 1\./,
    ],
    [
      'no run to resume',
      ['train', '--resume', 'nowhere'],
      /There is no training run to resume in "nowhere"\. Name the folder/,
    ],
    [
      'no model',
      ['classify', 'a.png', '--model', 'nowhere'],
      /There is no file, folder or published model named "nowhere"/,
    ],
    ['no model to export', ['export', 'runs/none', '-o', 'a.onnx'], /There is no file or folder "runs\/none"\.$/m],
    ['no folder', ['train', 'nowhere', '--out', 'b'], /Folder ".*nowhere" does not exist/],
  ])('%s', async (_, args, message) => {
    expectError(await run(...args), message);
  });
});

describe('train', () => {
  it('leaves the model, its description, its metrics and two checkpoints', () => {
    expect(training).toMatchObject({ code: 0, stderr: '' });
    const files = ['model.safetensors', 'model.json', 'metrics.jsonl', 'checkpoints/last.safetensors'];
    for (const file of [...files, 'checkpoints/best.safetensors']) expect(existsSync(join(trained, file))).toBe(true);
    const description = JSON.parse(readFileSync(join(trained, 'model.json'), 'utf8'));
    expect(description).toMatchObject({ variant: 'resnext11_4x16d_w16', classes, preprocessing: { size: 16 } });
    expect(metrics(trained).map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
  });

  it('--json prints start, steps, epochs and the end, one line each', () => {
    const events = lines(training.stdout);
    expect(events[0]).toMatchObject({ event: 'start', classes, train: 54, validation: 18, epochs, stepsPerEpoch });
    expect(events.filter(({ event }) => event === 'epoch')).toEqual(metrics(trained));
    expect(events.find(({ event }) => event === 'step')).toMatchObject({ epoch: 1, step: 1, learningRate: 0.02 });
    expect(events.at(-1)).toMatchObject({ event: 'end', out: trained, interrupted: false, epochs });
  });

  it.each(['1', '2'])(
    'killed in the middle of an epoch with %s workers, it resumes to the same result',
    async (workers) => {
      const out = join(dir, `killed-${workers}`);
      expect((await stopWithinEpoch(out, 'SIGKILL', '--workers', workers)).code).toBeNull();
      const { epoch, step } = await lastCheckpoint(out);
      expect(step).toBeGreaterThan(0);
      expect(step).toBeLessThan(stepsPerEpoch);
      const { code, stdout, stderr } = await run('train', '--resume', out);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toContain(`Continuing in epoch ${epoch + 1} after step ${step}.`);
      await expectSameAsUninterrupted(out);
    },
  );

  it('Ctrl-C ends it after the step, with exit code 130 and a checkpoint to resume from', async () => {
    const out = join(dir, 'interrupted');
    const { code, stdout, stderr } = await stopWithinEpoch(out, 'SIGINT', '--workers', '2');
    expect(code).toBe(130);
    expect(stderr).toMatch(/^warning: Stopping\. .*\n$/);
    expect(stdout).toMatch(new RegExp(`Stopped in epoch [23]; continue with: resnext train --resume ${out}\n$`));
    expect((await run('train', '--resume', out, '--workers', '1')).code).toBe(0);
    await expectSameAsUninterrupted(out);
  });

  it('an image that cannot be read is named, counted and skipped; --strict stops', async () => {
    const data = copyOfImages('corrupt');
    const bad = join(data, 'train/red/5.png');
    writeFileSync(bad, readFileSync(bad).subarray(0, 500));
    const [skipped, strict] = await Promise.all([
      run(...trainArgs(data, join(dir, 'skipped'), '--epochs', '1')),
      run(...trainArgs(data, join(dir, 'strict'), '--strict')),
    ]);
    expect(skipped.code).toBe(0);
    expect(skipped.stderr).toMatch(/^warning: Image ".*train\/red\/5\.png" cannot be read: .*\n$/);
    expect(skipped.stdout).toMatch(/\nepoch 1\/1 .* 1 unreadable /);
    expect(skipped.stdout).not.toContain('\u001b');
    expect(metrics(join(dir, 'skipped'))).toMatchObject([{ corrupt: 1 }]);
    expectError(strict, /Image ".*train\/red\/5\.png" cannot be read/);
  });

  it('an empty class folder, and a validation class without training images', async () => {
    const [empty, unknown] = [copyOfImages('empty'), copyOfImages('unknown')];
    mkdirSync(join(empty, 'train/white'));
    cpSync(join(images, 'val/red'), join(unknown, 'val/white'), { recursive: true });
    expectError(await run(...trainArgs(empty, join(dir, 'a'))), /"[^"]*train\/white" contains no images/);
    expectError(await run(...trainArgs(unknown, join(dir, 'b'))), /Class "white" is in "[^"]*val" but not in/);
  });

  it('an existing or impossible run, a batch larger than the images, and an excessive learning rate', async () => {
    expectError(await run(...trainArgs(images, trained)), /"[^"]*trained" already contains a training run/);
    const [none, below] = [join(dir, 'none'), join(images, 'val/red/0.png/run')];
    expectError(await run(...trainArgs(images, below)), /Cannot create the folder "[^"]*0\.png\/run"/);
    expectError(
      await run(...trainArgs(images, none, '--batch', '55')),
      /--batch is 55, but there are only 54 training images/,
    );
    const refused = await run(...trainArgs(images, join(dir, 'wild'), '--lr', '1e30'));
    expectError(refused, /The loss became .* Choose a smaller learning rate/);
  });

  it('a loss that only becomes NaN in validation', async () => {
    const out = join(dir, 'lost');
    const refused = await run(...trainArgs(images, out, '--lr', '1e38', '--batch', '54'));
    expectError(refused, /The loss became NaN after 1 step with learning rate 1e38\. Choose/);
    expect(existsSync(join(out, 'model.safetensors'))).toBe(false);
  });

  it('another batch size within an epoch, and a run that is complete', async () => {
    const out = join(dir, 'stopped');
    await stopWithinEpoch(out, 'SIGINT');
    expectError(
      await run('train', '--resume', out, '--batch', '3'),
      /--batch is 3, but the run in ".*" has 2 and cannot change it until its epoch ends\. Remove --batch\./,
    );
    const { code, stdout } = await run('train', '--resume', trained);
    expect(code).toBe(0);
    expect(stdout).toContain('All 3 epochs are done. To train longer, set --epochs to more than 3.\n');
  });
});

it('a run resumes with its own classes and architecture', async () => {
  const others = join(dir, 'others');
  for (const name of ['cat', 'dog', 'owl'])
    cpSync(join(images, 'train', 'red'), join(others, name), { recursive: true });
  const resume = (...args: string[]) => run('train', ...args, '--resume', trained, '--epochs', '4');
  expectError(
    await resume(others),
    /The run was trained on the classes blue, green, red, but .*others" has cat, dog, owl/,
  );
  expectError(
    await resume('--variant', 'resnext29_8x64d'),
    /--variant is resnext29_8x64d, but the run in ".*" has resnext11_4x16d_w16 and cannot change it\. Remove --variant\./,
  );
  expectError(
    await resume('--size', '48'),
    /--size is 48, but the run in ".*" has 16 and cannot change it\. Remove --size\./,
  );
  expectError(await resume('--freeze', 'layer7'), /--freeze needs pretrained weights/);
  expectError(
    await resume('--from', 'resnext50_32x4d'),
    /--from is resnext50_32x4d, but the run in ".*" has none and cannot change it\. Remove --from\./,
  );
});

interface Classified {
  readonly image: string;
  readonly error?: string;
  readonly predictions: readonly { readonly label: string; readonly probability: number }[];
}

describe('a trained model', () => {
  const photo = (name: string) => join(images, 'val', name, '0.png');
  const classify = (model: string) =>
    json<Classified[]>('classify', ...classes.map(photo), '--model', model, '--top', '3');
  let expected: Classified[];
  beforeAll(async () => {
    expected = await classify(trained);
  }, 60_000);

  it('is measured as the training measured it', async () => {
    type Result = { images: number; top1: number; loss: number; classes: Record<string, number>; corrupt: string[] };
    const found = await json<Result>('evaluate', images, '--model', trained);
    const { top1, loss } = JSON.parse(readFileSync(join(trained, 'model.json'), 'utf8')).metrics;
    expect(found).toMatchObject({ images: 18, top1, corrupt: [] });
    expect(found.loss).toBeCloseTo(loss, 5);
    expect(Object.keys(found.classes)).toEqual(classes);
    const { stdout } = await run('evaluate', images, '--model', trained);
    expect(stdout).toContain(`18 images in ${join(images, 'val')}: top-1 ${top1.toFixed(2)} %`);
  });

  it('evaluates past an image that cannot be read, unless --strict', async () => {
    const data = copyOfImages('corrupt-val');
    writeFileSync(join(data, 'val/green/2.png'), 'no image');
    const { code, stdout, stderr } = await run('evaluate', data, '--model', trained, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ images: 17, corrupt: [join(data, 'val/green/2.png')] });
    expect(stderr).toMatch(/^warning: Image ".*green\/2\.png" cannot be read: .*\n$/);
    expectError(await run('evaluate', data, '--model', trained, '--strict'), /green\/2\.png" cannot be read/);
  });

  it('names what images show', async () => {
    for (const { image, predictions } of expected) {
      const { stdout } = await run('classify', image, '--model', trained, '--top', '1');
      const { label, probability } = predictions[0]!;
      expect(stdout).toBe(`${image}  ${(100 * probability).toFixed(1)} %  ${label}\n`);
      expect(predictions.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 5);
    }
  });

  it('names the images that it cannot read, and classifies the others', async () => {
    const [missing, corrupt, model] = [join(dir, 'missing.png'), join(dir, 'corrupt.png'), ['--model', trained]];
    writeFileSync(corrupt, 'no image');
    const { code, stdout, stderr } = await run('classify', missing, photo('red'), corrupt, ...model, '--json');
    expect(code).toBe(1);
    const results = JSON.parse(stdout) as Classified[];
    expect(results.map(({ image }) => image)).toEqual([missing, photo('red'), corrupt]);
    expect(results.map(({ error }) => error !== undefined)).toEqual([true, false, true]);
    expect(stderr).toMatch(/^warning: There is no image ".*missing\.png"\.\nwarning: Image ".*corrupt\.png" .*\n$/);
  });

  it('needs nothing but its weights file', async () => {
    const copy = join(dir, 'elsewhere.safetensors');
    copyFileSync(join(trained, 'model.safetensors'), copy);
    expect(await classify(copy)).toEqual(expected);
  });

  it.each(['A', 'B', 'C'])('classifies the same as ONNX in form %s', async (form) => {
    const file = join(dir, `${form}.onnx`);
    expect(await json('export', trained, '-o', file, '--form', form)).toMatchObject({ file, form });
    for (const [i, { predictions }] of (await classify(file)).entries()) {
      for (const [k, { label, probability }] of predictions.entries()) {
        expect(label).toBe(expected[i]!.predictions[k]!.label);
        expect(probability).toBeCloseTo(expected[i]!.predictions[k]!.probability, 5);
      }
    }
  });

  it('without classes names nothing', async () => {
    const file = join(dir, 'features.onnx');
    await json('export', 'resnext11_4x16d_w16', '--classes', '0', '-o', file);
    expectError(await run('classify', photo('red'), '--model', file), /\(resnext11_4x16d_w16\) has no classes/);
  });

  it('is refused when its file is cut short', async () => {
    const cut = join(dir, 'cut.safetensors');
    writeFileSync(cut, readFileSync(join(trained, 'model.safetensors')).subarray(0, 100_000));
    expectError(await run('classify', photo('red'), '--model', cut), /cut\.safetensors is truncated: it has 100000 b/);
  });
});

describe('bench', () => {
  interface Timed {
    readonly batch: number;
    readonly threads: number;
    readonly runs: number;
    readonly tuned: boolean;
    readonly milliseconds: number;
    readonly gflops: number;
  }
  const runs = ['--threads', '1', '--runs', '3'];

  it('times a variant, a trained model and an ONNX file', async () => {
    const file = join(dir, 'bench.onnx');
    await json('export', trained, '-o', file);
    for (const source of ['resnext11_4x16d_w16', trained, file]) {
      const result = await json<Timed>('bench', source, '--batch', '2', ...runs);
      expect(result).toMatchObject({ model: source, batch: 2, threads: 1, runs: 3, tuned: false });
      expect(result.milliseconds).toBeGreaterThan(0);
      expect(result.gflops).toBeGreaterThan(0);
    }
    const { stdout } = await run('bench', trained, ...runs);
    expect(stdout).toMatch(
      / cores, ONNX Runtime .*\n\nbatch +threads +ms per run +fastest +images\/s +GFLOP\/s\n +1 +1 /,
    );
  });

  it('keeps what it tuned, and heeds it from then on', async () => {
    const cache = join(dir, 'cache');
    vi.stubEnv('RESNEXT_CACHE', cache);
    const { file, mergeGroups, threads } = await json<{ file: string; mergeGroups: object; threads: number }>(
      ...['bench', trained, '--tune', ...runs],
    );
    expect(file).toBe(join(cache, 'tuning.json'));
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ mergeGroups, threads });
    expect(await json('bench', trained, '--runs', '1')).toMatchObject({ tuned: true, threads });
    vi.stubEnv('RESNEXT_CACHE', 'off');
    expectError(await run('bench', trained, '--tune', ...runs), /RESNEXT_CACHE is "off"/);
    vi.unstubAllEnvs();
  });

  it('is refused without a model or runs', async () => {
    expectError(await run('bench', 'missing.onnx'), /There is no file or folder "missing\.onnx"/);
    expectError(await run('bench', trained, '--runs', '0'), /--runs is 0, but expected a whole number of at least 1/);
  });
});
