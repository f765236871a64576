/**
 * One download of a file at a time, over processes: a file beside it that says which process holds it. A lock whose
 * process is gone, or whose download has stood still for minutes, is taken over, by one process alone: who renames the
 * file has it, and gives it back where it is no longer the one that was left.
 */
import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { refusal } from '../files.ts';

/** A download that has not grown for this long, in milliseconds, is taken over. */
const stillFor = 5 * 60_000;
const pollSeconds = 0.5;

/** A lock that is ours. */
export interface Lock {
  release(): Promise<void>;
  /** Shows that its holder is at work, where a download does not grow. */
  renew(): Promise<void>;
}

/**
 * Waits until the file `path` is ours.
 *
 * @param growing the file whose growth shows that the lock's holder is at work.
 */
export async function lock(path: string, growing: string, wait: (seconds: number) => Promise<void>): Promise<Lock> {
  const mark = `${process.pid} ${hostname()} ${randomUUID()}`;
  while (!(await create(path, mark))) {
    const left = await abandoned(path, growing);
    if (left === undefined) await wait(pollSeconds);
    else await clear(path, left);
  }
  return {
    release: async () => {
      if ((await readFile(path, 'utf8').catch(() => '')) === mark) await rm(path, { force: true });
    },
    renew: () => utimes(path, new Date(), new Date()).catch(() => {}),
  };
}

/** Takes away the lock with this mark, and no other that somebody put there meanwhile. */
export async function clear(path: string, mark: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  await rename(path, aside).catch(() => {});
  if ((await readFile(aside, 'utf8').catch(() => mark)) !== mark) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

async function create(path: string, mark: string): Promise<boolean> {
  try {
    await writeFile(path, mark, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw refusal('write', path, error);
  }
}

/** The mark of a lock that nobody holds any more. */
async function abandoned(path: string, growing: string): Promise<string | undefined> {
  const mark = await readFile(path, 'utf8').catch(() => undefined);
  if (mark === undefined) return undefined; // it was let go just now
  const [pid, host] = mark.split(' ');
  if (host === hostname() && !isRunning(Number(pid))) return mark;
  const times = await Promise.all([changed(path), changed(growing)]);
  return Date.now() - Math.max(...times) > stillFor ? mark : undefined;
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
