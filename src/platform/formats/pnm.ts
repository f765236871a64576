/**
 * Decodes PBM, PGM and PPM files, as text or binary, and PAM files to RGB. Samples are scaled to 8 bits as in Pillow, but
 * 16-bit grayscale keeps its range, as in PNG files. Alpha is dropped. (https://netpbm.sourceforge.net/doc/pnm.html)
 */
import { type Raster, tooShort } from './raster.ts';

interface Header {
  readonly width: number;
  readonly height: number;
  /** Samples per pixel in the file. */
  readonly depth: number;
  readonly max: number;
  /** Where the samples begin. */
  readonly start: number;
  readonly samples: 'text' | 'bytes' | 'bits';
  /** In PBM files, 1 is black. */
  readonly isInverted: boolean;
}

/** @throws Error with the reason if the header is invalid; `pixels`, if the file is too short or a sample too large. */
export function openPnm(file: Uint8Array): Raster {
  const header = file[1] === 0x37 ? readPamHeader(file) : readHeader(file);
  const { width, height, depth, max } = header;
  const isValid = [width, height, depth, max].every((value) => value > 0) && depth <= 4 && max < 65536;
  if (!isValid) {
    throw new Error(`its header has the size ${width} × ${height}, ${depth} samples per pixel and a maximum of ${max}`);
  }
  return { width, height, pixels: () => pixelsOf(file, header) };
}

const isSpace = (byte: number | undefined): boolean => byte === 0x20 || (byte! >= 9 && byte! <= 13);
const isDigit = (byte: number | undefined): boolean => byte! >= 0x30 && byte! <= 0x39;

/** Reads numbers with spaces and comments, from `#` to the end of the line, between them. */
class Numbers {
  readonly file: Uint8Array;
  at: number;

  constructor(file: Uint8Array, at: number) {
    this.file = file;
    this.at = at;
  }

  /** @param isDigitAlone whether each digit is a number. */
  next(isDigitAlone = false): number {
    this.#skip();
    if (this.at >= this.file.length) throw new Error(tooShort);
    if (!isDigit(this.file[this.at])) throw new Error('it contains a character where a number is expected');
    let value = 0;
    do value = Math.min(10 * value + this.file[this.at++]! - 0x30, 2 ** 32);
    while (!isDigitAlone && isDigit(this.file[this.at]));
    return value;
  }

  #skip(): void {
    const { file } = this;
    for (; ; this.at++) {
      if (file[this.at] === 0x23) while (this.at < file.length && ![10, 13].includes(file[this.at]!)) this.at++;
      else if (!isSpace(file[this.at])) return;
    }
  }
}

/** `P5 640 480 255`; PBM files have no maximum. One space or line feed separates it from binary samples. */
function readHeader(file: Uint8Array): Header {
  const kind = file[1]! - 0x30;
  const numbers = new Numbers(file, 2);
  const [width, height] = [numbers.next(), numbers.next()];
  const isBitmap = kind === 1 || kind === 4;
  const max = isBitmap ? 1 : numbers.next();
  if (file[numbers.at] === 0x23) while (numbers.at < file.length && file[numbers.at] !== 10) numbers.at++;
  return {
    width,
    height,
    depth: kind === 3 || kind === 6 ? 3 : 1,
    max,
    start: numbers.at + 1,
    samples: kind <= 3 ? 'text' : isBitmap ? 'bits' : 'bytes',
    isInverted: isBitmap,
  };
}

/** The header of a PAM file has at most this many bytes here. */
const maxPamHeader = 4096;

function readPamHeader(file: Uint8Array): Header {
  const text = String.fromCharCode(...file.subarray(0, maxPamHeader));
  const end = /^ENDHDR[^\n]*\n/m.exec(text);
  if (!end) throw new Error('its header has no end');
  const lines = text.slice(0, end.index);
  const number = (name: string) => Number(new RegExp(`^${name}\\s+(\\d{1,9})\\s*$`, 'm').exec(lines)?.[1] ?? 0);
  return {
    width: number('WIDTH'),
    height: number('HEIGHT'),
    depth: number('DEPTH'),
    max: number('MAXVAL'),
    start: end.index + end[0].length,
    samples: 'bytes',
    isInverted: false,
  };
}

function pixelsOf(file: Uint8Array, header: Header): Uint8Array {
  const { width, height, depth } = header;
  const scaled = scaleOf(header);
  const next = readerOf(file, header);
  const channels = depth >= 3 ? 3 : 1;
  const data = new Uint8Array(3 * width * height); // [H, W, 3]
  for (let to = 0; to < data.length; to += 3) {
    for (let c = 0; c < depth; c++) {
      const value = scaled[next()]!;
      if (channels === 1 && c === 0) data.fill(value, to, to + 3);
      else if (c < channels && channels === 3) data[to + c] = value;
    }
  }
  return data;
}

/** The byte for each sample. */
function scaleOf({ max, depth, isInverted }: Header): Uint8Array {
  return Uint8Array.from({ length: max + 1 }, (_, sample) => {
    const value = isInverted ? max - sample : sample;
    return max > 255 && depth < 3 ? toEven((value / max) * 65535) >> 8 : toEven((value / max) * 255);
  });
}

/** Rounds halves to even numbers, as Python does. */
function toEven(value: number): number {
  const floor = Math.floor(value);
  const isUp = value - floor > 0.5 || (value - floor === 0.5 && floor % 2 === 1);
  return isUp ? floor + 1 : floor;
}

/** A function that returns the next sample, at most the maximum. */
function readerOf(file: Uint8Array, { width, height, depth, max, start, samples, isInverted }: Header): () => number {
  if (samples === 'text') {
    const numbers = new Numbers(file, start - 1);
    return () => {
      const value = numbers.next(isInverted);
      if (value <= max) return value;
      throw new Error(`it contains the sample ${value}, more than its maximum of ${max}`);
    };
  }
  const perLine = samples === 'bits' ? Math.ceil(width / 8) : width * depth * (max < 256 ? 1 : 2);
  if (start + perLine * height > file.length) throw new Error(tooShort);
  let at = start;
  if (samples === 'bytes') {
    return max < 256 ? () => Math.min(max, file[at++]!) : () => Math.min(max, (file[at++]! << 8) | file[at++]!);
  }
  let x = 0;
  return () => {
    const bit = (file[at + (x >> 3)]! >> (7 - (x & 7))) & 1;
    x++;
    if (x === width) [x, at] = [0, at + perLine];
    return bit;
  };
}
