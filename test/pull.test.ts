/** `resnext pull` and `resnext list --weights` as processes, with a hub on loopback. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PublishedWeights } from 'resnext/weights';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { json, run, start } from './command.ts';
import { type FakeHub, serveHub, sha256 } from './hub-server.ts';

const weights = Uint8Array.from({ length: 4_000_000 }, (_, i) => (i * i) >> 5);
const name = 'resnext50_32x4d.fb_swsl_ig1b_ft_in1k';

const images = fileURLToPath(new URL('../examples/images', import.meta.url));

let dir: string;
let fake: FakeHub;
let blobs: string;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-pull-'));
  blobs = join(dir, `hub/models--timm--${name}/blobs`);
  fake = await serveHub(weights);
  const env = { HF_ENDPOINT: fake.hub.url, HF_HOME: dir, TORCH_HOME: dir, NO_PROXY: '127.0.0.1', HF_HUB_OFFLINE: '' };
  for (const [variable, value] of Object.entries(env)) vi.stubEnv(variable, value);
});
afterEach(() => {
  vi.unstubAllEnvs();
  fake.close();
  rmSync(dir, { recursive: true });
});

it('training that is interrupted during the download ends as an interrupted run does', async () => {
  fake.answers.push((_, response) => {
    response.writeHead(200, { 'content-length': weights.length, etag: '"store"' });
    response.write(weights.subarray(0, weights.length / 2));
  });
  const { child, ended } = start('train', images, '--from', name, '--out', join(dir, 'run'));
  await vi.waitFor(() => expect(existsSync(join(blobs, `${sha256(weights)}.incomplete`))).toBe(true), {
    timeout: 30_000,
  });
  child.kill('SIGINT');
  const { code, stderr } = await ended;
  expect(code).toBe(130);
  expect(stderr).toMatch(/^warning: Stopping\. .*\n$/);
});

it('goes on where a killed process stopped, and checks the hash', async () => {
  fake.answers.push((_, response) => {
    response.writeHead(200, { 'content-length': weights.length, etag: '"store"' });
    response.write(weights.subarray(0, weights.length / 2));
  });
  const { child, ended } = start('pull', name);
  const partial = join(blobs, `${sha256(weights)}.incomplete`);
  await vi.waitFor(() => expect(statSync(partial).size).toBe(weights.length / 2), { timeout: 30_000 });
  child.kill('SIGKILL');
  await ended;
  const { code, stdout, stderr } = await run('pull', name);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(fake.store.requests.map(({ headers }) => headers.range)).toEqual([undefined, 'bytes=2000000-']);
  expect(readdirSync(blobs)).toEqual([sha256(weights)]);
  const [path, ...remarks] = stdout.trim().split('\n');
  expect(sha256(readFileSync(path!))).toBe(sha256(weights));
  expect(remarks.join('\n')).toMatch(/top-1 82\.16 %, top-5 96\.22 % at 224 pixels/);
  expect(remarks.join('\n')).toMatch(/license: CC-BY-NC-4\.0: not for commercial use/);
});

it('refuses a wrong hash, and leaves nothing', async () => {
  fake.answers.push((_, response) =>
    response.writeHead(200, { 'content-length': weights.length }).end(weights.toReversed()),
  );
  const { code, stdout, stderr } = await run('pull', name);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^error: timm\/\S+ is not the expected file: its SHA-256 is .*\n$/);
  expect(readdirSync(blobs)).toEqual([]);
});

it('prints JSON lines, and takes the second time from the cache', async () => {
  const [first, second] = [await run('pull', name, '--json'), await run('pull', name, name, '--offline', '--json')];
  const lines = `${first.stdout}${second.stdout}`
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatchObject({ name, bytes: weights.length, entry: { license: 'CC-BY-NC-4.0' } });
  expect(existsSync(lines[0].path)).toBe(true);
  expect(lines[2]).toEqual(lines[0]);
});

it('lists published weights', async () => {
  const rows = await json<PublishedWeights[]>('list', '--weights', 'swsl*50');
  expect(rows.map((row) => row.name)).toEqual([name]);
  const { stdout } = await run('list', '--weights', 'SWSL_resnext50');
  expect(stdout).toMatch(/resnext50_32x4d\.fb_swsl_ig1b_ft_in1k +82\.16 +224 +100 +CC-BY-NC-4\.0\n/);
  const none = await run('list', '--weights', 'resnext50_32x5d');
  expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('Did you mean resnext50_32x4d?') });
});
