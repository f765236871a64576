/** Repositories on a local hub whose weights are in shards, and caches whose files have been damaged. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commit, type Served, serveFiles, sha256 } from '../../test/hub-server.ts';
import { FormatError, UsageError } from '../errors.ts';
import type { Tensor } from '../tensor.ts';
import { openStateDict } from '../weights/files.ts';
import { writeSafetensors } from '../weights/safetensors.ts';
import { hubEnvironment } from './environment.ts';
import { type PullOptions, pull } from './pull.ts';
import { resolveModel } from './resolve.ts';

const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const tensor = (...values: number[]): Tensor => ({
  dtype: 'float32',
  dims: [values.length],
  data: Float32Array.from(values),
});
const weights = writeSafetensors(new Map([['a', tensor(1, 2, 3)]]));
const config = json({ architecture: 'resnext50_32x4d' });
const name = 'resnext50_32x4d.a1_in1k';

let dir: string;
let hub: Served;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-repository-'));
});
afterEach(() => {
  hub.close();
  rmSync(dir, { recursive: true });
});

async function serving(files: Readonly<Record<string, Uint8Array>>): Promise<void> {
  hub = await serveFiles(files);
}

const options = (more: PullOptions = {}, endpoint = hub.url): PullOptions => ({
  environment: hubEnvironment({ HF_ENDPOINT: endpoint, HF_HOME: dir, TORCH_HOME: dir }),
  wait: async () => {},
  ...more,
});
const unreachable = 'http://127.0.0.1:9';

describe.each([
  ['emptied', (path: string) => truncateSync(path, 0)],
  ['cut short', (path: string) => truncateSync(path, 20)],
  ['changed', (path: string) => writeFileSync(path, readFileSync(path).reverse())],
])('a cached file that was %s', (_, damage) => {
  beforeEach(() => serving({ 'model.safetensors': weights, 'config.json': config }));

  it.each([name, `timm/${name}`, `timm/${name}@main`, `timm/${name}@${commit}`])(
    'is replaced by pull: %s',
    async (which) => {
      const { path, config: settings } = await pull(which, options());
      damage(path);
      damage(settings!);
      expect(await pull(which, options())).toEqual(await pull(which, options({ offline: true })));
      expect([readFileSync(path), readFileSync(settings!)]).toEqual([Buffer.from(weights), Buffer.from(config)]);
    },
  );

  it('is refused by pull if it cannot be replaced', async () => {
    const { path } = await pull(name, options());
    damage(path);
    const offline = pull(name, options({ offline: true }));
    await expect(offline).rejects.toThrow(FormatError);
    await expect(offline).rejects.toThrow(
      /^".*model\.safetensors" is damaged: (it is empty|its SHA-256 is [0-9a-f]{64}, but expected [0-9a-f]{64})\. Pull it again while online\.$/,
    );
    await expect(pull(name, options({}, unreachable))).rejects.toThrow(
      /^".*model\.safetensors" is damaged: .*\. \S+ cannot be downloaded: 127\.0\.0\.1:9 cannot be reached /,
    );
  });

  it('is replaced when a model is opened with verify', async () => {
    const { path } = await pull(name, options());
    damage(path);
    expect((await resolveModel(name, options({ verify: true }))).path).toBe(path);
    expect(readFileSync(path)).toEqual(Buffer.from(weights));
    damage(path);
    await expect(resolveModel(path, options({ verify: true }))).rejects.toThrow(
      /^".*" is damaged: .* Download it again\.$/,
    );
  });
});

describe('a model is opened without hashing it, but', () => {
  beforeEach(() => serving({ 'model.safetensors': weights, 'config.json': config }));

  it('not if it is empty, or shorter than the hub says', async () => {
    const { path } = await pull(name, options());
    truncateSync(path, 0);
    await resolveModel(name, options());
    expect(sha256(readFileSync(path))).toBe(sha256(weights));
    truncateSync(path, 20);
    await resolveModel(`${name}@main`, options());
    expect(sha256(readFileSync(path))).toBe(sha256(weights));
  });

  it('not with a damaged config.json, which is small', async () => {
    const { config: settings } = await pull(name, options());
    writeFileSync(settings!, json({ architecture: 'resnext50_32x8d' }));
    await resolveModel(name, options());
    expect(readFileSync(settings!)).toEqual(Buffer.from(config));
  });
});

it('verifies a file by the hash in its name, and refuses one without', async () => {
  await serving({});
  const good = join(dir, `weights-${sha256(weights).slice(0, 8)}.pth`);
  writeFileSync(good, weights);
  expect((await resolveModel(good, options({ verify: true }))).path).toBe(good);
  writeFileSync(join(dir, 'weights-00000000.pth'), weights);
  await expect(resolveModel(join(dir, 'weights-00000000.pth'), options({ verify: true }))).rejects.toThrow(
    /" is damaged: its SHA-256 is [0-9a-f]{8}, but expected 00000000\. Download it again\.$/,
  );
  writeFileSync(join(dir, 'weights.pth'), weights);
  await expect(resolveModel(join(dir, 'weights.pth'), options({ verify: true }))).rejects.toThrow(UsageError);
});

describe('weights in shards', () => {
  const first = writeSafetensors(new Map([['a', tensor(1, 2)]]));
  const second = writeSafetensors(new Map([['b', tensor(3)]]));
  const index = json({
    metadata: { total_size: 12 },
    weight_map: { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' },
  });
  const files = {
    'model.safetensors.index.json': index,
    'model-00001-of-00002.safetensors': first,
    'model-00002-of-00002.safetensors': second,
  };

  it('are all downloaded, and read through the index', async () => {
    await serving({ ...files, 'config.json': config });
    const { path, config: settings } = await pull('somebody/large', options());
    expect(existsSync(settings!)).toBe(true);
    expect(readdirSync(dirname(path)).sort()).toEqual([...Object.keys(files), 'config.json'].sort());
    const { tensors } = await openStateDict(path);
    expect([...tensors.values()].map((stored) => stored.read().data)).toEqual([
      Float32Array.of(1, 2),
      Float32Array.of(3),
    ]);
    expect(await pull('somebody/large', options({ offline: true }))).toEqual({ path, config: settings });
  });

  it('are downloaded for the index of a PyTorch file too', async () => {
    const shards = json({ weight_map: { a: 'pytorch_model-00001-of-00001.bin' } });
    await serving({ 'pytorch_model.bin.index.json': shards, 'pytorch_model-00001-of-00001.bin': first });
    const { path } = await pull('somebody/large', options());
    expect(readdirSync(dirname(path)).sort()).toEqual([
      'pytorch_model-00001-of-00001.bin',
      'pytorch_model.bin.index.json',
    ]);
  });

  it('are refused if one is missing', async () => {
    const { 'model-00002-of-00002.safetensors': _, ...rest } = files;
    await serving(rest);
    await expect(pull('somebody/large', options())).rejects.toThrow(
      'The index of somebody/large lists model-00002-of-00002.safetensors, but the repository does not contain it.',
    );
  });

  it('are refused if they are outside of the folder', async () => {
    await serving({ 'model.safetensors.index.json': json({ weight_map: { a: '../../x' } }) });
    await expect(pull('somebody/large', options())).rejects.toThrow(/lists the shard "\.\.\/\.\.\/x"/);
  });

  it('are limited together', async () => {
    await serving(files);
    await expect(pull('somebody/large', options({ limit: index.length + 10 }))).rejects.toThrow(
      /model-00002-of-00002\.safetensors has \d+ bytes, but the limit is \d+\.$/,
    );
  });
});

it('refuses a config.json that is too large to be one', async () => {
  await serving({ 'model.safetensors': weights, 'config.json': new Uint8Array(9 * 2 ** 20).fill(32) });
  await expect(pull('somebody/flowers', options())).rejects.toThrow(
    'somebody/flowers/config.json has 9437184 bytes, but the limit is 8388608.',
  );
});
