/**
 * Reads folders of images, with one subfolder per class, as training and validation samples.
 *
 *   DIR/train/CLASS/…  and  DIR/val/CLASS/…      both are given
 *   DIR/CLASS/…        or   DIR/train/CLASS/…    each class is split by the seed, even if there is a DIR/test
 *
 * Names are ordered by UTF-16 code unit, so labels are the same on every machine. Subfolders of a class belong to it.
 * `layout.ts` has the names of splits, `split.ts` how a class is split, `listing.ts` the files that are images.
 */

import { basename, join, relative } from 'node:path';
import { UsageError } from '../errors.ts';
import { checkClasses, type Layout, layout, subfolders } from './layout.ts';
import { describeSkipped, entries, isImage, type Listing, listFolder, usualExtensions } from './listing.ts';
import { byChance, type HoldOut, nameOf } from './split.ts';

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
  /** The folder whose subfolders are the classes to train on. */
  readonly trainDir: string;
  /** The same for validation; absent if its images are held out of `trainDir`. */
  readonly validationDir?: string;
  /** Sentences for the user: how the folders were understood, and how many files were skipped; absent if none. */
  readonly notes?: readonly string[];
}

export interface FolderOptions {
  /** Share of each class to hold out for validation if DIR has no folder for it. Default: 0.2. */
  readonly validation?: number;
  /** Seed of the split. Default: 0. */
  readonly seed?: number;
}

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
  return readFolder(await layout(dir), { holdOut: byChance(validation, seed) });
}

export interface ReadOptions {
  readonly holdOut: HoldOut;
  /** The images to use of those that are listed. Default: all. */
  readonly accepts?: (path: string) => boolean;
}

/**
 * As `openFolder`, where the splits are known.
 *
 * @throws UsageError as `openFolder`.
 */
export async function readFolder(
  { trainDir, validationDir, testDir, notes }: Layout,
  { holdOut, accepts = () => true }: ReadOptions,
): Promise<Folder> {
  const classes = await classNames(trainDir);
  if (classes.length === 1) {
    throw new UsageError(
      `Folder "${trainDir}" contains only the class "${classes[0]}", but a classifier needs two or more. Add another.`,
    );
  }
  const remarks = [...notes, ...(await checkClasses(trainDir, classes)), ...(await looseImages(trainDir))];
  const training = await samplesOf(trainDir, classes, classes, accepts);
  if (validationDir === undefined) {
    const halves = split(training.samples, trainDir, classes, holdOut);
    const held = testDir === undefined ? [] : [heldOut(trainDir, testDir, halves.validation.length)];
    return { classes, ...halves, trainDir, ...withNotes([...remarks, ...held, ...describeSkipped(training.listings)]) };
  }
  const found = await classNames(validationDir);
  const unknown = found.find((name) => !classes.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(
      `Class "${unknown}" is in "${validationDir}" but not in "${trainDir}". Add it to the latter, or remove it from the former.`,
    );
  }
  const { samples, listings } = await samplesOf(validationDir, found, classes, accepts);
  const skipped = describeSkipped([...training.listings, ...listings]);
  const halves = { train: training.samples, validation: samples };
  return { classes, ...halves, trainDir, validationDir, ...withNotes([...remarks, ...skipped]) };
}

/** The result of `openClasses`. */
export interface LabeledImages {
  readonly classes: readonly string[];
  /** The folder whose subfolders are the classes. */
  readonly dir: string;
  readonly samples: readonly Sample[];
  /** Sentences for the user, for example on skipped files; absent if none. */
  readonly notes?: readonly string[];
}

/**
 * Finds the samples to evaluate a model on: if the folder has `train`, those in `val`, or else in `test`.
 *
 * @param classes the model's classes, which labels refer to. Default: the names of the class folders.
 * @throws UsageError naming a folder that does not exist, has no class folders, or is not one of `classes`.
 * @example const { samples } = await openClasses('flowers/val', classifier.description.classes);
 */
export async function openClasses(dir: string, classes?: readonly string[]): Promise<LabeledImages> {
  const { validationDir, testDir } = await layout(dir);
  const from = validationDir ?? testDir ?? dir;
  const found = await classNames(from);
  const known = classes ?? found;
  const unknown = found.find((name) => !known.includes(name));
  const notes = unknown !== undefined || classes === undefined ? await checkClasses(from, found) : [];
  if (unknown !== undefined) {
    const classes = `the model's ${known.length} classes (${listed(known)})`;
    throw new UsageError(`Folder "${join(from, unknown)}" is not one of ${classes}. ${adviceFor(found, known)}.`);
  }
  const { samples, listings } = await samplesOf(from, found, known);
  return { classes: known, dir: from, samples, ...withNotes([...notes, ...describeSkipped(listings)]) };
}

/**
 * Lists all images in a folder and its subfolders, in order. Links are followed, hidden names skipped.
 *
 * @throws UsageError if the folder does not exist or contains no images.
 */
export async function listImages(dir: string): Promise<Listing> {
  await entries(dir);
  const listing = await listFolder(dir);
  if (listing.paths.length > 0) return listing;
  throw new UsageError(`Folder "${dir}" contains no images (${usualExtensions}).`);
}

const withNotes = (notes: readonly string[]): Pick<Folder, 'notes'> => (notes.length > 0 ? { notes } : {});

function heldOut(trainDir: string, testDir: string, images: number): string {
  const held = images === 0 ? 'no images' : `${images} images of "${basename(trainDir)}"`;
  return `"${basename(testDir)}" is left for a final evaluation; ${held} are held out for validation.`;
}

/** A sentence on images next to the class folders, if there are any. */
async function looseImages(dir: string): Promise<string[]> {
  const loose = (await entries(dir)).filter(({ name, folder }) => !folder && isImage(join(dir, name))).length;
  if (loose === 0) return [];
  return [`Skipped ${loose === 1 ? '1 image' : `${loose} images`} directly in "${dir}", outside of the class folders.`];
}

/** ImageNet's folders are named by WordNet IDs, which no model uses as class names. */
function adviceFor(found: readonly string[], known: readonly string[]): string {
  const isSynset = (name: string) => /^n\d{8}$/.test(name);
  if (!found.every(isSynset) || known.some(isSynset)) return 'Rename or remove it';
  return `The folders are named by WordNet IDs. Rename each to the model's name for its class, such as "${known[0]}"`;
}

const listed = (names: readonly string[]): string => names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '');

async function classNames(dir: string): Promise<string[]> {
  const names = await subfolders(dir);
  if (names.length > 0) return names;
  throw new UsageError(`Folder "${dir}" contains no class folders. Put the images of each class in a subfolder.`);
}

/** The images in the folders `names` of `dir`, labeled by their index in `classes`. */
async function samplesOf(
  dir: string,
  names: readonly string[],
  classes: readonly string[],
  accepts: (path: string) => boolean = () => true,
): Promise<{ samples: Sample[]; listings: Listing[] }> {
  const samples: Sample[] = [];
  const listings: Listing[] = [];
  for (const name of names) {
    const label = classes.indexOf(name);
    const listing = await listFolder(join(dir, name));
    if (listing.paths.length === 0) {
      throw new UsageError(
        `Class folder "${join(dir, name)}" contains no images (${usualExtensions}). Add some, or remove it.`,
      );
    }
    for (const path of listing.paths) if (accepts(path)) samples.push({ path, label });
    listings.push(listing);
  }
  return { samples, listings };
}

/** The path of a sample within its class folder in `dir`. */
export const nameIn = (dir: string, classes: readonly string[], { path, label }: Sample): string =>
  nameOf(relative(join(dir, classes[label]!), path));

function split(
  samples: readonly Sample[],
  dir: string,
  classes: readonly string[],
  holdOut: HoldOut,
): { train: Sample[]; validation: Sample[] } {
  const names = classes.map((): string[] => []);
  for (const sample of samples) names[sample.label]!.push(nameIn(dir, classes, sample));
  const held = names.map((own, label) => holdOut(own, classes[label]!, label));
  const isHeld = (sample: Sample) => held[sample.label]!.has(nameIn(dir, classes, sample));
  return { train: samples.filter((sample) => !isHeld(sample)), validation: samples.filter(isHeld) };
}
