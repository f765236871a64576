/** Single values of Parquet pages that span many of snappy's blocks, and snappy streams that are not made of blocks. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { expect, test } from 'vitest';
import { readParquet } from '../../../datasets/parquet.ts';
import { FormatError, UsageError } from '../../../errors.ts';
import { fillBytes, uniform } from '../../../random.ts';
import { readPacked } from '../files.ts';
import { decompressInto, decompressSnappy, snappyBlocks } from './snappy.ts';

/** Noise, text that compresses, and both, shorter and longer than a block. */
function values(): Uint8Array[] {
  const random = uniform(1);
  const noise = (length: number): Uint8Array => {
    const bytes = new Uint8Array(length);
    fillBytes(bytes, random);
    return bytes;
  };
  const text = (length: number) => new TextEncoder().encode('a few words, again and again; '.repeat(length / 30));
  const sizes = [0, 1, 70_000, 200_000, 65_536, 300, 131_072, 90_000];
  return sizes.flatMap((size) => [noise(size), text(size), new Uint8Array([...noise(size / 2), ...text(size / 2)])]);
}

test.each(['UNCOMPRESSED', 'SNAPPY', 'GZIP'] as const)('images of pages with %s, one by one', async (codec) => {
  const dir = mkdtempSync(join(tmpdir(), 'resnext-parquet-'));
  try {
    const path = join(dir, 'a.parquet');
    const images = values();
    const file = parquetWriteBuffer({
      columnData: [
        { name: 'image', data: images, type: 'BYTE_ARRAY' },
        { name: 'label', data: images.map((_, i) => `class ${i % 2}`), type: 'STRING' },
      ],
      codec,
      compressors: { GZIP: (bytes: Uint8Array) => gzipSync(bytes) },
      pageSize: 1 << 20,
    });
    writeFileSync(path, new Uint8Array(file));
    const { train } = await readParquet(path, [path], {});
    const { samples } = train!;
    for (let i = 0; i < samples.length; i++) {
      const at = (i * 7) % samples.length;
      const sample = samples.at(at)!;
      if (!('packing' in sample)) throw new Error('expected a packed sample');
      const bytes = await readPacked(sample, sample.name);
      expect(Buffer.from(bytes).equals(images[Number(samples.key(at))]!)).toBe(true);
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
});

/** Bytes that follow, and copies. */
const literal = (length: number, fill: number) => [
  61 << 2,
  (length - 1) & 255,
  (length - 1) >> 8,
  ...new Array<number>(length).fill(fill),
];
const copy = (length: number, offset: number) => [((length - 1) << 2) | 2, offset & 255, offset >> 8];
const block = literal(65_536, 7);

test.each([
  ['a copy from the block before', [...block, ...copy(10, 20)], 65_546],
  ['an element over the edge of a block', [...literal(65_530, 1), ...literal(10, 2)], 65_540],
])('%s leaves only the whole', (_, elements, size) => {
  const stream = Uint8Array.from([0x80, 0x80, 0x04, ...elements]);
  expect(snappyBlocks(stream)).toBeUndefined();
  expect(decompressSnappy(stream, size)).toHaveLength(size);
});

test('blocks of a stream are decompressed by themselves', () => {
  const stream = Uint8Array.from([0x8a, 0x80, 0x04, ...block, ...literal(4, 9), ...copy(6, 4)]);
  const blocks = snappyBlocks(stream)!;
  expect([...blocks]).toEqual([3, 3 + block.length, stream.length]);
  const output = new Uint8Array(16);
  expect(decompressInto(output, stream.subarray(blocks[1]))).toBe(10);
  expect([...output.subarray(0, 10)]).toEqual(new Array(10).fill(9));
});

test.each([
  ['ends within an element', [5, 4 << 2, 1, 2]],
  ['copies from before its start', [5, 0, 1, ...copy(4, 3)]],
  ['copies from nowhere', [5, 0, 1, ...copy(4, 0)]],
  ['is longer than it says', [2, 4 << 2, 1, 2, 3, 4, 5]],
  ['is shorter than it says', [2, 0, 1]],
])('a stream that %s is refused', (_, bytes) => {
  expect(() => decompressSnappy(Uint8Array.from(bytes), bytes[0]!)).toThrow(/snappy/);
});

test('a Parquet file that is damaged is read or refused, whichever byte it is', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'resnext-parquet-'));
  const columnData = [
    { name: 'image', data: [new Uint8Array(300).fill(5), new Uint8Array(300).fill(6)], type: 'BYTE_ARRAY' as const },
    { name: 'label', data: ['a', 'b'], type: 'STRING' as const },
  ];
  const bytes = new Uint8Array(parquetWriteBuffer({ columnData }));
  const attempt = async (name: string, damaged: Uint8Array): Promise<unknown> => {
    const path = join(dir, name);
    writeFileSync(path, damaged);
    const { train, test: other } = await readParquet(path, [path], {});
    for (const sample of (train ?? other)!.samples) if ('packing' in sample) await readPacked(sample, 'x');
    return undefined;
  };
  try {
    // 200 makes a number take another byte, which shifts all that follows
    const damages = [(byte: number, i: number) => byte ^ (i % 2 ? 255 : 1), (byte: number) => byte + 200];
    for (let n = 0; n < 2 * bytes.length; n++) {
      const i = n >> 1;
      const error = await attempt(`${n}.parquet`, bytes.with(i, damages[n % 2]!(bytes[i]!, i))).catch(
        (each: unknown) => each,
      );
      expect(error === undefined || error instanceof FormatError || error instanceof UsageError).toBe(true);
    }
    await expect(attempt('short.parquet', bytes.subarray(0, 40))).rejects.toThrow('is not a complete Parquet file');
  } finally {
    rmSync(dir, { recursive: true });
  }
});
