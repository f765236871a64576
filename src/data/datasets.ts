/** What a dataset that is no folder of class folders is read as, whatever its form. `datasets/` has the table of forms. */
import { UsageError } from '../errors.ts';
import type { SampleList } from './samples.ts';

/** Which columns of a table to read. */
export interface SourceOptions {
  /** Name of the column with the images. Default: the one whose name says so. */
  readonly imageColumn?: string | undefined;
  /** Name of the column with the labels. Default: the one whose name says so. */
  readonly labelColumn?: string | undefined;
}

/** The options of a command, in which an empty name is none. */
export const columnsOf = (given: { readonly imageColumn: string; readonly labelColumn: string }): SourceOptions => ({
  ...(given.imageColumn !== '' && { imageColumn: given.imageColumn }),
  ...(given.labelColumn !== '' && { labelColumn: given.labelColumn }),
});

/**
 * Checks that no column was named for what has none.
 *
 * @param what the form of the dataset, such as `a folder`.
 * @throws UsageError naming the column.
 */
export function refuseColumn(place: string, what: string, column: string | undefined): void {
  if (column === undefined) return;
  throw new UsageError(`"${place}" is ${what} and has no column "${column}". Leave the column out.`);
}

/** One split of a dataset, or all of it. */
export interface Part {
  /** Where it is, for messages, such as `flowers.zip/train`. The name of the split comes last. */
  readonly place: string;
  /** Their labels are indices in `Parts.classes`. They are ordered by label, then folder by folder. */
  readonly samples: SampleList;
}

export interface Parts {
  readonly classes: readonly string[];
  readonly train?: Part;
  readonly validation?: Part;
  /** Never used to choose the best epoch. */
  readonly test?: Part;
  /** Sentences for the user. */
  readonly notes: readonly string[];
}

/** A form of datasets. */
export interface DatasetKind {
  /** Whether this is how to read what is at a path. */
  readonly recognize: (path: string) => Promise<boolean> | boolean;
  /** @throws UsageError or FormatError for what cannot be used. */
  readonly read: (path: string, options: SourceOptions) => Promise<Parts>;
}
