import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { tar, zip } from '../../test/pack.ts';
import { Plan } from './plan.ts';
import type { Settings } from './settings.ts';

const golden = fileURLToPath(new URL('../datasets/golden/', import.meta.url));
let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-plan-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const settings = (sources: readonly string[], changes: Partial<Settings> = {}): Settings => ({
  version: '0.1.0',
  task: 'classify',
  sources: [...sources],
  folder: dir,
  shardSize: 3,
  model: 'cifar10',
  weights: 'abc',
  maxMegapixels: 100,
  stages: ['pooled'],
  format: 'npy',
  top: 5,
  threshold: 0,
  ...changes,
});

/** A folder of empty files that are called images. */
function photos(count: number, name = 'photos'): string {
  const folder = join(dir, name);
  mkdirSync(folder);
  for (let n = 0; n < count; n++) writeFileSync(join(folder, `${100 + n}.jpg`), '');
  return folder;
}

const make = (sources: readonly string[], changes: Partial<Settings> = {}) =>
  Plan.for(join(dir, 'out'), settings(sources, changes), []);

const shardsOf = (plan: Plan) => Array.from({ length: plan.shards }, (_, shard) => plan.shard(shard));

test('files are divided in their order, across sources', async () => {
  const [a, b] = [photos(4, 'a'), photos(3, 'b')];
  const plan = await make([a, b, join(a, '100.jpg')]);
  const names = (folder: string, ...numbers: number[]) => numbers.map((number) => join(folder, `${number}.jpg`));
  expect(shardsOf(plan)).toEqual([
    { count: 3, files: names(a, 100, 101, 102) },
    { count: 3, files: [...names(a, 103), ...names(b, 100, 101)] },
    { count: 2, files: [...names(b, 102), ...names(a, 100)] },
  ]);
  expect([plan.images, plan.name(0), plan.name(2)]).toEqual([8, '00000', '00002']);
});

test('an archive is divided by its images, a small tar file is one shard and is not read', async () => {
  const images = Object.fromEntries([1, 2, 3, 4].map((n) => [`x/${n}.jpg`, 'image']));
  const [inZip, inTar] = [join(dir, 'a.zip'), join(dir, 'b.tar')];
  writeFileSync(inZip, zip({ ...images, 'x/notes.txt': 'no image' }));
  writeFileSync(inTar, 'not even a tar file');
  const plan = await make([inZip, inTar, photos(1)]);
  expect(shardsOf(plan)).toEqual([
    { count: 3, packed: 'zip', file: inZip, from: 0 },
    { count: 1, packed: 'zip', file: inZip, from: 3 },
    { packed: 'tar', file: inTar, from: 0 },
    { count: 1, files: [join(dir, 'photos', '100.jpg')] },
  ]);
  expect(plan.images).toBeUndefined();
});

test('a tar file of more than a gigabyte is divided', async () => {
  const file = join(dir, 'large.tar');
  writeFileSync(file, tar(Object.fromEntries([1, 2, 3, 4].map((n) => [`${n}.jpg`, 'image']))));
  truncateSync(file, 2 ** 30 + 512); // zeros, which end a tar archive
  expect(shardsOf(await make([file])).map(({ count }) => count)).toEqual([3, 1]);
});

test('rows of Parquet are counted without reading them', async () => {
  const file = join(golden, 'snappy.parquet');
  const plan = await make([file]);
  const counts = shardsOf(plan).map(({ count = 0 }) => count);
  expect(counts.reduce((sum, count) => sum + count)).toBe(plan.images);
  await expect(Plan.for(join(dir, 'other'), settings([file], { imageColumn: 'none' }), [])).rejects.toThrow(
    /has no column "none" of images/,
  );
});

test('the first plan is kept, whatever comes to the folder later', async () => {
  const folder = photos(4);
  const first = await make([folder]);
  writeFileSync(join(folder, '999.jpg'), '');
  const second = await make([folder]);
  expect([second.id, second.images]).toEqual([first.id, 4]);
  expect(Plan.in(join(dir, 'out'))!.id).toBe(first.id);
  expect(Plan.in(dir)).toBeUndefined();
});

test('two processes that plan at once have the same plan', async () => {
  const folder = photos(20);
  const plans = await Promise.all([1, 2, 3, 4].map(() => make([folder])));
  expect(new Set(plans.map(({ id }) => id)).size).toBe(1);
});

test('another task is refused, and so is a plan that is damaged', async () => {
  const folder = photos(4);
  await make([folder]);
  await expect(make([folder], { top: 3, weights: 'def' })).rejects.toThrow(
    /has the results of another task, which differs in weights, top\. Name another folder/,
  );
  writeFileSync(join(dir, 'out', 'plan.jsonl'), '{}\n');
  await expect(make([folder])).rejects.toThrow(/is not the plan of a bulk task, or it is damaged/);
});

test('without images there is no plan', async () => {
  mkdirSync(join(dir, 'empty'));
  await expect(make([join(dir, 'empty')])).rejects.toThrow(/contains no images/);
  await expect(make(['-'])).rejects.toThrow(/Standard input is one image/);
  expect(Plan.in(join(dir, 'out'))).toBeUndefined();
});

test('names of shards have as many digits as the last one needs', async () => {
  const lines = Array.from({ length: 100_001 }, (_, n) => `{"count":1,"files":["${n}.jpg"]}\n`);
  const out = join(dir, 'out');
  mkdirSync(out);
  writeFileSync(join(out, 'plan.jsonl'), `${JSON.stringify(settings(['x']))}\n${lines.join('')}`);
  const plan = Plan.in(out)!;
  expect([plan.shards, plan.images, plan.name(7)]).toEqual([100_001, 100_001, '000007']);
  expect(plan.shard(100_000)).toEqual({ count: 1, files: ['100000.jpg'] });
  expect(readFileSync(join(out, 'plan.jsonl')).length).toBeGreaterThan(2 ** 21); // several pieces
});
