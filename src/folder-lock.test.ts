/** A lock is held while its process runs, by one run at a time, and by nobody once the process is killed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { UsageError } from './errors.ts';
import { FolderLock } from './folder-lock.ts';

const run = { file: 'run.lock', holder: 'a run' };

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-lock-'));
  path = join(dir, run.file);
});
afterEach(() => rmSync(dir, { recursive: true }));

/** Writes a lock like that of this process, but for some fields. */
async function leave(fields: object): Promise<void> {
  const lock = await FolderLock.take(dir, run);
  const text = readFileSync(path, 'utf8');
  lock.release();
  writeFileSync(path, JSON.stringify({ ...JSON.parse(text), ...fields }));
}

test('is refused to a second run in the same process, until it is released', async () => {
  const lock = await FolderLock.take(dir, run);
  const refused = FolderLock.take(dir, run);
  await expect(refused).rejects.toThrow(UsageError);
  await expect(refused).rejects.toThrow(
    new RegExp(
      `is in use by a run that started at .* \\(process ${process.pid}\\)\\. Wait until it ends, or stop it\\.$`,
    ),
  );
  lock.release();
  expect(existsSync(path)).toBe(false);
  (await FolderLock.take(dir, run)).release();
});

test('of several at once, one gets it', async () => {
  const taken = await Promise.allSettled(Array.from({ length: 8 }, () => FolderLock.take(dir, run)));
  const locks = taken.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  expect(locks).toHaveLength(1);
  locks[0]!.release();
});

test('dies with a process that is killed', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  await once(child, 'spawn');
  const stat = process.platform === 'linux' ? readFileSync(`/proc/${child.pid}/stat`, 'utf8') : '';
  const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  await leave({ process: child.pid, started });
  await expect(FolderLock.take(dir, run)).rejects.toThrow(`process ${child.pid}`);
  child.kill('SIGKILL');
  await once(child, 'exit');
  (await FolderLock.take(dir, run)).release();
});

test.runIf(process.platform === 'linux')('of a process whose number was used again counts no more', async () => {
  await leave({ started: '1' });
  (await FolderLock.take(dir, run)).release();
});

test('of another machine counts until it has not been renewed for a minute', async () => {
  await leave({ machine: 'elsewhere', host: 'elsewhere' });
  await expect(FolderLock.take(dir, run)).rejects.toThrow(`(process ${process.pid} on elsewhere)`);
  const past = new Date(Date.now() - 61_000);
  utimesSync(path, past, past);
  (await FolderLock.take(dir, run)).release();
});

test.each(['', '{', '{"process":1}', `${hostname()} 1`])('that is no lock, %j, counts as none', async (text) => {
  writeFileSync(path, text);
  (await FolderLock.take(dir, run)).release();
});

test('that was taken over is noticed, and not removed', async () => {
  const lock = await FolderLock.take(dir, run);
  await lock.check();
  rmSync(path);
  await lock.check(); // is there again
  expect(existsSync(path)).toBe(true);
  writeFileSync(path, 'of another process');
  await expect(lock.check()).rejects.toThrow(/^Another process has taken over .*, so this one stops without/);
  lock.release();
  expect(readFileSync(path, 'utf8')).toBe('of another process');
});
