/**
 * Lists the images in folders. A file is an image by its extension or, if that does not tell, by its first bytes. Other
 * files that might be meant as images are counted by extension, so that none of them is left out silently.
 *
 * Links are followed. Names that begin with a dot, and names that systems add to folders by themselves, are hidden.
 */

import { closeSync, constants, type Dirent, openSync, readSync } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { UsageError } from '../errors.ts';

/** Images in order, and the number of files that might have been meant as such, by extension in lower case. */
export interface Listing {
  readonly paths: readonly string[];
  readonly skipped: ReadonlyMap<string, number>;
}

export interface Entry {
  readonly name: string;
  readonly folder: boolean;
}

/** The formats that a file with one of these extensions may have; the decoder goes by the bytes. */
const formats = 'JPEG, PNG, WebP, GIF, TIFF or AVIF';
const common = ['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif'];
const imageExtensions = new Set([...common, '.jpe', '.jfif', '.jfi', '.jif', '.pjpeg', '.pjp', '.apng']);

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

/** Whether a file is an image, as far as its extension or else its first bytes tell. */
export function isImage(path: string): boolean {
  const extension = extensionOf(path);
  if (imageExtensions.has(extension)) return true;
  return !otherExtensions.has(extension) && hasImageBytes(firstBytes(path), extension);
}

/** Sorts files into images and others. */
export function listFiles(paths: readonly string[]): Listing {
  const found = emptyListing();
  for (const path of paths) addFile(path, found);
  return found;
}

/** All images in a folder and its subfolders. */
export async function listFolder(dir: string): Promise<Listing> {
  const found = emptyListing();
  await walk(dir, [], found);
  return found;
}

/** One sentence on the files that were skipped, if there are any. */
export function describeSkipped(listings: readonly Listing[]): string[] {
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
  return [`Skipped ${files} not ${formats}: ${[...parts, ...(rest > 0 ? [`${rest} others`] : [])].join(', ')}.`];
}

const maxNamed = 8;

/** The entries of a folder in order, without hidden names and broken links. */
export async function entries(dir: string): Promise<Entry[]> {
  const found = await readdir(dir, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(`Folder "${dir}" ${unusable(cause)}, but expected a folder with one subfolder per class.`, {
      cause,
    });
  });
  const visible = found.filter(({ name }) => !isHidden(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
  const kept: Entry[] = [];
  for (const item of visible) {
    const kind = item.isSymbolicLink() ? await target(join(dir, item.name)) : item;
    if (kind?.isDirectory() || kind?.isFile()) kept.push({ name: item.name, folder: kind.isDirectory() });
  }
  return kept;
}

const target = (link: string): Promise<Pick<Dirent, 'isDirectory' | 'isFile'> | undefined> =>
  stat(link).catch(() => undefined);

function unusable({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return 'does not exist';
  return code === 'ENOTDIR' ? 'is a file' : `cannot be read (${message})`;
}

interface Found extends Listing {
  readonly paths: string[];
  readonly skipped: Map<string, number>;
}

const emptyListing = (): Found => ({ paths: [], skipped: new Map() });

/** Links back to one of the real paths `above` are not followed. */
async function walk(dir: string, above: readonly string[], found: Found): Promise<void> {
  const real = await realpath(dir);
  if (above.includes(real)) return;
  for (const { name, folder } of await entries(dir)) {
    const path = join(dir, name);
    if (folder) await walk(path, [...above, real], found);
    else addFile(path, found);
  }
}

function addFile(path: string, found: Found): void {
  if (isImage(path)) found.paths.push(path);
  else if (!otherExtensions.has(extensionOf(path))) {
    const extension = shown(extensionOf(path));
    found.skipped.set(extension, (found.skipped.get(extension) ?? 0) + 1);
  }
}

const extensionOf = (path: string): string => extname(path).toLowerCase();

/** File names may contain anything, and this is printed. */
const shown = (extension: string): string => (/^(\.[\p{L}\p{N}_+~-]{1,16})?$/u.test(extension) ? extension : 'other');

/** The first bytes as Latin-1, one character each; empty if the file cannot be read. Does not wait for a FIFO. */
function firstBytes(path: string): string {
  const bytes = Buffer.alloc(64);
  try {
    const file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      return bytes.toString('latin1', 0, readSync(file, bytes, 0, bytes.length, 0));
    } finally {
      closeSync(file);
    }
  } catch {
    return '';
  }
}

function hasImageBytes(bytes: string, extension: string): boolean {
  if (['\xff\xd8\xff', '\x89PNG\r\n\x1a\n', 'GIF87a', 'GIF89a'].some((start) => bytes.startsWith(start))) return true;
  if (bytes.startsWith('RIFF') && bytes.startsWith('WEBP', 8)) return true;
  // Raw files of cameras begin like TIFF too, and the first image in them is a thumbnail.
  if (extension === '' && ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].some((start) => bytes.startsWith(start))) return true;
  return bytes.startsWith('ftyp', 4) && brandsOf(bytes).some((brand) => brand === 'avif' || brand === 'avis');
}

/** The brands of an ISO base media file: what its `ftyp` box, whose size comes first, lists from its ninth byte on. */
function brandsOf(bytes: string): string[] {
  const size = Buffer.from(bytes, 'latin1').readUInt32BE(0);
  return bytes.slice(8, size).match(/.{4}/gs) ?? [];
}
