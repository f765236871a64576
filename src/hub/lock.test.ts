/** Abandoned locks are taken over by exactly one process; locks in use are not. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { clearLock } from '../folder-lock.ts';
import { lock } from './lock.ts';

let dir: string;
let path: string;
let waits: number;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-lock-'));
  path = join(dir, 'file.lock');
  waits = 0;
});
afterEach(() => rmSync(dir, { recursive: true }));

/** Waits once, then the lock is released. */
const wait = async (): Promise<void> => {
  waits += 1;
  rmSync(path, { force: true });
};
const take = () => lock(path, join(dir, 'file'), wait);
const longAgo = new Date(Date.now() - 3_600_000);

it('is taken over from a process that has ended, and from one that makes no progress', async () => {
  writeFileSync(path, `${2 ** 30} ${hostname()} gone`);
  await (await take()).release();
  writeFileSync(path, `${process.pid} ${hostname()} still`);
  utimesSync(path, longAgo, longAgo);
  await (await take()).release();
  expect([waits, existsSync(path)]).toEqual([0, false]);
});

it('stays with a holder that renews it', async () => {
  const held = await take();
  utimesSync(path, longAgo, longAgo);
  await held.renew();
  await take();
  expect(waits).toBe(1);
});

it('is not removed if another process has already taken it over', async () => {
  writeFileSync(path, 'new');
  await clearLock(path, 'old');
  expect(readFileSync(path, 'utf8')).toBe('new');
  await clearLock(path, 'new');
  await clearLock(path, 'gone');
  expect(readdirSync(dir)).toEqual([]);
});

it('removes what a process left that was killed while it took the lock over', async () => {
  const aside = `${path}.12345678-1234-1234-1234-123456789abc.tmp`;
  writeFileSync(aside, 'gone');
  await (await take()).release();
  expect(existsSync(aside)).toBe(true);
  utimesSync(aside, longAgo, longAgo);
  await (await take()).release();
  expect(readdirSync(dir)).toEqual([]);
});
