/** Readers of packed datasets against what Python's own modules, torchvision and pyarrow read (`golden/make.py`). */
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readPacked } from '#platform/images';
import type { Part } from '../data/datasets.ts';
import type { PackedSample } from '../data/samples.ts';
import { withFile } from '../files.ts';
import { packedKinds } from './packed-kinds.ts';
import { tarMembers } from './tar.ts';
import { zipMembers } from './zip.ts';

const folder = fileURLToPath(new URL('./golden', import.meta.url));
const at = (name: string) => join(folder, name);

interface Row {
  readonly label: number;
  readonly coarse?: number;
  readonly path: string;
  readonly sha256: string;
}

const expected = JSON.parse(readFileSync(at('expected.json'), 'utf8')) as {
  readonly archives: Readonly<Record<string, string>>;
  readonly 'cifar-10': Readonly<Record<string, readonly Row[]>>;
  readonly 'cifar-100': Readonly<Record<string, readonly Row[]>>;
  readonly parquet: { readonly classes: readonly string[]; readonly rows: readonly Row[] };
};

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Labels and contents by key. */
async function contents({ samples }: Part, skip = 0): Promise<Map<string, readonly [number, string]>> {
  const found = new Map<string, readonly [number, string]>();
  for (let i = 0; i < samples.length; i++) {
    const sample = samples.at(i) as PackedSample;
    const bytes = await readPacked(sample, sample.name);
    found.set(samples.key(i), [sample.label, sha256(bytes.subarray(skip))]);
  }
  return found;
}

test.each(['gnu.tar', 'pax.tar', 'archive.zip', 'zip64.zip'])('%s has the files that Python packed', async (name) => {
  const path = at(name);
  const members = withFile(path, (file) => [...(name.endsWith('.zip') ? zipMembers : tarMembers)(file, path)]);
  expect(members.map(({ name }) => name)).toEqual(Object.keys(expected.archives));
  const { classes, train, notes } = await packedKinds[name.endsWith('.zip') ? 'zip' : 'tar'].read(path, {});
  expect(classes).toEqual(['rose', 'tulip']);
  expect(notes).toEqual(
    name.endsWith('.tar') ? [expect.stringContaining(`Skipped 1 link to an image in ${name}`)] : [],
  );
  const found = await contents(train!);
  expect(found.size).toBe(4);
  for (const [key, [label, digest]] of found) {
    expect(digest).toBe(expected.archives[`flowers/${classes[label]}/${key}`]);
  }
});

test('a long path in an ustar archive is put together from its two fields', () => {
  const names = withFile(at('ustar.tar'), (file) => [...tarMembers(file, 'ustar.tar')].map(({ name }) => name));
  expect(names.at(-1)).toBe(`flowers/tulip/${'c'.repeat(90)}/${'d'.repeat(80)}.ppm`);
});

/** PPM files have 13 bytes before the pixels. */
const ppmHeader = 13;

test.each([
  ['cifar-10-batches-bin', 'cifar-10', undefined, 'airplane'],
  ['cifar-10-batches-py', 'cifar-10', undefined, 'airplane'],
  ['cifar-100-binary', 'cifar-100', undefined, 'fine 0'],
  ['cifar-100-binary', 'cifar-100', 'coarse', 'coarse 0'],
  ['cifar-100-python', 'cifar-100', undefined, 'fine 0'],
  ['cifar-100-python', 'cifar-100', 'coarse_labels', 'coarse 0'],
] as const)('%s has the pixels and labels that NumPy read (%s, %s)', async (name, set, labelColumn, first) => {
  const path = at(name);
  expect(packedKinds.cifar.recognize(path)).toBe(true);
  const { classes, train, test, validation } = await packedKinds.cifar.read(path, { labelColumn });
  expect([classes[0], validation]).toEqual([first, undefined]);
  const wanted = Object.entries(expected[set]).map(([batch, rows]): [string, readonly [number, string]][] =>
    rows.map((row, i) => [`${batch}/0000${i}`, [(labelColumn ? row.coarse : row.label)!, row.sha256]]),
  );
  const found = [await contents(train!, ppmHeader), await contents(test!, ppmHeader)];
  expect(new Map([...found[0]!, ...found[1]!])).toEqual(new Map(wanted.flat()));
  expect(found[1]!.size).toBe(4);
});

test('CIFAR is found in the folder around it, as torchvision leaves it', async () => {
  const root = mkdtempSync(join(tmpdir(), 'resnext-cifar-'));
  try {
    cpSync(at('cifar-10-batches-py'), join(root, 'cifar-10-batches-py'), { recursive: true });
    expect(packedKinds.cifar.recognize(root)).toBe(true);
    const { train, notes } = await packedKinds.cifar.read(root, {});
    expect([train!.samples.length > 0, notes]).toEqual([
      true,
      [expect.stringMatching(/^The images are those of ".*-py"\.$/)],
    ]);
    cpSync(at('cifar-100-binary'), join(root, 'cifar-100-binary'), { recursive: true });
    await expect(packedKinds.cifar.read(root, {})).rejects.toThrow(
      'contains both "cifar-10-batches-py" and "cifar-100-binary"',
    );
  } finally {
    rmSync(root, { recursive: true });
  }
});

test('an unknown labeling of CIFAR is refused, whatever it is called', async () => {
  for (const labelColumn of ['fines', 'toString']) {
    await expect(packedKinds.cifar.read(at('cifar-100-binary'), { labelColumn })).rejects.toThrow(
      /--label-column is ".*", but the images in ".*" have "fine" or "coarse"\.$/,
    );
  }
});

test.each(['plain', 'snappy', 'gzip', 'brotli'])('%s.parquet has the images that pyarrow wrote', async (name) => {
  const path = at(`${name}.parquet`);
  expect(packedKinds.parquet.recognize(path)).toBe(true);
  const { classes, train } = await packedKinds.parquet.read(path, {});
  expect(classes).toEqual(expected.parquet.classes);
  const wanted = expected.parquet.rows.map((row) => [row.path, [row.label, row.sha256]] as const);
  expect(await contents(train!)).toEqual(new Map(wanted));
});

test('rows without a label are left out, and one without an image is refused when it is read', async () => {
  const path = at('missing.parquet');
  await expect(packedKinds.parquet.read(path, {})).rejects.toThrow(
    'has no column of labels with a usual name, but "picture", "kind". Name it with --label-column.',
  );
  const { classes, train, notes } = await packedKinds.parquet.read(path, { labelColumn: 'kind' });
  expect(classes).toEqual(['daisy', 'rose', 'tulip']);
  expect(notes).toEqual([`Skipped 1 of the rows of ${path}, which have no label.`]);
  const samples = [...train!.samples] as PackedSample[];
  expect(samples).toHaveLength(39);
  const failures = [];
  for (const sample of samples) {
    const { path: own, label } = sample;
    const bytes = await Promise.resolve(readPacked(sample, sample.name)).catch((error: Error) => error.message);
    if (typeof bytes === 'string') failures.push(bytes);
    else expect(expected.parquet.rows.some((row) => row.sha256 === sha256(bytes))).toBe(own === path && label >= 0);
  }
  expect(failures).toEqual([expect.stringMatching(/Image ".*0000002" has no bytes/)]);
});

test('a compression that is not known is named', async () => {
  await expect(packedKinds.parquet.read(at('lz4.parquet'), {})).rejects.toThrow(
    /is compressed with LZ4.*, but expected UNCOMPRESSED, SNAPPY, GZIP, BROTLI/,
  );
});
