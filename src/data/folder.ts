/**
 * Reads folders of images, with one subfolder per class, as training and validation samples.
 *
 *   DIR/train/CLASS/…  and  DIR/val/CLASS/…      both are given; val may also be validation, valid or test
 *   DIR/CLASS/…        or   DIR/train/CLASS/…    each class is split by the seed
 *
 * Names are ordered by UTF-16 code unit, so labels and splits are the same on every machine. Subfolders of a class belong
 * to it. Links are followed. Names that begin with a dot and files that are not images are skipped.
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
  /** Names of the class folders in order. A label is an index into this list. */
  readonly classes: readonly string[];
  readonly train: readonly Sample[];
  readonly validation: readonly Sample[];
}

export interface FolderOptions {
  /** Fraction of each class to hold out for validation if DIR has no folder for it. Default: 0.2. */
  readonly validation?: number;
  /** Seed of the split. Default: 0. */
  readonly seed?: number;
}

const extensions = ['.jpg', '.jpeg', '.png', '.webp', '.gif', '.tif', '.tiff', '.avif'];
const validationNames = ['val', 'validation', 'valid', 'test'];

/**
 * Finds the samples of a dataset for training.
 *
 * @throws UsageError naming a folder that does not exist, has fewer than two classes, has a class without images, or has a
 *   validation class that is not in the training folder.
 * @example const { classes, train, validation } = await openFolder('flowers', { validation: 0.1 });
 */
export async function openFolder(dir: string, options: FolderOptions = {}): Promise<Folder> {
  const { validation = 0.2, seed = 0 } = options;
  if (!(validation >= 0 && validation < 1)) {
    throw new UsageError(`validation is ${validation}, but expected a number of at least 0 and below 1.`);
  }
  const { trainDir, validationDir } = await layout(dir);
  const classes = await classNames(trainDir);
  if (classes.length === 1) {
    throw new UsageError(
      `Folder "${trainDir}" contains only the class "${classes[0]}", but a classifier needs two or more. Add another.`,
    );
  }
  const samples = await samplesOf(trainDir, classes, classes);
  if (validationDir === undefined) return { classes, ...split(samples, classes.length, validation, seed) };
  const found = await classNames(validationDir);
  const unknown = found.find((name) => !classes.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(
      `Class "${unknown}" is in "${validationDir}" but not in "${trainDir}". Add it to the latter, or remove it from the former.`,
    );
  }
  return { classes, train: samples, validation: await samplesOf(validationDir, found, classes) };
}

/**
 * Finds the samples to evaluate a model on: those in `val` if the folder has `train` and `val`.
 *
 * @param classes the model's classes, which labels refer to. Default: the names of the class folders.
 * @throws UsageError naming a folder that does not exist, has no class folders, or is not one of `classes`.
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
    throw new UsageError(`Folder "${join(from, unknown)}" is not one of ${classes}. ${adviceFor(found, known)}.`);
  }
  return { classes: known, samples: await samplesOf(from, found, known) };
}

/**
 * Lists all images in a folder and its subfolders, in order. Links are followed, hidden names skipped.
 *
 * @throws UsageError if the folder does not exist or contains no images.
 */
export async function listImages(dir: string): Promise<string[]> {
  await entries(dir);
  const paths = await images(dir, []);
  if (paths.length > 0) return paths;
  throw new UsageError(`Folder "${dir}" contains no images (${extensions.join(' ')}).`);
}

/** Whether a file name has the extension of an image. */
export const isImageName = (name: string): boolean =>
  extensions.some((extension) => name.toLowerCase().endsWith(extension));

/** ImageNet's folders are named by WordNet IDs, which no model uses as class names. */
function adviceFor(found: readonly string[], known: readonly string[]): string {
  const isSynset = (name: string) => /^n\d{8}$/.test(name);
  if (!found.every(isSynset) || known.some(isSynset)) return 'Rename or remove it';
  return `The folders are named by WordNet IDs. Rename each to the model's name for its class, such as "${known[0]}"`;
}

const listed = (names: readonly string[]): string => names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '');

/** A folder `train` that directly contains images is a class of trains, not the training half of a split. */
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
  throw new UsageError(`Folder "${dir}" contains no class folders. Put the images of each class in a subfolder.`);
}

/** The images in the folders `names` of `dir`, labeled by their index in `classes`. */
async function samplesOf(dir: string, names: readonly string[], classes: readonly string[]): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (const name of names) {
    const label = classes.indexOf(name);
    const paths = await images(join(dir, name), []);
    if (paths.length === 0) {
      throw new UsageError(
        `Class folder "${join(dir, name)}" contains no images (${extensions.join(' ')}). Add some, or remove it.`,
      );
    }
    for (const path of paths) samples.push({ path, label });
  }
  return samples;
}

/** All images in a folder and its subfolders. Links back to one of the real paths `above` are not followed. */
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

/** The entries of a folder in order, without hidden names and broken links. */
async function entries(dir: string): Promise<Entry[]> {
  const found = await readdir(dir, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new UsageError(`Folder "${dir}" ${unusable(cause)}, but expected a folder with one subfolder per class.`, {
      cause,
    });
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

/** Holds out the same fraction of each class, at least one image but never all of them. */
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
