/**
 * Decodes BMP files of Windows and OS/2 to RGB: 1, 2, 4, 8, 16, 24 and 32 bits, bit fields, and run-length encoding. Pixels
 * equal Pillow's, except where it misreads a file. Alpha is dropped. (Microsoft, "Bitmap Storage"; IBM, "OS/2 Presentation
 * Manager Reference".)
 */
import { Bytes, colorsOf, grayRamp, type Raster } from './raster.ts';

interface Header {
  readonly width: number;
  readonly height: number;
  readonly isTopDown: boolean;
  readonly bits: number;
  readonly compression: number;
  /** Where the pixels begin. */
  readonly start: number;
  /** Of indexed images: [256, 3]. */
  readonly palette: Uint8Array;
  /** The bits of red, green and blue. */
  readonly masks: readonly [number, number, number];
}

const [uncompressed, rle8, rle4, bitFields, alphaBitFields] = [0, 1, 2, 3, 6];

/** @throws Error with the reason if the file is damaged or of a kind that is not read. */
export function openBmp(file: Uint8Array): Raster {
  const bytes = new Bytes(file);
  const header = readHeader(bytes);
  return { width: header.width, height: header.height, pixels: () => pixelsOf(bytes, header) };
}

function readHeader(bytes: Bytes): Header {
  const size = bytes.u32(14);
  const isCore = size === 12;
  const width = isCore ? bytes.u16(18) : bytes.i32(18);
  const height = isCore ? bytes.u16(20) : bytes.i32(22);
  const bits = bytes.u16(isCore ? 24 : 28);
  const compression = size >= 40 ? bytes.u32(30) : uncompressed;
  if (width <= 0 || height === 0) throw new Error(`its size is ${width} × ${Math.abs(height)}`);
  if (!isRead(bits, compression)) {
    throw new Error(`it is a BMP of ${bits} bits with compression ${compression}, which is not supported`);
  }
  const hasMasks = compression === bitFields || compression === alphaBitFields;
  const colors = (size >= 40 ? bytes.u32(46) : 0) || 2 ** bits;
  const table = 14 + size + (size === 40 && hasMasks ? (compression === bitFields ? 12 : 16) : 0);
  const declared = bytes.u32(10);
  const isMisplaced = declared === 14 + size && bits <= 8; // some programs forget to count the palette
  return {
    width,
    height: Math.abs(height),
    isTopDown: height < 0,
    bits,
    compression,
    start: declared === 0 || isMisplaced ? table + (bits <= 8 ? (isCore ? 3 : 4) * colors : 0) : declared,
    palette: bits <= 8 ? readPalette(bytes, table, isCore ? 3 : 4, Math.min(colors, 2 ** bits)) : grayRamp(),
    masks: hasMasks ? readMasks(bytes, bits) : standardMasks(bits),
  };
}

function isRead(bits: number, compression: number): boolean {
  if (compression === uncompressed) return [1, 2, 4, 8, 16, 24, 32].includes(bits);
  if (compression === bitFields || compression === alphaBitFields) return [16, 24, 32].includes(bits);
  return (compression === rle8 && bits === 8) || (compression === rle4 && bits === 4);
}

/** Entries are blue, green, red, and if `step` is 4, a byte without meaning. */
function readPalette(bytes: Bytes, start: number, step: number, colors: number): Uint8Array {
  const palette = grayRamp();
  for (let i = 0; i < colors; i++) {
    const [blue, green, red] = bytes.slice(start + i * step, 3);
    palette.set([red!, green!, blue!], 3 * i);
  }
  return palette;
}

const standardMasks = (bits: number): Header['masks'] =>
  bits === 16 ? [0x7c00, 0x3e0, 0x1f] : [0xff0000, 0xff00, 0xff];

/** They follow the first 40 bytes of the header. */
function readMasks(bytes: Bytes, bits: number): Header['masks'] {
  const masks = [bytes.u32(54), bytes.u32(58), bytes.u32(62)] as const;
  return masks.every((mask) => mask === 0) ? standardMasks(bits) : masks;
}

function pixelsOf(bytes: Bytes, header: Header): Uint8Array {
  const { compression, bits, palette } = header;
  if (compression === rle8 || compression === rle4) return colorsOf(expandRuns(bytes, header), palette);
  return bits <= 8 ? colorsOf(unpackIndices(bytes, header), palette) : unpackColors(bytes, header);
}

/** Calls `use` with the bytes of each line, and its row from the top. Lines are padded to 4 bytes. */
function eachLine(bytes: Bytes, header: Header, use: (line: Uint8Array, row: number) => void): void {
  const { width, height, bits, start, isTopDown } = header;
  const length = Math.ceil((width * bits) / 8);
  const step = 4 * Math.ceil(length / 4);
  bytes.slice(start, (height - 1) * step + length);
  for (let y = 0; y < height; y++) use(bytes.slice(start + y * step, length), isTopDown ? y : height - 1 - y);
}

function unpackIndices(bytes: Bytes, header: Header): Uint8Array {
  const { width, height, bits } = header;
  const indices = new Uint8Array(width * height); // [H, W]
  const mask = 2 ** bits - 1;
  eachLine(bytes, header, (line, row) => {
    const out = indices.subarray(row * width, (row + 1) * width);
    if (bits === 8) out.set(line);
    else for (let x = 0; x < width; x++) out[x] = (line[(x * bits) >> 3]! >> (8 - bits - ((x * bits) & 7))) & mask;
  });
  return indices;
}

function unpackColors(bytes: Bytes, header: Header): Uint8Array {
  const { width, height, bits, masks } = header;
  const data = new Uint8Array(3 * width * height); // [H, W, 3]
  const channels = masks.map(channelOf);
  const isPlain = bits >= 24 && masks.every((mask, c) => mask === standardMasks(bits)[c]);
  const step = bits / 8;
  eachLine(bytes, header, (line, row) => {
    let to = 3 * row * width;
    for (let at = 0; at < width * step; at += step) {
      if (isPlain) {
        data[to++] = line[at + 2]!;
        data[to++] = line[at + 1]!;
        data[to++] = line[at]!;
      } else {
        const pixel = line[at]! | (line[at + 1]! << 8) | ((line[at + 2] ?? 0) << 16);
        const whole = (pixel + (step === 4 ? line[at + 3]! * 2 ** 24 : 0)) >>> 0;
        for (const { mask, shift, max } of channels) {
          data[to++] = max === 0 ? 0 : Math.floor((((whole & mask) >>> shift) * 255) / max);
        }
      }
    }
  });
  return data;
}

/** A channel's bits, how far they are from the right, and its largest value. */
function channelOf(mask: number): { mask: number; shift: number; max: number } {
  const shift = mask === 0 ? 0 : 31 - Math.clz32(mask & -mask);
  return { mask, shift, max: mask >>> shift };
}

/**
 * Expands runs of equal indices, stretches of different ones, and moves to another place. What is skipped, and what runs
 * past a line's end, is left out.
 */
function expandRuns(bytes: Bytes, { width, height, compression, start, isTopDown }: Header): Uint8Array {
  const indices = new Uint8Array(width * height); // [H, W]
  const perByte = compression === rle4 ? 2 : 1;
  let [at, x, y] = [start, 0, 0];
  const put = (index: number) => {
    if (x < width) indices[(isTopDown ? y : height - 1 - y) * width + x] = index;
    x++;
  };
  const half = (byte: number, i: number): number => (perByte === 1 ? byte : i % 2 === 0 ? byte >> 4 : byte & 15);
  while (y < height) {
    if (at >= bytes.data.length && x >= width && y === height - 1) break; // without its end mark
    const [count, value] = [bytes.u8(at), bytes.u8(at + 1)];
    at += 2;
    if (count > 0) for (let i = 0; i < count; i++) put(half(value, i));
    else if (value === 0) [x, y] = [0, y + 1];
    else if (value === 1) break;
    else if (value === 2) {
      [x, y] = [x + bytes.u8(at), y + bytes.u8(at + 1)];
      at += 2;
    } else {
      const stretch = bytes.slice(at, Math.ceil(value / perByte));
      for (let i = 0; i < value; i++) put(half(stretch[Math.floor(i / perByte)]!, i));
      at += stretch.length + (stretch.length % 2); // aligned to 2 bytes
    }
  }
  return indices;
}
