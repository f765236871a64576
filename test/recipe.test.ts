/**
 * What a run keeps of its options and what it takes from the machine, what is refused before anything is downloaded, and
 * that a checkpoint is a model.
 */
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadModel, resume, type TrainOptions, train } from 'resnext';
import { readSafetensorsFile, writeSafetensorsFile } from 'resnext/weights';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test, vi } from 'vitest';
import { json, run } from './command.ts';
import { type FakeHub, serveHub } from './hub-server.ts';

const examples = fileURLToPath(new URL('../examples/images', import.meta.url));
let dir: string;
let data: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-recipe-'));
  data = join(dir, 'data');
  for (const [part, count] of [
    ['train', 8],
    ['val', 4],
  ] as const) {
    for (const name of ['frog', 'horse']) {
      mkdirSync(join(data, part, name), { recursive: true });
      for (const file of readdirSync(join(examples, part, name))
        .sort()
        .slice(0, count)) {
        cpSync(join(examples, part, name, file), join(data, part, name, file));
      }
    }
  }
});
afterAll(() => rmSync(dir, { recursive: true }));

const small = { variant: 'resnext11_4x16d_w16', size: 16, batch: 8, epochs: 1, threads: 1, workers: 0 } as const;

async function trained(name: string, given: Partial<TrainOptions> = {}): Promise<string> {
  const out = join(dir, name);
  await train({ ...small, data, out, ...given });
  return out;
}

const last = (out: string) => join(out, 'checkpoints/last.safetensors');

async function keptOptions(out: string): Promise<Record<string, unknown>> {
  const { metadata } = await readSafetensorsFile(last(out));
  return JSON.parse(metadata.get('options')!) as Record<string, unknown>;
}

describe('a checkpoint', () => {
  let out: string;
  beforeAll(async () => {
    out = await trained('kept', { strict: true, checkpointEvery: 7 });
  }, 60_000);

  it('keeps the recipe and none of the settings', async () => {
    const kept = await keptOptions(out);
    expect(kept).toMatchObject({ data, variant: 'resnext11_4x16d_w16', batch: 8, seed: 1, optimizer: 'sgd' });
    for (const name of ['out', 'threads', 'workers', 'cache', 'strict', 'checkpointEvery', 'providers']) {
      expect(kept).not.toHaveProperty(name);
    }
  });

  it('of version 0.1, with settings and other names, still resumes, on the threads of this machine', async () => {
    const old = join(dir, 'old');
    mkdirSync(join(old, 'checkpoints'), { recursive: true });
    copyFileSync(join(out, 'metrics.jsonl'), join(old, 'metrics.jsonl'));
    const { tensors, metadata } = await readSafetensorsFile(last(out));
    const { loss: _, optimizer: __, averageDecay: ___, ...options } = await keptOptions(out);
    const written = { ...options, freeze: ['all but fc'], from: 'x', threads: -1, workers: -1, out: 'elsewhere' };
    const names = [...tensors].map(([name, tensor]) => [name.replace('slots.momentum.', 'velocity.'), tensor] as const);
    await writeSafetensorsFile(last(old), new Map(names), new Map([...metadata, ['options', JSON.stringify(written)]]));
    await resume(old, { epochs: 2, workers: 0 });
    expect(await keptOptions(old)).toMatchObject({ freeze: ['backbone'], epochs: 2, optimizer: 'sgd' });
  });

  it('is a model', async () => {
    const [run, checkpoint] = [await loadModel(out), await loadModel(last(out))];
    expect(checkpoint.description).toMatchObject({ classes: ['frog', 'horse'], config: run.description.config });
    for (const [name, { data }] of run.weights!) {
      if (!name.endsWith('num_batches_tracked')) expect(checkpoint.weights!.get(name)!.data, name).toEqual(data);
    }
    const file = join(dir, 'checkpoint.onnx');
    const { variant } = await json<{ variant: string }>('export', last(out), '-o', file, '--size', '24');
    expect(variant).toBe('resnext11_4x16d_w16');
    expect((await loadModel(file)).graph.inputs[0]!.dims).toEqual(['N', 3, 24, 24]);
  });
});

test('with an average, the average is the model of the run and of its checkpoints, and the weights are beside it', async () => {
  const out = await trained('averaged', { averageDecay: 0.9, optimizer: 'adamw', epochs: 2 });
  const { tensors } = await readSafetensorsFile(join(out, 'checkpoints/best.safetensors'));
  const [run, checkpoint] = [await loadModel(out), await loadModel(join(out, 'checkpoints/best.safetensors'))];
  const name = 'layer1.0.conv1.weight';
  expect(run.weights!.get(name)!.data).toEqual(tensors.get(`average.${name}`)!.data);
  expect(checkpoint.weights!.get(name)!.data).toEqual(tensors.get(`average.${name}`)!.data);
  expect(tensors.get(`weights.${name}`)!.data).not.toEqual(tensors.get(`average.${name}`)!.data);
  const raw = await loadModel(join(out, 'raw'));
  expect(raw.weights!.get(name)!.data).toEqual(tensors.get(`weights.${name}`)!.data);
  const epochs = readFileSync(join(out, 'metrics.jsonl'), 'utf8').trim().split('\n');
  const best = epochs.map((line) => JSON.parse(line)).findLast((epoch) => epoch.best);
  expect(run.description.metrics).toEqual({ epoch: best.epoch, ...best.validation });
  expect(raw.description.metrics).toEqual({ epoch: best.epoch, ...best.rawValidation });
  expect(await keptOptions(out)).toMatchObject({ optimizer: 'adamw', weightDecay: 0.01, normWeightDecay: 0 });
  await train({ ...small, data, out, overwrite: true });
  expect(existsSync(join(out, 'raw'))).toBe(false);
}, 60_000);

test('a run keeps its recipe, and a run that follows it trains the same model', async () => {
  const given = { recipe: 'quick', batch: 4, out: join(dir, 'first') };
  await train({ ...small, ...given, data });
  const kept = JSON.parse(readFileSync(join(given.out, 'recipe.json'), 'utf8')) as Record<string, unknown>;
  expect(kept).toMatchObject({ source: 'a run with the recipe quick', schedule: 'one-cycle', batch: 4, size: 16 });
  expect(kept.learningRate).toBeCloseTo((0.2 * 4) / 128, 12);
  for (const name of ['data', 'from', 'recipe', 'out', 'threads']) expect(kept).not.toHaveProperty(name);
  const second = join(dir, 'second');
  const { code, stderr } = await run('train', data, '--recipe', given.out, '--out', second, '--threads', '1');
  expect([code, stderr]).toEqual([0, expect.stringContaining('its learning rate of 0.00625 is for batches of 4.')]);
  const [a, b] = await Promise.all([given.out, second].map((out) => loadModel(out)));
  expect(b!.weights).toEqual(a!.weights);
}, 60_000);

describe('before a download', () => {
  const from = ['--from', 'timm/resnext50_32x4d.anything'];
  let fake: FakeHub;
  beforeEach(async () => {
    fake = await serveHub(new Uint8Array(1000));
    const env = { HF_ENDPOINT: fake.hub.url, HF_HOME: join(dir, 'hub'), NO_PROXY: '127.0.0.1', HF_HUB_OFFLINE: '' };
    for (const [variable, value] of Object.entries(env)) vi.stubEnv(variable, value);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    fake.close();
  });

  it.each<[string, (out: string) => string[], string]>([
    ['no folder', () => ['--out', 'x'], 'Name the folder of images to train on'],
    ['no --out', () => [data], 'Name a folder for the results with --out RUN.'],
    ['a folder that is not there', (out) => ['nowhere', '--out', out], 'nowhere" does not exist'],
    [
      'a variant',
      (out) => [data, '--out', out, '--variant', 'resnext29_8x64d'],
      '--variant cannot be combined with --from',
    ],
    ['a rate of 0', (out) => [data, '--out', out, '--lr', '0'], '--learning-rate is 0, but expected a number above 0.'],
    [
      'a probe',
      (out) => [data, '--out', out, '--linear-probe', '--freeze', 'stem'],
      '--freeze has no effect with --linear-probe',
    ],
    [
      'another optimizer',
      (out) => [data, '--out', out, '--beta1', '0.8'],
      '--beta1 has no effect without --optimizer adamw or lamb. Remove it, or choose one of those optimizers.',
    ],
    ['a run that is there', () => [data, '--out', join(dir, 'kept')], 'already contains a training run'],
  ])('%s is refused', async (_, args, sentence) => {
    const out = join(dir, 'refused');
    const { code, stderr } = await run('train', ...args(out), ...from);
    expect(stderr).toContain(sentence);
    expect(code).toBe(1);
    expect(fake.hub.requests).toEqual([]);
    expect(existsSync(out)).toBe(false);
  });

  it('the model is resolved once', async () => {
    const { code } = await run('train', data, '--out', join(dir, 'broken'), ...from);
    expect(code).toBe(1); // 1000 zeros are no weights
    const files = fake.hub.requests.map(({ method, url }) => `${method} ${url}`);
    expect(files.length).toBeGreaterThan(0);
    expect(new Set(files).size).toBe(files.length);
  });
});
