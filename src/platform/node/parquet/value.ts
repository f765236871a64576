/**
 * Reads single images from Parquet files. A page has to be decompressed once to know where its values are. From then on, a
 * value of a page that is not compressed, or with snappy, is read alone, with the 64 KiB blocks that it is in; so a shuffled
 * epoch reads little more than its images. Other compressions have no parts: their pages are decompressed whole, and
 * those used last are kept, up to 64 MiB in each thread.
 */
import { FormatError } from '../../../errors.ts';
import { withFile } from '../../../files.ts';
import type { ByteRange, ParquetColumn, ParquetValue } from '../../contract.ts';
import { type DecodedPage, decodePage, rangeOf } from './pages.ts';
import { blockLength, decompressInto, snappyBlocks } from './snappy.ts';

/** What is known of a page. */
type PageIndex =
  /** Numbers of values in the dictionary by row, -1 for one that is missing. */
  { readonly numbers: Int32Array } | Places | { readonly values: DecodedPage['values'] };

/** Where values are. */
interface Places {
  /** Where the decompressed bytes begin that positions refer to, or the compressed ones that they are made from. */
  readonly from: number;
  /** Positions by row. */
  readonly starts: Uint32Array;
  /** Bytes by row, -1 for a value that is missing. */
  readonly lengths: Int32Array;
  /** Where blocks begin in the compressed bytes; undefined if they are not compressed. */
  readonly blocks: Uint32Array | undefined;
}

/** By path and position: 8 bytes for a value, 4 for a block. */
const indexes = new Map<string, Exclude<PageIndex, { values: unknown }>>();

/**
 * The bytes of an image file in a Parquet file.
 *
 * @throws FormatError if there are none, or they cannot be decoded.
 */
export function readParquetValue(
  path: string,
  page: ByteRange,
  { column, dictionary, row }: ParquetValue,
  name: string,
): Uint8Array {
  const index = indexAt(path, page, column);
  const found =
    'numbers' in index
      ? dictionary && valueIn(path, indexAt(path, dictionary, column), index.numbers[row] ?? -1)
      : valueIn(path, index, row);
  if (found) return found;
  throw new FormatError(`Image "${name}" has no bytes in the file, but expected an image.`);
}

/** A value of a page; undefined if there is none. */
function valueIn(path: string, index: PageIndex, row: number): Uint8Array | undefined {
  if ('numbers' in index) return undefined;
  if ('values' in index) {
    const value = index.values[row];
    return value instanceof Uint8Array ? value : undefined;
  }
  const { from, blocks } = index;
  const [start, length] = [index.starts[row], index.lengths[row]];
  if (start === undefined || length === undefined || length < 0) return undefined;
  if (!blocks) return read(path, { start: from + start, length });
  const [first, last] = [
    Math.floor(start / blockLength),
    Math.floor(Math.max(start, start + length - 1) / blockLength),
  ];
  const begin = blocks[first]!;
  const bytes = read(path, { start: from + begin, length: blocks[last + 1]! - begin });
  const output = new Uint8Array((last + 1 - first) * blockLength); // the last block of a page may be shorter
  try {
    decompressInto(output, bytes);
  } catch (cause) {
    throw new FormatError(`${path} has a page that cannot be decoded. Did the file change while it was being read?`, {
      cause,
    });
  }
  return output.subarray(start - first * blockLength).subarray(0, length);
}

const read = (path: string, range: ByteRange): Uint8Array => withFile(path, (file) => rangeOf(file, range, path));

function indexAt(path: string, page: ByteRange, column: ParquetColumn): PageIndex {
  const key = `${page.start} ${path}`;
  const known = indexes.get(key) ?? whole.get(key);
  if (known) return known;
  const bytes = read(path, page);
  const index = indexOf(bytes, page.start, column, decodePage(bytes, column, path));
  if ('values' in index) whole.put(key, index);
  else indexes.set(key, index);
  return index;
}

function indexOf(bytes: Uint8Array, start: number, column: ParquetColumn, page: DecodedPage): PageIndex {
  const { values, isNumbered, compressedFrom } = page;
  if (isNumbered) return { numbers: Int32Array.from(values, (value) => (value === null ? -1 : Number(value))) };
  const blocks =
    column.codec === 'SNAPPY' && compressedFrom !== undefined
      ? snappyBlocks(bytes.subarray(compressedFrom))
      : undefined;
  if (compressedFrom !== undefined && !blocks) return { values };
  const isBytes = (value: unknown): value is Uint8Array => value instanceof Uint8Array;
  // values lie in the page as it was read, or in an array of its decompressed bytes
  const origin = compressedFrom === undefined ? bytes.byteOffset : 0;
  return {
    from: start + (compressedFrom ?? 0),
    starts: Uint32Array.from(values, (value) => (isBytes(value) ? value.byteOffset - origin : 0)),
    lengths: Int32Array.from(values, (value) => (isBytes(value) ? value.length : -1)),
    blocks,
  };
}

/** Pages as a whole, least recently used first. */
class WholePages {
  readonly #pages = new Map<
    string,
    { readonly index: Extract<PageIndex, { values: unknown }>; readonly bytes: number }
  >();
  #left = 64 * 2 ** 20;

  get(key: string): Extract<PageIndex, { values: unknown }> | undefined {
    const page = this.#pages.get(key);
    if (!page) return undefined;
    this.#pages.delete(key);
    this.#pages.set(key, page);
    return page.index;
  }

  put(key: string, index: Extract<PageIndex, { values: unknown }>): void {
    const bytes = index.values.reduce<number>(
      (sum, value) => sum + (value instanceof Uint8Array ? value.length : 8),
      0,
    );
    this.#left -= bytes;
    for (const [oldest, page] of this.#pages) {
      if (this.#left >= 0) break;
      this.#pages.delete(oldest);
      this.#left += page.bytes;
    }
    this.#pages.set(key, { index, bytes });
  }
}

const whole = new WholePages();
