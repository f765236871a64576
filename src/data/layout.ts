/**
 * Recognizes how a dataset is laid out: which folders are splits, and which are classes. Folders of splits are known by
 * name, in any case. Where unknown names look like splits, a sentence asks instead of training on them as classes.
 */

import { join } from 'node:path';
import { UsageError } from '../errors.ts';
import { entries, isImage } from './listing.ts';

const splitNames = {
  train: ['train', 'training', 'tr'],
  validation: ['val', 'validation', 'valid', 'dev'],
  test: ['test', 'testing', 'eval'],
} as const;

export type Split = keyof typeof splitNames;
export const splits = Object.keys(splitNames) as readonly Split[];

/** The split that a name denotes, in any case. */
export const splitOfName = (name: string): Split | undefined =>
  splits.find((split) => (splitNames[split] as readonly string[]).includes(name.toLowerCase()));

export interface Layout {
  /** The folder with one subfolder per class to train on. */
  readonly trainDir: string;
  readonly validationDir?: string;
  /** Never used to choose the best epoch. */
  readonly testDir?: string;
  readonly notes: readonly string[];
}

/**
 * Finds the splits in a folder, if it has one to train on.
 *
 * @throws UsageError if there are two folders to train on.
 */
export async function layout(dir: string): Promise<Layout> {
  const names = await subfolders(dir);
  const training: string[] = [];
  for (const name of named(names, 'train')) if (await isTraining(dir, name, names)) training.push(name);
  const [train, second] = training;
  if (train === undefined) return { trainDir: dir, notes: [] };
  if (second !== undefined) {
    throw new UsageError(
      `Folder "${dir}" contains both "${train}" and "${second}", but expected one folder to train on. Merge or rename them.`,
    );
  }
  const [validation] = named(names, 'validation');
  const tests = named(names, 'test');
  const unused = names.filter((name) => name !== train && name !== validation && !tests.includes(name));
  return {
    trainDir: join(dir, train),
    ...(validation !== undefined && { validationDir: join(dir, validation) }),
    ...(tests[0] !== undefined && { testDir: join(dir, tests[0]) }),
    notes: unused.length > 0 ? [`Folders next to "${train}" that are not used: ${quoted(unused)}.`] : [],
  };
}

/**
 * Checks that the folders `names` of `dir` are classes rather than splits of a dataset, or classes that are each split.
 *
 * @returns sentences for the user where both are possible.
 * @throws UsageError naming the folders and what they seem to be.
 */
export async function checkClasses(dir: string, names: readonly string[]): Promise<string[]> {
  if (names.length > 1 && names.every(isSplitName)) {
    throw new UsageError(
      `Folder "${dir}" contains ${quoted(names)}, which are splits of a dataset and not classes; expected a training folder with one subfolder per class, such as "${join(dir, 'train', 'cat')}".`,
    );
  }
  const nested: string[] = [];
  for (const name of names) if (isHalf(name) && !(await holdsImages(join(dir, name)))) nested.push(name);
  checkHalves(dir, nested);
  if (names.length < 2) return [];
  for (const name of names) if (await holdsImages(join(dir, name))) return [];
  return checkRepeated(dir, names);
}

/**
 * Checks that no two folders without images of their own are named as halves of a dataset, such as `seg_train` and `seg_test`.
 *
 * @throws UsageError naming them.
 */
export function checkHalves(place: string, names: readonly string[]): void {
  const halves = halvesIn(names);
  if (halves) throw looksSplit(place, halves, '', 'rename them');
}

/** A folder `train` that directly contains images is a class of trains, unless splits with classes are all there is. */
async function isTraining(dir: string, name: string, names: readonly string[]): Promise<boolean> {
  const path = join(dir, name);
  if (!(await holdsImages(path))) return true;
  return names.length > 1 && names.every(isSplitName) && (await subfolders(path)).length > 1;
}

/** Folders without images of their own whose subfolders have the same names are parts of a dataset, or real classes. */
async function checkRepeated(dir: string, names: readonly string[]): Promise<string[]> {
  const below: string[][] = [];
  for (const name of names) below.push(await subfolders(join(dir, name)));
  if (await areDatasets(dir, names, below)) {
    throw new UsageError(
      `Folders ${quoted(names)} in "${dir}" are datasets rather than classes, since each has a folder to train on; name one of them.`,
    );
  }
  const keys = below.map((inner) => new Set(inner.map(keyOf)));
  const shared = below[0]!.filter((name) => keys.every((key) => key.has(keyOf(name))));
  if (named(shared, 'train').length > 0 && [...named(shared, 'validation'), ...named(shared, 'test')].length > 0) {
    throw new UsageError(
      `Each class in "${dir}" is split into ${quoted(shared)}; expected the splits above the classes, such as "${join(dir, shared[0]!, names[0]!)}".`,
    );
  }
  if (shared.length < 2) return [];
  if (shared.length > names.length || names.every(isPart)) {
    throw looksSplit(dir, names, ` each contain ${quoted(shared)} and so`, 'give their subfolders different names');
  }
  if (shared.length < names.length) return [];
  return [`${quoted(names)} are used as classes, although each contains ${quoted(shared)}.`];
}

/** Whether each folder has splits, and classes in the one to train on. */
async function areDatasets(dir: string, names: readonly string[], below: readonly string[][]): Promise<boolean> {
  for (const [i, inner] of below.entries()) {
    const [train] = named(inner, 'train');
    if (train === undefined || [...named(inner, 'validation'), ...named(inner, 'test')].length === 0) return false;
    const path = join(dir, names[i]!, train);
    if ((await holdsImages(path)) || (await subfolders(path)).length < 2) return false;
  }
  return true;
}

const looksSplit = (dir: string, names: readonly string[], why: string, otherwise: string): UsageError =>
  new UsageError(
    `Folders ${quoted(names)} in "${dir}"${why} look like parts of a dataset, not classes; name one of them, rename them to train, val or test, or if they are the classes, ${otherwise}.`,
  );

export async function subfolders(dir: string): Promise<string[]> {
  return (await entries(dir)).filter(({ folder }) => folder).map(({ name }) => name);
}

/** Whether there are images directly in a folder. */
export async function holdsImages(dir: string): Promise<boolean> {
  for (const { name, folder } of await entries(dir)) if (!folder && (await isImage(join(dir, name)))) return true;
  return false;
}

/** Names with the same key may be told apart only by some file systems. */
const keyOf = (name: string): string => name.normalize().toLowerCase();

const isSplitName = (name: string): boolean =>
  Object.values(splitNames).some((known: readonly string[]) => known.includes(name.toLowerCase()));

/** The names that denote a split, most common first. */
export const named = (names: readonly string[], split: Split): string[] =>
  splitNames[split].flatMap((known) => names.filter((name) => name.toLowerCase() === known));

/** A name with the word for a split in it replaced, so that `seg_train` and `seg_test` are alike. */
function pattern(name: string, ...splits: readonly Split[]): string | undefined {
  const words = splits.flatMap((split) => splitNames[split]).join('|');
  const word = new RegExp(`(?<!\\p{L})(${words})(?=(set|data)?(?!\\p{L}))`, 'u');
  const lower = name.toLowerCase();
  return word.test(lower) ? lower.replace(word, '*') : undefined;
}

/** Two of the names that differ only in the word for a split, if there are such. */
function halvesIn(names: readonly string[]): string[] | undefined {
  for (const train of names.filter((name) => pattern(name, 'train') !== undefined)) {
    const rest = pattern(train, 'train');
    const other = names.find((name) => pattern(name, 'validation', 'test') === rest);
    if (other !== undefined) return [train, other];
  }
  return undefined;
}

const isHalf = (name: string): boolean => pattern(name, 'train', 'validation', 'test') !== undefined;

const isPart = (name: string): boolean =>
  isHalf(name) ||
  /(?<!\p{L})((sub|data)?set|fold|part|split|half|batch|chunk|shard|holdout)s?(?!\p{L})/u.test(name.toLowerCase());

const quoted = (names: readonly string[]): string => {
  const first = names.slice(0, 5).map((name) => `"${name}"`);
  if (names.length > 5) return `${first.join(', ')}, …`;
  return first.length < 2 ? first.join() : `${first.slice(0, -1).join(', ')} and ${first.at(-1)}`;
};
