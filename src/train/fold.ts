/**
 * Cross-validation: the training images of each class in n folds, of which run k of n validates on fold k and trains on the
 * others. So n runs validate on each image once, which says more than one split where there are few images.
 */

import type { SourceOptions } from '../data/datasets.ts';
import type { Folder } from '../data/folder.ts';
import { countsByLabel } from '../data/samples.ts';
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
  expected: 'K/N with K from 1 to N and N at least 2, such as 2/5',
  accepts: (value: unknown): value is string =>
    value === '' || (typeof value === 'string' && foldIn(value) !== undefined),
};

/**
 * The images of a dataset with this fold held out. Those for validation are left for a final evaluation, since what is tuned
 * on the folds should be measured on other images.
 *
 * @throws UsageError as `openDataset`, or if a class has fewer images than there are folds.
 */
export async function openFold(data: string, typed: string, seed: number, columns: SourceOptions): Promise<Folder> {
  const { number, of } = foldIn(typed)!;
  const folder = await readDataset(data, { ...columns, holdOut: byFold(number, of, seed), alwaysHoldsOut: true });
  const { classes, train, validation, trainDir } = folder;
  const held = countsByLabel(validation, classes.length);
  const counts = countsByLabel(train, classes.length).map((count, label) => count + held[label]!);
  const least = Math.min(...counts);
  if (least >= of) return folder;
  const images = least === 1 ? '1 image' : `${least} images`;
  const advice = least < 2 ? 'Add images, or leave the class out.' : `Choose at most ${least} folds.`;
  throw new UsageError(
    `Class "${classes[counts.indexOf(least)]}" of "${trainDir}" has ${images}, so some of the ${of} folds would have none of them to validate on. ${advice}`,
  );
}
