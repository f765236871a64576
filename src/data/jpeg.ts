/**
 * Small plain JPEG files, decoded here: starting libvips costs ten times as much as their few blocks. Pixels equal
 * libjpeg-turbo's as libvips uses it (accurate integer transform, smooth chroma), bit for bit.
 *
 * Plain is what nearly every small file is: baseline, Huffman, 8 bits, one scan of grey or of YCbCr with chroma at full
 * size or at half of it. All else is left to libvips, and so is anything that is not as it should be: it
 * knows what can be mended, and says what cannot. Reference: ITU-T T.81; named in brackets are its sections.
 */

import type { Image } from './image.ts';
import { enlarge, type Plane, toRgb, transformBlock } from './jpeg-pixels.ts';

/** From here on libvips, which uses wider instructions, is faster. */
const mostPixels = 96 * 96;

/** Thrown, and caught, where a file is not plain. */
const notPlain = new Error('This JPEG file is not plain.');

function expectPlain(holds: boolean): asserts holds {
  if (!holds) throw notPlain;
}

/** A Huffman code by its first `peek` bits, `length << 8 | symbol`; 0 for longer codes, which `last` has by length. */
interface Huffman {
  readonly fast: Uint16Array;
  /** By length: the largest code, or -1, and what to add to a code to get the place of its symbol. */
  readonly last: Int32Array;
  readonly offset: Int32Array;
  readonly symbols: Uint8Array;
}

const peek = 9;

/** A component in the frame: `h` × `v` blocks per unit, and which quantisation table it takes. */
interface Sampled {
  readonly id: number;
  readonly h: number;
  readonly v: number;
  readonly table: number;
}

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly components: readonly Sampled[];
}

/** A component in its scan. */
interface Component {
  readonly h: number;
  readonly v: number;
  readonly steps: Uint16Array; // [64], in zigzag order
  readonly dc: Huffman;
  readonly ac: Huffman;
  readonly plane: Plane;
  /** The last block's mean, from which the next one's is told. */
  mean: number;
}

interface Tables {
  readonly steps: (Uint16Array | undefined)[];
  readonly dc: (Huffman | undefined)[];
  readonly ac: (Huffman | undefined)[];
}

/** The picture, or undefined where libvips shall have a look. */
export function decodePlainJpeg(bytes: Uint8Array): Image | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined;
  try {
    return decodeFile(bytes);
  } catch (error) {
    if (error === notPlain) return undefined;
    throw error;
  }
}

/** Segments up to the scan, and the scan (B.2). */
function decodeFile(bytes: Uint8Array): Image {
  const tables: Tables = { steps: [], dc: [], ac: [] };
  let frame: Frame | undefined;
  for (let at = 2; ; ) {
    expectPlain(at + 4 <= bytes.length && bytes[at] === 0xff);
    const marker = bytes[at + 1]!;
    const end = at + 2 + ((bytes[at + 2]! << 8) | bytes[at + 3]!);
    expectPlain(end <= bytes.length && end >= at + 4);
    const body = bytes.subarray(at + 4, end);
    if (marker === 0xdb) readSteps(body, tables);
    else if (marker === 0xc4) readHuffman(body, tables);
    else if (marker === 0xc0 && !frame) frame = readFrame(body);
    else if (marker === 0xda && frame) return decodeScan(frame, readScan(body, frame, tables), bytes, end);
    else expectPlain(isComment(marker));
    at = end;
  }
}

/** Application data and comments; Adobe's may change the colours. */
const isComment = (marker: number): boolean => (marker >= 0xe0 && marker <= 0xef && marker !== 0xee) || marker === 0xfe;

/** Quantisation steps (B.2.4.1). */
function readSteps(body: Uint8Array, { steps }: Tables): void {
  expectPlain(body.length % 65 === 0);
  for (let at = 0; at < body.length; at += 65) {
    expectPlain(body[at]! < 4); // 8 bits each
    steps[body[at]!] = Uint16Array.from(body.subarray(at + 1, at + 65));
  }
}

/** Huffman tables (B.2.4.2). */
function readHuffman(body: Uint8Array, { dc, ac }: Tables): void {
  for (let at = 0; at < body.length; ) {
    const counts = body.subarray(at + 1, at + 17);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const symbols = body.subarray(at + 17, at + 17 + total);
    expectPlain(counts.length === 16 && symbols.length === total && (body[at]! & 0xec) === 0);
    if (body[at]! < 16) expectPlain(symbols.every((size) => size < 16));
    (body[at]! < 16 ? dc : ac)[body[at]! & 15] = huffman(counts, symbols);
    at += 17 + total;
  }
}

/** Codes of each length are consecutive, from twice the end of the shorter ones (C.2). */
function huffman(counts: Uint8Array, symbols: Uint8Array): Huffman {
  const fast = new Uint16Array(1 << peek);
  const last = new Int32Array(17).fill(-1);
  const offset = new Int32Array(17);
  let code = 0;
  let k = 0;
  for (let length = 1; length <= 16; length++) {
    offset[length] = k - code;
    for (let i = 0; i < counts[length - 1]!; i++, code++, k++) {
      const first = code << (peek - length);
      if (length <= peek) fast.fill((length << 8) | symbols[k]!, first, first + (1 << (peek - length)));
      last[length] = code;
    }
    expectPlain(code < 1 << length); // the code of ones is none
    code <<= 1;
  }
  return { fast, last, offset, symbols };
}

/** Size and components (B.2.2). */
function readFrame(body: Uint8Array): Frame {
  const [height, width] = [(body[1]! << 8) | body[2]!, (body[3]! << 8) | body[4]!];
  const count = body[5]!;
  expectPlain(body[0] === 8 && body.length === 6 + 3 * count && (count === 1 || count === 3));
  expectPlain(width > 0 && height > 0 && width * height <= mostPixels);
  const components = Array.from({ length: count }, (_, c): Sampled => {
    const [id = 0, factors = 0, table = 0] = body.subarray(6 + 3 * c);
    return count === 1 ? { id, h: 1, v: 1, table } : { id, h: factors >> 4, v: factors & 15, table };
  });
  const [{ h, v }, ...chroma] = components as [Sampled, ...Sampled[]];
  expectPlain(h === v && (h === 1 || (h === 2 && width > 4))); // narrower chroma is not smoothed
  expectPlain(chroma.every((other) => other.h === 1 && other.v === 1));
  expectPlain(count === 1 || components.every(({ id }, c) => id === c + 1)); // other names may stand for other colours
  return { width, height, components };
}

/** All components in one scan (B.2.3), with the tables that stand by now. */
function readScan(body: Uint8Array, { width, height, components }: Frame, tables: Tables): Component[] {
  const count = components.length;
  const [first, last, bits] = body.subarray(1 + 2 * count);
  expectPlain(body.length === 4 + 2 * count && body[0] === count && first === 0 && last === 63 && bits === 0);
  const most = components[0]!;
  const across = Math.ceil(width / (8 * most.h));
  const down = Math.ceil(height / (8 * most.v));
  return components.map(({ id, h, v, table }, c) => {
    const coders = body[2 + 2 * c]!;
    const [steps, dc, ac] = [tables.steps[table], tables.dc[coders >> 4], tables.ac[coders & 15]];
    expectPlain(body[1 + 2 * c] === id && steps !== undefined && dc !== undefined && ac !== undefined);
    const stride = across * h * 8;
    const data = new Uint8Array(stride * down * v * 8);
    const size = { width: Math.ceil((width * h) / most.h), height: Math.ceil((height * v) / most.v) };
    return { h, v, steps, dc, ac, plane: { ...size, stride, data }, mean: 0 };
  });
}

/** Unit by unit, blocks of each component in turn (A.2.3); then colours. */
function decodeScan({ width, height }: Frame, components: Component[], bytes: Uint8Array, start: number): Image {
  const bits = new Bits(bytes, start);
  const block = new Int32Array(64);
  const { h, v, plane } = components[0]!;
  const across = plane.stride / (8 * h);
  const units = across * (plane.data.length / plane.stride / (8 * v));
  for (let unit = 0; unit < units; unit++) {
    const [x, y] = [unit % across, Math.floor(unit / across)];
    for (const component of components) {
      for (let b = 0; b < component.h * component.v; b++) {
        const column = x * component.h + (b % component.h);
        const row = y * component.v + Math.floor(b / component.h);
        const place = (row * component.plane.stride + column) * 8;
        const single = readBlock(bits, component, block);
        expectPlain(transformBlock(block, single, component.plane, place));
      }
    }
  }
  expectPlain(bits.atEnd());
  return toRgb(
    components.map((component) => (component.h < h ? enlarge(component.plane) : component.plane)),
    width,
    height,
  );
}

/**
 * The 64 coefficients of a block, times their steps, in rows (F.2.2). Zeros are not written: `block` must hold none else,
 * as it does after `transformBlock`.
 *
 * @returns whether there is none but the first.
 */
function readBlock(bits: Bits, component: Component, block: Int32Array): boolean {
  const { steps, dc, ac } = component;
  const size = bits.symbol(dc);
  expectPlain(size <= 11);
  component.mean += bits.signed(size);
  block[0] = component.mean * steps[0]!;
  let single = true;
  for (let k = 1; k < 64; k++) {
    const symbol = bits.symbol(ac);
    const size = symbol & 15;
    k += symbol >> 4;
    if (size === 0) {
      if (symbol === 0) break; // the rest is zero
      expectPlain(symbol === 0xf0); // sixteen zeros
      continue;
    }
    expectPlain(size <= 10 && k < 64);
    block[zigzag[k]!] = bits.signed(size) * steps[k]!;
    single = false;
  }
  return single;
}

/** Where the k-th coefficient of the file stands in a block (figure A.6). */
const zigzag = Uint8Array.of(
  ...[0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48],
  ...[41, 34, 27, 20, 13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15],
  ...[23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63],
);

/** The bits of a scan, the first ones highest; zeros after its end, which `atEnd` tells. */
class Bits {
  readonly #bytes: Uint8Array;
  #at: number;
  #held = 0;
  #count = 0;
  /** Zeros that were put in after the end. */
  #padding = 0;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** Holds 16 bits or more. A byte of ones is followed by one of zeros, or begins a marker, which ends the scan. */
  #fill(): void {
    while (this.#count < 16) {
      let byte = this.#bytes[this.#at] ?? 0xff;
      if (byte !== 0xff) this.#at++;
      else if (this.#bytes[this.#at + 1] === 0) this.#at += 2;
      else {
        byte = 0;
        this.#padding += 8;
      }
      this.#held = ((this.#held & 0xffff) << 8) | byte;
      this.#count += 8;
    }
  }

  symbol({ fast, last, offset, symbols }: Huffman): number {
    if (this.#count < 16) this.#fill();
    const next = (this.#held >> (this.#count - peek)) & ((1 << peek) - 1);
    const entry = fast[next]!;
    if (entry !== 0) {
      this.#count -= entry >> 8;
      return entry & 255;
    }
    for (let length = peek + 1; length <= 16; length++) {
      const code = (this.#held >> (this.#count - length)) & ((1 << length) - 1);
      if (code > last[length]!) continue;
      this.#count -= length;
      return symbols[code + offset[length]!]!;
    }
    throw notPlain;
  }

  /** A number of `size` bits, of which the lower half of all values stands for the negative ones (F.2.2.1). */
  signed(size: number): number {
    if (size === 0) return 0;
    if (this.#count < size) this.#fill();
    this.#count -= size;
    const value = (this.#held >> this.#count) & ((1 << size) - 1);
    return value < 1 << (size - 1) ? value - (1 << size) + 1 : value;
  }

  /** Whether less than a byte is left, and then the picture ends. */
  atEnd(): boolean {
    const left = this.#count - this.#padding;
    return left >= 0 && left < 8 && this.#bytes[this.#at] === 0xff && this.#bytes[this.#at + 1] === 0xd9;
  }
}
