/**
 * Files and folders on disk (Node only). Files of any size can be read by region.
 *
 * Writes are atomic: a file is written under a temporary name in the same folder, flushed to disk and renamed, so a crash or
 * a full disk leaves the previous file intact. Missing folders are created, links are followed to the file that they name,
 * and a file keeps its mode and owner. What cannot be replaced by a file (a device, a pipe, standard output, a file in a
 * folder that is read-only) is written in place, from a temporary file that is complete.
 */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  createReadStream,
  createWriteStream,
  fstatSync,
  openSync,
  readSync,
  type Stats,
  statSync,
} from 'node:fs';
import {
  access,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { UsageError } from './errors.ts';

/** A complete file under a temporary name: `commit` puts it in its place, `discard` deletes it. */
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

/** Milliseconds without a change after which a temporary file or folder is taken for abandoned. */
export const abandonedAfter = 3_600_000;

/**
 * Deletes temporary files of `writeFileAtomically` that killed processes left in a folder.
 *
 * @param names of the files that they were to become.
 * @param age in milliseconds that they have at least, where other processes may be writing them now.
 */
export async function removeLeftovers(folder: string, names: readonly string[], age = 0): Promise<void> {
  const stems = names.map(temporaryStem);
  for (const name of await readdir(folder).catch(() => [])) {
    const finalName = withoutTemporaryEnding(name);
    if (finalName === name || !stems.includes(finalName)) continue;
    const path = join(folder, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (Date.now() - mtimeMs >= age) await rm(path, { force: true }).catch(() => {});
  }
}

/** What a temporary file of `writeFileAtomically` is to be called, or the start of it; the name itself of any other file. */
export const withoutTemporaryEnding = (name: string): string =>
  name.replace(/\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/, '');

/** The first half of `writeFileAtomically`, for files that belong together: stage all, then commit all. */
export async function stageFile(path: string, contents: FileContents): Promise<StagedFile> {
  const target = await destinationOf(path);
  const folder = target.inPlace ? tmpdir() : dirname(target.path);
  if (!target.inPlace) await checkFolder(folder, path);
  const temporary = join(folder, `${temporaryStem(basename(target.path))}.${randomUUID()}.tmp`);
  const discard = () => rm(temporary, { force: true }).catch(() => {}); // the error before this one is reported
  const attempt = async (action: () => Promise<void>): Promise<void> => {
    try {
      await action();
    } catch (error) {
      await discard();
      throw refusal('write', path, error);
    }
  };
  await attempt(async () => {
    if (!target.inPlace) {
      await mkdir(folder, { recursive: true });
      await removeLeftovers(folder, [basename(target.path)], abandonedAfter);
    }
    await writeThrough(temporary, contents, target);
  });
  return {
    commit: () => attempt(() => (target.inPlace ? copyInto(target, temporary) : move(temporary, target))),
    discard,
  };
}

/** The start of a file's name, for that of its temporary file. A name has at most 255 bytes, and a character at most 4. */
const temporaryStem = (name: string): string => name.slice(0, 48);

/**
 * Checks that a file can be written at a path, before the work whose result it will contain. Nothing is created.
 *
 * @throws UsageError if it cannot, as far as can be told: a folder is there, or writing is not permitted.
 */
export async function checkWritable(path: string): Promise<void> {
  const { path: file, found } = await destinationOf(path);
  if (found === undefined) await checkFolder(dirname(file), path);
}

/** Checks that files can be written into the folder, or that it can be created. `path` is its name in errors. */
export async function checkFolder(folder: string, path = folder): Promise<void> {
  const found = refusing('write', path, () => statIfAny(folder));
  const above = dirname(folder);
  if (found === undefined && above !== folder) return checkFolder(above, path);
  if (found && !found.isDirectory()) throw refusal('write', path, systemError('ENOTDIR'));
  await access(folder, constants.W_OK | constants.X_OK).catch((error: unknown) => {
    throw refusal('write', path, error);
  });
}

/** Where a path leads, and how to write there. */
interface Destination {
  /** The path with links followed, or the one that was given if it leads to no regular file. */
  readonly path: string;
  /** What is there now. */
  readonly found?: Stats | undefined;
  /** Whether to write into what is there, instead of replacing it. */
  readonly inPlace: boolean;
  /** The file of this process that the path stands for: 1 for `/dev/stdout`. */
  readonly descriptor?: number | undefined;
}

/** @throws UsageError if the path leads to a folder, or to what cannot be written. */
async function destinationOf(path: string): Promise<Destination> {
  try {
    const file = await followLinks(path);
    const found = statIfAny(path);
    if (found?.isDirectory() || /[/\\]$/.test(path)) throw systemError('EISDIR');
    const descriptor = descriptorOf(file);
    if (descriptor !== undefined) return { path: file, found, inPlace: true, descriptor };
    if (found === undefined) return { path: file, inPlace: false };
    await access(file, constants.W_OK);
    return { path: file, found, inPlace: !found.isFile() || !(await isWritable(dirname(file))) };
  } catch (error) {
    throw refusal('write', path, error);
  }
}

/**
 * A path beside the file that a path leads to, such as one for partial results; undefined for what is written in place.
 *
 * @throws UsageError if the path leads to a folder, or to what cannot be written.
 */
export async function pathBeside(path: string, ending: string): Promise<string | undefined> {
  const { path: file, inPlace } = await destinationOf(path);
  return inPlace ? undefined : `${file}${ending}`;
}

/** As many links as Linux follows. */
const maxLinks = 40;

/** The path of the file that links lead to, which need not exist. Links of the system to open files are not followed. */
async function followLinks(path: string): Promise<string> {
  let file = path;
  for (let followed = 0; followed <= maxLinks; followed++) {
    const link = descriptorOf(file) === undefined && (await isLink(file)) ? await readlink(file) : undefined;
    if (link === undefined) return file;
    file = resolve(await realpath(dirname(file)), link);
  }
  throw systemError('ELOOP');
}

const isLink = (path: string): Promise<boolean> =>
  lstat(path).then(
    (found) => found.isSymbolicLink(),
    () => false,
  );

/** The number of the open file of this process that a path stands for. */
function descriptorOf(path: string): number | undefined {
  const [, owner, number] = /^\/(?:dev|proc\/(\w+))\/fd\/(\d+)$/.exec(path) ?? [];
  const isOwn = owner === undefined || owner === 'self' || owner === String(process.pid);
  return number !== undefined && isOwn ? Number(number) : undefined;
}

const isWritable = (folder: string): Promise<boolean> =>
  access(folder, constants.W_OK).then(
    () => true,
    () => false,
  );

/** Whether a path leads to what this process prints to, so that nothing else may be printed there. */
export function isStandardOutput(path: string): boolean {
  try {
    const [file, printed] = [statSync(path), fstatSync(1)];
    return file.ino === printed.ino && file.dev === printed.dev && !file.isCharacterDevice();
  } catch {
    return false;
  }
}

async function writeThrough(path: string, contents: FileContents, { found, inPlace }: Destination): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await writeFile(file, contents);
    if (found && !inPlace) await keepOwner(file, found);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Only root may give a file to its former owner. */
async function keepOwner(file: FileHandle, { uid, gid, mode }: Stats): Promise<void> {
  const own = await file.stat();
  if (own.uid !== uid || own.gid !== gid) await file.chown(uid, gid).catch(() => {});
  await file.chmod(mode & 0o7777);
}

async function move(temporary: string, target: Destination): Promise<void> {
  try {
    await rename(temporary, target.path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    await copyInto(target, temporary); // a file that is mounted by itself, as containers do
  }
}

async function copyInto({ path, descriptor }: Destination, temporary: string): Promise<void> {
  const printer = descriptor === 1 ? process.stdout : descriptor === 2 ? process.stderr : undefined;
  const opened = descriptor === undefined ? {} : { fd: descriptor };
  const writing = pipeline(createReadStream(temporary), printer ?? createWriteStream(path, opened), {
    end: printer === undefined,
  });
  await writing.catch((error: NodeJS.ErrnoException) => {
    if (printer === undefined || error.code !== 'EPIPE') throw error; // as `head`, its reader has read enough
  });
  await rm(temporary, { force: true });
}

/**
 * Creates a folder and its parents, unless they exist.
 *
 * @returns the outermost folder that it created, if any.
 * @throws UsageError if the file system refuses.
 */
export async function makeFolder(path: string): Promise<string | undefined> {
  return mkdir(path, { recursive: true }).catch((error: unknown) => {
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
  return refusing('read', path, () => statIfAny(path));
}

function statIfAny(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** What kind of file this is, in words. */
export function kindOf(file: Stats): string {
  if (file.isFile()) return 'a file';
  if (file.isDirectory()) return 'a folder';
  if (file.isFIFO()) return 'a pipe';
  return file.isSocket() ? 'a socket' : 'a device';
}

/**
 * Returns a path to read, after checking that reading it ends: opening a pipe waits for a writer, and some devices are
 * endless.
 *
 * @throws UsageError if the path leads to a pipe, a socket or a device.
 * @example const text = readFileSync(readable('labels.txt'), 'utf8');
 */
export function readable(path: string): string {
  const found = statIfPresent(path);
  if (!found || found.isFile() || found.isDirectory()) return path;
  throw new UsageError(`"${path}" is ${kindOf(found)}, but expected a file. Copy what it contains to a file.`);
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
 * @throws UsageError if the file does not exist, is not a regular file or cannot be read.
 */
export function withFile<T>(path: string, use: (file: OpenFile) => T): T {
  const descriptor = refusing('read', path, () => openSync(readable(path), 'r'));
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

/** Does something with the file system whose refusal is a UsageError. */
export function refusing<T>(verb: string, path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw refusal(verb, path, error);
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  EEXIST: 'a file with that name exists',
  EISDIR: 'it is a folder',
  ENOTDIR: 'part of the path is a file',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would be too large',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'its links lead in a circle',
  ENXIO: 'nothing can be written there',
  EPIPE: 'its reader has ended',
};

/** Turns an error of the file system into a UsageError with a readable message. Other errors are returned unchanged. */
export function refusal(verb: string, path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  return new UsageError(`Cannot ${verb} "${path}": ${reasonOf(error as NodeJS.ErrnoException)}.`, { cause: error });
}

/** Why the file system refused, with the code of the error. */
export const reasonOf = ({ code = '', message }: NodeJS.ErrnoException): string =>
  `${reasons[code] ?? message} (${code})`;

/** An error as those of the file system, for what is wrong before it is asked. */
const systemError = (code: string): Error => Object.assign(new Error(code), { code });
