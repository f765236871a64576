/** The images of the experiments: folders with one subfolder per class, and lists of some of their images. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

export interface Listed {
  readonly path: string;
  readonly label: string;
  readonly split: 'train' | 'val';
}

/**
 * The first of some subfolders that there is.
 *
 * @throws Error if there is none of them.
 */
export function subfolder(folder: string, names: readonly string[]): string {
  const found = names.map((name) => join(folder, name)).find(existsSync);
  if (found !== undefined) return resolve(found);
  throw new Error(`"${folder}" has no folder ${names.map((name) => `"${name}"`).join(' or ')}. Name another folder.`);
}

/** The classes of a folder, in order. */
export const classesIn = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.isFile() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort();

/**
 * Some images of each class, in the order of their names: `count` of them after the first `skip`.
 *
 * @throws Error if a class has fewer.
 */
export function imagesOf(
  folder: string,
  split: Listed['split'],
  { classes = classesIn(folder), skip = 0, count = Infinity }: Selection = {},
): Listed[] {
  return classes.flatMap((label) => {
    const files = readdirSync(join(folder, label)).filter((name) => !name.startsWith('.'));
    if (Number.isFinite(count) && files.length < skip + count) {
      throw new Error(`"${join(folder, label)}" has ${files.length} images, but expected at least ${skip + count}.`);
    }
    const chosen = files.sort().slice(skip, skip + count);
    return chosen.map((name) => ({ path: join(folder, label, name), label, split }));
  });
}

interface Selection {
  readonly classes?: readonly string[];
  readonly skip?: number;
  readonly count?: number;
}

/** Writes a list that `train` and `openLabeledImages` read. */
export function writeList(path: string, images: readonly Listed[]): void {
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const rows = images.map(({ path, label, split }) => [path, label, split].map(quoted).join(','));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `image,label,split\n${rows.join('\n')}\n`);
}
