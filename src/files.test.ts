import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { UsageError } from './errors.ts';
import { makeFolder, stageFile, statIfPresent, withFile, writeFileAtomically } from './files.ts';

let folder = '';
let path = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'resnext-files-'));
  path = join(folder, 'file');
});
afterEach(() => rm(folder, { recursive: true }));

test('chunks become one file that replaces the previous one', async () => {
  await writeFile(path, 'before');
  await writeFileAtomically(path, [Uint8Array.of(1, 2), new Uint8Array(0), new Uint8Array(5).subarray(1, 3)]);
  expect([...(await readFile(path))]).toEqual([1, 2, 0, 0]);
  await writeFileAtomically(path, []);
  expect(await readFile(path)).toHaveLength(0);
  expect(await readdir(folder)).toEqual(['file']);
});

test('a failure halfway leaves the previous file, and nothing else', async () => {
  await writeFile(path, 'before');
  function* failing() {
    yield new Uint8Array(1000);
    throw new RangeError('no more');
  }
  await expect(writeFileAtomically(path, failing())).rejects.toThrow(RangeError);
  expect(await readFile(path, 'utf8')).toBe('before');
  expect(await readdir(folder)).toEqual(['file']);
});

test('a staged file can be discarded', async () => {
  const staged = await stageFile(path, [Uint8Array.of(1)]);
  expect(await readdir(folder)).toHaveLength(1);
  await staged.discard();
  expect(await readdir(folder)).toEqual([]);
});

test('an error of the file system is a sentence', async () => {
  const nowhere = join(folder, 'none', 'file');
  await expect(writeFileAtomically(nowhere, [])).rejects.toThrow(UsageError);
  await expect(writeFileAtomically(nowhere, [])).rejects.toThrow(`Cannot write "${nowhere}": no such file or folder`);
  expect(() => withFile(nowhere, () => 0)).toThrow(`Cannot read "${nowhere}": no such file or folder (ENOENT).`);
  expect(() => withFile(folder, ({ fill }) => fill(new Uint8Array(1), 0))).toThrow('it is a folder');
});

test('a path through a file leads to nothing, and cannot be written', async () => {
  await writeFile(path, 'abc');
  const below = join(path, 'x.csv');
  expect([statIfPresent(path)?.size, statIfPresent(below), statIfPresent(join(folder, 'none'))]).toEqual([
    3,
    undefined,
    undefined,
  ]);
  await expect(writeFileAtomically(below, [])).rejects.toThrow(
    new UsageError(`Cannot write "${below}": part of the path is a file (ENOTDIR).`),
  );
});

test('a folder is created with its parents, unless a file is in the way', async () => {
  const below = join(folder, 'a', 'b');
  await makeFolder(below);
  await makeFolder(below);
  expect(await readdir(join(folder, 'a'))).toEqual(['b']);
  await writeFile(path, '');
  await expect(makeFolder(path)).rejects.toThrow(
    new UsageError(`Cannot create the folder "${path}": a file with that name exists (EEXIST).`),
  );
  await expect(makeFolder(join(path, 'run'))).rejects.toThrow('part of the path is a file (ENOTDIR).');
});

test('regions are read up to the end of the file', async () => {
  await writeFile(path, 'abcdef');
  const target = new Uint8Array(4);
  const counts = withFile(path, ({ size, fill }) => [size, fill(target, 1), fill(target, 4), fill(target, 9)]);
  expect(counts).toEqual([6, 4, 2, 0]);
  expect(Buffer.from(target).toString()).toBe('efde');
});
