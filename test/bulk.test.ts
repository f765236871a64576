/**
 * `resnext bulk run` and `merge`: the merged file is the one that `classify` and `features` write for the same images,
 * whether the work was killed, divided by --shard or done at once, and however the images are packed.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { exportSmall, linkImages, run, start } from './command.ts';
import { tar, zip } from './pack.ts';

const examples = fileURLToPath(new URL('../examples/images/val/frog', import.meta.url));
const files = readdirSync(examples)
  .sort()
  .slice(0, 5)
  .map((file) => join(examples, file));
const count = 120;
let dir: string;
let photos: string;
let model: string;

/** Links to a few images, and one that cannot be read. */
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-bulk-'));
  photos = join(dir, 'photos');
  model = join(dir, 'model.onnx');
  linkImages(photos, files, count, 1000);
  writeFileSync(join(photos, '1000 bad.png'), 'no image');
  await exportSmall(model);
}, 60_000);
afterAll(() => rmSync(dir, { recursive: true }));

const machine = ['--batch', '4', '--threads', '1', '--workers', '0'];

/** The command that processes some sources in shards of eight images, two batches. */
const bulk = (task: string, out: string, sources: readonly string[], ...options: string[]) => [
  'bulk',
  'run',
  ...sources,
  '--task',
  task,
  '--model',
  model,
  '--out',
  out,
  '--shard-size',
  '8',
  ...machine,
  ...options,
];

const read = (name: string): Buffer => readFileSync(join(dir, name));

/** The output shards without their summaries, which have times. */
const shardsIn = (out: string): [string, string][] =>
  readdirSync(join(out, 'shards'))
    .filter((name) => !name.endsWith('.json'))
    .sort()
    .map((name) => [name, readFileSync(join(out, 'shards', name), 'latin1')]);

it('work that is killed continues, and its merged file is that of classify', async () => {
  const [whole, broken] = [join(dir, 'whole'), join(dir, 'broken')];
  const done = await run(...bulk('classify', whole, [photos]));
  expect(done).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Wrote 16 shards of 121 images to /) });
  expect(done.stderr).toMatch(/1 image of shard 00000 cannot be read: Image ".*1000 bad\.png"/);

  const { child, ended } = start(...bulk('classify', broken, [photos]));
  while (child.exitCode === null && !existsSync(join(broken, 'shards', '00002.json'))) await setTimeout(5);
  child.kill('SIGKILL');
  await ended;
  const left = 16 - readdirSync(join(broken, 'shards')).filter((name) => name.endsWith('.json')).length;
  expect(left).toBeGreaterThan(0);
  const early = await run('bulk', 'merge', broken, '-o', join(dir, 'early.jsonl'));
  expect(early).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/lacks \d+ of 16 shards, the first of which is 00/),
  });
  const { code, stderr, stdout } = await run(...bulk('classify', broken, [photos]));
  expect([code, stderr]).toEqual([
    0,
    expect.stringContaining(`16 shards of 121 images, ${16 - left} of which are done.`),
  ]);
  expect(stdout).toContain(`Wrote ${left} shard`);
  expect(shardsIn(broken).filter(([name]) => !name.endsWith('.tmp'))).toEqual(shardsIn(whole));

  const merged = await run('bulk', 'merge', broken, '-o', join(dir, 'all.jsonl'));
  expect(merged).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/: 121 images, 1 of which could not be read\.\n$/),
  });
  await run('classify', photos, '--model', model, ...machine, '-o', join(dir, 'classify.jsonl'));
  expect(read('all.jsonl').equals(read('classify.jsonl'))).toBe(true);
  const unread = JSON.parse(read('all.unread.jsonl').toString());
  expect(unread).toEqual({
    image: join(photos, '1000 bad.png'),
    error: expect.stringMatching(/^Image .* cannot be read/),
  });
}, 180_000);

it.each(['npy', 'parquet', 'jsonl'])(
  'two parts of features in %s make the file of features',
  async (format) => {
    const out = join(dir, `parts-${format}`);
    const options = ['--stages', 'layer1,pooled', '--format', format, '--size', '16'];
    const runs = await Promise.all(
      ['1/2', '2/2'].map((part) => run(...bulk('features', out, [photos], ...options, '--shard', part))),
    );
    expect(runs.map(({ code }) => code)).toEqual([0, 0]);
    expect(await run('bulk', 'merge', out, '-o', join(dir, `${format}.npy`))).toMatchObject({ code: 0, stderr: '' });
    const same = ['--stages', 'layer1,pooled', '--size', '16', '--model', model, ...machine];
    if (!existsSync(join(dir, 'same.pooled.npy'))) await run('features', photos, ...same, '-o', join(dir, 'same.npy'));
    for (const ending of ['layer1.npy', 'pooled.npy', 'paths.txt']) {
      expect([ending, read(`${format}.${ending}`).equals(read(`same.${ending}`))]).toEqual([ending, true]);
    }
    expect(JSON.parse(read(`${format}.unread.jsonl`).toString()).image).toBe(join(photos, '1000 bad.png'));
  },
  180_000,
);

it('images in tar, zip and Parquet files are classified as in a folder', async () => {
  const images = Array.from({ length: 12 }, (_, n) => [`x/${100 + n}.jpg`, readFileSync(files[n % 5]!)] as const);
  const packed = Object.fromEntries(images);
  writeFileSync(join(dir, 'a.tar'), tar({ ...packed, 'x/notes.txt': 'no image', 'x/empty.jpg': '' }));
  writeFileSync(join(dir, 'b.zip'), zip(packed, { deflate: true }));
  const parquet = parquetWriteBuffer({
    columnData: [{ name: 'image', data: images.map(([, bytes]) => new Uint8Array(bytes)), type: 'BYTE_ARRAY' }],
    rowGroupSize: 5,
  });
  writeFileSync(join(dir, 'c.parquet'), Buffer.from(parquet));
  const [out, all] = [join(dir, 'packed'), join(dir, 'packed.jsonl')];
  const sources = ['a.tar', 'b.zip', 'c.parquet'].map((name) => join(dir, name));
  expect((await run(...bulk('classify', out, sources))).code).toBe(0);
  expect(shardsIn(out).map(([name]) => name)).toEqual(
    ['00000', '00001', '00002', '00003', '00004'].map((name) => `${name}.jsonl`),
  );
  expect((await run('bulk', 'merge', out, '-o', all)).code).toBe(0);
  const rows = readFileSync(all, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(rows.map(({ image }) => image.slice(dir.length + 1))).toEqual([
    ...images.map(([name]) => `a.tar/${name}`),
    'a.tar/x/empty.jpg',
    ...images.map(([name]) => `b.zip/${name}`),
    ...images.map((_, row) => `c.parquet/00000${String(row).padStart(2, '0')}`),
  ]);
  const predicted = rows.map(({ predictions }) =>
    JSON.stringify(predictions?.map(({ label }: { label: string }) => label)),
  );
  expect(rows[12]!.error).toMatch(/cannot be read/);
  expect(predicted.slice(13, 25)).toEqual(predicted.slice(0, 12));
  expect(predicted.slice(25)).toEqual(predicted.slice(0, 12));
}, 120_000);

it('a shard that fails is reported and tried again later', async () => {
  const [out, file] = [join(dir, 'failing'), join(dir, 'late.tar')];
  writeFileSync(file, 'not a tar file yet');
  const args = bulk('classify', out, [file, join(photos, '1000.jpg')], '--attempts', '2', '--json');
  const { code, stdout, stderr } = await run(...args);
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^warning: Shard 00000 failed 2 times: .*late\.tar/)]);
  expect(events).toMatchObject([
    { event: 'plan', shards: 2, done: 0 },
    { event: 'failed', shard: '00000', attempts: 2 },
    { event: 'shard', shard: '00001', images: 1, unread: 0 },
    { event: 'end', shards: 1, images: 1, failed: 1 },
  ]);
  writeFileSync(file, tar({ '1.jpg': readFileSync(files[0]!) }));
  expect((await run(...args)).code).toBe(0);
}, 120_000);

it('images that could not be read are tried again where that is asked for', async () => {
  const [out, folder] = [join(dir, 'again'), join(dir, 'later')];
  mkdirSync(folder);
  writeFileSync(join(folder, '1.jpg'), 'not yet');
  expect((await run(...bulk('classify', out, [folder]))).code).toBe(0);
  cpSync(files[0]!, join(folder, '1.jpg'));
  expect((await run(...bulk('classify', out, [folder]))).stdout).toContain('Wrote 0 shards');
  expect((await run(...bulk('classify', out, [folder], '--retry-unread'))).stdout).toContain(
    'Wrote 1 shard of 1 image',
  );
  expect(JSON.parse(readFileSync(join(out, 'shards', '00000.jsonl'), 'utf8')).predictions).toHaveLength(4);
}, 120_000);

it('another model, or one without classes, is refused before anything is written', async () => {
  const out = join(dir, 'refused');
  const bare = join(dir, 'bare.onnx');
  expect((await run('export', 'resnext11_4x16d_w16', '--classes', '0', '--size', '32', '-o', bare)).code).toBe(0);
  const args = ['bulk', 'run', photos, '--out', out];
  expect((await run(...args, '--task', 'classify', '--model', bare)).stderr).toMatch(/has no classes/);
  expect((await run(...args, '--task', 'features', '--stages', 'layer9', '--model', bare)).stderr).toMatch(
    /no stage "layer9"/,
  );
  expect(existsSync(out)).toBe(false);
  const { code, stderr } = await run(...bulk('classify', join(dir, 'whole'), [photos], '--model', bare));
  expect([code, stderr]).toEqual([1, expect.stringMatching(/has no classes|differs in model, weights/)]);
}, 120_000);
