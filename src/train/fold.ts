/**
 * Cross-validation: the training images of each class in n folds, of which run k of n validates on fold k and trains on the
 * others. So n runs validate on each image once, which says more than one split where there are few images.
 */

import type { SourceOptions } from '../data/datasets.ts';
import type { Folder } from '../data/folder.ts';
import { byFold } from '../data/split.ts';
import { readDataset } from '../datasets/open.ts';
import { UsageError } from '../errors.ts';
import { text } from '../options.ts';

interface Fold {
  /** Counted from 1. */
  readonly number: number;
  readonly of: number;
}

/** @returns undefined for text that names no fold. */
export function foldIn(typed: string): Fold | undefined {
  const [, number, of] = (/^([1-9]\d{0,3})\/([1-9]\d{0,3})$/.exec(typed) ?? []).map(Number);
  return number !== undefined && of !== undefined && of > 1 && number <= of ? { number, of } : undefined;
}

/** The option. */
export const fold = {
  ...text({
    default: '',
    kept: true,
    flag: '--fold <k/n>',
    usual: 'none',
    group: 'Images',
    doc: 'fold of the training images to validate on, such as 2/5, for cross-validation; a val folder is not used',
  }),
  expected: 'a fold of two or more, such as 2/5',
  accepts: (value: unknown): value is string =>
    value === '' || (typeof value === 'string' && foldIn(value) !== undefined),
};

/**
 * The images of a dataset with this fold held out. Those for validation are left for a final evaluation, since what is tuned
 * on the folds should be measured on other images.
 *
 * @throws UsageError as `openDataset`, or if the fold is empty.
 */
export async function openFold(data: string, typed: string, seed: number, columns: SourceOptions): Promise<Folder> {
  const { number, of } = foldIn(typed)!;
  const folder = await readDataset(data, { ...columns, holdOut: byFold(number, of, seed), alwaysHoldsOut: true });
  if (folder.validation.length > 0) return folder;
  throw new UsageError(`Fold ${typed} of "${folder.trainDir}" has no images. Choose fewer folds.`);
}
