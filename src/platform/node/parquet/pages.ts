/**
 * Values of a column in a Parquet file, a page at a time. A page is the smallest piece that can be decoded: a header, then
 * values that are compressed together. hyparquet parses and decodes; here, no more than one page and its dictionary are in
 * memory for a value, and sizes in headers are checked before anything is allocated.
 * Reference: https://parquet.apache.org/docs/file-format/data-pages/
 */
import * as zlib from 'node:zlib';
import { parquetHeader } from 'hyparquet/src/column.js';
import { decompressPage, readDataPage, readDataPageV2 } from 'hyparquet/src/datapage.js';
import { readPlain } from 'hyparquet/src/plain.js';
import { FormatError, messageOf } from '../../../errors.ts';
import type { OpenFile } from '../../../files.ts';
import type { ByteRange, ParquetColumn } from '../../contract.ts';
import { decompressSnappy } from './snappy.ts';

type Decoder = Parameters<typeof readDataPage>[2];
type PageHeader = ReturnType<typeof parquetHeader>;

/** A file to read pages from. */
export type PageSource = Pick<OpenFile, 'size' | 'fill'>;

/** A page with its header, and the number of rows in it. */
export interface Page extends ByteRange {
  readonly rows: number;
  /** The page with the values that this one refers to by number. */
  readonly dictionary: ByteRange | undefined;
}

export type Value = Uint8Array | number | bigint | boolean | null;

const largestPage = 2 ** 30;
const mostRows = 2 ** 24;
/** Headers take some 50 bytes, and more with statistics. */
const headerSizes = [1 << 9, 1 << 14, 1 << 20];

/** Reads a range that lies within the file. */
export function rangeOf(source: PageSource, { start, length }: ByteRange, name: string): Uint8Array {
  const bytes = new Uint8Array(length);
  if (source.fill(bytes, start) === length) return bytes;
  throw new FormatError(`${name} ends early. Did the file change while it was being read?`);
}

/** Finds the data pages in a part of a file. */
export function* pagesIn(
  source: PageSource,
  { start, length }: ByteRange,
  name: string,
): Generator<Page, void, undefined> {
  let dictionary: ByteRange | undefined;
  const end = start + length;
  for (let at = start; at < end; ) {
    const { header, headerLength } = readHeader(source, at, name);
    const page = { start: at, length: headerLength + header.compressed_page_size };
    if (at + page.length > end) throw damaged(name, `has a page that ends at ${at + page.length}, after its column`);
    const rows = header.data_page_header?.num_values ?? header.data_page_header_v2?.num_rows;
    if (header.type === 'DICTIONARY_PAGE') dictionary = page;
    else if (rows !== undefined) yield { ...page, rows, dictionary };
    at += page.length;
  }
}

function readHeader(source: PageSource, at: number, name: string): { header: PageHeader; headerLength: number } {
  for (const size of headerSizes) {
    const bytes = rangeOf(source, { start: at, length: Math.min(size, source.size - at) }, name);
    try {
      return parseHeader(bytes, name);
    } catch (error) {
      if (error instanceof FormatError) throw error;
      if (bytes.length < size) break; // all of the file was there
    }
  }
  throw damaged(name, `has no header of a page at byte ${at}`);
}

function parseHeader(bytes: Uint8Array, name: string): { header: PageHeader; headerLength: number } {
  const reader = { view: viewOf(bytes), offset: 0 };
  const header = parquetHeader(reader);
  const { compressed_page_size, uncompressed_page_size } = header;
  const sizes = [compressed_page_size, uncompressed_page_size];
  if (!sizes.every((size) => Number.isInteger(size) && size >= 0 && size <= largestPage)) {
    throw damaged(name, `has a page of ${uncompressed_page_size} bytes`);
  }
  const count = header.data_page_header ?? header.data_page_header_v2 ?? header.dictionary_page_header;
  if (count && !(count.num_values >= 0 && count.num_values <= mostRows)) {
    throw damaged(name, `has a page of ${count.num_values} values`);
  }
  if (header.data_page_header_v2 && !hasSoundLevels(header)) throw damaged(name, 'has a page with impossible lengths');
  return { header, headerLength: reader.offset };
}

/** Whether the levels of a page of the second version lie within it: hyparquet takes a length that is absent from the data. */
function hasSoundLevels({ compressed_page_size, data_page_header_v2: second }: PageHeader): boolean {
  const lengths = [second?.definition_levels_byte_length, second?.repetition_levels_byte_length];
  const isSound = lengths.every((length) => Number.isInteger(length) && length! >= 0);
  return isSound && lengths[0]! + lengths[1]! <= compressed_page_size;
}

/**
 * The values of a page by row.
 *
 * @param bytes the page with its header.
 * @throws FormatError if they cannot be decoded.
 */
export function valuesIn(
  bytes: Uint8Array,
  dictionary: readonly Value[] | undefined,
  column: ParquetColumn,
  name: string,
): Value[] {
  const { values, isNumbered } = decodePage(bytes, column, name);
  if (!isNumbered) return values;
  return values.map((number) => {
    const value = number === null ? null : dictionary?.[Number(number)];
    if (value === undefined) throw damaged(name, `has a page that refers to ${number}, which its dictionary lacks`);
    return value;
  });
}

/** A page, decompressed. */
export interface DecodedPage {
  /** By row. Bytes are not copied out of the page. */
  readonly values: Value[];
  /** Whether the values are numbers of values of the dictionary. */
  readonly isNumbered: boolean;
  /** Where the compressed part begins in the page; undefined if there is none. */
  readonly compressedFrom: number | undefined;
}

/**
 * Decompresses a page, of data or a dictionary.
 *
 * @throws FormatError if it cannot be decoded.
 */
export function decodePage(bytes: Uint8Array, column: ParquetColumn, name: string): DecodedPage {
  return explained(name, () => {
    const { header, headerLength } = parseHeader(bytes, name);
    const body = bytes.subarray(headerLength, headerLength + header.compressed_page_size);
    const decoder = decoderOf(column);
    const isCompressed = column.codec !== 'UNCOMPRESSED' && header.data_page_header_v2?.is_compressed !== false;
    const { definitionLevels, dataPage } = decoded(body, header, decoder);
    const encoding = (header.data_page_header ?? header.data_page_header_v2)?.encoding ?? 'PLAIN';
    return {
      values: inRows(dataPage as ArrayLike<Value>, definitionLevels, column.levels),
      isNumbered: encoding.endsWith('_DICTIONARY'),
      compressedFrom: isCompressed ? headerLength + levelsLength(header) : undefined,
    };
  });
}

/** Bytes before the compressed part of a page of the second version. */
function levelsLength({ data_page_header_v2: second }: PageHeader): number {
  return second ? second.definition_levels_byte_length + second.repetition_levels_byte_length : 0;
}

function inRows(values: ArrayLike<Value>, levels: readonly number[] | undefined, most: number): Value[] {
  if (!levels?.length) return Array.from(values);
  let next = 0;
  return levels.map((level) => {
    if (level !== most) return null;
    const value = values[next++];
    if (value === undefined) throw new Error('it has fewer values than rows');
    return value;
  });
}

type Decoded = Pick<ReturnType<typeof readDataPage>, 'dataPage'> & { readonly definitionLevels?: number[] | undefined };

function decoded(body: Uint8Array, header: PageHeader, decoder: Decoder): Decoded {
  const { type, codec } = decoder;
  if (header.data_page_header_v2) return readDataPageV2(body, header, decoder);
  const page = decompressPage(body, header.uncompressed_page_size, codec, decoder.compressors);
  if (header.data_page_header) return readDataPage(page, header.data_page_header, decoder);
  const count = header.dictionary_page_header!.num_values;
  return { dataPage: readPlain({ view: viewOf(page), offset: 0 }, type, count, undefined) };
}

/** Structs and values that may be missing are the only part of a schema that pages depend on. */
function decoderOf({ type, codec, levels }: ParquetColumn): Decoder {
  const required = {
    element: { name: '', type, repetition_type: 'REQUIRED' as const },
    children: [],
    count: 1,
    path: [],
  };
  const optional = { ...required, element: { ...required.element, repetition_type: 'OPTIONAL' as const } };
  const schemaPath = [required, ...(levels === 0 ? [required] : Array.from({ length: levels }, () => optional))];
  return {
    pathInSchema: [],
    type,
    codec,
    element: required.element,
    schemaPath,
    compressors,
    utf8: false,
  } as unknown as Decoder;
}

type Decompress = (bytes: Uint8Array, size: number) => Uint8Array;

/** Node 20 has no Zstandard. */
const zstd = (zlib as { zstdDecompressSync?: (bytes: Uint8Array, options: object) => Uint8Array }).zstdDecompressSync;

const compressors: Readonly<Partial<Record<ParquetColumn['codec'], Decompress>>> = {
  SNAPPY: decompressSnappy,
  GZIP: (bytes, size) => zlib.gunzipSync(bytes, { maxOutputLength: Math.max(1, size) }),
  BROTLI: (bytes, size) => zlib.brotliDecompressSync(bytes, { maxOutputLength: Math.max(1, size) }),
  ...(zstd && { ZSTD: (bytes: Uint8Array, size: number) => zstd(bytes, { maxOutputLength: Math.max(1, size) }) }),
};

const known: readonly string[] = ['UNCOMPRESSED', ...Object.keys(compressors)];

/** @throws FormatError unless pages with this compression can be read. */
export function checkCodec(codec: string, name: string): void {
  if (known.includes(codec)) return;
  const advice = codec === 'ZSTD' ? 'Use Node 22.15 or later' : 'Write the file with compression="snappy"';
  throw new FormatError(`${name} is compressed with ${codec}, but expected ${known.join(', ')}. ${advice}.`);
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/** What hyparquet and zlib refuse is damage to the file. */
function explained<T>(name: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw damaged(name, `has a page that cannot be decoded (${messageOf(cause)})`, cause);
  }
}

const damaged = (name: string, why: string, cause?: unknown): FormatError =>
  new FormatError(`${name} ${why}. It is damaged; download it again.`, { cause });
