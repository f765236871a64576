/**
 * Lists the images in folders. A file is an image by its extension or, if that does not tell, by its first bytes. Other
 * files that might be meant as images are counted by extension, so that none of them is left out silently.
 *
 * Links are followed, but a folder is listed once, however many links lead to it. Names that begin with a dot, and names
 * that systems add to folders by themselves, are hidden. Names that are not UTF-8 have no path as text; they are counted.
 */

import { closeSync, constants, type Dirent, lstatSync, openSync, readSync, statSync } from 'node:fs';
import { readdir, realpath } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { readsHeic } from '#platform/images';
import { didYouMean } from '../closest-name.ts';
import { UsageError } from '../errors.ts';
import { nearPath } from '../near-path.ts';
import { formatNames, formatOf, headBytes } from '../platform/formats/formats.ts';

/** What was left out of a list. */
export interface LeftOut {
  /** The number of files that might have been meant as images, by extension in lower case. */
  readonly skipped: ReadonlyMap<string, number>;
  /** Paths of files and folders whose names are not UTF-8, with U+FFFD in place of what is not. */
  readonly unnamed: readonly string[];
}

/** Images in order, and what was left out. */
export interface Listing extends LeftOut {
  readonly paths: readonly string[];
}

export interface Entry {
  readonly name: string;
  readonly folder: boolean;
  /** Whether it is a link. */
  readonly link: boolean;
}

/** The entries of a folder. */
export interface FolderContents {
  readonly entries: readonly Entry[];
  /** Entries whose names are not UTF-8, which cannot be opened. */
  readonly unnamed: readonly Entry[];
}

const common = ['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif', '.bmp', '.ppm', '.pgm', '.pbm'];
const others = ['.jpe', '.jfif', '.jfi', '.jif', '.pjpeg', '.pjp', '.apng', '.dib', '.pnm', '.pam'];
/** The decoder goes by the bytes. */
const imageExtensions = new Set([...common, ...others]);

/** The extensions that most images have. */
export const commonExtensions: readonly string[] = common;

/** Extensions for error messages. */
export const usualExtensions = common.join(' ');

/**
 * Files that often lie beside images, even one for each. They are not opened, so that large folders are listed quickly, and
 * not counted, since nobody takes them for images.
 */
const otherExtensions = new Set(
  '.txt .xml .json .jsonl .csv .tsv .md .html .yaml .yml .log .npy .npz .mat .pkl .pt .pth .zip .mp4 .mov .xmp'.split(
    ' ',
  ),
);

const hiddenNames = new Set([
  '@eaDir',
  '@Recycle',
  '#recycle',
  '$RECYCLE.BIN',
  '__MACOSX',
  'System Volume Information',
  'lost+found',
  'Thumbs.db',
  'desktop.ini',
]);

export const isHidden = (name: string): boolean => name.startsWith('.') || hiddenNames.has(name);

/** Whether a file is an image by its extension. */
export const isImageName = (path: string): boolean => imageExtensions.has(extensionOf(path));

/** Whether a file is none by its extension, and does not count as one that was left out. */
export const isOtherName = (path: string): boolean => otherExtensions.has(extensionOf(path));

/** Whether a file is an image, as far as its extension or else its first bytes tell. */
export async function isImage(path: string, head: () => Uint8Array = () => firstBytes(path)): Promise<boolean> {
  if (isImageName(path)) return true;
  if (isOtherName(path)) return false;
  const extension = extensionOf(path);
  const format = formatOf(head());
  if (format === 'HEIC') return readsHeic();
  // Raw files of cameras begin like TIFF too, and the first image in them is a thumbnail.
  return format !== undefined && (format !== 'TIFF' || extension === '');
}

/** Sorts files into images and others. */
export async function listFiles(paths: readonly string[]): Promise<Listing> {
  const found = emptyListing();
  for (const path of paths) await addFile(path, found);
  return found;
}

/** Which files in a folder to list. */
export interface Scope {
  /** Levels of folders to list: 1 leaves out subfolders. */
  readonly depth: number;
  readonly isHidden: (name: string) => boolean;
  readonly accepts: (path: string) => boolean;
}

const everything: Scope = { depth: Infinity, isHidden, accepts: () => true };

/** All images in a folder and its subfolders. */
export async function listFolder(dir: string, scope = everything): Promise<Listing> {
  const [found, visited] = [emptyListing(), new Set<string>()];
  const links = [{ path: dir, depth: scope.depth }]; // followed last, so that a folder is listed where it is
  for (const { path, depth } of links) {
    const more = await walk(path, { ...scope, depth }, visited, found);
    links.push(...more);
  }
  return links.length > 1 ? { ...found, paths: inFolderOrder(found.paths, (path) => path, sep) } : found;
}

/** A sentence each on files and names that were skipped, if there are any. */
export const describeSkipped = (listings: readonly LeftOut[]): string[] => [
  ...describeOthers(listings),
  ...describeUnnamed(listings.flatMap(({ unnamed }) => unnamed)),
];

function describeUnnamed(paths: readonly string[]): string[] {
  if (paths.length === 0) return [];
  const many =
    paths.length === 1 ? '1 file or folder whose name is' : `${paths.length} files or folders whose names are`;
  return [
    `Skipped ${many} not UTF-8, such as ${JSON.stringify(paths[0])}. Rename ${paths.length === 1 ? 'it' : 'them'}.`,
  ];
}

function describeOthers(listings: readonly LeftOut[]): string[] {
  const counts = new Map<string, number>();
  for (const { skipped } of listings) {
    for (const [extension, count] of skipped) counts.set(extension, (counts.get(extension) ?? 0) + count);
  }
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  if (total === 0) return [];
  const sorted = [...counts].sort((a, b) => b[1] - a[1]);
  const parts = sorted.slice(0, maxNamed).map(([extension, count]) => `${count} ${extension || 'without extension'}`);
  const rest = sorted.slice(maxNamed).reduce((sum, [, count]) => sum + count, 0);
  const files = total === 1 ? '1 file that is' : `${total} files that are`;
  return [`Skipped ${files} not ${formatNames}: ${[...parts, ...(rest > 0 ? [`${rest} others`] : [])].join(', ')}.`];
}

const maxNamed = 8;

/** Whether a name is not UTF-8: it was read with U+FFFD in place of what is not, so there is no file at its path. */
function isUnnamed(path: string): boolean {
  return path.includes('\ufffd') && lstatSync(path, { throwIfNoEntry: false }) === undefined;
}

/** The entries of a folder in order, without hidden names and broken links. */
export async function readEntries(dir: string, hides = isHidden): Promise<FolderContents> {
  const found = await readdir(dir, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    const near = cause.code === 'ENOENT' ? nearPath(dir) : undefined;
    throw new UsageError(
      `Folder "${dir}" ${unusable(cause)}, but expected a folder with one subfolder per class.${didYouMean(near && `"${near}"`)}`,
      { cause },
    );
  });
  const visible = found.filter(({ name }) => !hides(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
  const [kept, unnamed]: [Entry[], Entry[]] = [[], []];
  for (const item of visible) {
    const path = join(dir, item.name);
    const isOther = isUnnamed(path);
    const link = item.isSymbolicLink();
    const kind = link && !isOther ? target(path) : item;
    if (isOther || kind?.isDirectory() || kind?.isFile()) {
      (isOther ? unnamed : kept).push({ name: item.name, folder: kind?.isDirectory() ?? false, link });
    }
  }
  return { entries: kept, unnamed };
}

/** The entries whose names are UTF-8. */
export const entries = async (dir: string): Promise<readonly Entry[]> => (await readEntries(dir)).entries;

/** What a link leads to. Blocks, since a folder may have a million links, and a promise for each takes ten times as long. */
function target(link: string): Pick<Dirent, 'isDirectory' | 'isFile'> | undefined {
  try {
    return statSync(link, { throwIfNoEntry: false });
  } catch {
    return undefined; // such as a circle
  }
}

function unusable({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return 'does not exist';
  return code === 'ENOTDIR' ? 'is a file' : `cannot be read (${message})`;
}

export interface Found extends Listing {
  readonly paths: string[];
  readonly skipped: Map<string, number>;
  readonly unnamed: string[];
}

export const emptyListing = (): Found => ({ paths: [], skipped: new Map(), unnamed: [] });

/** Sorts by paths, in the order in which folders list their entries: a separator comes before all other characters. */
export function inFolderOrder<T>(items: readonly T[], pathOf: (item: T) => string, separator = '/'): T[] {
  const keyed = items.map((item) => ({ item, key: pathOf(item).replaceAll(separator, '\0') }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ item }) => item);
}

interface Link {
  readonly path: string;
  readonly depth: number;
}

/**
 * Lists a folder, unless it was listed before, and returns the links in it that lead to folders.
 *
 * @param visited the real paths of folders that were listed.
 */
async function walk(dir: string, scope: Scope, visited: Set<string>, found: Found): Promise<Link[]> {
  const real = await realpath(dir).catch(() => dir); // `readEntries` says why there is none
  if (scope.depth === 0 || visited.has(real)) return [];
  visited.add(real);
  const { entries, unnamed } = await readEntries(dir, scope.isHidden);
  for (const { name } of unnamed) found.unnamed.push(join(dir, name));
  const links: Link[] = [];
  const depth = scope.depth - 1;
  for (const { name, folder, link } of entries) {
    const path = join(dir, name);
    if (folder && link) links.push({ path, depth });
    else if (folder) links.push(...(await walk(path, { ...scope, depth }, visited, found)));
    else if (scope.accepts(path)) {
      if (isImageName(name)) found.paths.push(path);
      else await addFile(path, found);
    }
  }
  return links;
}

async function addFile(path: string, found: Found): Promise<void> {
  if (isUnnamed(path)) found.unnamed.push(path);
  else if (await isImage(path)) found.paths.push(path);
  else if (!isOtherName(path)) leaveOut(path, found);
}

/** Counts a file that is no image. */
export function leaveOut(path: string, { skipped }: Found): void {
  const extension = printableExtension(extensionOf(path));
  skipped.set(extension, (skipped.get(extension) ?? 0) + 1);
}

const extensionOf = (path: string): string => extname(path).toLowerCase();

/** File names may contain anything, and this is printed. */
const printableExtension = (extension: string): string =>
  /^(\.[\p{L}\p{N}_+~-]{1,16})?$/u.test(extension) ? extension : 'other';

/** The first bytes of a file; none if it cannot be read. Does not wait for a FIFO. */
function firstBytes(path: string): Uint8Array {
  const bytes = new Uint8Array(headBytes);
  try {
    const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, 0));
    } finally {
      closeSync(file);
    }
  } catch {
    return new Uint8Array();
  }
}
