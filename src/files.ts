/**
 * Files and folders on disk, in Node: read by region without a limit of size, and written whole or not at all. A file is written
 * under a temporary name beside its place, flushed to the disk and renamed, so that a crash or a full disk leaves what
 * was there before.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { UsageError } from './errors.ts';

/** A file that is complete under its temporary name: `commit` puts it in its place, `discard` removes it. */
export interface StagedFile {
  commit(): Promise<void>;
  discard(): Promise<void>;
}

/** Text is written in UTF-8. */
export type FileContents = string | Iterable<Uint8Array>;

/**
 * Writes text, or chunks of bytes, as one file that replaces what was at `path`.
 *
 * @throws UsageError when the file system refuses.
 */
export async function writeFileAtomically(path: string, contents: FileContents): Promise<void> {
  const staged = await stageFile(path, contents);
  await staged.commit();
}

/** The first half of `writeFileAtomically`, for files that belong together: stage them all, then commit them all. */
export async function stageFile(path: string, contents: FileContents): Promise<StagedFile> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  const discard = () => rm(temporary, { force: true });
  const attempt = async (action: () => Promise<void>): Promise<void> => {
    try {
      await action();
    } catch (error) {
      await discard();
      throw refusal('write', path, error);
    }
  };
  await attempt(() => writeThrough(temporary, contents));
  return { commit: () => attempt(() => rename(temporary, path)), discard };
}

async function writeThrough(path: string, contents: FileContents): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await writeFile(file, contents);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Makes a folder, with those above it, unless it is there.
 *
 * @throws UsageError when the file system refuses.
 */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((error: unknown) => {
    throw refusal('make the folder', path, error);
  });
}

/** A file open for reading. */
export interface OpenFile {
  readonly size: number;
  /** When it was last written, in milliseconds since 1970. */
  readonly modified: number;
  /** Fills `target` from `offset` on, as far as the file goes, and gives the number of bytes read. */
  fill(target: Uint8Array, offset: number): number;
}

/**
 * What `use` makes of an open file, which is closed afterwards.
 *
 * @throws UsageError when there is no such file, or it may not be read.
 */
export function withFile<T>(path: string, use: (file: OpenFile) => T): T {
  const descriptor = refusing('read', path, () => openSync(path, 'r'));
  try {
    const { size, mtimeMs: modified } = refusing('read', path, () => fstatSync(descriptor));
    const fillFrom = (target: Uint8Array, offset: number) =>
      refusing('read', path, () => fill(descriptor, target, offset));
    return use({ size, modified, fill: fillFrom });
  } finally {
    closeSync(descriptor);
  }
}

/** One call of the system reads at most 2 GiB, and may read less than it was asked for. */
const readAtMost = 2 ** 30;

function fill(descriptor: number, target: Uint8Array, offset: number): number {
  let done = 0;
  while (done < target.length) {
    const length = Math.min(target.length - done, readAtMost);
    const count = readSync(descriptor, target, done, length, offset + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

function refusing<T>(verb: string, path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw refusal(verb, path, error);
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  EACCES: 'no permission',
  EEXIST: 'there is a file of that name',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is a file',
  ENOSPC: 'the disk is full',
};

/** A refusal of the file system as a sentence; any other error as it is. */
export function refusal(verb: string, path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  const code = String(error.code);
  return new UsageError(`Cannot ${verb} "${path}": ${reasons[code] ?? error.message} (${code}).`, { cause: error });
}
