/**
 * Decodes the first frame of a GIF to the colors of its palette, as Pillow's `convert('RGB')` does: a transparent pixel has
 * its palette's color. Decoders that blend, such as libvips', have lost that color. (CompuServe, "Graphics Interchange
 * Format, Version 89a", 1990.)
 */
import { Bytes, colorsOf, grayRamp, type Raster } from './raster.ts';

interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly isInterlaced: boolean;
  readonly palette: Uint8Array; // [256, 3]
  /** The index of pixels outside the frame. */
  readonly background: number;
  /** Where the compressed data begins. */
  readonly start: number;
}

/** @throws Error with the reason if there is no frame, or the file is damaged. */
export function openGif(file: Uint8Array): Raster {
  const bytes = new Bytes(file);
  const flags = bytes.u8(10);
  const global = flags & 0x80 ? paletteAt(bytes, 13, flags) : undefined;
  const frame = firstFrame(bytes, global ? 13 + sizeOf(flags) : 13, global?.colors ?? grayRamp());
  const width = Math.max(bytes.u16(6), frame.left + frame.width);
  const height = Math.max(bytes.u16(8), frame.top + frame.height);
  if (frame.width === 0 || frame.height === 0) throw new Error('its first frame is empty');
  return {
    width,
    height,
    pixels: () => colorsOf(place(decompress(bytes, frame), frame, width, height), frame.palette),
  };
}

/** Bytes of a color table. */
const sizeOf = (flags: number): number => 3 * 2 ** ((flags & 7) + 1);

function paletteAt(bytes: Bytes, at: number, flags: number): { colors: Uint8Array } {
  const colors = grayRamp();
  colors.set(bytes.slice(at, sizeOf(flags)));
  return { colors };
}

function firstFrame(bytes: Bytes, start: number, global: Uint8Array): Frame {
  let background = 0;
  for (let at = start; ; ) {
    const kind = bytes.u8(at);
    if (kind === 0x2c) return frameAt(bytes, at + 1, global, background);
    if (kind === 0x3b) throw new Error('it contains no frame');
    if (kind === 0x21) {
      const isControl = bytes.u8(at + 1) === 0xf9 && bytes.u8(at + 2) >= 4;
      if (isControl && bytes.u8(at + 3) & 1) background = bytes.u8(at + 6); // the transparent index
      at = afterBlocks(bytes, at + 2);
    } else at++; // between blocks, files may contain other bytes
  }
}

function afterBlocks(bytes: Bytes, start: number): number {
  let at = start;
  while (bytes.u8(at) > 0) at += 1 + bytes.u8(at);
  return at + 1;
}

function frameAt(bytes: Bytes, at: number, global: Uint8Array, background: number): Frame {
  const flags = bytes.u8(at + 8);
  const local = flags & 0x80 ? paletteAt(bytes, at + 9, flags).colors : undefined;
  return {
    left: bytes.u16(at),
    top: bytes.u16(at + 2),
    width: bytes.u16(at + 4),
    height: bytes.u16(at + 6),
    isInterlaced: (flags & 0x40) !== 0,
    palette: local ?? global,
    background,
    start: at + 9 + (local ? sizeOf(flags) : 0),
  };
}

/** The largest number of codes; each has at most 12 bits. */
const maxCodes = 4096;

/** Undoes the frame's LZW compression: a code stands for the string of an earlier code and one more index. */
function decompress(bytes: Bytes, { width, height, start }: Frame): Uint8Array {
  const minBits = bytes.u8(start);
  if (minBits > 11) throw new Error(`its codes have ${minBits} bits, but expected at most 11`);
  const out = new Uint8Array(width * height); // [h, w]
  const clear = 1 << minBits;
  const prefix = new Uint16Array(maxCodes);
  const last = new Uint8Array(maxCodes);
  const length = new Uint32Array(maxCodes);
  for (let code = 0; code < clear; code++) {
    last[code] = code;
    length[code] = 1;
  }
  const read = codeReader(bytes, start + 1);
  let [next, bits, previous, done] = [clear + 2, minBits + 1, -1, 0];
  while (done < out.length) {
    const code = read(bits);
    if (code === clear) [next, bits, previous] = [clear + 2, minBits + 1, -1];
    else if (code === clear + 1) throw new Error('its first frame ends too early');
    else {
      if (code > next || (previous < 0 ? code >= clear : code === next && next >= maxCodes)) {
        throw new Error('its compressed data is damaged');
      }
      const known = code < next ? code : previous;
      const count = length[known]!;
      const end = done + count;
      let from = known;
      for (let to = end - 1; to >= done; to--) {
        if (to < out.length) out[to] = last[from]!;
        from = prefix[from]!;
      }
      const first = out[done]!;
      if (code === next && end < out.length) out[end] = first;
      done = code === next ? end + 1 : end;
      if (previous >= 0 && next < maxCodes) {
        prefix[next] = previous;
        last[next] = first;
        length[next] = length[previous]! + 1;
        next++;
        if (next === 1 << bits && bits < 12) bits++;
      }
      previous = code;
    }
  }
  return out;
}

/** Reads codes, least significant bit first, from blocks of up to 255 bytes. */
function codeReader(bytes: Bytes, start: number): (bits: number) => number {
  let [at, left, held, count] = [start, 0, 0, 0];
  return (bits) => {
    while (count < bits) {
      if (left === 0) {
        left = bytes.u8(at++);
        if (left === 0) throw new Error('its first frame ends too early');
      }
      held |= bytes.u8(at++) << count;
      left--;
      count += 8;
    }
    const code = held & ((1 << bits) - 1);
    held >>>= bits;
    count -= bits;
    return code;
  };
}

/** The first line and the step of each pass over the lines of an interlaced frame. */
const passes = [
  [0, 8],
  [4, 8],
  [2, 4],
  [1, 2],
] as const;

/** Puts a frame on its canvas. */
function place(indices: Uint8Array, frame: Frame, width: number, height: number): Uint8Array {
  const isWhole = frame.width === width && frame.height === height;
  if (isWhole && !frame.isInterlaced) return indices;
  const canvas = new Uint8Array(width * height).fill(frame.background); // [H, W]
  let line = 0;
  for (const [first, step] of frame.isInterlaced ? passes : [[0, 1] as const]) {
    for (let y = first; y < frame.height; y += step, line++) {
      const row = indices.subarray(line * frame.width, (line + 1) * frame.width);
      canvas.set(row, (frame.top + y) * width + frame.left);
    }
  }
  return canvas;
}
