/**
 * Image datasets in Parquet files, as the Hugging Face hub has them: a column of structs { bytes, path }, or of bytes, and
 * one of labels. Names of classes come from the features that the library `datasets` writes into the file. Only labels,
 * paths and the headers of pages are read here; images are read when they are needed.
 */
import { basename } from 'node:path';
import type { FileMetaData, SchemaElement, SchemaTree } from 'hyparquet';
import type { Part, Parts, SourceOptions } from '../data/datasets.ts';
import type { Split } from '../data/layout.ts';
import { Names, Column as Numbers } from '../data/names.ts';
import { FormatError, UsageError } from '../errors.ts';
import { withFile } from '../files.ts';
import type { ByteRange, Extent, ParquetColumn } from '../platform/contract.ts';
import {
  checkCodec,
  decodePage,
  type Page,
  type PageSource,
  pagesIn,
  rangeOf,
  type Value,
  valuesIn,
} from '../platform/node/parquet/pages.ts';
import { classNamesIn } from './features.ts';
import { LabelValues } from './labels.ts';
import { PackedList } from './packed-list.ts';
import { bySplit, placeOf, rootOf } from './split-words.ts';

/**
 * Reads where the images of Parquet files are, and their labels.
 *
 * @param place what the files are of, for messages.
 * @param root the folder from which their paths tell splits.
 * @throws UsageError if there are no such columns; FormatError if a file is damaged.
 */
export async function readParquet(
  place: string,
  files: readonly string[],
  options: SourceOptions,
  root = rootOf(place),
): Promise<Parts> {
  const parse = await footerParser();
  const values = new LabelValues();
  const tables = [...bySplit(files, root)].map(([split, own]): [Split, Table] => [split, new Table(own, values)]);
  let names: readonly string[] | undefined;
  for (const [, table] of tables) {
    for (const [number, path] of table.files.entries()) {
      withFile(path, (source) => {
        const opened = openColumns(source, path, parse, options);
        names ??= opened.classNames;
        table.add(number, source, opened);
      });
    }
  }
  const { classes, labels } = values.classes(names, place);
  const filled = tables.filter(([, table]) => table.length > 0);
  const parts = filled.map(
    ([split, table]) => [split, table.part(placeOf(place, split, filled.length), classes, labels)] as const,
  );
  const missing = tables.reduce((sum, [, { unlabeled }]) => sum + unlabeled, 0);
  const notes = missing === 0 ? [] : [`Skipped ${missing} of the rows of ${place}, which have no label.`];
  return { classes, ...(Object.fromEntries(parts) as Partial<Record<Split, Part>>), notes };
}

/**
 * The number of images in a Parquet file: its rows.
 *
 * @param name as for `parquetImages`.
 * @throws as `parquetImages`.
 */
export async function parquetRows(path: string, name?: string): Promise<number> {
  const parse = await footerParser();
  return withFile(path, (source) => {
    const { metadata, schema } = footerOf(source, path, parse);
    imageColumn(schema, path, name);
    return Number(metadata.num_rows);
  });
}

/** The images of a Parquet file by row, without labels. */
export interface ParquetImages {
  readonly length: number;
  /** Where the image of a row below `length` is. */
  at(row: number): Extent;
}

/**
 * Finds the images of a Parquet file, whatever other columns it has.
 *
 * @param name of the column. Default: the one whose name says so.
 * @throws UsageError if there is no such column; FormatError if the file is damaged.
 */
export async function parquetImages(path: string, name?: string): Promise<ParquetImages> {
  const parse = await footerParser();
  const pages: { readonly page: Page; readonly column: ParquetColumn; readonly first: number }[] = [];
  let length = 0;
  withFile(path, (source) => {
    const { metadata, schema } = footerOf(source, path, parse);
    const image = imageColumn(schema, path, name);
    for (const chunk of chunksOf(metadata, schema, child(image, 'bytes') ?? image, source, path)) {
      const { type, codec, levels } = chunk;
      for (const page of pagesIn(source, chunk, path)) {
        pages.push({ page, column: { type, codec, levels }, first: length });
        length += page.rows;
      }
    }
  });
  const pageOf = (row: number) => pages.findLast(({ first }) => first <= row)!;
  const at = (row: number): Extent => {
    const { page, column, first } = pageOf(row);
    const { start, length, dictionary } = page;
    return { path, start, length, packing: { column, dictionary, row: row - first } };
  };
  return { length, at };
}

interface Footer {
  readonly metadata: FileMetaData;
  readonly schema: SchemaTree;
}

type ParseFooter = (bytes: Uint8Array) => Footer;

async function footerParser(): Promise<ParseFooter> {
  const { parquetMetadata, parquetSchema } = await import('hyparquet');
  return (bytes) => {
    const metadata = parquetMetadata(bytes, { geoparquet: false });
    return { metadata, schema: parquetSchema(metadata) };
  };
}

/** A column chunk: the values of a column in a group of rows. */
interface Chunk extends ParquetColumn, ByteRange {}

/** The columns of a file, with a chunk of each per group of rows. */
interface Opened {
  readonly path: string;
  readonly images: readonly Chunk[];
  readonly labels: readonly Chunk[];
  /** The paths that images had before. */
  readonly paths: readonly Chunk[] | undefined;
  readonly classNames: readonly string[] | undefined;
}

const magic = 'PAR1';
const longestFooter = 1 << 28;

function readFooter(source: PageSource, path: string): Uint8Array {
  const tail = new Uint8Array(8);
  const isLong = source.size >= 12 && source.fill(tail, source.size - 8) === 8;
  const length = new DataView(tail.buffer).getUint32(0, true) + 8;
  if (!isLong || String.fromCharCode(...tail.subarray(4)) !== magic || length > Math.min(longestFooter, source.size)) {
    throw new FormatError(`${path} is not a complete Parquet file. It may be truncated; download it again.`);
  }
  return rangeOf(source, { start: source.size - length, length }, path);
}

function footerOf(source: PageSource, path: string, parse: ParseFooter): Footer {
  const bytes = readFooter(source, path);
  try {
    return parse(bytes);
  } catch (cause) {
    throw new FormatError(`${path} has a footer that is not Parquet's. It is damaged; download it again.`, { cause });
  }
}

function openColumns(source: PageSource, path: string, parse: ParseFooter, options: SourceOptions): Opened {
  const { metadata, schema } = footerOf(source, path, parse);
  const features = metadata.key_value_metadata?.find(({ key }) => key === 'huggingface')?.value;
  const image = imageColumn(schema, path, options.imageColumn);
  const label = column(schema, path, options.labelColumn, usualLabels, '--label-column', isLabel);
  const chunks = (leaf: SchemaTree) => chunksOf(metadata, schema, leaf, source, path);
  return {
    path,
    images: chunks(child(image, 'bytes') ?? image),
    labels: chunks(label),
    paths: child(image, 'path') && chunks(child(image, 'path')!),
    classNames: classNamesIn(features, label.element.name),
  };
}

const usualImages = ['image', 'img', 'jpg', 'png', 'webp', 'images', 'picture', 'pixel_values'];
const usualLabels = ['label', 'labels', 'cls', 'class', 'fine_label', 'target', 'category', 'class_name'];

const child = ({ children }: SchemaTree, name: string): SchemaTree | undefined =>
  children.find(({ element }) => element.name === name);

const isBytes = ({ element }: SchemaTree): boolean => element.type === 'BYTE_ARRAY';
const isImage = (node: SchemaTree): boolean => {
  const bytes = child(node, 'bytes');
  return bytes ? isBytes(bytes) : isBytes(node) && node.element.converted_type !== 'UTF8';
};
const isLabel = ({ element, children }: SchemaTree): boolean =>
  children.length === 0 && ['INT32', 'INT64', 'BYTE_ARRAY', 'BOOLEAN'].includes(element.type ?? '');

/** The column that is named, or has one of the usual names; for images, otherwise the only one that may hold them. */
function imageColumn(schema: SchemaTree, path: string, name: string | undefined): SchemaTree {
  const others = schema.children.filter((node) => child(node, 'bytes') !== undefined && isImage(node));
  const isUsual = schema.children.some((node) => usualImages.includes(node.element.name) && isImage(node));
  if (name === undefined && !isUsual && others.length === 1) return others[0]!;
  return column(schema, path, name, usualImages, '--image-column', isImage);
}

function column(
  schema: SchemaTree,
  path: string,
  name: string | undefined,
  usual: readonly string[],
  flag: string,
  fits: (node: SchemaTree) => boolean,
): SchemaTree {
  const names = name === undefined ? usual : [name];
  for (const each of names) {
    const found = child(schema, each);
    if (found && fits(found)) return found;
  }
  const columns = schema.children.map(({ element }) => `"${element.name}"`).join(', ');
  const what = flag === '--image-column' ? 'images' : 'labels';
  const asked = name === undefined ? `no column of ${what} with a usual name` : `no column "${name}" of ${what}`;
  throw new UsageError(`${path} has ${asked}, but ${columns}. Name it with ${flag}.`);
}

function chunksOf(
  metadata: FileMetaData,
  schema: SchemaTree,
  leaf: SchemaTree,
  source: PageSource,
  path: string,
): Chunk[] {
  const key = leaf.path.join('.');
  const levels = levelsOf(schema, leaf.path, path);
  return metadata.row_groups.map(({ columns }) => {
    const found = columns.find(({ meta_data }) => meta_data?.path_in_schema.join('.') === key)?.meta_data;
    if (!found) throw new FormatError(`${path} has a group of rows without the column "${key}". It is damaged.`);
    const starts = [found.data_page_offset, found.dictionary_page_offset].flatMap((at) => (at ? [Number(at)] : []));
    const [start, length] = [Math.min(...starts), Number(found.total_compressed_size)];
    if (!(start >= 0 && length >= 0 && start + length <= source.size)) {
      throw new FormatError(`${path} has the column "${key}" past its end. It is truncated or damaged.`);
    }
    checkCodec(found.codec, path);
    return { type: found.type, codec: found.codec, levels, start, length };
  });
}

/** How many of a value and the structs around it may be missing. */
function levelsOf(schema: SchemaTree, names: readonly string[], path: string): number {
  let [node, levels]: [SchemaTree, number] = [schema, 0];
  for (const name of names) {
    node = child(node, name)!;
    const repetition: SchemaElement['repetition_type'] = node.element.repetition_type;
    if (repetition === 'REPEATED')
      throw new UsageError(`${path} has lists in the column "${names.join('.')}", but expected one value in a row.`);
    if (repetition !== 'REQUIRED') levels += 1;
  }
  return levels;
}

/** The rows of a split. */
class Table {
  readonly files: readonly string[];
  unlabeled = 0;
  readonly #values: LabelValues;
  readonly #pages: { readonly file: number; readonly page: Page; readonly column: ParquetColumn }[] = [];
  readonly #page = new Numbers(Uint32Array);
  readonly #row = new Numbers(Uint32Array);
  readonly #label = new Numbers(Uint32Array);
  readonly #paths = new Names();
  #hasPaths = true;

  constructor(files: readonly string[], values: LabelValues) {
    this.files = files;
    this.#values = values;
  }

  get length(): number {
    return this.#label.length;
  }

  /** Adds the rows of a file. */
  add(file: number, source: PageSource, { path, images, labels, paths }: Opened): void {
    this.#hasPaths &&= paths !== undefined;
    for (const [group, chunk] of images.entries()) {
      const label = valuesOf(source, labels[group]!, path);
      const former = paths ? valuesOf(source, paths[group]!, path) : emptyValues();
      let rows = 0;
      for (const page of pagesIn(source, chunk, path)) {
        const { type, codec, levels } = chunk;
        this.#pages.push({ file, page, column: { type, codec, levels } });
        for (let row = 0; row < page.rows; row++) {
          const next = label.next();
          if (next.done === true) throw new FormatError(`${path} has fewer labels than images. It is damaged.`);
          this.#addRow(row, next.value, former.next().value ?? null);
        }
        rows += page.rows;
      }
      if (label.next().done !== true)
        throw new FormatError(`${path} has more labels than its ${rows} images. It is damaged.`);
    }
  }

  #addRow(row: number, label: Value, path: Value): void {
    if (label === null || label === -1n || label === -1) {
      // -1 in splits without labels
      this.unlabeled += 1;
      return;
    }
    const former = path instanceof Uint8Array ? new TextDecoder().decode(path) : '';
    this.#hasPaths &&= former !== '';
    this.#page.push(this.#pages.length - 1);
    this.#row.push(row);
    this.#label.push(this.#values.add(label instanceof Uint8Array ? new TextDecoder().decode(label) : Number(label)));
    this.#paths.add(former);
  }

  /**
   * The samples. They are called by the paths that they had, as in a folder of classes, or else by their numbers.
   *
   * @param labels by the number of a value.
   */
  part(place: string, classes: readonly string[], labels: readonly number[]): Part {
    const build = (key: (i: number) => string) => this.#build(place, classes, labels, key);
    const named = this.#hasPaths ? build((i) => basename(this.#paths.at(i))) : undefined;
    const isNamed = named !== undefined && !named.hasTwice();
    const list = isNamed ? named : build((i) => String(i).padStart(7, '0'));
    return { place, samples: list.sorted() };
  }

  #build(place: string, classes: readonly string[], labels: readonly number[], key: (i: number) => string): PackedList {
    const { files } = this; // the numbers and paths of rows are not kept
    const pages = this.#pages;
    const list = new PackedList(place, classes, ({ file: number, start: row }) => {
      const { file, page, column } = pages[number]!;
      const { start, length, dictionary } = page;
      return { path: files[file]!, start, length, packing: { column, dictionary, row } };
    });
    for (let i = 0; i < this.#label.length; i++) {
      const label = labels[this.#label.at(i)]!;
      list.add({ key: key(i), label, file: this.#page.at(i), start: this.#row.at(i), length: 0 });
    }
    return list;
  }
}

function* emptyValues(): Generator<Value, void, undefined> {}

/** The values of a column in a group of rows, a page at a time. */
function* valuesOf(source: PageSource, chunk: Chunk, path: string): Generator<Value, void, undefined> {
  const read = (range: ByteRange) => rangeOf(source, range, path);
  let known: { readonly start: number; readonly values: readonly Value[] } | undefined;
  for (const page of pagesIn(source, chunk, path)) {
    const { dictionary } = page;
    if (dictionary && known?.start !== dictionary.start) {
      known = { start: dictionary.start, values: decodePage(read(dictionary), chunk, path).values };
    }
    yield* valuesIn(read(page), known?.values, chunk, path);
  }
}
