/** The folder of classes that somebody may have meant who named one above it, or one of its classes. */
import { basename, join } from 'node:path';
import { didYouMean } from '../closest-name.ts';
import { holdsImages, layout, subfolders } from './layout.ts';

/** Archives are often unpacked into a folder in a folder. */
const maxDepth = 3;

/**
 * A question, after a space, that names the folder; otherwise nothing.
 *
 * @param known the model's classes, one of which the folder should have.
 */
export async function suggestFolder(dir: string, known?: readonly string[]): Promise<string> {
  const meant = (await above(dir, known)) ?? (await below(dir, known, maxDepth));
  return didYouMean(meant && `"${meant}"`);
}

async function above(dir: string, known: readonly string[] | undefined): Promise<string | undefined> {
  const parent = join(dir, '..');
  const isClass = (await holdsImages(dir)) && (known?.includes(basename(dir)) ?? true);
  return isClass && (await hasClasses(parent, known)) ? parent : undefined;
}

/** The only folder below with classes. */
async function below(dir: string, known: readonly string[] | undefined, depth: number): Promise<string | undefined> {
  if (depth === 0) return undefined;
  const folders = (await subfolders(dir)).map((name) => join(dir, name));
  const found: string[] = [];
  for (const folder of folders) if (await hasClasses(folder, known)) found.push(folder);
  if (found.length === 1) return found[0];
  return folders.length === 1 ? below(folders[0]!, known, depth - 1) : undefined;
}

/** Whether a folder contains several classes, or parts of a dataset, one of which has classes. */
async function hasClasses(dir: string, known: readonly string[] | undefined): Promise<boolean> {
  const { trainDir } = await layout(dir);
  if (trainDir !== dir) return hasClasses(trainDir, known);
  const names = await subfolders(dir);
  if (names.length < 2 || (await holdsImages(dir))) return false;
  if (known && !names.some((name) => known.includes(name.normalize()))) return false;
  for (const name of names) if (await holdsImages(join(dir, name))) return true;
  return false;
}
