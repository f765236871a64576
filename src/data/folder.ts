/**
 * Folders of images, one sub-folder per class, as training and validation samples.
 *
 *   DIR/train/CLASS/…  and  DIR/val/CLASS/…      the folder gives both; val may also be validation, valid or test
 *   DIR/CLASS/…        or   DIR/train/CLASS/…    every class is split by the seed
 *
 * Names are ordered by UTF-16 code unit, so labels and splits are the same on every machine. Sub-folders of a class
 * belong to it; links are followed; names that begin with a dot, and files of other kinds, are skipped.
 */

import type { Dirent } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../errors.ts';
import { permutation } from './random.ts';

/** An image file and its class. */
export interface Sample {
  readonly path: string;
  /** Index of the class. */
  readonly label: number;
}

/** The samples of a folder for training. */
export interface Folder {
  /** Names of the class folders in order; a label is a place in this list. */
  readonly classes: readonly string[];
  readonly train: readonly Sample[];
  readonly validation: readonly Sample[];
}

export interface FolderOptions {
  /** The fraction of every class that becomes validation if DIR has no folder for it; 0.2 by default. */
  readonly validation?: number;
  /** Decides the split; 0 by default. */
  readonly seed?: number;
}

const extensions = ['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif'];
const validationNames = ['val', 'validation', 'valid', 'test'];

/**
 * Finds the samples of a data set for training.
 *
 * @throws UsageError naming the folder that is missing, holds no classes or only one, holds an empty class, or holds a
 *   class for validation that training lacks.
 * @example const { classes, train, validation } = await openFolder('flowers', { validation: 0.1 });
 */
export async function openFolder(dir: string, options: FolderOptions = {}): Promise<Folder> {
  const { validation = 0.2, seed = 0 } = options;
  if (!(validation >= 0 && validation < 1)) {
    throw new UsageError(`validation is ${validation}, but expected a fraction from 0 to below 1, such as 0.2.`);
  }
  const { trainDir, validationDir } = await layout(dir);
  const classes = await classNames(trainDir);
  if (classes.length === 1) {
    throw new UsageError(`Folder "${trainDir}" holds one class, "${classes[0]}"; a classifier needs two or more.`);
  }
  const samples = await samplesOf(trainDir, classes, classes);
  if (validationDir === undefined) return { classes, ...split(samples, classes.length, validation, seed) };
  const found = await classNames(validationDir);
  const unknown = found.find((name) => !classes.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(
      `Class "${unknown}" is in "${validationDir}" but not in "${trainDir}"; add it there, or remove it here.`,
    );
  }
  return { classes, train: samples, validation: await samplesOf(validationDir, found, classes) };
}

/**
 * Finds the samples to evaluate a model on. A folder with `train` and `val` gives those in `val`.
 *
 * @param classes the model's classes, which labels refer to; by default the class folders' names.
 * @throws UsageError naming the folder that is missing, holds no classes, or is not one of `classes`.
 * @example const { samples } = await openClasses('flowers/val', classifier.description.classes);
 */
export async function openClasses(
  dir: string,
  classes?: readonly string[],
): Promise<{ readonly classes: readonly string[]; readonly samples: readonly Sample[] }> {
  const from = (await layout(dir)).validationDir ?? dir;
  const found = await classNames(from);
  const known = classes ?? found;
  const unknown = found.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const classes = `the model's ${known.length} classes (${listed(known)})`;
    throw new UsageError(`Folder "${join(from, unknown)}" is not one of ${classes}; ${adviceFor(found, known)}.`);
  }
  return { classes: known, samples: await samplesOf(from, found, known) };
}

/**
 * All images below a folder, in order; links are followed, hidden names skipped.
 *
 * @throws UsageError when there are none, or no such folder.
 */
export async function listImages(dir: string): Promise<string[]> {
  await entries(dir);
  const paths = await images(dir, []);
  if (paths.length > 0) return paths;
  throw new UsageError(`Folder "${dir}" holds no images (${extensions.join(' ')}).`);
}

/** Whether a file's name ends as an image's does. */
export const isImageName = (name: string): boolean =>
  extensions.some((extension) => name.toLowerCase().endsWith(extension));

/** ImageNet's folders are named by WordNet numbers, which no model uses as class names. */
function adviceFor(found: readonly string[], known: readonly string[]): string {
  const isSynset = (name: string) => /^n\d{8}$/.test(name);
  if (!found.every(isSynset) || known.some(isSynset)) return 'rename or remove it';
  const example = `"${known[0]}"`;
  return `the folders are named by WordNet numbers, but expected class names of the model, such as ${example}; rename each folder`;
}

const listed = (names: readonly string[]): string => names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '');

/** A `train` that holds images of its own is a class of trains, not one half of a split. */
async function layout(dir: string): Promise<{ trainDir: string; validationDir?: string }> {
  const names = (await entries(dir)).filter((entry) => entry.folder).map((entry) => entry.name);
  const trainDir = join(dir, 'train');
  if (!names.includes('train') || (await entries(trainDir)).some((entry) => isImage(entry))) return { trainDir: dir };
  const validation = validationNames.find((name) => names.includes(name));
  return validation === undefined ? { trainDir } : { trainDir, validationDir: join(dir, validation) };
}

async function classNames(dir: string): Promise<string[]> {
  const names = (await entries(dir)).filter((entry) => entry.folder).map((entry) => entry.name);
  if (names.length > 0) return names;
  throw new UsageError(`Folder "${dir}" holds no class folders; put the images of each class in a folder of its own.`);
}

/** The images in the folders `names` of `dir`, labeled by their place in `classes`. */
async function samplesOf(dir: string, names: readonly string[], classes: readonly string[]): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const name of names) {
    const label = classes.indexOf(name);
    const paths = await images(join(dir, name), []);
    if (paths.length === 0) {
      throw new UsageError(
        `Class folder "${join(dir, name)}" holds no images (${extensions.join(' ')}); add some, or remove it.`,
      );
    }
    for (const path of paths) samples.push({ path, label });
  }
  return samples;
}

/** All images below a folder. `above` holds the real paths that lead here: a link back to one of them is not followed. */
async function images(dir: string, above: readonly string[]): Promise<string[]> {
  const real = await realpath(dir);
  if (above.includes(real)) return [];
  let paths: string[] = [];
  for (const entry of await entries(dir)) {
    const path = join(dir, entry.name);
    if (entry.folder) paths = paths.concat(await images(path, [...above, real]));
    else if (isImage(entry)) paths.push(path);
  }
  return paths;
}

interface Entry {
  readonly name: string;
  readonly folder: boolean;
}

const isImage = ({ name, folder }: Entry): boolean => !folder && isImageName(name);

/** What a folder holds, in order, without hidden names and dangling links. */
async function entries(dir: string): Promise<Entry[]> {
  const found = await readdir(dir, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(`Folder "${dir}" ${unusable(cause)}; expected a folder of class folders.`, { cause });
  });
  const visible = found.filter(({ name }) => !name.startsWith('.')).sort((a, b) => (a.name < b.name ? -1 : 1));
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

/** Takes the same fraction of every class, at least one image and never all of them. */
function split(
  samples: readonly Sample[],
  classCount: number,
  fraction: number,
  seed: number,
): { train: Sample[]; validation: Sample[] } {
  const held = new Set<Sample>();
  const byClass = Array.from({ length: classCount }, (): Sample[] => []);
  for (const sample of samples) byClass[sample.label]!.push(sample);
  for (const [label, members] of byClass.entries()) {
    const wanted = fraction === 0 ? 0 : Math.max(1, Math.round(members.length * fraction));
    const order = permutation(members.length, seed, label);
    for (const i of order.subarray(0, Math.min(wanted, members.length - 1))) held.add(members[i]!);
  }
  return {
    train: samples.filter((sample) => !held.has(sample)),
    validation: samples.filter((sample) => held.has(sample)),
  };
}
