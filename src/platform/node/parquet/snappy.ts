/**
 * Decompresses snappy, all or in part. The format lets a copy reach back to the start of everything, but compressors work on
 * blocks of 64 KiB, one by one. So a block can be decompressed by itself; where a stream does otherwise, there are none.
 * Bytes that do not compress, as those of JPEG files, are copied as they are, which is faster here than in hyparquet.
 * Reference: https://github.com/google/snappy/blob/main/format_description.txt
 */

export const blockLength = 1 << 16;

/** @throws Error if the stream is damaged, or does not have `size` bytes. */
export function decompressSnappy(bytes: Uint8Array, size: number): Uint8Array {
  const output = new Uint8Array(size);
  if (decompressInto(output, bytes.subarray(preambleLength(bytes))) === size) return output;
  throw new Error('its snappy data ends early');
}

/** Decompresses blocks from the start of one on, and returns the number of bytes. */
export function decompressInto(output: Uint8Array, bytes: Uint8Array): number {
  const size = output.length;
  let done = 0;
  for (let position = 0; position < bytes.length; ) {
    const { length, next, offset } = elementAt(bytes, position);
    if (next > bytes.length || done + length > size || offset > done) throw new Error('its snappy data is damaged');
    if (offset === 0) output.set(bytes.subarray(next - length, next), done);
    else for (let i = 0; i < length; i++) output[done + i] = output[done + i - offset]!;
    done += length;
    position = next;
  }
  return done;
}

/** Where each block begins in a compressed stream, and where the last one ends; undefined if there are none. */
export function snappyBlocks(bytes: Uint8Array): Uint32Array | undefined {
  const starts: number[] = [];
  let [at, done] = [preambleLength(bytes), 0];
  while (at < bytes.length) {
    const within = done % blockLength;
    if (within === 0) starts.push(at);
    const { length, next, offset } = elementAt(bytes, at);
    if (within + length > blockLength || offset > within) return undefined;
    done += length;
    at = next;
  }
  return at === bytes.length ? Uint32Array.from([...starts, at]) : undefined;
}

/** The size of everything comes first, 7 bits in a byte. */
const preambleLength = (bytes: Uint8Array): number => bytes.findIndex((byte) => byte < 0x80) + 1;

interface Element {
  /** Bytes that it stands for. */
  readonly length: number;
  /** Where the next one begins. */
  readonly next: number;
  /** How far a copy reaches back; 0 if the bytes themselves follow. */
  readonly offset: number;
}

function elementAt(bytes: Uint8Array, at: number): Element {
  const tag = bytes[at]!;
  const upper = tag >> 2;
  switch (tag & 3) {
    case 0: {
      const extra = upper < 60 ? 0 : upper - 59;
      const length = (extra === 0 ? upper : integerAt(bytes, at + 1, extra)) + 1;
      return { length, next: at + 1 + extra + length, offset: 0 };
    }
    case 1:
      return { length: (upper & 7) + 4, next: at + 2, offset: checked((tag >> 5) * 256 + integerAt(bytes, at + 1, 1)) };
    case 2:
      return { length: upper + 1, next: at + 3, offset: checked(integerAt(bytes, at + 1, 2)) };
    default:
      return { length: upper + 1, next: at + 5, offset: checked(integerAt(bytes, at + 1, 4)) };
  }
}

function integerAt(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = at + count - 1; i >= at; i--) value = value * 256 + (bytes[i] ?? 0);
  return value;
}

/** A copy of what it writes itself has no meaning. */
function checked(offset: number): number {
  if (offset > 0) return offset;
  throw new Error('its snappy data is damaged');
}
