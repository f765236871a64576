/**
 * Reads single images from Parquet files. To get one, its whole page has to be decoded, so the pages that were used last
 * are kept, up to 64 MiB in each thread. In a shuffled epoch hardly two images in a row are of one page, so each costs about
 * a page; what that is in practice, docs/images.md says.
 */
import { FormatError } from '../../../errors.ts';
import { withFile } from '../../../files.ts';
import { type Column, dictionaryIn, type Range, rangeOf, type Value, valuesIn } from './pages.ts';

/** Where an image is in a Parquet file. Plain data. */
export interface ParquetValue {
  readonly column: Column;
  readonly dictionary: Range | undefined;
  /** The row in the page. */
  readonly row: number;
}

interface KeptPage {
  readonly values: readonly Value[];
  readonly bytes: number;
}

const keptBytes = 64 * 2 ** 20;

/** By path and position, least recently used first. */
const kept = new Map<string, KeptPage>();
let total = 0;

/**
 * The bytes of an image file in a Parquet file.
 *
 * @throws FormatError if there are none, or they cannot be decoded.
 */
export function readParquetValue(
  path: string,
  page: Range,
  { column, dictionary, row }: ParquetValue,
  name: string,
): Uint8Array {
  const value = pageAt(path, page, () => {
    const read = (range: Range) => withFile(path, (file) => rangeOf(file, range, path));
    const entries = dictionary && pageAt(path, dictionary, () => dictionaryIn(read(dictionary), column, path));
    return valuesIn(read(page), entries, column, path);
  })[row];
  if (value instanceof Uint8Array) return value;
  throw new FormatError(`Image "${name}" has no bytes in the file, but expected an image.`);
}

function pageAt(path: string, { start }: Range, read: () => readonly Value[]): readonly Value[] {
  const key = `${start} ${path}`;
  const known = kept.get(key);
  if (known) {
    kept.delete(key);
    kept.set(key, known);
    return known.values;
  }
  const page = measured(read());
  kept.set(key, page);
  total += page.bytes;
  for (const [oldest, { bytes }] of kept) {
    if (total <= keptBytes || oldest === key) break;
    kept.delete(oldest);
    total -= bytes;
  }
  return page.values;
}

const measured = (values: readonly Value[]): KeptPage => ({
  values,
  bytes: values.reduce<number>((sum, value) => sum + (value instanceof Uint8Array ? value.length : 8), 0),
});
