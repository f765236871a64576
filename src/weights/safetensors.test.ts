import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FormatError, UsageError } from '../errors.ts';
import { bytesPerElement, type DType, dtypes, elements, type Tensor, tensor } from '../tensor.ts';
import { readSafetensorsFile, writeSafetensorsFile } from './files.ts';
import { readSafetensors, readSafetensorsFrom, writeSafetensors } from './safetensors.ts';

/** The bytes of a file with this header, as an object or as text, and `dataLength` bytes of data. */
function fileOf(header: object | string, dataLength: number): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataLength);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const f32 = (begin: number, end: number) => ({ dtype: 'F32', shape: [(end - begin) / 4], data_offsets: [begin, end] });
const read = (bytes: Uint8Array) => readSafetensors(bytes, 'w.safetensors');

/** Random bits as a tensor, including NaNs of every kind. */
const anyTensor: fc.Arbitrary<Tensor> = fc
  .tuple(fc.constantFrom(...dtypes), fc.array(fc.nat(3), { maxLength: 3 }))
  .chain(([dtype, dims]) => {
    const length = elements(dims) * bytesPerElement(dtype);
    return fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => {
      const made = tensor<DType>(dtype, dims);
      new Uint8Array(made.data.buffer).set(bytes);
      return made;
    });
  });
const anyName = fc.oneof(fc.string(), fc.nat().map(String), fc.constantFrom('__proto__', 'layer1.0.conv1.weight', '"'));
const anyTensors = fc.array(fc.tuple(anyName, anyTensor), { maxLength: 5 }).map((list) => new Map(list));
const anyText = fc.array(fc.tuple(anyName, fc.string()), { maxLength: 3 }).map((list) => new Map(list));

const bits = (tensors: ReadonlyMap<string, Tensor>) =>
  Array.from(tensors, ([name, { dtype, dims, data }]) => {
    return { name, dtype, dims, bytes: [...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)] };
  });

describe('tensors that are written and read', () => {
  test('keep their names, order, types and bits', () => {
    fc.assert(
      fc.property(anyTensors, anyText, (tensors, metadata) => {
        const bytes = writeSafetensors(tensors, metadata);
        const back = readSafetensors(bytes);
        expect(bits(back.tensors)).toEqual(bits(tensors));
        expect(back.metadata).toEqual(metadata);
        expect(writeSafetensors(back.tensors, metadata)).toEqual(bytes);
      }),
      { numRuns: 300 },
    );
  });

  test('produce the documented bytes', () => {
    const bytes = writeSafetensors(new Map([['a', tensor('uint16', [2], Uint16Array.of(1, 0x0203))]]));
    const header = '{"a":{"dtype":"U16","shape":[2],"data_offsets":[0,4]}}  ';
    expect(header.length % 8).toBe(0);
    expect([...bytes.subarray(0, 8)]).toEqual([header.length, 0, 0, 0, 0, 0, 0, 0]);
    expect(new TextDecoder().decode(bytes.subarray(8, -4))).toBe(header);
    expect([...bytes.subarray(-4)]).toEqual([1, 0, 3, 2]);
  });

  test('are copies even if the data in the file is not aligned', () => {
    const bytes = fileOf('{"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}} ', 8);
    expect((bytes.length - 8) % 8).not.toBe(0);
    new DataView(bytes.buffer).setFloat64(bytes.length - 8, 1.5, true);
    const { tensors } = read(bytes);
    bytes.fill(0);
    expect(tensors.get('a')?.data).toEqual(Float64Array.of(1.5));
  });

  test('may be views of a larger buffer', () => {
    const view = new Float32Array(4).subarray(1, 3).fill(2);
    const back = read(writeSafetensors(new Map([['a', tensor('float32', [2], view)]])));
    expect(back.tensors.get('a')?.data).toEqual(Float32Array.of(2, 2));
  });

  test('cannot be named __metadata__', () => {
    expect(() => writeSafetensors(new Map([['__metadata__', tensor('int8', [0])]]))).toThrow(UsageError);
  });
});

describe('a damaged file is refused with a sentence', () => {
  const whole = fileOf({ a: f32(0, 8) }, 8);
  const cases: [string, Uint8Array, string][] = [
    ['shorter than its prefix', new Uint8Array(3), 'w.safetensors: not a safetensors file: it has 3 bytes'],
    ['in another format', new Uint8Array(32).fill(0x50), 'a header of 5787213827046133840 bytes'],
    [
      'with a truncated header',
      whole.subarray(0, 20),
      `it has 20 bytes, but its header alone ends at ${whole.length - 8}`,
    ],
    [
      'with truncated data',
      whole.subarray(0, -3),
      `has ${whole.length - 3} bytes, but its header promises ${whole.length}`,
    ],
    ['with trailing data', fileOf({ a: f32(0, 8) }, 9), 'has 1 bytes after the last tensor'],
    ['without JSON', fileOf('{"a":', 0), 'its header is not JSON'],
    ['with text that is not UTF-8', fileOf('{}', 0).with(9, 0xff), 'its header is not JSON'],
    ['with an array as header', fileOf([], 0), 'its header is not a JSON object'],
    ['with a gap', fileOf({ a: f32(0, 4), b: f32(8, 12) }, 12), '"b" begins at 8, expected 4: it leaves a gap'],
    ['with a gap at the start', fileOf({ a: f32(4, 8) }, 8), '"a" begins at 4, expected 0'],
    ['with an overlap', fileOf({ a: f32(0, 8), b: f32(4, 12) }, 12), '"b" begins at 4, expected 8: it overlaps'],
    ['with too little data for a shape', fileOf({ a: { ...f32(0, 8), shape: [3] } }, 8), 'F32 [3] takes 12 bytes'],
    [
      'with an unknown dtype',
      fileOf({ a: { ...f32(0, 8), dtype: 'F8_E5M2' } }, 8),
      'has dtype "F8_E5M2"; expected one of',
    ],
    ['without a dtype', fileOf({ a: 3 }, 0), 'has dtype undefined'],
    [
      'with a negative size',
      fileOf({ a: { ...f32(0, 8), shape: [-2] } }, 8),
      'needs a shape that is an array of sizes',
    ],
    ['with a fractional offset', fileOf({ a: { ...f32(0, 8), data_offsets: [0, 8.5] } }, 8), 'a start and an end'],
    ['with an end before its start', fileOf({ a: { ...f32(0, 8), data_offsets: [8, 0] } }, 8), 'a start and an end'],
    ['with enormous sizes', fileOf({ a: { ...f32(0, 8), shape: [2 ** 53 - 1, 2 ** 53 - 1] } }, 8), 'takes'],
    [
      'with a duplicate name',
      fileOf('{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"\\u0061":1}', 0),
      '"a" twice',
    ],
    ['with metadata that is not text', fileOf({ __metadata__: { epoch: 3 } }, 0), '"epoch" is not a string'],
    [
      'with metadata that is not an object',
      fileOf({ __metadata__: [] }, 0),
      '__metadata__ in its header is not a JSON object',
    ],
  ];

  test.each(cases)('%s', (_, bytes, message) => {
    expect(() => read(bytes)).toThrow(FormatError);
    expect(() => read(bytes)).toThrow(message);
  });

  test('with any bytes changed, without allocating more than the size of the file', () => {
    const tensors = new Map<string, Tensor>([
      ['weight', tensor('float16', [2, 3])],
      ['none', tensor('int64', [0, 7])],
      ['flag', tensor('bool', [])],
    ]);
    const file = writeSafetensors(tensors, new Map([['format', 'pt']]));
    const change = fc.tuple(fc.nat(file.length - 1), fc.nat(255));
    const anyLength = fc.integer({ min: 0, max: file.length });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 4 }), anyLength, fc.boolean(), (changes, length, cut) => {
        const damaged = Uint8Array.from(cut ? file.subarray(0, length) : file);
        for (const [at, value] of changes) damaged[at % damaged.length] = value;
        let filled = 0;
        const fill = (target: Uint8Array, offset: number): number => {
          filled += target.length;
          target.set(damaged.subarray(offset, offset + target.length));
          return Math.max(0, Math.min(target.length, damaged.length - offset));
        };
        try {
          readSafetensorsFrom({ size: damaged.length, fill }, 'w.safetensors');
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
        expect(filled).toBeLessThanOrEqual(Math.max(8, damaged.length));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('on disk', () => {
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'resnext-safetensors-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('files contain the same bytes as in memory', async () => {
    const path = join(folder, 'w.safetensors');
    const tensors = new Map<string, Tensor>([
      ['b', tensor('float32', [2, 1], Float32Array.of(1, Number.NaN))],
      ['a', tensor('bfloat16', [3], Uint16Array.of(1, 2, 0x7fc1))],
      ['c', tensor('int64', [1], BigInt64Array.of(-1n))],
    ]);
    const metadata = new Map([['format', 'pt']]);
    await writeSafetensorsFile(path, tensors, metadata);
    expect(new Uint8Array(await readFile(path))).toEqual(writeSafetensors(tensors, metadata));
    const back = await readSafetensorsFile(path);
    expect(bits(back.tensors)).toEqual(bits(tensors));
    expect(back.metadata).toEqual(metadata);
    expect(await readdir(folder)).toEqual(['w.safetensors']);
  });

  test('messages name the file', async () => {
    const path = join(folder, 'cut.safetensors');
    await writeFile(path, fileOf({ a: f32(0, 8) }, 4));
    await expect(readSafetensorsFile(path)).rejects.toThrow(`${path} is truncated`);
    await expect(readSafetensorsFile(join(folder, 'none'))).rejects.toThrow(UsageError);
  });
});
