/**
 * Locks between processes, so that a file is downloaded once at a time. The lock is a file that names the process that
 * holds it. A lock whose process has ended, or whose download has not grown for minutes, is taken over. Renaming the
 * lock file decides which process does so; if another one has replaced it in the meantime, it is put back.
 */
import { randomUUID } from 'node:crypto';
import { readFile, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname } from 'node:path';
import { removeLeftovers } from '../files.ts';
import { clearLock, createLock } from '../folder-lock.ts';

/** A download that has not grown for this many milliseconds is taken over. */
const staleAfter = 5 * 60_000;
const pollSeconds = 0.5;

/** A lock held by this process. */
export interface Lock {
  release(): Promise<void>;
  /** Marks the lock as in use while the download does not grow. */
  renew(): Promise<void>;
}

/**
 * Waits until this process holds the lock file `path`.
 *
 * @param growing a file that grows while the lock's holder is working.
 */
export async function lock(path: string, growing: string, wait: (seconds: number) => Promise<void>): Promise<Lock> {
  const mark = `${process.pid} ${hostname()} ${randomUUID()}`;
  while (!(await createLock(path, mark))) {
    const left = await abandoned(path, growing);
    if (left === undefined) await wait(pollSeconds);
    else await clearLock(path, left);
  }
  await removeLeftovers(dirname(path), [basename(path)], staleAfter);
  return {
    release: async () => {
      if ((await readFile(path, 'utf8').catch(() => '')) === mark) await rm(path, { force: true });
    },
    renew: () => utimes(path, new Date(), new Date()).catch(() => {}),
  };
}

/** The mark of an abandoned lock, or undefined if the lock is held or gone. */
async function abandoned(path: string, growing: string): Promise<string | undefined> {
  const mark = await readFile(path, 'utf8').catch(() => undefined);
  if (mark === undefined) return undefined; // just released
  const [pid, host] = mark.split(' ');
  if (host === hostname() && !isRunning(Number(pid))) return mark;
  const times = await Promise.all([changed(path), changed(growing)]);
  return Date.now() - Math.max(...times) > staleAfter ? mark : undefined;
}

const changed = (path: string): Promise<number> =>
  stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
