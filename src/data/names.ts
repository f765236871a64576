/**
 * Growing lists of strings and numbers that take little more memory than what is in them. A JavaScript string takes 20 bytes
 * or more besides its characters, which adds up over a million file names.
 */

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true }); // a name may begin with U+FEFF

/** Strings in a chunk. */
const perChunk = 2 ** 14;

interface Chunk {
  readonly bytes: Uint8Array;
  /** Where each string ends in `bytes`. */
  readonly ends: Uint32Array;
}

/** Strings as UTF-8. They are kept in chunks, so that growing does not copy them all. */
export class Names implements Iterable<string> {
  readonly #full: Chunk[] = [];
  #last = { bytes: new Uint8Array(256), ends: new Column(Uint32Array) };

  get length(): number {
    return this.#full.length * perChunk + this.#last.ends.length;
  }

  add(name: string): void {
    const { ends } = this.#last;
    const start = ends.length === 0 ? 0 : ends.at(ends.length - 1);
    const most = start + 3 * name.length; // UTF-8 takes at most 3 bytes for each UTF-16 code unit
    if (most > this.#last.bytes.length) this.#last.bytes = grown(this.#last.bytes, most);
    const { written } = encoder.encodeInto(name, this.#last.bytes.subarray(start));
    ends.push(start + written);
    if (ends.length === perChunk) this.#seal();
  }

  /** The string at an index, which must be below `length`. */
  at(index: number): string {
    const full = this.#full[Math.floor(index / perChunk)];
    const place = index % perChunk;
    const [bytes, end, start] = full
      ? [full.bytes, full.ends[place]!, place === 0 ? 0 : full.ends[place - 1]!]
      : [this.#last.bytes, this.#last.ends.at(place), place === 0 ? 0 : this.#last.ends.at(place - 1)];
    return decoder.decode(bytes.subarray(start, end));
  }

  *[Symbol.iterator](): Generator<string, void, undefined> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }

  #seal(): void {
    const ends = this.#last.ends.values.slice();
    this.#full.push({ bytes: this.#last.bytes.slice(0, ends.at(-1)), ends });
    this.#last = { bytes: this.#last.bytes, ends: new Column(Uint32Array) };
  }
}

type NumberArray = Uint8Array | Int32Array | Uint32Array | Float64Array;

/** Numbers in a typed array. */
export class Column<T extends NumberArray> {
  #data: T;
  #length = 0;

  constructor(kind: new (length: number) => T) {
    this.#data = new kind(16);
  }

  get length(): number {
    return this.#length;
  }

  /** The numbers, without a copy. Valid until the next one is added. */
  get values(): T {
    return this.#data.subarray(0, this.#length) as T;
  }

  push(value: number): void {
    if (this.#length === this.#data.length) this.#data = grown(this.#data, this.#length + 1);
    this.#data[this.#length++] = value;
  }

  /** The number at an index, which must be below `length`. */
  at(index: number): number {
    return this.#data[index]!;
  }
}

function grown<T extends NumberArray>(data: T, least: number): T {
  const larger = new (data.constructor as new (length: number) => T)(Math.max(least, 2 * data.length));
  larger.set(data);
  return larger;
}
