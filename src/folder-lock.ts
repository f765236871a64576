/**
 * Keeps other processes out of a folder. The lock is a file that names its process and dies with it: on the
 * same machine, it counts only while that process runs. When a process started is part of its identity, since numbers of
 * processes are used again. What runs on another machine, or in another container, cannot be seen from here; its lock counts
 * until it has not been renewed for a minute.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync, rmSync } from 'node:fs';
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import * as z from 'zod';
import { UsageError } from './errors.ts';
import { refusal } from './files.ts';

/** The name of a folder's lock, and what holds it, for messages. */
export interface LockOf {
  readonly file: string;
  /** `a run` */
  readonly holder: string;
}

const renewEvery = 15_000;
const staleAfter = 60_000;

const holderSchema = z.object({
  process: z.number(),
  /** When the process started, in the machine's own terms; empty where that cannot be told. */
  started: z.string(),
  /** The machine, and what else determines which processes are visible. */
  machine: z.string(),
  host: z.string(),
  since: z.string(),
});

type Holder = z.infer<typeof holderSchema>;

export class FolderLock {
  readonly #folder: string;
  readonly #file: string;
  readonly #mark: string;
  readonly #timer: NodeJS.Timeout;

  private constructor(folder: string, file: string, mark: string) {
    this.#folder = folder;
    this.#file = file;
    this.#mark = mark;
    this.#timer = setInterval(() => void utimes(this.#path, new Date(), new Date()).catch(() => {}), renewEvery);
    this.#timer.unref();
    process.on('exit', this.#remove);
  }

  /** @throws UsageError if another process, or another part of this one, holds the folder, which has to exist. */
  static async take(folder: string, { file, holder: kind }: LockOf): Promise<FolderLock> {
    const path = join(folder, file);
    const since = new Date().toISOString();
    const own: Holder = {
      process: process.pid,
      started: startOf(process.pid),
      machine: machine(),
      host: hostname(),
      since,
    };
    const mark = `${JSON.stringify(own)}\n`;
    while (!(await createLock(path, mark))) {
      const left = await readFile(path, 'utf8').catch(() => undefined);
      if (left === undefined) continue; // just released
      const holder = await holderOf(path, left);
      if (holder) throw inUse(folder, kind, holder);
      await clearLock(path, left);
    }
    return new FolderLock(folder, file, mark);
  }

  /** @throws UsageError if another process has taken the folder, as after this machine was asleep. */
  async check(): Promise<void> {
    const text = await readFile(this.#path, 'utf8').catch(() => undefined);
    if (text === this.#mark || (text === undefined && (await createLock(this.#path, this.#mark)))) return;
    throw new UsageError(
      `Another process has taken over "${this.#folder}", so this one stops without saving. Let the other one finish.`,
    );
  }

  release(): void {
    clearInterval(this.#timer);
    process.off('exit', this.#remove);
    this.#remove();
  }

  get #path(): string {
    return join(this.#folder, this.#file);
  }

  /** Synchronous, so that a process that exits in between can still do it. */
  readonly #remove = (): void => {
    try {
      if (readFileSync(this.#path, 'utf8') === this.#mark) rmSync(this.#path, { force: true });
    } catch {
      // the folder is gone, or the next run finds that the process is
    }
  };
}

const inUse = (folder: string, kind: string, { process, host, since }: Holder): UsageError => {
  const where = host === hostname() ? '' : ` on ${host}`;
  return new UsageError(
    `"${folder}" is in use by ${kind} that started at ${since} (process ${process}${where}). Wait until it ends, or stop it.`,
  );
};

/** Removes the lock with this mark, but not one that another process has created in the meantime. */
export async function clearLock(path: string, mark: string): Promise<void> {
  const aside = `${path}.${randomUUID()}.tmp`;
  await rename(path, aside).catch(() => {});
  if ((await readFile(aside, 'utf8').catch(() => mark)) !== mark) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

/** Writes a lock with this mark, unless there is one. */
export async function createLock(path: string, mark: string): Promise<boolean> {
  try {
    await writeFile(path, mark, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw refusal('write', path, error);
  }
}

/** The process that holds a lock with this text; undefined if it is abandoned. */
async function holderOf(path: string, text: string): Promise<Holder | undefined> {
  const holder = parsed(text);
  if (!holder) {
    await setTimeout(100); // it may be being written
    return undefined;
  }
  if (holder.machine === machine()) return isRunning(holder) ? holder : undefined;
  const renewed = await stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
  return Date.now() - renewed < staleAfter ? holder : undefined;
}

function parsed(text: string): Holder | undefined {
  try {
    return holderSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function isRunning({ process: id, started }: Holder): boolean {
  try {
    process.kill(id, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const start = startOf(id);
  return start === '' || start === started;
}

/** Clock ticks from the machine's start to the process's, or `ended`; empty where that cannot be told. */
function startOf(id: number): string {
  const text = orEmpty(() => readFileSync(`/proc/${id}/stat`, 'utf8'));
  const [state, ...rest] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return state === 'Z' || state === 'X' ? 'ended' : (rest[18] ?? '');
}

/** On Linux, processes see each other in one namespace, from one start of the machine to the next. */
function machine(): string {
  const start = orEmpty(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
  const namespace = orEmpty(() => readlinkSync('/proc/self/ns/pid'));
  return [hostname(), start, namespace].join(' ');
}

function orEmpty(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
