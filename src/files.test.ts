import { execFileSync } from 'node:child_process';
import { existsSync, utimesSync } from 'node:fs';
import { chmod, lstat, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { UsageError } from './errors.ts';
import {
  abandonedAfter,
  checkWritable,
  makeFolder,
  readable,
  removeLeftovers,
  stageFile,
  statIfPresent,
  withFile,
  writeFileAtomically,
} from './files.ts';

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

test('a temporary file that a killed process left is deleted when its file is written, but not while it may be written', async () => {
  const names = [1, 2].map((n) => `file.00000000-0000-4000-8000-00000000000${n}.tmp`) as [string, string];
  for (const name of names) await writeFile(join(folder, name), '');
  await utimes(join(folder, names[0]), 0, 0);
  await writeFileAtomically(join(folder, 'other'), '');
  expect(await readdir(folder)).toEqual([...names, 'other']);
  await writeFileAtomically(path, '');
  expect(await readdir(folder)).toEqual(['file', names[1], 'other']);
});

test('a staged file can be discarded', async () => {
  const staged = await stageFile(path, [Uint8Array.of(1)]);
  expect(await readdir(folder)).toHaveLength(1);
  await staged.discard();
  expect(await readdir(folder)).toEqual([]);
});

test('an error of the file system is a sentence', async () => {
  const nowhere = join(folder, 'none', 'file');
  expect(() => withFile(nowhere, () => 0)).toThrow(UsageError);
  expect(() => withFile(nowhere, () => 0)).toThrow(`Cannot read "${nowhere}": no such file or folder (ENOENT).`);
  expect(() => withFile(folder, ({ fill }) => fill(new Uint8Array(1), 0))).toThrow('it is a folder');
});

test('missing folders are created', async () => {
  const below = join(folder, 'a', 'b', 'file');
  await checkWritable(below);
  expect(await readdir(folder)).toEqual([]);
  await writeFileAtomically(below, 'text');
  expect(await readFile(below, 'utf8')).toBe('text');
});

const isRoot = process.getuid?.() === 0;

test('what cannot be written is refused in advance', async () => {
  await writeFile(path, '');
  const circle = join(folder, 'circle');
  await symlink('circle', circle);
  const refused: [string, string][] = [
    [folder, 'it is a folder (EISDIR)'],
    [join(folder, 'new', '/'), 'it is a folder (EISDIR)'],
    [join(path, 'a', 'b'), 'part of the path is a file (ENOTDIR)'],
    [join(folder, 'n'.repeat(256)), 'the name is too long (ENAMETOOLONG)'],
    [circle, 'its links lead in a circle (ELOOP)'],
  ];
  if (!isRoot) {
    await chmod(path, 0o444);
    refused.push([path, 'permission denied (EACCES)'], ['/file', 'permission denied (EACCES)']);
  }
  for (const [target, reason] of refused) {
    const error = new UsageError(`Cannot write "${target}": ${reason}.`);
    await expect(checkWritable(target)).rejects.toThrow(error);
    await expect(writeFileAtomically(target, [])).rejects.toThrow(error);
  }
  await writeFileAtomically(join(folder, 'n'.repeat(255)), 'longest');
});

test('a file keeps its mode, and links lead to the file that they name', async () => {
  const [link, dangling, elsewhere] = [join(folder, 'link'), join(folder, 'dangling'), join(folder, 'else', 'where')];
  await writeFile(path, 'before');
  await chmod(path, 0o640);
  await symlink('file', link);
  await symlink('else/where', dangling);
  await writeFileAtomically(link, 'after');
  await writeFileAtomically(dangling, 'new');
  expect(await readFile(path, 'utf8')).toBe('after');
  expect(await readFile(elsewhere, 'utf8')).toBe('new');
  expect((await stat(path)).mode & 0o777).toBe(0o640);
  expect([(await lstat(link)).isSymbolicLink(), (await lstat(dangling)).isSymbolicLink()]).toEqual([true, true]);
  expect(await readdir(folder)).toEqual(['dangling', 'else', 'file', 'link']);
});

test.skipIf(process.platform === 'win32')('a pipe is written to and stays a pipe', async () => {
  execFileSync('mkfifo', [path]);
  const received = readFile(path);
  await checkWritable(path);
  await writeFileAtomically(path, [new Uint8Array(100_000).fill(7)]);
  expect([...new Set(await received)]).toEqual([7]);
  expect((await stat(path)).isFIFO()).toBe(true);
  expect(await readdir(folder)).toEqual(['file']);
});

test.runIf(existsSync('/dev/full'))('a device is written to and stays a device', async () => {
  await symlink('/dev/null', path);
  await writeFileAtomically(path, 'gone');
  await expect(writeFileAtomically('/dev/full', 'text')).rejects.toThrow('"/dev/full": the disk is full (ENOSPC).');
  expect([(await stat('/dev/null')).isCharacterDevice(), (await stat('/dev/full')).isCharacterDevice()]).toEqual([
    true,
    true,
  ]);
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

test.skipIf(process.platform === 'win32')('pipes, sockets and devices are refused before they are opened', async () => {
  execFileSync('mkfifo', [path]);
  const reason = `"${path}" is a pipe, but expected a file. Copy what it contains to a file.`;
  expect(() => readable(path)).toThrow(reason);
  expect(() => withFile(path, ({ size }) => size)).toThrow(reason);
  expect(() => withFile('/dev/zero', ({ size }) => size)).toThrow('"/dev/zero" is a device, but expected a file.');
  expect(readable(folder)).toBe(folder);
  expect(readable(join(folder, 'absent'))).toBe(join(folder, 'absent'));
});

test('temporary files that were left behind are removed, by the name of the file and by age', async () => {
  for (const name of ['file', 'other']) await stageFile(join(folder, name), '1');
  await writeFile(path, '2');
  await writeFile(`${path}.tmp`, '3');
  await removeLeftovers(folder, ['file'], abandonedAfter);
  expect(await readdir(folder)).toHaveLength(4);
  const past = Date.now() / 1000 - 3700;
  for (const name of await readdir(folder)) utimesSync(join(folder, name), past, past);
  await removeLeftovers(folder, ['file'], abandonedAfter);
  expect((await readdir(folder)).map((name) => name.replace(/-.*tmp$/, '-tmp')).sort()).toEqual([
    'file',
    'file.tmp',
    expect.stringMatching(/^other\.[0-9a-f]{8}-tmp$/),
  ]);
  await removeLeftovers(join(folder, 'absent'), ['file']);
});
