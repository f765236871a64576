/**
 * Splits by file name: `train-00000-of-00002.parquet`, `imagenet1k-validation-00.tar`, `default/test/0000.parquet`. The last
 * folder or file of a path that has the word for a split in it decides; without one, all is to be trained on.
 */
import { dirname, relative } from 'node:path';
import { type Split, splitOfName } from '../data/layout.ts';
import { statIfPresent } from '../files.ts';

export function splitOfPath(path: string): Split {
  for (const part of path.split(/[/\\]/).reverse()) {
    for (const word of part.split(/[^\p{L}]+/u)) {
      const split = splitOfName(word);
      if (split !== undefined) return split;
    }
  }
  return 'train';
}

/** The folder that names of files tell splits from: a folder itself, or that of a file, or of a pattern before its braces or wildcards. */
export const rootOf = (path: string): string =>
  statIfPresent(path)?.isDirectory() ? path : dirname(`${path.replace(/[{*?[].*/s, '')}x`);

/**
 * Files by split, each in the order of their names.
 *
 * @param root the folder whose own name, and the names around it, tell nothing: a dataset may lie in `~/dev`.
 */
export function bySplit(files: readonly string[], root: string): Map<Split, readonly string[]> {
  const found = new Map<Split, string[]>();
  for (const file of [...files].sort()) {
    const split = splitOfPath(relative(root, file));
    const own = found.get(split);
    if (own) own.push(file);
    else found.set(split, [file]);
  }
  return found;
}

/** The name of a split's part of a dataset, which is all of it if there is only one. */
export const placeOf = (place: string, split: Split, splits: number): string =>
  splits === 1 ? place : `${place}/${split}`;
