/**
 * Files and folders on disk (Node only). Files of any size can be read by region. Writes are atomic: a file is written
 * under a temporary name in the same folder, flushed to disk and renamed, so a crash or a full disk leaves the previous
 * file intact.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync, type Stats, statSync } from 'node:fs';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { UsageError } from './errors.ts';

/** A complete file under a temporary name: `commit` renames it, `discard` deletes it. */
export interface StagedFile {
  commit(): Promise<void>;
  discard(): Promise<void>;
}

/** Text is written as UTF-8. */
export type FileContents = string | Iterable<Uint8Array>;

/**
 * Writes text, or chunks of bytes, to a file, replacing any existing file at `path`.
 *
 * @throws UsageError if the file system refuses.
 */
export async function writeFileAtomically(path: string, contents: FileContents): Promise<void> {
  const staged = await stageFile(path, contents);
  await staged.commit();
}

/** The first half of `writeFileAtomically`, for files that belong together: stage all, then commit all. */
export async function stageFile(path: string, contents: FileContents): Promise<StagedFile> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  const discard = () => rm(temporary, { force: true }).catch(() => {}); // the error before this one is reported
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
 * Creates a folder and its parents, unless they exist.
 *
 * @throws UsageError if the file system refuses.
 */
export async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true }).catch((error: unknown) => {
    throw refusal('create the folder', path, error);
  });
}

/**
 * The file or folder at a path, following links, or undefined if there is none. `statSync` alone throws where part of the
 * path is a file.
 *
 * @throws UsageError if the file system refuses.
 */
export function statIfPresent(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw refusal('read', path, error);
  }
}

/** A file open for reading. */
export interface OpenFile {
  readonly size: number;
  /** When it was last written, in milliseconds since 1970. */
  readonly modified: number;
  /** Reads into `target` from `offset` on, and returns the number of bytes read: fewer than asked for at the end. */
  fill(target: Uint8Array, offset: number): number;
}

/**
 * Opens a file, calls `use` with it, closes it, and returns what `use` returned.
 *
 * @throws UsageError if the file does not exist or cannot be read.
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

/** One system call reads at most 2 GiB, and may read less than asked for. */
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
  EACCES: 'permission denied',
  EEXIST: 'a file with that name exists',
  EISDIR: 'it is a folder',
  ENOTDIR: 'part of the path is a file',
  ENOSPC: 'the disk is full',
};

/** Turns an error of the file system into a UsageError with a readable message. Other errors are returned unchanged. */
export function refusal(verb: string, path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  const code = String(error.code);
  return new UsageError(`Cannot ${verb} "${path}": ${reasons[code] ?? error.message} (${code}).`, { cause: error });
}
