/**
 * Memory used by malicious files. Each file of 32 to 48 MB is opened in a process of its own, which then reads every
 * tensor, one at a time. The process's peak memory on Linux, including V8's garbage, may grow by less than twice the
 * size of the file, or 64 MB if that is more. On other systems, where the peak cannot be reset, these tests are
 * skipped.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { numbers } from './golden-numbers.ts';
import {
  int,
  ints,
  pth,
  raw,
  safetensorsFile,
  storage,
  streamed,
  tensorDict,
  text,
  uint,
  zip,
} from './hostile-files.ts';
import { goldenPath } from './weight-files.ts';

const size = 2 ** 25;
const floats = size / 4;
/** Bytes that do not compress. */
const data = Uint8Array.from(numbers(1, size), (u) => 256 * u);

/** Small files are opened first, so that the code is loaded and compiled before measuring. */
const script = `
import { readFileSync, writeFileSync } from 'node:fs';
import { openStateDict } from ${JSON.stringify(new URL('../dist/weights/files.js', import.meta.url).href)};
const [path, ...small] = process.argv.slice(1);
for (const each of small) for (const stored of (await openStateDict(each)).tensors.values()) stored.read();
gc();
writeFileSync('/proc/self/clear_refs', '5'); // resets the peak
const status = (key) => 1024 * Number(readFileSync('/proc/self/status', 'utf8').split(key + ':')[1].split(' kB')[0]);
const before = status('VmRSS');
let outcome = 'read';
try {
  const { tensors } = await openStateDict(path);
  for (const stored of tensors.values()) stored.read();
} catch (error) {
  outcome = error.name + ': ' + error.message;
}
console.log(JSON.stringify({ outcome, growth: status('VmHWM') - before }));
`;
const small = ['plain.safetensors', 'protocol-2.pth', 'legacy.pth', 'legacy.pth.zip', 'network.t7'].map(goldenPath);

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hostile-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Measured {
  /** `read`, or the error. */
  readonly outcome: string;
  /** Growth of the process's peak memory in bytes. */
  readonly growth: number;
}

async function measured(bytes: Uint8Array): Promise<Measured> {
  const path = join(folder, 'file');
  writeFileSync(path, bytes);
  const options = ['--expose-gc', '--input-type=module', '-e', script, path, ...small];
  const { stdout } = await promisify(execFile)(process.execPath, options);
  return JSON.parse(stdout);
}

/** A copy of a file with the bytes at these positions inverted. */
function flipped(bytes: Uint8Array, ...places: readonly number[]): Uint8Array {
  const damaged = Uint8Array.from(bytes);
  for (const place of places) damaged[place]! ^= 0xff;
  return damaged;
}

const half = (bytes: Uint8Array): Uint8Array => bytes.subarray(0, bytes.length / 2);
/** `piece`, repeated to fill `length` bytes, between `begin` and `end`. */
const filled = (begin: string, piece: string | Uint8Array, end: string, length: number): Uint8Array =>
  raw(begin, Buffer.alloc(length - (length % piece.length), piece), end);

const entry = (dtype: string, shape: readonly number[], end: number): string =>
  JSON.stringify({ dtype, shape, data_offsets: [0, end] });
const safetensors = (claimed?: number): Uint8Array =>
  safetensorsFile(`{"w":${entry('F32', [floats], size)}}`, data, claimed);
/** A file that is almost all header, and one with a header of 7 MB. */
const header = (begin: string, piece: string, end: string): Uint8Array =>
  safetensorsFile(filled(begin, piece, end, size), new Uint8Array(0));
const header7 = (begin: string, piece: string, end: string): Uint8Array =>
  safetensorsFile(filled(begin, piece, end, 7e6), data);
const manyTensors = (count: number): Uint8Array => {
  const each = Math.floor((1.5 * size) / count);
  const members = Array.from({ length: count }, (_, i) => {
    return `"${i}":${JSON.stringify({ dtype: 'U8', shape: [each], data_offsets: [i * each, (i + 1) * each] })}`;
  });
  return safetensorsFile(Buffer.from(`{${members.join(',')}}`), new Uint8Array(each * count));
};

/** One letter, given as its UTF-8 bytes, makes the whole string take 16 bits per character. */
const wideMember = '{"__metadata__":{"\xc4\x80":"';

const one = tensorDict(storage(floats), 0, ints(floats), ints(1));
const vast = tensorDict(storage(floats), 0, ints(50_000, 50_000), ints(50_000, 1)); // 10 GB
const turned = tensorDict(storage(floats), 0, ints(2048, floats / 2048), ints(1, 2048));
const rebuilt = raw('ctorch._utils\n_rebuild_tensor_v2\n(', storage(floats), int(0), ints(floats), ints(1), '\x89}tR');
/** A thousand tensors, each of them a view of the whole storage: 33 GB. */
const shared = raw('}', ...Array.from({ length: 1000 }, (_, i) => raw(text(`w${i}`), rebuilt, 's')), '.');
/** Strings that take twice as much memory as in the file. */
const wide = raw('X', uint(2 ** 16, 4), Buffer.from(`${'x'.repeat(2 ** 16 - 2)}é`), 'a');
const wideTexts = filled(']', wide, '.', 15e6);
/** Half of its only tensor is zeros, which compress to almost nothing. */
const compressed = zip(
  { name: 'a/data.pkl', data: raw('\x80\x02', tensorDict(storage(floats / 2), 0, ints(floats / 2), ints(1))) },
  { name: 'a/data/0', data: raw(half(half(data)), new Uint8Array(size / 4)), deflate: true },
);
const long = (count: number, letters: number, bytes: number): Uint8Array =>
  zip(
    ...Array.from({ length: count }, (_, i) => {
      return { name: `a/data/${i}${'x'.repeat(letters)}`, data: data.subarray(0, bytes) };
    }),
  );

/** A number as Torch7 writes it, and a table whose keys and values `at` makes. */
const number = (value: number): Uint8Array => raw(uint(1, 4), new Uint8Array(Float64Array.of(value).buffer));
const table = (count: number, at: (i: number) => Uint8Array): Uint8Array =>
  raw(uint(3, 4), uint(1, 4), uint(count, 4), Buffer.concat(Array.from({ length: count }, (_, i) => at(i))));
const torch7Text = raw(uint(2, 4), uint(2 ** 16, 4), Buffer.alloc(2 ** 16, 0x80));

/** Each file, and the expected outcome. */
const cases: Readonly<Record<string, readonly [name: string, make: () => Uint8Array, outcome: string][]>> = {
  safetensors: [
    ['valid', () => safetensors(), 'read'],
    ['truncated halfway', () => half(safetensors()), 'is truncated'],
    ['with bits of the header flipped', () => flipped(safetensors(), 12, 20, 40), 'its header is not JSON'],
    ['with a header that claims 90 MB', () => safetensors(90_000_000), 'claims a header of 90000000 bytes'],
    ['with a header that claims all of it', () => safetensors(size), 'claims a header of'],
    [
      'with a tensor of 10 GB',
      () => safetensorsFile(`{"w":${entry('F32', [2.5e9], 1e10)}}`, data),
      'its header promises',
    ],
    ['that is all header', () => header('{"__metadata__":{"a":"', 'x', '"}}'), 'claims a header of'],
    ['with a header of text', () => header7('{"__metadata__":{"a":"', 'x', '"}}'), 'after the last tensor'],
    ['with a header of wide text', () => header7(wideMember, 'x', '"}}'), 'after the last tensor'],
    ['with a header of objects', () => header7('{"w":[', '{},', '0]}'), 'objects and arrays, but the limit is'],
    [
      'with a header of arrays',
      () => header7('{"w":{"shape":[', '[],', '0]}}'),
      'objects and arrays, but the limit is',
    ],
    ['with a header of numbers', () => header7('{"w":{"shape":[', '0,', '0]}}'), 'members, but the limit is'],
    ['with a header of brackets', () => header7('{"w":', '[', '}'), 'is nested more than'],
    ['of 40,000 tensors', () => manyTensors(40_000), 'read'],
    ['of 60,000 tensors', () => manyTensors(60_000), 'its header has 60000 tensors'],
  ],
  'a zip .pth': [
    ['valid', () => pth(one, data), 'read'],
    ['truncated halfway', () => half(pth(one, data)), 'is not a valid zip archive'],
    ['with bits of the pickle flipped', () => flipped(pth(one, data), 60, 80), 'does not match its checksum'],
    ['with bits of the directory flipped', () => flipped(pth(one, data), size + 300, size + 340), 'Error: '],
    ['with a tensor of 10 GB', () => pth(vast, data), 'lies outside its data'],
    ['with a tensor in another order', () => pth(turned, data), 'read'],
    ['with a thousand tensors of one storage', () => pth(shared, data), 'they repeat its data'],
    ['with strings', () => pth(wideTexts, data), 'does not contain a dict'],
    ['with lists', () => pth(filled('', ']', '.', 99_000), data), 'ends with more than one value'],
    ['with dicts', () => pth(filled('', '}', '.', 99_000), data), 'ends with more than one value'],
    ['compressed to half', () => compressed, 'too much to read in place'],
    ['with 6,000 entries', () => long(6000, 2, 8000), 'with no weights file, but expected one'],
    ['with a large directory', () => long(5000, 1000, 5000), 'has a directory of'],
  ],
  'an older .pth': [
    ['valid', () => streamed(one, data), 'read'],
    ['truncated halfway', () => half(streamed(one, data)), 'is damaged: storage "0" cannot be '],
    ['with bits of the pickle flipped', () => flipped(streamed(one, data), 5, 150, 260), 'FormatError'],
    ['with a tensor of 10 GB', () => streamed(vast, data), 'lies outside its data'],
    ['with a tensor in another order', () => streamed(turned, data), 'read'],
    ['with a thousand tensors of one storage', () => streamed(shared, data), 'they repeat its data'],
    ['with strings', () => streamed(wideTexts, data), 'but expected no such storage'],
  ],
  'a Torch7 file': [
    ['of strings', () => table(250, (i) => raw(number(i), torch7Text)), 'has more than 4194304 bytes of strings'],
    [
      'of numbers',
      () => table(124_000, (i) => raw(number(i + 0.5), number(i + 0.25))),
      'is a Torch7 file without a network',
    ],
    [
      'of tables',
      () => table(49_000, (i) => raw(number(i), uint(3, 4), uint(i + 2, 4), uint(0, 4))),
      'is a Torch7 file without a network',
    ],
    ['of too many tables', () => table(60_000, (i) => raw(number(i), uint(3, 4), uint(i + 2, 4), uint(0, 4))), '50000'],
  ],
};

describe.skipIf(!existsSync('/proc/self/clear_refs')).each(Object.entries(cases))('%s', (_, files) => {
  test.each(files)('%s', async (_name, make, expected) => {
    const bytes = make();
    const { outcome, growth } = await measured(bytes);
    expect(outcome).toContain(expected);
    expect(growth).toBeLessThan(2 * Math.max(bytes.length, size));
  });
});
