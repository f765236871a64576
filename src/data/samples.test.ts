/** Lists of samples: the same as an array of objects would hold, for files and parts of files, whole and selected. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSample } from './image-source.ts';
import { Loader } from './loader.ts';
import { Names } from './names.ts';
import {
  countsByLabel,
  each,
  FileList,
  indicesByLabel,
  type PackedSample,
  type SampleList,
  select,
} from './samples.ts';

test('names come back as they were, however many there are', () => {
  const given = Array.from({ length: 40_000 }, (_, i) => `${'\ufeffé日😀x'.repeat(i % 5)}${i}`);
  const names = new Names();
  for (const name of given) names.add(name);
  expect(names.length).toBe(given.length);
  expect([...names]).toEqual(given);
  expect(names.at(16_384)).toBe(given[16_384]);
});

describe('a list of files', () => {
  const list = new FileList();
  const [cats, kittens, dogs] = [
    list.folder('d/cat/', ''),
    list.folder('d/cat/e\u0301/', 'e\u0301/'),
    list.folder('d/dog/', ''),
  ];
  for (const [folder, name, label] of [
    [cats, '1.jpg', 0],
    [kittens, '1.jpg', 0],
    [dogs, '2.jpg', 1],
    [dogs, '3.jpg', 1],
  ] as const) {
    list.add(folder, name, label);
  }

  test('has paths, labels and keys', () => {
    expect([...list]).toEqual([
      { path: 'd/cat/1.jpg', label: 0 },
      { path: 'd/cat/e\u0301/1.jpg', label: 0 },
      { path: 'd/dog/2.jpg', label: 1 },
      { path: 'd/dog/3.jpg', label: 1 },
    ]);
    expect([0, 1, 2, 3].map((i) => list.key(i))).toEqual(['1.jpg', '\u00e9/1.jpg', '2.jpg', '3.jpg']);
    expect([list.at(4), list.at(-1)]).toEqual([undefined, undefined]);
  });

  test('is selected from by index, and grouped by label', () => {
    const some = select(list, Uint32Array.of(3, 1));
    expect([...some]).toEqual([list.at(3), list.at(1)]);
    expect([some.length, some.label(0), some.key(1), some.at(2)]).toEqual([2, 1, '\u00e9/1.jpg', undefined]);
    expect(indicesByLabel(list, 3)).toEqual([Uint32Array.of(0, 1), Uint32Array.of(2, 3), new Uint32Array()]);
    expect([countsByLabel(some, 2), countsByLabel([...list], 2)]).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });
});

describe('images in a larger file', () => {
  let dir: string;
  let path: string;
  let samples: PackedSample[];
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'resnext-samples-'));
    path = join(dir, 'images.bin');
    const parts = await Promise.all(
      [10, 20, 30].map((r) =>
        sharp({ create: { width: 4, height: 4, channels: 3, background: { r, g: 0, b: 0 } } })
          .png()
          .toBuffer(),
      ),
    );
    const packed = [parts[0]!, deflateRawSync(parts[1]!), parts[2]!];
    const starts = [7, 7 + packed[0]!.length, 7 + packed[0]!.length + packed[1]!.length];
    writeFileSync(path, Buffer.concat([Buffer.alloc(7), ...packed]));
    samples = packed.map(({ length }, i) => {
      return {
        name: `images.bin/${i}.png`,
        path,
        start: starts[i]!,
        length,
        packing: i === 1 ? 'deflate' : 'stored',
        label: i,
      };
    });
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  const listOf = (samples: readonly PackedSample[]): SampleList => ({
    length: samples.length,
    at: (i) => samples[i],
    label: (i) => samples[i]!.label,
    key: (i) => samples[i]!.name,
    [Symbol.iterator]: () => each(samples as unknown as SampleList),
  });

  test('are loaded by a list or an array, and kept for the next epoch', async () => {
    const transforms = [
      { kind: 'center-crop', size: 1 },
      { kind: 'normalize', mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] },
    ] as const;
    const loader = new Loader({ workers: 0, cache: 1 });
    const reds = async (list: SampleList | readonly PackedSample[]) => {
      const found: number[] = [];
      for await (const { images, count } of loader.batches({
        samples: list,
        transforms,
        batchSize: 2,
        corrupt: 'throw',
      })) {
        for (let n = 0; n < count; n++) found.push(Math.round(images[3 * n]!));
      }
      return found;
    };
    const list = listOf(samples);
    expect(await reds(samples)).toEqual([10, 20, 30]);
    expect(await reds(list)).toEqual([10, 20, 30]);
    writeFileSync(path, '');
    expect(await reds(list)).toEqual([10, 20, 30]); // from the cache
    await expect(reds(samples)).rejects.toThrow(
      /^Image "images\.bin\/0\.png" cannot be read: ".*images\.bin" ends before it\./,
    );
    await loader.close();
  });

  test('are reported by name if they are damaged, or their file is gone', async () => {
    writeFileSync(path, Buffer.alloc(100, 255));
    const at = { name: 'a.zip/x.png', path, start: 0, length: 100, label: 0 };
    await expect(readSample({ ...at, packing: 'deflate' }, 1)).rejects.toThrow(
      /^Image "a\.zip\/x\.png" cannot be read: /,
    );
    await expect(readSample({ ...at, packing: 'stored' }, 1)).rejects.toThrow(
      /^Image "a\.zip\/x\.png" cannot be read: /,
    );
    await expect(readSample({ ...at, path: join(dir, 'gone'), packing: 'stored' }, 1)).rejects.toThrow(/gone/);
  });
});
