import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { UsageError } from '../errors.ts';
import { type Tensor, tensor } from '../tensor.ts';
import { FeatureCollector, pathLine } from './features.ts';
import { parquetChunks } from './parquet.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-features-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const task = { model: 'a', images: 'b' };
const stages = ['layer1', 'pooled'];
const paths = Array.from({ length: 50 }, (_, n) => `images/${n}, "ü".jpg`);

const featuresOf = (n: number): ReadonlyMap<string, Tensor<'float32'>> =>
  new Map([
    [
      'layer1',
      tensor(
        'float32',
        [2, 3, 3],
        Float32Array.from({ length: 18 }, (_, k) => n + k / 7),
      ),
    ],
    [
      'pooled',
      tensor(
        'float32',
        [5],
        Float32Array.from({ length: 5 }, (_, k) => -n / (k + 1)),
      ),
    ],
  ]);

/** Adds the images that are left up to `end`, of which every seventh cannot be read, and secures every fourth. */
function addUpTo(end: number, collector: FeatureCollector): void {
  for (let n = collector.done; n < end; n++) {
    if (n % 7 === 3) collector.addUnread(paths[n]!);
    else collector.add(paths[n]!, featuresOf(n));
    if (n % 4 === 3) collector.save();
  }
}

/** A collector that is never closed, as if its process were killed. */
async function abandoned(file: string): Promise<FeatureCollector> {
  const collector = await FeatureCollector.open(file, stages, task);
  rmSync(join(`${file}.partial`, 'lock'));
  return collector;
}

const contents = (folder: string): [string, string][] =>
  readdirSync(folder).map((name) => [name, readFileSync(join(folder, name)).toString('base64')]);

it.each(['.npy', '.parquet', '.jsonl'])(
  '%s files of a task that was killed are those of one that was not',
  async (ending) => {
    const [whole, killed] = ['whole', 'killed'].map((name) => join(dir, name, `out${ending}`)) as [string, string];
    const collector = await FeatureCollector.open(whole, stages, task);
    addUpTo(50, collector);
    const written = await collector.write();
    collector.close();
    expect(written).toMatchObject({ images: 43, shapes: { layer1: [2, 3, 3], pooled: [5] } });
    expect(written!.unread).toEqual(paths.filter((_, n) => n % 7 === 3));

    addUpTo(21, await abandoned(killed)); // the last mark is after 20
    const partial = `${killed}.partial`;
    appendFileSync(join(partial, 'task.jsonl'), '{"done":24,"sizes":{"pool');
    const second = await FeatureCollector.open(killed, stages, task);
    expect([second.done, second.notes]).toEqual([20, [`Continuing after 20 images, from "${partial}".`]]);
    addUpTo(33, second);
    second.close();
    const third = await FeatureCollector.open(killed, stages, task);
    expect(third.done).toBe(32);
    addUpTo(50, third);
    await third.write();
    third.close();
    expect(existsSync(partial)).toBe(false);
    expect(contents(join(dir, 'killed'))).toEqual(contents(join(dir, 'whole')));
  },
);

it('the ending may be in capitals', async () => {
  const file = join(dir, 'out.NPY');
  const collector = await FeatureCollector.open(file, stages, task);
  addUpTo(1, collector);
  const written = await collector.write();
  collector.close();
  expect(written!.files).toEqual(['layer1.NPY', 'pooled.NPY', 'paths.txt'].map((ending) => join(dir, `out.${ending}`)));
});

it('parts that are shorter than the journal says are continued from an earlier batch', async () => {
  const file = join(dir, 'out.npy');
  addUpTo(12, await abandoned(file));
  writeFileSync(join(`${file}.partial`, 'pooled'), readFileSync(join(`${file}.partial`, 'pooled')).subarray(0, 7 * 20));
  expect((await FeatureCollector.open(file, stages, task)).done).toBe(8);
});

it('results of another task are replaced, with a note that names the difference', async () => {
  const file = join(dir, 'out.npy');
  addUpTo(8, await abandoned(file));
  const other = await FeatureCollector.open(file, stages, { ...task, model: 'c' });
  expect(other.done).toBe(0);
  expect(other.notes).toEqual([
    `"${file}.partial" has results of 8 images of another task, which differs in model. They are replaced.`,
  ]);
  addUpTo(4, other);
  other.close();
  expect((await FeatureCollector.open(file, stages, { ...task, model: 'c' })).done).toBe(4);
});

it('two commands do not write the same file at once', async () => {
  const file = join(dir, 'out.npy');
  const collector = await FeatureCollector.open(file, stages, task);
  const message =
    /out\.npy\.partial" is in use by a command that started at .* \(process \d+\)\. Wait until it ends, or stop it\.$/;
  await expect(FeatureCollector.open(file, stages, task)).rejects.toThrow(message);
  collector.close();
  (await FeatureCollector.open(file, stages, task)).close();
  expect(readdirSync(dir)).toEqual([]);
});

it('a folder of somebody else is left alone', async () => {
  const file = join(dir, 'out.npy');
  mkdirSync(`${file}.partial`);
  writeFileSync(join(`${file}.partial`, 'thesis.txt'), 'mine');
  await expect(FeatureCollector.open(file, stages, task)).rejects.toThrow(UsageError);
  await expect(FeatureCollector.open(file, stages, task)).rejects.toThrow('but has other contents. Move it, or');
  expect(readdirSync(`${file}.partial`)).toEqual(['thesis.txt']);
});

it('nothing is left behind where nothing was secured', async () => {
  const collector = await FeatureCollector.open(join(dir, 'out.npy'), stages, task);
  addUpTo(2, collector);
  collector.close();
  expect(readdirSync(dir)).toEqual([]);
});

it('a Parquet file of several groups has all rows', async () => {
  const file = join(dir, 'out.parquet');
  const collector = await FeatureCollector.open(file, ['pooled'], task);
  const length = 2 ** 17; // two rows in a group
  for (let n = 0; n < 3; n++) {
    collector.add(`${n}`, new Map([['pooled', tensor('float32', [length], new Float32Array(length).fill(n))]]));
  }
  await collector.write();
  const rows = (await parquetReadObjects({ file: await asyncBufferFromFile(file) })) as {
    path: string;
    features: number[];
  }[];
  expect(rows.map(({ path, features }) => [path, features.length, features[0], features.at(-1)])).toEqual(
    Array.from({ length: 3 }, (_, n) => [`${n}`, length, n, n]),
  );
});

it('rows are on disk, not in memory', async () => {
  const collector = await FeatureCollector.open(join(dir, 'out.npy'), ['pooled'], task);
  const pooled = tensor('float32', [2 ** 16], new Float32Array(2 ** 16));
  const before = process.memoryUsage().external;
  for (let n = 0; n < 400; n++) collector.add(`${n}`, new Map([['pooled', pooled]])); // 100 MiB in all
  expect(process.memoryUsage().external - before).toBeLessThan(2 ** 24);
  expect(statSync(join(dir, 'out.npy.partial', 'pooled')).size).toBe(400 * 2 ** 18);
  collector.close();
});

it('a Parquet file is made from the rows of one group at a time', async () => {
  let read = 0;
  const row = new Uint8Array(Float32Array.from({ length: 2 ** 17 }, (_, k) => k).buffer); // two rows in a group
  const rows = {
    count: 10,
    dims: [2 ** 17],
    paths: () => Array.from({ length: 10 }, (_, n) => `${n}`),
    *bytes() {
      for (; read < 10; read++) yield row;
    },
  };
  const chunks = (await parquetChunks(rows))[Symbol.iterator]();
  expect((chunks.next().value as Uint8Array).length).toBeGreaterThan(2 * row.length);
  expect(read).toBe(1); // the second row is being read
  chunks.return?.();
});

it.each([
  ['images/ü, "a".jpg', 'images/ü, "a".jpg'],
  ['a\nb.jpg', '"a\\nb.jpg"'],
  ['a\r\u0085\u2028b.jpg', '"a\\r\\u0085\\u2028b.jpg"'],
  ['"a".jpg', '"\\"a\\".jpg"'],
  ['a\\nb.jpg', 'a\\nb.jpg'],
])('the path %j is one line that can be read again', (path, line) => {
  expect(pathLine(path)).toBe(line);
  expect(line.startsWith('"') ? JSON.parse(line) : line).toBe(path);
});
