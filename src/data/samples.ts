/**
 * Lists of labeled images that do not hold an object for each. A sample is made when it is asked for, so that a list of a
 * million images takes a few bytes for each besides its file name.
 *
 * Where the bytes of an image are differs by the source of a dataset: a file, a range of a larger file such as an archive,
 * or what a function returns.
 */
import type { Extent, Image } from '#platform/images';
import { hasAll } from '../arguments.ts';
import { Column, Names } from './names.ts';

/**
 * A path or `file:` URL (in Node), any other URL (relative to the page in a browser), the bytes of an image file (a Buffer
 * is a Uint8Array), a Blob of them, or decoded pixels in RGB or grayscale.
 */
export type ImageSource = string | URL | Uint8Array | ArrayBuffer | Blob | Image;

/** An image file and its class. */
export interface Sample {
  readonly path: string;
  /** Index of the class. */
  readonly label: number;
}

/** An image in a larger file, such as a member of an archive, and its class. */
export interface PackedSample extends Extent {
  /** For messages. */
  readonly name: string;
  readonly label: number;
}

/** An image that a function gets, and its class. */
export interface MadeSample {
  /** For messages. */
  readonly name: string;
  readonly image: () => Promise<ImageSource>;
  readonly label: number;
}

/** An image and its class. */
export type LabeledImage = Sample | PackedSample | MadeSample;

/** A list of labeled images, which does not change. `[...list]` is an array of them. */
export interface SampleList extends Iterable<LabeledImage> {
  readonly length: number;
  /** The sample at an index; undefined if there is none. */
  at(index: number): LabeledImage | undefined;
  /** The label of the sample at an index below `length`. */
  label(index: number): number;
  /** The name of that sample within its class: its path in the class folder, with slashes and accents composed. */
  key(index: number): string;
}

/** What takes labeled images takes an array of them as well. */
export type LabeledList = SampleList | readonly LabeledImage[];

export const isSampleList = (value: unknown): value is SampleList =>
  !Array.isArray(value) && hasAll(value, 'length', 'at', 'label', 'key');

/** The name of a sample in messages and results: its path, if it is a file. */
export const nameOf = (sample: Sample | { readonly name: string }): string =>
  'name' in sample ? sample.name : sample.path;

/** An iterator of a list. */
export function* each(list: Pick<SampleList, 'length' | 'at'>): Generator<LabeledImage, void, undefined> {
  for (let i = 0; i < list.length; i++) yield list.at(i)!;
}

/** The files of some folders. Each folder's path is kept once. */
export class FileList implements SampleList {
  readonly #folders: { readonly prefix: string; readonly key: string }[] = [];
  readonly #names = new Names();
  readonly #folder = new Column(Uint32Array);
  readonly #labels = new Column(Int32Array);

  get length(): number {
    return this.#labels.length;
  }

  /**
   * Adds a folder and returns its number.
   *
   * @param prefix the start of its files' paths, with the separator at the end.
   * @param key the start of their keys.
   */
  folder(prefix: string, key: string): number {
    return this.#folders.push({ prefix, key }) - 1;
  }

  /** Adds a file of a folder. */
  add(folder: number, name: string, label: number): void {
    this.#folder.push(folder);
    this.#names.add(name);
    this.#labels.push(label);
  }

  at(index: number): Sample | undefined {
    if (index >= this.length || index < 0) return undefined;
    const { prefix } = this.#folders[this.#folder.at(index)]!;
    return { path: prefix + this.#names.at(index), label: this.label(index) };
  }

  label(index: number): number {
    return this.#labels.at(index);
  }

  key(index: number): string {
    return (this.#folders[this.#folder.at(index)]!.key + this.#names.at(index)).normalize('NFC');
  }

  [Symbol.iterator](): Generator<LabeledImage, void, undefined> {
    return each(this);
  }
}

/** Some samples of a list, by their indices in it. */
export const select = (list: SampleList, indices: Uint32Array): SampleList => new Selection(list, indices);

/** The same samples with other labels: that of what had label k is `labels[k]`. */
export const relabel = (list: SampleList, labels: readonly number[]): SampleList => new Relabeled(list, labels);

class Selection implements SampleList {
  readonly #list: SampleList;
  readonly #indices: Uint32Array;

  constructor(list: SampleList, indices: Uint32Array) {
    this.#list = list;
    this.#indices = indices;
  }

  get length(): number {
    return this.#indices.length;
  }

  at(index: number): LabeledImage | undefined {
    const own = this.#indices[index];
    return own === undefined ? undefined : this.#list.at(own);
  }

  label(index: number): number {
    return this.#list.label(this.#indices[index]!);
  }

  key(index: number): string {
    return this.#list.key(this.#indices[index]!);
  }

  [Symbol.iterator](): Generator<LabeledImage, void, undefined> {
    return each(this);
  }
}

class Relabeled implements SampleList {
  readonly #list: SampleList;
  readonly #labels: readonly number[];

  constructor(list: SampleList, labels: readonly number[]) {
    this.#list = list;
    this.#labels = labels;
  }

  get length(): number {
    return this.#list.length;
  }

  at(index: number): LabeledImage | undefined {
    const sample = this.#list.at(index);
    return sample && { ...sample, label: this.#labels[sample.label]! };
  }

  label(index: number): number {
    return this.#labels[this.#list.label(index)]!;
  }

  key(index: number): string {
    return this.#list.key(index);
  }

  [Symbol.iterator](): Generator<LabeledImage, void, undefined> {
    return each(this);
  }
}

/** The indices of a list by label: those of label k are `indices[k]`, in order. */
export function indicesByLabel(list: SampleList, classes: number): Uint32Array[] {
  const counts = countsByLabel(list, classes);
  const indices = counts.map((count) => new Uint32Array(count));
  const filled = new Uint32Array(classes);
  for (let i = 0; i < list.length; i++) {
    const label = list.label(i);
    indices[label]![filled[label]!++] = i;
  }
  return indices;
}

/** The number of samples with each label. */
export function countsByLabel(list: LabeledList, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (let i = 0; i < list.length; i++) counts[isSampleList(list) ? list.label(i) : list[i]!.label]! += 1;
  return counts;
}
