/**
 * Random access to bytes in memory, in a file, or in a part of either. Reads are synchronous and by region, so a
 * container's structure can be followed without loading its data.
 */
import { bytes as bytesKind, checkArgument } from '../arguments.ts';
import { FormatError } from '../errors.ts';

/** Bytes to read from. */
export interface Source {
  readonly size: number;
  /** Reads into `target` from `offset` on, and returns the number of bytes read: fewer than asked for at the end. */
  fill(target: Uint8Array, offset: number): number;
}

/**
 * Bytes in memory as a source, without copying them.
 *
 * @example const weights = await readStateDict(bytesSource(new Uint8Array(await file.arrayBuffer())), file.name);
 */
export function bytesSource(bytes: Uint8Array): Source {
  checkArgument('bytes', bytes, bytesKind);
  return {
    size: bytes.length,
    fill(target, offset) {
      const found = bytes.subarray(offset, offset + target.length);
      target.set(found);
      return found.length;
    },
  };
}

/** A region of a source as a source of its own. The caller checks that it lies within. */
export function partOf(source: Source, begin: number, size: number): Source {
  return {
    size,
    fill(target, offset) {
      const room = Math.max(0, Math.min(target.length, size - offset));
      return source.fill(target.subarray(0, room), begin + offset);
    },
  };
}

/** Fills all of `target`, or throws: the structure was checked before, so the file must have changed. */
export function fillWhole(source: Source, target: Uint8Array, offset: number, subject: string): void {
  if (source.fill(target, offset) < target.length) {
    throw new FormatError(`${subject} ends early. Did the file change while it was being read?`);
  }
}

const chunkLength = 1 << 16;

/** All of a source, in chunks that share one buffer: use each before requesting the next. */
export function* chunksOf(source: Source, subject: string): Generator<Uint8Array> {
  const chunk = new Uint8Array(Math.min(chunkLength, source.size));
  for (let begin = 0; begin < source.size; begin += chunk.length) {
    const piece = chunk.subarray(0, Math.min(chunk.length, source.size - begin));
    fillWhole(source, piece, begin, subject);
    yield piece;
  }
}

/** Reads a source from start to end in small pieces. Reading past the end throws a `FormatError`. */
export class Cursor {
  readonly source: Source;
  /** Identifies the source in messages. */
  readonly name: string;
  position: number;
  #chunk = new Uint8Array(0);
  #chunkBegin = 0;

  constructor(source: Source, name: string, position = 0) {
    this.source = source;
    this.name = name;
    this.position = position;
  }

  get left(): number {
    return this.source.size - this.position;
  }

  /** The next `length` bytes. Their memory is not written again. */
  bytes(length: number): Uint8Array {
    if (length > this.left) this.#truncated(length);
    const begin = this.position - this.#chunkBegin;
    const end = begin + length;
    this.position += length;
    if (begin >= 0 && end <= this.#chunk.length) return this.#chunk.subarray(begin, end);
    this.#chunkBegin = this.position - length;
    this.#chunk = new Uint8Array(Math.max(length, Math.min(chunkLength, this.source.size - this.#chunkBegin)));
    fillWhole(this.source, this.#chunk, this.#chunkBegin, this.name);
    return this.#chunk.subarray(0, length);
  }

  /** Skips `length` bytes and returns the position where they begin. */
  skip(length: number): number {
    if (length > this.left) this.#truncated(length);
    this.position += length;
    return this.position - length;
  }

  view(length: number): DataView {
    const bytes = this.bytes(length);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  }

  byte(): number {
    return this.bytes(1)[0]!;
  }

  int32(): number {
    return this.view(4).getInt32(0, true);
  }

  /** A 64-bit size or count, which must be between 0 and 2^53. */
  count64(what: string): number {
    const value = this.view(8).getBigInt64(0, true);
    if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new FormatError(`${this.name}: ${what} is ${value}, which is not a valid size. The file is damaged.`);
    }
    return Number(value);
  }

  #truncated(length: number): never {
    const { size } = this.source;
    const expected = `expected ${length} more at ${this.position}`;
    throw new FormatError(`${this.name} is truncated or damaged: it has ${size} bytes, but ${expected}.`);
  }
}
