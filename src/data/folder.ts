/**
 * Reads folders of images, with one subfolder per class, as training and validation samples.
 *
 *   DIR/train/CLASS/…  and  DIR/val/CLASS/…      both are given
 *   DIR/CLASS/…        or   DIR/train/CLASS/…    each class is split by the seed, even if there is a DIR/test
 *
 * Names are ordered by UTF-16 code unit, so labels are the same on every machine. Names of classes are compared and returned
 * in Unicode's composed form (NFC), since systems differ in how they store an accent. Subfolders of a class belong to it.
 * `layout.ts` has the names of splits, `split.ts` how a class is split, `listing.ts` the files that are images.
 */

import { basename, join, sep } from 'node:path';
import { checkArgument, checkList, checkOptions, type FieldsOf, name, path } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import { firstOf, real, whole } from '../options.ts';
import { checkClasses, type Layout, layout } from './layout.ts';
import {
  describeSkipped,
  entries,
  type LeftOut,
  type Listing,
  listFiles,
  listFolder,
  readEntries,
  usualExtensions,
} from './listing.ts';
import { suggestFolder } from './meant-folder.ts';
import { FileList, type SampleList } from './samples.ts';
import { byChance, type HoldOut, portablePath, splitBy } from './split.ts';

/** The samples of a folder, or of another dataset, for training. */
export interface Folder {
  /** Names of the classes in order. A label is an index into this list. */
  readonly classes: readonly string[];
  readonly train: SampleList;
  readonly validation: SampleList;
  /** The folder whose subfolders are the classes to train on, or another place, such as `flowers.zip/train`. */
  readonly trainDir: string;
  /** The same for validation; absent if its images are held out of `trainDir`. */
  readonly validationDir?: string;
  /** Sentences for the user: how the folders were understood, and how many files were skipped; absent if none. */
  readonly notes?: readonly string[];
}

/** How a folder without validation images is split. */
export interface FolderOptions {
  /** Share of each class to hold out for validation if DIR has no folder for it. Default: 0.2. */
  readonly validation?: number;
  /** Seed of the split. Default: 0. */
  readonly seed?: number;
}

export const folderFields: FieldsOf<FolderOptions> = {
  validation: real({ from: 0, below: 1, doc: 'share held out for validation' }),
  seed: whole({ doc: 'seed of the split' }),
};

/**
 * Finds the samples of a dataset for training.
 *
 * @throws UsageError naming a folder that does not exist, has fewer than two classes, has a class without images, or has a
 *   validation class that is not in the training folder.
 * @example const { classes, train, validation } = await openFolder('flowers', { validation: 0.1 });
 */
export async function openFolder(dir: string, options: FolderOptions = {}): Promise<Folder> {
  checkArgument('dir', dir, path);
  checkOptions(folderFields, options);
  const { validation = 0.2, seed = 0 } = options;
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
  const folders = await classFolders(trainDir);
  const classes = folders.map(({ name }) => name);
  if (classes.length === 1) {
    const advice = (await suggestFolder(trainDir)) || ' Add another.';
    throw new UsageError(
      `Folder "${trainDir}" contains only the class "${classes[0]}", but a classifier needs two or more.${advice}`,
    );
  }
  const remarks = [...notes, ...(await checkClasses(trainDir, entriesOf(folders))), ...(await looseImages(trainDir))];
  const training = await samplesOf(folders, classes, accepts);
  if (validationDir === undefined) {
    const halves = splitBy(holdOut, training.samples, classes);
    const held = testDir === undefined ? [] : [heldOut(trainDir, testDir, halves.validation.length)];
    return { classes, ...halves, trainDir, ...withNotes([...remarks, ...held, ...describeSkipped(training.leftOut)]) };
  }
  const found = await classFolders(validationDir);
  const unknown = found.find(({ name }) => !classes.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(
      `Class "${unknown.name}" is in "${validationDir}" but not in "${trainDir}". Add it to the latter, or remove it from the former.`,
    );
  }
  const { samples, leftOut } = await samplesOf(found, classes, accepts);
  const skipped = describeSkipped([...training.leftOut, ...leftOut]);
  const halves = { train: training.samples, validation: samples };
  return { classes, ...halves, trainDir, validationDir, ...withNotes([...remarks, ...skipped]) };
}

/** The result of `openClasses` and `openLabeledImages`. */
export interface LabeledImages {
  readonly classes: readonly string[];
  /** The folder whose subfolders are the classes, or another place, such as `flowers.zip/val`. */
  readonly dir: string;
  readonly samples: SampleList;
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
  checkArgument('dir', dir, path);
  if (classes !== undefined) checkList('classes', classes, name);
  const { validationDir, testDir } = await layout(dir);
  const from = validationDir ?? testDir ?? dir;
  const found = await classFolders(from);
  const names = found.map(({ name }) => name);
  const known = classes?.map((name) => name.normalize()) ?? names;
  const unknown = found.find(({ name }) => !known.includes(name));
  const notes = unknown || classes === undefined ? await checkClasses(from, entriesOf(found)) : [];
  if (unknown) {
    const classes = `the model's ${known.length} classes (${firstOf(known, 5)})`;
    const advice = (await suggestFolder(from, known)) || ` ${adviceFor(names, known)}.`;
    throw new UsageError(`Folder "${unknown.path}" is not one of ${classes}.${advice}`);
  }
  const { samples, leftOut } = await samplesOf(found, known);
  return { classes: classes ?? known, dir: from, samples, ...withNotes([...notes, ...describeSkipped(leftOut)]) };
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
  const files = (await entries(dir)).filter(({ folder }) => !folder);
  const { length: loose } = (await listFiles(files.map(({ name }) => join(dir, name)))).paths;
  if (loose === 0) return [];
  return [`Skipped ${loose === 1 ? '1 image' : `${loose} images`} directly in "${dir}", outside of the class folders.`];
}

/** ImageNet's folders are named by WordNet IDs, which no model uses as class names. */
function adviceFor(found: readonly string[], known: readonly string[]): string {
  const isSynset = (name: string) => /^n\d{8}$/.test(name);
  if (!found.every(isSynset) || known.some(isSynset)) return 'Rename or remove it';
  return `The folders are named by WordNet IDs. Rename each to the model's name for its class, such as "${known[0]}"`;
}

interface ClassFolder {
  /** The class, in NFC. */
  readonly name: string;
  readonly path: string;
}

/** The class folders in a folder, ordered by class. */
async function classFolders(dir: string): Promise<ClassFolder[]> {
  const { entries, unnamed } = await readEntries(dir);
  const other = unnamed.find(({ folder }) => folder);
  if (other) {
    throw new UsageError(`The name of the class folder "${join(dir, other.name)}" is not UTF-8. Rename the folder.`);
  }
  const found = entries
    .filter(({ folder }) => folder)
    .map(({ name }) => ({ name: name.normalize(), path: join(dir, name) }));
  if (found.length === 0) {
    const advice = `Put the images of each class in a subfolder.${await suggestFolder(dir)}`;
    throw new UsageError(`Folder "${dir}" contains no class folders. ${advice}`);
  }
  const twice = found.find(({ name }, i) => found.findIndex((other) => other.name === name) < i);
  if (twice) {
    throw new UsageError(
      `Folder "${dir}" contains two folders named "${twice.name}", one with composed and one with decomposed letters. Merge them.`,
    );
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

const entriesOf = (folders: readonly ClassFolder[]): string[] => folders.map(({ path }) => basename(path));

/** The images in class folders, labeled by the index of their class in `classes`. */
async function samplesOf(
  folders: readonly ClassFolder[],
  classes: readonly string[],
  accepts: (path: string) => boolean = () => true,
): Promise<{ samples: SampleList; leftOut: LeftOut[] }> {
  const samples = new FileList();
  const leftOut: LeftOut[] = [];
  for (const { name, path } of folders) {
    const label = classes.indexOf(name);
    const { paths, ...others } = await listFolder(path);
    if (paths.length === 0) {
      throw new UsageError(`Class folder "${path}" contains no images (${usualExtensions}). Add some, or remove it.`);
    }
    addFiles(samples, path, paths.filter(accepts), label);
    leftOut.push(others);
  }
  return { samples, leftOut };
}

/** Adds the files at these paths in a class folder. */
function addFiles(samples: FileList, dir: string, paths: readonly string[], label: number): void {
  const folders = new Map<string, number>();
  const outer = dir.length + (dir.endsWith(sep) ? 0 : 1);
  for (const path of paths) {
    const inner = path.lastIndexOf(sep) + 1;
    const prefix = path.slice(0, inner);
    if (!folders.has(prefix)) folders.set(prefix, samples.folder(prefix, portablePath(prefix.slice(outer))));
    samples.add(folders.get(prefix)!, path.slice(inner), label);
  }
}
