/** Archives made by hand: how datasets in them are understood, and what hostile or damaged ones are answered. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readPacked } from '#platform/images';
import { type Files, tar, tarHeader, zip } from '../../test/pack.ts';
import type { PackedSample } from '../data/samples.ts';
import { expandBraces } from './braces.ts';
import { packedKinds } from './packed-kinds.ts';
import { splitOfPath } from './split-words.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-packed-'));
});
afterEach(() => {
  delete process.env.RESNEXT_CACHE;
  rmSync(folder, { recursive: true });
});

function write(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const read = (name: string, bytes: Uint8Array) =>
  packedKinds[name.endsWith('.zip') ? 'zip' : 'tar'].read(write(name, bytes), {});

const image = 'P6 1 1 255\nabc';
const images = (...names: readonly string[]): Files => Object.fromEntries(names.map((name) => [name, image]));

/** Classes, and keys by split and class. */
async function understood(name: string, bytes: Uint8Array) {
  const { classes, notes, ...parts } = await read(name, bytes);
  const keys = Object.entries(parts).map(([split, { samples }]) => [
    split,
    [...samples].map(({ label }, i) => `${classes[label]}: ${samples.key(i)}`),
  ]);
  return { ...(Object.fromEntries(keys) as Record<string, string[]>), notes };
}

test.each(['a.zip', 'a.tar'])('%s is laid out as folders are', async (name) => {
  const pack = name.endsWith('.zip') ? zip : tar;
  expect(
    await understood(name, pack(images('./b/2.ppm', 'b/10.ppm', 'a/x/1.ppm', '__MACOSX/b/2.ppm', 'a/.hid.ppm'))),
  ).toEqual({
    train: ['a: x/1.ppm', 'b: 10.ppm', 'b: 2.ppm'],
    notes: [],
  });
  const splits = images(
    'set/train/b/1.ppm',
    'set/train/a/1.ppm',
    'set/Val/a/2.ppm',
    'set/test/b/3.ppm',
    'set/raw/c/1.ppm',
    'loose.ppm',
  );
  expect(await understood(name, pack({ ...splits, 'set/notes.doc': 'text', 'set/train/a/2': image }))).toEqual({
    train: ['a: 1.ppm', 'a: 2', 'b: 1.ppm'],
    validation: ['a: 2.ppm'],
    test: ['b: 3.ppm'],
    notes: [
      `Skipped 1 image in ${name} outside of the class folders. Put it into one.`,
      `Folders in ${name} that are not used: raw.`,
      expect.stringContaining('1 .doc'),
    ],
  });
  await expect(read(name, pack(images('train/a/1.ppm', 'train/b/1.ppm', 'val/c/1.ppm')))).rejects.toThrow(
    /Class "c" is in ".*val" but not in the folder to train on/,
  );
  await expect(read(name, pack({ 'a/1.txt': 'no image' }))).rejects.toThrow('contains no images');
});

test('a deflated file without an extension is recognized, and inflated when it is read', async () => {
  const { train } = await read(
    'a.zip',
    zip({ 'a/1': image.repeat(50), 'b/1.ppm': image.repeat(50) }, { deflate: true }),
  );
  for (const sample of train!.samples) {
    expect((sample as PackedSample).packing).toBe('deflate');
    expect(Buffer.from(await readPacked(sample as PackedSample, 'x')).toString()).toBe(image.repeat(50));
  }
});

test.each([
  ['../a/1.ppm', 'which leads out of the archive'],
  ['/a/1.ppm', 'which leads out of the archive'],
  ['a/../../1.ppm', 'which leads out of the archive'],
  ['C:/a/1.ppm', 'which leads out of the archive'],
])('the name %s is refused', async (name, message) => {
  await expect(read('a.zip', zip(images(name, 'b/1.ppm')))).rejects.toThrow(message);
  await expect(read('a.tar', tar(images(name, 'b/1.ppm')))).rejects.toThrow(message);
});

const whole = zip(images('a/1.ppm', 'b/1.ppm'));

test.each([
  ['whose file is encrypted', zip(images('a/1.ppm'), { faults: { 'a/1.ppm': { flags: 1 } } }), 'is encrypted. Unpack'],
  ['whose method is unknown', zip(images('a/1.ppm'), { faults: { 'a/1.ppm': { method: 12 } } }), 'with method 12'],
  [
    'whose file is a bomb',
    zip(images('a/1.ppm'), { deflate: true, faults: { 'a/1.ppm': { size: 2 ** 31 } } }),
    'impossible sizes',
  ],
  [
    'whose file reaches into the directory',
    zip(images('a/1.ppm'), { faults: { 'a/1.ppm': { packed: 40, size: 40 } } }),
    'into the directory',
  ],
  [
    'whose file is past its end',
    zip(images('a/1.ppm'), { faults: { 'a/1.ppm': { offset: 9999 } } }),
    'begins past its end',
  ],
  [
    'whose file is elsewhere',
    zip(images('a/1.ppm'), { faults: { 'a/1.ppm': { offset: 5 } } }),
    'not where the directory says',
  ],
  ['that is truncated', whole.subarray(0, whole.length - 30), 'no directory at its end'],
  ['that is empty', new Uint8Array(), 'no directory at its end'],
])('a zip %s is refused', async (_, bytes, message) => {
  await expect(read('a.zip', bytes)).rejects.toThrow(message);
});

test('a file that is there twice is refused', async () => {
  const twice = Buffer.concat([tar(images('a/1.ppm')).subarray(0, 1024), tar(images('a/1.ppm', 'b/1.ppm'))]);
  await expect(read('a.tar', twice)).rejects.toThrow('/a/1.ppm" is there twice');
});

const longName = Buffer.concat([tarHeader('x', 1 << 20, { 156: 'L' }), new Uint8Array(1 << 20)]);

test.each([
  ['that ends within a file', tar(images('a/1.ppm')).subarray(0, 520), 'past the end of the archive'],
  ['that ends within a header', tar(images('a/1.ppm')).subarray(0, 1100), 'is truncated'],
  ['with a wrong checksum', tar(images('a/1.ppm')).fill(1, 3, 4), 'is not a tar archive'],
  ['whose second header is damaged', tar(images('a/1.ppm', 'b/1.ppm')).fill(1, 1024, 1030), 'is damaged, at byte 1024'],
  [
    'with a huge size',
    tarHeader('a/1.ppm', 0, { 124: '\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff' }),
    'has an invalid size',
  ],
  ['with a negative size', tarHeader('a/1.ppm', 0, { 124: '-0000000001' }), 'has an invalid size'],
  ['with a name of a megabyte', longName, 'a name of 1048576 bytes'],
  ['with a sparse file', tarHeader('a/1.ppm', 0, { 156: 'S' }), 'sparse file'],
  ['with a name that is not UTF-8', tarHeader('a/1.ppm', 0, { 0: '\xe9' }), 'not UTF-8'],
  ['compressed with Zstandard', Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), Buffer.alloc(600)]), /zstd -dk/],
])('a tar %s is refused', async (_, bytes, message) => {
  await expect(read('a.tar', bytes)).rejects.toThrow(message);
});

test('a tar.gz is decompressed once beside the cache, or with the cache off, not', async () => {
  process.env.RESNEXT_CACHE = join(folder, 'cache');
  const path = write('a.tar.gz', gzipSync(tar(images('a/1.ppm', 'b/1.ppm'))));
  const [first, second] = [await packedKinds.tar.read(path, {}), await packedKinds.tar.read(path, {})];
  expect(first.train!.samples.at(0)).toEqual(second.train!.samples.at(0));
  const sample = first.train!.samples.at(0) as PackedSample;
  expect(sample.name).toBe(`${path}/a/1.ppm`);
  expect(sample.path).toContain('cache-archives');
  expect(Buffer.from(await readPacked(sample, 'x')).toString()).toBe(image);
  const damaged = write('b.tar.gz', gzipSync(tar(images('a/1.ppm', 'b/1.ppm'))).subarray(0, 60));
  await expect(packedKinds.tar.read(damaged, {})).rejects.toThrow('is damaged');
  process.env.RESNEXT_CACHE = 'off';
  await expect(packedKinds.tar.read(path, {})).rejects.toThrow(/Decompress it first: gzip -dk/);
});

/** A shard of samples in class folders, with labels as the function says. */
const shard = (names: readonly string[], label: (name: string) => Files): Uint8Array =>
  tar(Object.assign({}, ...names.map((name) => ({ [`${name}.ppm`]: image, ...label(name) }))) as Files);

test('a long name whose header ends within a character is read', async () => {
  const name = `${'a'.repeat(99)}\u00e9/1.ppm`;
  const bytes = Buffer.from(name);
  const cut = tarHeader('x', image.length, { 0: bytes.subarray(0, 100).toString('latin1') });
  const long = Buffer.concat([tarHeader('x', bytes.length, { 156: 'L' }), bytes], 1024);
  const rest = tar(images('b/1.ppm'));
  const found = await understood('a.tar', Buffer.concat([long, cut, Buffer.concat([Buffer.from(image)], 512), rest]));
  expect(found).toMatchObject({ train: [name.replace('/', ': '), 'b: 1.ppm'] });
});

test('links are counted, and folders may have a size', async () => {
  const folder = tarHeader('a/', 4096, { 156: '5' });
  const links = ['1', '2'].map((type, i) => tarHeader(`a/link-${i}.ppm`, 14, { 156: type }));
  const { notes } = await understood('a.tar', Buffer.concat([folder, ...links, tar(images('a/1.ppm', 'b/1.ppm'))]));
  expect(notes).toEqual([
    'Skipped 2 links to images in a.tar. Pack the images themselves: tar --dereference --hard-dereference.',
  ]);
});

test('names with parts that mean nothing, deep folders, and halves of a dataset', async () => {
  const found = await understood('a.zip', zip({ './': '', './a/': '', ...images('./a//./1.ppm', 'b/./x//2.ppm') }));
  expect(found).toMatchObject({ train: ['a: 1.ppm', 'b: x/2.ppm'] });
  const { classes } = await read('b.tar', tar(images(`${'d/'.repeat(40)}a/1.ppm`)));
  expect(classes).toEqual(['d']);
  await expect(read('c.zip', zip(images('seg_train/a/1.ppm', 'seg_test/a/1.ppm')))).rejects.toThrow(
    /Folders "seg_train" and "seg_test" in ".*c\.zip" look like parts of a dataset/,
  );
  const splits = await understood('d.zip', zip(images('dev/a/1.ppm', 'val/a/2.ppm', 'train/a/3.ppm', 'train/b/4.ppm')));
  expect(splits).toMatchObject({ validation: ['a: 2.ppm'], notes: ['Folders in d.zip that are not used: dev.'] });
  await expect(packedKinds.zip.read(join(folder, 'd.zip'), { labelColumn: 'x' })).rejects.toThrow('has no column "x"');
});

test('files beside class folders are what those were unpacked from, and folders are not CIFAR’s files', async () => {
  for (const name of ['train/a/1.ppm', 'train/b/1.ppm', 'meta/x/1.ppm']) {
    mkdirSync(join(folder, dirname(name)), { recursive: true });
    write(name, Buffer.from(image));
  }
  write('set.tar', tar(images('a/1.ppm')));
  write('train/set.parquet', Buffer.from('PAR1'));
  expect(Object.entries(packedKinds).filter(([, { recognize }]) => recognize(folder))).toEqual([]);
  expect(packedKinds.shards.recognize(join(folder, 'set.tar'))).toBe(false);
});

test('shards have labels as numbers, JSON or names, and splits by their names', async () => {
  const byNumber = (name: string) => ({ [`${name}.cls`]: name.startsWith('a') ? '0\n' : '1' });
  write('set-train-000.tar', shard(['a1', 'b1'], byNumber));
  write('set-train-001.tar', shard(['b2', 'a2'], byNumber));
  write('set-val-000.tar', shard(['b3'], byNumber));
  expect(packedKinds.shards.recognize(folder)).toBe(true);
  const plain = await packedKinds.shards.read(folder, {});
  expect(plain.classes).toEqual(['0', '1']);
  expect(Array.from(plain.train!.samples, (_, i) => plain.train!.samples.key(i))).toEqual([
    'a1.ppm',
    'a2.ppm',
    'b1.ppm',
    'b2.ppm',
  ]);
  expect(plain.validation!.samples.length).toBe(1);
  const inDev = join(folder, 'dev', 'test-set'); // folders around the dataset tell nothing
  mkdirSync(inDev, { recursive: true });
  for (const name of ['0.tar', '1.tar', 'val.tar']) write(`dev/test-set/${name}`, shard([`a${name[0]}`], byNumber));
  expect(Object.keys(await packedKinds.shards.read(inDev, {})).sort()).toEqual([
    'classes',
    'notes',
    'train',
    'validation',
  ]);
  expect((await packedKinds.tar.read(join(inDev, '0.tar'), {})).train!.samples.length).toBe(1);
  expect((await packedKinds.shards.read(join(inDev, '{0..1}.tar'), {})).train!.samples.length).toBe(2);
  write('classes.txt', new TextEncoder().encode('apple\nbanana\n'));
  const pattern = join(folder, 'set-train-{000..001}.tar');
  expect(packedKinds.shards.recognize(pattern)).toBe(true);
  expect((await packedKinds.shards.read(pattern, {})).classes).toEqual(['apple', 'banana']);
  await expect(packedKinds.shards.read(join(folder, 'set-train-{000..002}.tar'), {})).rejects.toThrow(
    /no file ".*set-train-002.tar"/,
  );
});

test('labels of other kinds, and samples that are incomplete', async () => {
  const json = (name: string) => ({
    [`${name}.json`]: JSON.stringify({ label: name.split('/')[1]![0], other: { deep: 1 }, number: 1 }),
  });
  const named = await read('a.tar', shard(['dir/x1', 'dir/y1'], json));
  expect(named.classes).toEqual(['x', 'y']);
  const numbered = await packedKinds.tar.read(join(folder, 'a.tar'), { labelColumn: 'number' });
  expect(numbered.classes).toEqual(['0', '1']);
  await expect(packedKinds.tar.read(join(folder, 'a.tar'), { labelColumn: 'absent' })).rejects.toThrow(
    'has JSON without "absent", but "label", "other", "number"',
  );
  const texts = await read(
    'b.tar',
    shard(['rose/1', 'rose/2', 'lily/1', 'z'], (name) =>
      name === 'z' ? {} : { [`${name}.txt`]: name.split('/')[0]! },
    ),
  );
  expect(texts.classes).toEqual(['lily', 'rose']);
  expect(Array.from(texts.train!.samples, (_, i) => texts.train!.samples.key(i))).toEqual(['1.ppm', '1.ppm', '2.ppm']);
  expect(texts.notes).toEqual([expect.stringContaining('Skipped 1 of the samples')]);
  await expect(
    read(
      'c.tar',
      shard(['1', '2'], (name) => ({ [`${name}.cls`]: 'x' })),
    ),
  ).rejects.toThrow('the .cls file "x"');
});

test('shards that count from 0 again have keys with their names', async () => {
  for (const name of ['s-0.tar', 's-1.tar'])
    write(
      name,
      shard(['0', '1'], (key) => ({ [`${key}.cls`]: key })),
    );
  const { train } = await packedKinds.shards.read(folder, {});
  expect(Array.from(train!.samples, (_, i) => train!.samples.key(i))).toEqual([
    's-0/0.ppm',
    's-1/0.ppm',
    's-0/1.ppm',
    's-1/1.ppm',
  ]);
});

test('of two images with one key, a shard’s sample is the one that is not called after the other', async () => {
  const { train } = await read('a.tar', tar({ ...images('1.mask.ppm', '1.ppm', '1.seg.ppm'), '1.cls': '0' }));
  expect(train!.samples.key(0)).toBe('1.ppm');
  await expect(packedKinds.tar.read(join(folder, 'a.tar'), { imageColumn: 'seg' })).rejects.toThrow(
    'is made of shards and has no column "seg". Leave the column out.',
  );
});

test('names with accents are ordered as in a folder, and their keys are composed', async () => {
  const found = await understood('a.zip', zip(images('a/f.ppm', 'a/\u00e9/2.ppm', 'a/e\u0301.ppm', 'b/1.ppm')));
  expect(found).toMatchObject({ train: ['a: \u00e9.ppm', 'a: f.ppm', 'a: \u00e9/2.ppm', 'b: 1.ppm'] });
});

test('patterns and splits of names', () => {
  expect(expandBraces('{a,b}-{08..10}.tar')).toEqual([
    'a-08.tar',
    'a-09.tar',
    'a-10.tar',
    'b-08.tar',
    'b-09.tar',
    'b-10.tar',
  ]);
  expect(() => expandBraces('{0..9999999}.tar')).toThrow('counts up');
  expect(
    [
      'train-00000-of-00002.parquet',
      'imagenet1k-validation-00.tar',
      'default/test/0000.parquet',
      'cats.tar',
      'training/val_x.tar',
    ].map(splitOfPath),
  ).toEqual(['train', 'validation', 'test', 'train', 'validation']);
});

test('shards by a pattern of a shell', async () => {
  const byNumber = (name: string) => ({ [`${name}.cls`]: name.startsWith('a') ? '0' : '1' });
  write('val-0.tar', shard(['b3'], byNumber));
  for (const i of [0, 1]) write(`set-${i}.tar`, shard([`a${i}`, `b${i}`], byNumber));
  const pattern = join(folder, 'set-*.tar');
  expect(packedKinds.shards.recognize(pattern)).toBe(true);
  expect((await packedKinds.shards.read(pattern, {})).train!.samples.length).toBe(4);
  const both = await packedKinds.shards.read(join(folder, '*.tar'), {});
  expect([both.train, both.validation].map((part) => part!.samples.length)).toEqual([4, 1]);
  await expect(packedKinds.shards.read(join(folder, 'x*.tar'), {})).rejects.toThrow(/^No file matches ".*x\*\.tar"\./);
});

test('archives of images without classes say how to give them some', async () => {
  await expect(read('a.zip', zip(images('1.ppm', '2.ppm')))).rejects.toThrow(
    /contains images, but no folders of them\. Put those of each class in a folder\.$/,
  );
  await expect(read('a.tar', tar(images('1.ppm', '2.ppm')))).rejects.toThrow(/or pack a label beside each image/);
  await expect(packedKinds.shards.read(folder, {})).rejects.toThrow(/has no image with a label\. .* 0001\.cls/);
});
