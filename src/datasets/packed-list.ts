/**
 * Lists of images in larger files. For each image, a label, a key and three numbers that say where it is are kept, which
 * together take about 70 bytes: 90 MB for 1.3 million images.
 *
 * A list is ordered as class folders are: by label, then by key, folder by folder. So the same images in the same classes
 * have the same order, and the same epochs, however they are packed.
 */
import type { Extent } from '#platform/images';
import { inFolderOrder } from '../data/listing.ts';
import { Column, Names } from '../data/names.ts';
import {
  each,
  indicesByLabel,
  type LabeledImage,
  type PackedSample,
  type SampleList,
  select,
} from '../data/samples.ts';
import { FormatError } from '../errors.ts';

/** Where an image is, in numbers that the extent is made from. */
export interface Location {
  /** Number of the file, or of the page of a file. */
  readonly file: number;
  readonly start: number;
  readonly length: number;
}

/** An image to add to a list. */
export interface Packed extends Location {
  /** Its name within its class. */
  readonly key: string;
  readonly label: number;
}

/** Images in the order in which they were added; `sorted` gives them in that of class folders. */
export class PackedList implements SampleList {
  readonly #place: string;
  readonly #classes: readonly string[];
  readonly #extentOf: (location: Location) => Extent;
  readonly #keys = new Names();
  readonly #labels = new Column(Int32Array);
  readonly #file = new Column(Uint32Array);
  readonly #start = new Column(Float64Array);
  readonly #length = new Column(Float64Array);
  #order: Order | undefined;

  /** @param place the start of the images' names in messages, such as `flowers.zip/train`. */
  constructor(place: string, classes: readonly string[], extentOf: (location: Location) => Extent) {
    this.#place = place;
    this.#classes = classes;
    this.#extentOf = extentOf;
  }

  get length(): number {
    return this.#labels.length;
  }

  at(index: number): PackedSample | undefined {
    if (!(index >= 0 && index < this.length)) return undefined;
    const [label, file, start, length] = [this.label(index), this.#file, this.#start, this.#length];
    const name = `${this.#place}/${this.#classes[label]}/${this.key(index)}`;
    return {
      ...this.#extentOf({ file: file.at(index), start: start.at(index), length: length.at(index) }),
      name,
      label,
    };
  }

  label(index: number): number {
    return this.#labels.at(index);
  }

  key(index: number): string {
    return this.#keys.at(index).normalize('NFC');
  }

  [Symbol.iterator](): Generator<LabeledImage, void, undefined> {
    return each(this);
  }

  add({ key, label, file, start, length }: Packed): void {
    this.#keys.add(key); // ordered as it is in a folder, whose names are not composed either
    this.#labels.push(label);
    this.#file.push(file);
    this.#start.push(start);
    this.#length.push(length);
  }

  /** @throws FormatError if two images of a class have the same key. */
  sorted(): SampleList {
    const { order, twice } = this.#sort();
    if (twice === undefined) return select(this, order);
    const { name } = this.at(twice)!;
    throw new FormatError(`"${name}" is there twice. Pack the images again with each of them once.`);
  }

  /** Whether two images of a class have the same key. */
  hasTwice(): boolean {
    return this.#sort().twice !== undefined;
  }

  #sort(): Order {
    if (this.#order?.order.length === this.length) return this.#order;
    const order = new Uint32Array(this.length);
    let [filled, twice]: [number, number | undefined] = [0, undefined];
    for (const own of indicesByLabel(this, this.#classes.length)) {
      const named = inOrder(own, this.#keys);
      twice ??= named.find(({ key }, i) => i > 0 && named[i - 1]!.key === key)?.index;
      for (const { index } of named) order[filled++] = index;
    }
    this.#order = { order, twice };
    return this.#order;
  }
}

interface Order {
  readonly order: Uint32Array;
  /** An image whose key another one of its class has. */
  readonly twice: number | undefined;
}

/** Indices of a class in the order of their keys. */
function inOrder(indices: Uint32Array, keys: Names): { readonly index: number; readonly key: string }[] {
  const named = Array.from(indices, (index) => ({ index, key: keys.at(index) }));
  return inFolderOrder(named, ({ key }) => key);
}
