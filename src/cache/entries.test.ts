import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findEntry, removeEntry, stageEntry } from './entries.ts';
import { fingerprint } from './fingerprint.ts';
import { cacheFolder } from './folder.ts';
import { readTuning, writeTuning } from './tuning.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-cache-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Stores an entry with one file of this size. */
function store(key: string, bytes = 10, maxBytes?: number): void {
  const staged = stageEntry(folder, key, maxBytes)!;
  writeFileSync(join(staged.path, 'data'), Buffer.alloc(bytes, 1));
  staged.commit({ about: key });
}

test('an entry can be found once it is committed', () => {
  expect(findEntry(folder, 'a')).toBeUndefined();
  const staged = stageEntry(folder, 'a')!;
  writeFileSync(join(staged.path, 'data'), 'text');
  expect(findEntry(folder, 'a')).toBeUndefined();
  staged.commit([1, 2]);
  expect(findEntry(folder, 'a')).toEqual({ path: join(folder, 'a'), note: [1, 2] });
  expect(readFileSync(join(folder, 'a', 'data'), 'utf8')).toBe('text');
  expect(readdirSync(folder)).toEqual(['a']);
});

test('discarded and removed entries are gone', () => {
  stageEntry(folder, 'a')!.discard();
  store('b');
  removeEntry(folder, 'b');
  removeEntry(folder, 'never there');
  expect(readdirSync(folder)).toEqual([]);
});

test.each<[string, (path: string) => void]>([
  ['whose file was modified', (path) => writeFileSync(join(path, 'data'), Buffer.alloc(10, 1))],
  ['whose file was truncated', (path) => writeFileSync(join(path, 'data'), '')],
  ['whose file is missing', (path) => rmSync(join(path, 'data'))],
  ['whose list is not JSON', (path) => writeFileSync(join(path, 'entry.json'), '{"files":')],
  ['without a list', (path) => rmSync(join(path, 'entry.json'))],
])('an entry %s is ignored, and can be replaced', (_, spoil) => {
  store('a');
  spoil(join(folder, 'a'));
  expect(findEntry(folder, 'a')).toBeUndefined();
  store('a');
  expect(findEntry(folder, 'a')).toBeDefined();
});

test('beyond the limit, the least recently used entries are deleted', () => {
  for (const [i, key] of ['a', 'b', 'c'].entries()) {
    store(key, 1000);
    utimesSync(join(folder, key, 'entry.json'), 100 + i, 100 + i);
  }
  findEntry(folder, 'a');
  store('d', 1000, 2600);
  expect(readdirSync(folder).sort()).toEqual(['a', 'd']);
  store('e', 5000, 2600);
  expect(readdirSync(folder)).toEqual(['e']);
});

test('unfinished entries are deleted after an hour', () => {
  const { path } = stageEntry(folder, 'a')!;
  stageEntry(folder, 'b');
  const old = Date.now() / 1000 - 4000;
  utimesSync(path, old, old);
  store('c');
  expect(existsSync(path)).toBe(false);
  expect(readdirSync(folder)).toHaveLength(2);
});

test('a folder that cannot be created disables the cache', () => {
  writeFileSync(join(folder, 'file'), '');
  expect(stageEntry(join(folder, 'file'), 'a')).toBeUndefined();
  expect(findEntry(join(folder, 'file'), 'a')).toBeUndefined();
});

test('a fingerprint changes with the contents, and if the file is replaced by one with the same times', () => {
  const [path, other] = [join(folder, 'file'), join(folder, 'other')];
  writeFileSync(path, Buffer.alloc(100_000, 1));
  utimesSync(path, 100, 100);
  const before = fingerprint(path);
  expect(fingerprint(path)).toBe(before);
  writeFileSync(path, Buffer.alloc(100_000, 2));
  utimesSync(path, 100, 100);
  const rewritten = fingerprint(path);
  writeFileSync(other, Buffer.alloc(100_000, 2));
  utimesSync(other, 100, 100);
  renameSync(other, path);
  expect(new Set([before, rewritten, fingerprint(path)]).size).toBe(3);
});

test('the location of the cache', () => {
  expect(cacheFolder({ RESNEXT_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
  expect(cacheFolder({ XDG_CACHE_HOME: '/b' })).toBe(join('/b', 'resnext'));
  expect(cacheFolder({ XDG_CACHE_HOME: 'b' })).toMatch(/\.cache.resnext$/);
  expect(cacheFolder({ RESNEXT_CACHE: 'off', XDG_CACHE_HOME: '/b' })).toBeUndefined();
});

test('a tuning table is only used on the machine where it was measured', async () => {
  const machine = { cpu: 'x', block: 16 };
  const tuning = { mergeGroups: { 4: true, 8: false }, threads: 2 };
  expect(readTuning(folder, machine)).toBeUndefined();
  const path = await writeTuning(join(folder, 'new'), machine, tuning);
  expect(readTuning(join(folder, 'new'), machine)).toEqual(tuning);
  expect(readTuning(join(folder, 'new'), { ...machine, block: 8 })).toBeUndefined();
  for (const text of ['{', '{}', JSON.stringify({ machine, mergeGroups: { 4: 'yes' }, threads: 2 })]) {
    writeFileSync(path, text);
    expect(readTuning(join(folder, 'new'), machine)).toBeUndefined();
  }
});
