/**
 * One download of a file at a time, over processes: a file beside it that says which process holds it. A lock whose
 * process is gone, or whose download has stood still for minutes, is taken over. Should two processes take one over at
 * the same moment, both write; the check of the hash then refuses what they made.
 */
import { randomUUID } from 'node:crypto';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { refusal } from '../files.ts';

/** A download that has not grown for this long, in milliseconds, is taken over. */
const stillFor = 5 * 60_000;
const pollSeconds = 0.5;

/**
 * Waits until the file `path` is ours, and gives the function that lets it go.
 *
 * @param growing the file whose growth shows that the lock's holder is at work.
 */
export async function lock(
  path: string,
  growing: string,
  wait: (seconds: number) => Promise<void>,
): Promise<() => Promise<void>> {
  const mark = `${process.pid} ${hostname()} ${randomUUID()}`;
  while (!(await create(path, mark))) {
    if (await isAbandoned(path, growing)) await rm(path, { force: true });
    else await wait(pollSeconds);
  }
  return async () => {
    if ((await readFile(path, 'utf8').catch(() => '')) === mark) await rm(path, { force: true });
  };
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

async function isAbandoned(path: string, growing: string): Promise<boolean> {
  const mark = await readFile(path, 'utf8').catch(() => undefined);
  if (mark === undefined) return false; // it was let go just now
  const [pid, host] = mark.split(' ');
  if (host === hostname() && !isRunning(Number(pid))) return true;
  const times = await Promise.all([changed(path), changed(growing)]);
  return Date.now() - Math.max(...times) > stillFor;
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
