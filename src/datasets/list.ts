/**
 * Lists of images and their labels in a file: CSV, TSV or JSON lines. Images are ordered as in a folder, by class and then
 * folder by folder, whatever the order of the rows. If all of them lie in folders named by their classes, an image has the
 * name within its class that it has in such a folder, and so a list of a folder gives the same run as the folder.
 */
import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { didYouMean } from '../closest-name.ts';
import type { DatasetKind, Parts, SourceOptions } from '../data/datasets.ts';
import { type Split, splitOfName, splits } from '../data/layout.ts';
import { inFolderOrder } from '../data/listing.ts';
import { Column, Names } from '../data/names.ts';
import { FileList } from '../data/samples.ts';
import { FormatError, UsageError } from '../errors.ts';
import { statIfPresent } from '../files.ts';
import { nearPath } from '../near-path.ts';
import { textOf } from './delimited.ts';
import { describePlace, fileName, folderOf, namesImage, outerName, type Place, placeOf } from './image-files.ts';
import { type Columns, type Listed, readTable } from './table.ts';

const extensions = ['.csv', '.tsv', '.jsonl', '.ndjson'];

export const listKind: DatasetKind = {
  recognize: (path) => extensions.includes(extname(path).toLowerCase()) && !statIfPresent(path)?.isDirectory(),
  read: async (path, options) => readList(path, options),
};

function readList(path: string, options: SourceOptions): Parts {
  const { rows, columns } = readRows(path, options);
  if (rows.length === 0) throw new UsageError(`"${path}" has no rows, but expected an image and a label in each.`);
  const place = placeOf(path, rows.images);
  const classes = orderedLabels(rows.labels);
  const labels = new Map(classes.map((name, label) => [name, label]));
  const ranks = rows.labels.map((name) => labels.get(name)!);
  const inClass = new InClass(rows.depth, place);
  const found = partsOf(rows, ranks, inClass) ?? partsOf(rows, ranks, new InClass(undefined, place));
  if (!found)
    throw new UsageError(`"${path}" names images in two ways, such as a/1.jpg and a\\1.jpg. Use one of them.`);
  const repeated = rows.length - found.reduce((sum, { samples }) => sum + samples.length, 0);
  const parts = new Map(found.map(({ split, samples }) => [split, { place: rows.placeOf(split), samples }]));
  return { classes, ...Object.fromEntries(parts), notes: notesOn(path, columns, place, repeated) };
}

/** The text is not kept. */
function readRows(path: string, options: SourceOptions): { readonly rows: Rows; readonly columns?: Columns } {
  const list = { source: path, text: textIn(path), isImage: (name: string) => namesImage(path, name) };
  const { columns, rows } = readTable(list, options);
  return { rows: new Rows(path, rows), ...(columns && { columns }) };
}

function textIn(path: string): string {
  if ((statIfPresent(path)?.size ?? 0) > longest) {
    throw new UsageError(
      `"${path}" has more than ${longest / 2 ** 20} MiB. Pack the images instead, as Parquet for example.`,
    );
  }
  try {
    return textOf(readFileSync(path));
  } catch (cause) {
    if ((cause as { code?: string }).code !== 'ENOENT') throw cause;
    const near = nearPath(path);
    throw new UsageError(`There is no list "${path}".${didYouMean(near && `"${near}"`) || ' Correct its path.'}`, {
      cause,
    });
  }
}

/** A text may not be longer. */
const longest = 2 ** 29 - 2 ** 20;

/** Rows without an object for each. */
class Rows {
  readonly images = new Names();
  /** The labels, each once. */
  readonly labels: string[] = [];
  /** How many folders down the path the one named by the class is, if it is for all images. */
  readonly depth: number | undefined;
  readonly #path: string;
  readonly #label = new Column(Uint32Array);
  readonly #split = new Column(Uint8Array);
  /** How the list spells its splits. */
  readonly #spelled = new Map<Split, string>();

  constructor(path: string, rows: Iterable<Listed>) {
    this.#path = path;
    const known = new Map<string, number>();
    const depths = new CommonDepth();
    for (const { line, image, label: given, split } of rows) {
      const label = given.normalize();
      const number = known.get(label) ?? known.set(label, this.labels.push(label) - 1).size - 1;
      this.images.add(image);
      this.#label.push(number);
      this.#split.push(splits.indexOf(split === undefined ? 'train' : this.#known(split, line)));
      depths.add(image, label);
    }
    this.depth = depths.depth;
  }

  get length(): number {
    return this.#label.length;
  }

  get splits(): Split[] {
    const used = new Set(this.#split.values);
    return splits.filter((_, i) => used.has(i));
  }

  placeOf(split: Split): string {
    const spelled = this.#spelled.get(split);
    return spelled === undefined ? this.#path : `${this.#path}/${spelled}`;
  }

  /** The indices of the rows of a split, by the rank of their label. */
  of(split: Split, ranks: readonly number[]): Uint32Array[] {
    const own = splits.indexOf(split);
    const indices = ranks.map(() => new Column(Uint32Array));
    for (let i = 0; i < this.length; i++) {
      if (this.#split.at(i) === own) indices[ranks[this.#label.at(i)]!]!.push(i);
    }
    return indices.map(({ values }) => values);
  }

  #known(name: string, line: number): Split {
    const split = splitOfName(name);
    if (split === undefined) {
      throw new FormatError(
        `"${this.#path}", line ${line}: the split is "${name}", but expected train, val or test. Correct it, or rename the column if it is for something else.`,
      );
    }
    if (!this.#spelled.has(split)) this.#spelled.set(split, name);
    return split;
  }
}

/** The depth at which the folders of all images are named by their classes. */
class CommonDepth {
  /** A bit for each depth. */
  #possible = -1;
  /** The last label of images in a folder. */
  readonly #known = new Map<string, string>();

  add(image: string, label: string): void {
    const outer = outerName(image);
    if (this.#possible === 0 || this.#known.get(outer) === label) return;
    this.#known.set(outer, label);
    let found = 0;
    const folders = foldersIn(outer);
    for (const [depth, folder] of folders.slice(0, 31).entries()) if (folder.normalize() === label) found |= 1 << depth;
    this.#possible &= found;
  }

  get depth(): number | undefined {
    return this.#possible === 0 || this.#possible === -1
      ? undefined
      : 31 - Math.clz32(this.#possible & -this.#possible);
  }
}

/** Numbers in their order, names in that of folders. */
function orderedLabels(labels: readonly string[]): string[] {
  const isNumbers = labels.every((label) => /^-?\d+$/.test(label));
  const sorted = [...labels].sort();
  return isNumbers ? sorted.sort((a, b) => Number(a) - Number(b)) : sorted;
}

/** A folder of images, and the part of their names within their classes that it is. */
interface Folder {
  readonly prefix: string;
  readonly key: string;
}

/** The files of images and their names within their classes. */
class InClass {
  readonly #depth: number | undefined;
  readonly #place: Place;
  readonly #folders = new Map<string, Folder>();

  constructor(depth: number | undefined, place: Place) {
    this.#depth = depth;
    this.#place = place;
  }

  file(image: string): { readonly folder: Folder; readonly name: string } {
    const outer = outerName(image);
    const folder = this.#folders.get(outer) ?? this.#folder(outer);
    return { folder, name: fileName(image, folder.prefix, this.#place) };
  }

  #folder(outer: string): Folder {
    const names = foldersIn(outer);
    const inner =
      this.#depth === undefined
        ? names.filter((name, i) => (name !== '' || i === 0) && name !== '.') // an absolute path begins with an empty one
        : names.slice(this.#depth + 1);
    const folder = { prefix: folderOf(outer, this.#place), key: inner.map((name) => `${name}/`).join('') };
    this.#folders.set(outer, folder);
    return folder;
  }
}

const foldersIn = (outer: string): string[] => outer.split(/[/\\]/).slice(0, -1);

interface FoundPart {
  readonly split: Split;
  readonly samples: FileList;
}

/** The images of each split, in order and without repetitions; undefined if two of a class have the same name within it. */
function partsOf(rows: Rows, ranks: readonly number[], inClass: InClass): FoundPart[] | undefined {
  const parts: FoundPart[] = [];
  for (const split of rows.splits) {
    const samples = new FileList();
    const numbers = new Map<Folder, number>();
    for (const [label, indices] of rows.of(split, ranks).entries()) {
      const files = Array.from(indices, (index) => inClass.file(rows.images.at(index)));
      const ordered = inFolderOrder(files, ({ folder, name }) => folder.key + name);
      for (const [i, { folder, name }] of ordered.entries()) {
        const before = ordered[i - 1];
        if (before?.name === name && before.folder.key === folder.key) {
          if (before.folder.prefix === folder.prefix) continue;
          return undefined;
        }
        if (!numbers.has(folder)) numbers.set(folder, samples.folder(folder.prefix, folder.key));
        samples.add(numbers.get(folder)!, name, label);
      }
    }
    parts.push({ split, samples });
  }
  return parts;
}

function notesOn(path: string, columns: Columns | undefined, place: Place, repeated: number): string[] {
  const notes: string[] = [];
  const other = columns?.otherLabels[0];
  if (other !== undefined) {
    notes.push(
      `The labels are those of the column "${columns!.label}". For those of "${other}", name it (--label-column).`,
    );
  }
  const where = describePlace(path, place);
  if (where !== undefined) notes.push(where);
  if (repeated > 0)
    notes.push(`Left out ${repeated === 1 ? '1 row that repeats' : `${repeated} rows that repeat`} another.`);
  return notes;
}
