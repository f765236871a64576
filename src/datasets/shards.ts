/**
 * Tar shards as WebDataset writes them: the files of a sample follow each other and are named alike up to the first dot, such
 * as 0007.jpg and 0007.cls. A sample is an image with the number of its class (.cls), a JSON object that has it, or the name
 * of its class (.txt). All shards are indexed at the start, so images are shuffled over all of them, and a run resumes in
 * the middle of an epoch.
 * Reference: https://github.com/webdataset/webdataset, "The WebDataset Format"
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Part, type Parts, refuseColumn, type SourceOptions } from '../data/datasets.ts';
import type { Split } from '../data/layout.ts';
import { isImageName } from '../data/listing.ts';
import { Column, Names } from '../data/names.ts';
import { FormatError, UsageError } from '../errors.ts';
import { withFile } from '../files.ts';
import { parseJson } from '../json.ts';
import { fillWhole, type Source } from '../weights/source.ts';
import { LabelValues } from './labels.ts';
import { PackedList } from './packed-list.ts';
import { bySplit, placeOf, rootOf } from './split-words.ts';
import { type Member, tarMembers } from './tar.ts';

/** Files of names of classes, one in a line, that may lie beside shards. */
const nameFiles = ['classes.txt', 'classnames.txt', 'class_names.txt', 'labels.txt'];

/** Extensions that a sample's label may have, in order of preference. */
const labelExtensions = ['cls', 'json', 'txt'] as const;

/** Whether files of these names in an archive are a shard: an image and a label with the same key. */
export function isShard(members: Iterable<Pick<Member, 'name'>>): boolean {
  const images = new Set<string>();
  let checked = 0;
  for (const { name } of members) {
    const { key, extension } = splitName(name);
    if (isImageName(name)) images.add(key);
    else if (isLabel(extension) && images.has(key)) return true;
    if (++checked === mostChecked) break;
  }
  return false;
}

const mostChecked = 64;
const isLabel = (extension: string): boolean => (labelExtensions as readonly string[]).includes(extension);

/**
 * Reads where the images of shards are, and their labels.
 *
 * @param place what the shards are of, for messages.
 * @param root the folder from which their paths tell splits.
 * @throws FormatError if a shard is damaged; UsageError if the labels do not make classes.
 */
export function readShards(
  place: string,
  shards: readonly string[],
  options: SourceOptions,
  root = rootOf(place),
): Parts {
  const { imageColumn, labelColumn } = options;
  refuseColumn(place, 'made of shards', imageColumn);
  const values = new LabelValues();
  const tables = [...bySplit(shards, root)].map(([split, own]): [Split, Shards] => [
    split,
    new Shards(own, values, labelColumn),
  ]);
  for (const [, table] of tables) table.read();
  if (tables.every(([, table]) => table.length === 0)) {
    throw new UsageError(
      `"${place}" has no image with a label. Pack a label beside each image: for 0001.jpg, 0001.cls with the number of its class, 0001.txt with its name, or 0001.json.`,
    );
  }
  const { classes, labels } = values.classes(namesBeside(shards[0]!), place);
  const filled = tables.filter(([, table]) => table.length > 0);
  const parts = filled.map(
    ([split, table]) => [split, table.part(placeOf(place, split, filled.length), classes, labels)] as const,
  );
  const count = (pick: (table: Shards) => number) => tables.reduce((sum, [, table]) => sum + pick(table), 0);
  const incomplete = count((table) => table.incomplete);
  const notes =
    incomplete === 0 ? [] : [`Skipped ${incomplete} of the samples in ${place}, which lack an image or a label.`];
  return { classes, ...(Object.fromEntries(parts) as Partial<Record<Split, Part>>), notes };
}

function namesBeside(shard: string): readonly string[] | undefined {
  const file = nameFiles.map((name) => join(dirname(shard), name)).find(existsSync);
  const lines = file === undefined ? [] : readFileSync(file, 'utf8').split('\n');
  const names = lines.map((line) => line.trim().normalize()).filter((line) => line !== '');
  return names.length > 0 ? names : undefined;
}

/** The key of a sample: its path up to the first dot of the file's name. */
function splitName(name: string): { readonly key: string; readonly extension: string } {
  const dot = name.indexOf('.', name.lastIndexOf('/') + 1);
  return dot < 0
    ? { key: name, extension: '' }
    : { key: name.slice(0, dot), extension: name.slice(dot + 1).toLowerCase() };
}

/** The files of one sample. */
interface Sample {
  readonly key: string;
  image?: Member;
  readonly labels: Map<string, Member>;
}

/** The shards of a split. */
class Shards {
  incomplete = 0;
  readonly #files: readonly string[];
  readonly #values: LabelValues;
  readonly #jsonKey: string | undefined;
  readonly #names = new Names();
  readonly #shard = new Column(Uint32Array);
  readonly #start = new Column(Float64Array);
  readonly #length = new Column(Float64Array);
  readonly #label = new Column(Uint32Array);

  constructor(files: readonly string[], values: LabelValues, jsonKey: string | undefined) {
    this.#files = files;
    this.#values = values;
    this.#jsonKey = jsonKey;
  }

  get length(): number {
    return this.#label.length;
  }

  read(): void {
    for (const [shard, path] of this.#files.entries()) {
      withFile(path, (source) => {
        for (const sample of samplesIn(tarMembers(source, path))) this.#add(shard, sample, source, path);
      });
    }
  }

  #add(shard: number, { key, image, labels }: Sample, source: Source, path: string): void {
    const found = labelOf(labels, source, this.#jsonKey, `${path}: sample "${key}"`);
    if (image === undefined || found === undefined) {
      this.incomplete += 1;
      return;
    }
    this.#names.add(image.name);
    this.#shard.push(shard);
    this.#start.push(image.start);
    this.#length.push(image.length);
    this.#label.push(this.#values.add(found));
  }

  /** @param labels by the number of a value. */
  part(place: string, classes: readonly string[], labels: readonly number[]): Part {
    const plain = this.#build(place, classes, labels, (i, label) => withoutClass(this.#names.at(i), classes[label]!));
    const inShard = (i: number) => `${basename(this.#files[this.#shard.at(i)]!, '.tar')}/${this.#names.at(i)}`;
    const list = plain.hasTwice() ? this.#build(place, classes, labels, inShard) : plain;
    return { place, samples: list.sorted() };
  }

  #build(
    place: string,
    classes: readonly string[],
    labels: readonly number[],
    key: (i: number, label: number) => string,
  ): PackedList {
    const files = this.#files; // the rest is not kept
    const list = new PackedList(place, classes, ({ file, start, length }) => {
      return { path: files[file]!, start, length, packing: 'stored' };
    });
    for (let i = 0; i < this.length; i++) {
      const label = labels[this.#label.at(i)]!;
      const [file, start, length] = [this.#shard.at(i), this.#start.at(i), this.#length.at(i)];
      list.add({ key: key(i, label), label, file, start, length });
    }
    return list;
  }
}

/** Keys in a folder of their class are as those of class folders. */
function withoutClass(name: string, className: string): string {
  if (!name.normalize().startsWith(`${className}/`)) return name;
  return name.split('/').slice(className.split('/').length).join('/');
}

function* samplesIn(members: Iterable<Member>): Generator<Sample, void, undefined> {
  let sample: Sample | undefined;
  for (const member of members) {
    const { key, extension } = splitName(member.name);
    if (basename(key).startsWith('__')) continue; // what WebDataset says about the shard itself
    if (sample?.key !== key) {
      if (sample) yield sample;
      sample = { key, labels: new Map() };
    }
    if (isImageName(member.name)) sample.image = betterOf(sample.image, member);
    else if (isLabel(extension)) sample.labels.set(extension, member);
  }
  if (sample) yield sample;
}

/** The image itself rather than one such as `0007.mask.png` that belongs to it; of two alike, the first. */
const betterOf = (first: Member | undefined, second: Member): Member =>
  first === undefined || (isOfAnother(first) && !isOfAnother(second)) ? second : first;

const isOfAnother = ({ name }: Member): boolean => splitName(name).extension.includes('.');

const longestLabel = 1 << 20;

/** A number or the name of a class. */
function labelOf(
  labels: ReadonlyMap<string, Member>,
  source: Source,
  jsonKey: string | undefined,
  sample: string,
): number | string | undefined {
  const wanted = jsonKey === undefined ? labelExtensions : (['json'] as const);
  const extension = wanted.find((each) => labels.has(each));
  if (extension === undefined) return undefined;
  const { start, length } = labels.get(extension)!;
  if (length > longestLabel) throw new FormatError(`${sample} has a label of ${length} bytes. Is it one?`);
  const bytes = new Uint8Array(length);
  fillWhole(source, bytes, start, sample);
  const text = new TextDecoder().decode(bytes).trim();
  if (extension === 'txt') return text;
  if (extension === 'json') return fieldOf(parseJson(text, sample), jsonKey, sample);
  if (!/^\d{1,9}$/.test(text))
    throw new FormatError(
      `${sample} has the .cls file ${JSON.stringify(text.slice(0, 40))}, but expected the number of a class.`,
    );
  return Number(text);
}

const usualFields = ['label', 'cls', 'class', 'class_id', 'target', 'class_name'];

function fieldOf(value: unknown, key: string | undefined, sample: string): number | string | undefined {
  const fields = new Map(typeof value === 'object' && value !== null ? Object.entries(value) : []);
  if (typeof value === 'number') return value;
  for (const name of key === undefined ? usualFields : [key]) {
    const found = fields.get(name) as unknown;
    if (typeof found === 'number' || typeof found === 'string') return found;
  }
  if (key === undefined) return undefined;
  throw new UsageError(
    `${sample} has JSON without "${key}", but ${[...fields.keys()].map((name) => `"${name}"`).join(', ')}. Name one with --label-column.`,
  );
}
