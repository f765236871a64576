/**
 * The kinds of datasets that are packed in larger files: how each is recognized, and what reads it. A file is recognized by
 * its first bytes, a folder by the names of what is in it.
 */
import { type Dirent, existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { didYouMean } from '../closest-name.ts';
import { type DatasetKind, type Parts, refuseColumn, type SourceOptions } from '../data/datasets.ts';
import { splitOfName } from '../data/layout.ts';
import { isHidden, isImageName } from '../data/listing.ts';
import { isPattern, pathsMatching } from '../data/patterns.ts';
import { UsageError } from '../errors.ts';
import { statIfPresent, withFile } from '../files.ts';
import { Unreachable } from '../hub/http.ts';
import { isDatasetName, type PulledDataset, pullDataset } from '../hub/pull-dataset.ts';
import { nearPath } from '../near-path.ts';
import { fileSource } from '../weights/files.ts';
import { partOf } from '../weights/source.ts';
import { readArchive } from './archive.ts';
import { expandBraces, hasBraces } from './braces.ts';
import { type InnerFile, isCifar, readCifar } from './cifar.ts';
import { decompressed } from './gzip.ts';
import { readParquet } from './parquet.ts';
import { isShard, readShards } from './shards.ts';
import { type Member, tarMembers } from './tar.ts';
import { zipMembers } from './zip.ts';

export const packedKinds = {
  zip: {
    recognize: (path) => startsWith(path, [0x50, 0x4b, 0x03, 0x04]) || startsWith(path, [0x50, 0x4b, 0x05, 0x06]),
    read: async (path, options) => {
      checkColumns(path, options);
      return readArchive(path, (source) => zipMembers(source, path));
    },
  },
  tar: {
    recognize: (path) => isTarName(path) && isFile(path),
    read: readTar,
  },
  shards: {
    recognize: (path) => isPatternOf(path, '.tar') || isFolderOf(path, '.tar'),
    read: async (path, options) => readShards(path, filesOf(path, '.tar'), options),
  },
  parquet: {
    recognize: (path) =>
      startsWith(path, [0x50, 0x41, 0x52, 0x31]) || isPatternOf(path, '.parquet') || isFolderOf(path, '.parquet'),
    read: (path, options) => readParquet(path, filesOf(path, '.parquet'), options),
  },
  cifar: {
    recognize: (path) => cifarFolders(path).length > 0,
    read: readCifarFolder,
  },
  hub: {
    recognize: (path) => isDatasetName(path) && !existsSync(path),
    read: async (path, options) => {
      const { files, folder } = await filesOfHub(path);
      return readParquet(path, files, options, folder);
    },
  },
} satisfies Readonly<Record<string, DatasetKind>>;

/** Larger files that hold images, of one form. */
export interface PackedFiles {
  readonly kind: 'zip' | 'tar' | 'parquet';
  readonly files: readonly string[];
}

/**
 * The larger files that a path, a folder or a pattern stands for, whether or not there are labels in them.
 *
 * @returns undefined for anything else, such as images or a folder of them.
 * @throws UsageError if a pattern stands for files that are missing.
 */
export function packedFiles(path: string): PackedFiles | undefined {
  const { zip, tar, shards, parquet } = packedKinds;
  if (zip.recognize(path)) return { kind: 'zip', files: [path] };
  if (tar.recognize(path)) return { kind: 'tar', files: [path] };
  if (shards.recognize(path)) return { kind: 'tar', files: filesOf(path, '.tar') };
  if (parquet.recognize(path)) return { kind: 'parquet', files: filesOf(path, '.parquet') };
  return undefined;
}

/** The files of a dataset on the hub. A name without `hf://` may be a mistyped path. */
async function filesOfHub(name: string): Promise<PulledDataset> {
  try {
    return await pullDataset(name);
  } catch (cause) {
    if (!(cause instanceof Unreachable) || name.startsWith('hf://')) throw cause;
    const near = nearPath(name);
    throw new UsageError(
      `There is no file or folder "${name}".${didYouMean(near && `"${near}"`)} It could not be looked up on the Hugging Face Hub either: ${cause.message}`,
      { cause },
    );
  }
}

const isTarName = (path: string): boolean => /\.(tar|tgz|tar\.(gz|bz2|xz|zst))$/i.test(path);

const isFile = (path: string): boolean => statIfPresent(path)?.isFile() ?? false;

function startsWith(path: string, magic: readonly number[]): boolean {
  if (!isFile(path)) return false;
  const head = new Uint8Array(magic.length);
  withFile(path, (file) => file.fill(head, 0));
  return magic.every((byte, i) => head[i] === byte);
}

/** What a folder contains, without hidden names; nothing if it is none. */
const entriesOf = (path: string): Dirent[] =>
  statIfPresent(path)?.isDirectory()
    ? readdirSync(path, { withFileTypes: true }).filter(({ name }) => !isHidden(name))
    : [];

/** Folders of splits, or the one that repositories of the hub have. */
const holdsFiles = (name: string): boolean => splitOfName(name) !== undefined || name === 'data' || name === 'default';

/** Files with an extension in a folder, and in folders in it that are named for splits. */
function filesIn(path: string, extension: string, depth = 2): string[] {
  return entriesOf(path).flatMap((entry) => {
    const inner = join(path, entry.name);
    if (entry.name.endsWith(extension) && isFile(inner)) return [inner];
    return depth > 0 && holdsFiles(entry.name) && !isFile(inner) ? filesIn(inner, extension, depth - 1) : [];
  });
}

/** Whether a folder is packed in such files. Beside class folders, they are what those were unpacked from. */
const isFolderOf = (path: string, extension: string): boolean =>
  filesIn(path, extension).length > 0 && !hasClassFolders(path);

/** Whether several folders in a folder, or in those named for splits, contain images. */
function hasClassFolders(path: string, depth = 2): boolean {
  const folders = entriesOf(path)
    .map(({ name }) => ({ name, inner: join(path, name) }))
    .filter(({ inner }) => !isFile(inner));
  const isClass = (inner: string) => entriesOf(inner).some(({ name }) => isImageName(name));
  const [first, second] = folders.filter(({ name, inner }) => !holdsFiles(name) && isClass(inner));
  if (first && second) return true;
  return depth > 0 && folders.some(({ name, inner }) => holdsFiles(name) && hasClassFolders(inner, depth - 1));
}

const isPatternOf = (path: string, extension: string): boolean =>
  path.endsWith(extension) && !existsSync(path) && (hasBraces(path) || isPattern(path));

/** The files that a path stands for: those of a pattern or a folder, or itself. */
function filesOf(path: string, extension: string): string[] {
  if (!isPatternOf(path, extension)) return isFile(path) ? [path] : filesIn(path, extension);
  if (/[*?[]/.test(path)) {
    const found = pathsMatching(path).filter(isFile);
    if (found.length > 0) return found;
    throw new UsageError(`No file matches "${path}". Correct the pattern, or name the folder of the files.`);
  }
  const files = expandBraces(path);
  const missing = files.find((file) => !isFile(file));
  if (missing === undefined) return files;
  throw new UsageError(`There is no file "${missing}", which "${path}" stands for. Change the range, or add the file.`);
}

const namesOf = (files: readonly { readonly name: string }[]): string[] => files.map(({ name }) => name);

const innerFiles = (dir: string): InnerFile[] =>
  entriesOf(dir)
    .map(({ name }) => ({ name, path: join(dir, name) }))
    .filter(({ path }) => isFile(path))
    .map(({ name, path }) => ({ name, path, start: 0, source: fileSource(path) }));

const isCifarFolder = (path: string): boolean =>
  isCifar(namesOf(entriesOf(path))) && isCifar(namesOf(innerFiles(path)));

/** A folder with CIFAR's files; or those in a folder without other classes, as torchvision leaves them in its root. */
function cifarFolders(path: string): string[] {
  if (isCifarFolder(path)) return [path];
  const found = entriesOf(path)
    .map(({ name }) => join(path, name))
    .filter(isCifarFolder);
  return found.length > 0 && hasClassFolders(path) ? [] : found.sort();
}

async function readCifarFolder(path: string, options: SourceOptions): Promise<Parts> {
  const [folder, other] = cifarFolders(path);
  if (other !== undefined) {
    throw new UsageError(
      `"${path}" contains both "${basename(folder!)}" and "${basename(other)}". Name "${folder}" or the other.`,
    );
  }
  const parts = readCifar(folder!, innerFiles(folder!), options);
  return folder === path ? parts : { ...parts, notes: [`The images are those of "${folder}".`, ...parts.notes] };
}

/** A tar archive of class folders, of CIFAR's files, or a shard. */
async function readTar(path: string, options: SourceOptions): Promise<Parts> {
  const tar = await decompressed(path);
  const first = withFile(tar, (file) => firstOf(tarMembers(file, path)));
  const files = first.map(({ name, start, length }): InnerFile => {
    return { name: basename(name), path: tar, start, source: partOf(fileSource(tar), start, length) };
  });
  if (isCifar(namesOf(files))) return readCifar(path, files, options);
  if (isShard(first)) return readShards(path, [tar], options, dirname(tar));
  checkColumns(path, options);
  return readArchive(path, (source, onLink) => tarMembers(source, path, onLink), tar);
}

const checkColumns = (path: string, { imageColumn, labelColumn = imageColumn }: SourceOptions): void =>
  refuseColumn(path, 'an archive of class folders', labelColumn);

/** More than CIFAR's archives have, and enough to tell a shard. */
const mostLooked = 64;

function firstOf(members: Iterable<Member>): Member[] {
  const first: Member[] = [];
  for (const member of members) {
    first.push(member);
    if (first.length === mostLooked) break;
  }
  return first;
}
