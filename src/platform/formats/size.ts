/** Reads the size of an image from the header of its file, without decoding it. */
import type { Format } from './formats.ts';

export interface Size {
  readonly width: number;
  readonly height: number;
  /** Of a JPEG file: 1 is grayscale, 3 color, 4 CMYK. */
  readonly components?: number;
}

/** The size that a header claims, or undefined if the format is another, or the header is damaged. */
export function sizeIn(bytes: Uint8Array, format: Format): Size | undefined {
  if (format === 'JPEG') return jpegSize(bytes);
  if (format === 'PNG') return pngSize(bytes);
  return format === 'WebP' ? webpSize(bytes) : undefined;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The first frame header of a JPEG file (ITU-T T.81, B.2). */
function jpegSize(bytes: Uint8Array): Size | undefined {
  const view = viewOf(bytes);
  for (const { marker, at } of segments(bytes)) {
    if (isFrame(marker))
      return { height: view.getUint16(at + 5), width: view.getUint16(at + 7), components: bytes[at + 9]! };
  }
  return undefined;
}

/**
 * Whether a JPEG file has more scans than encoders write, which is about 10. A scan of a few bytes can visit every block of
 * the image, so that a small file takes minutes.
 */
export function hasManyScans(bytes: Uint8Array): boolean {
  let [components, isProgressive, scan] = [0, false, 0];
  for (const { marker, at } of segments(bytes)) {
    if (isFrame(marker)) [components, isProgressive] = [bytes[at + 9]!, (marker & 3) === 2];
    if (marker === 0xda) scan = at;
  }
  const isWhole = !isProgressive && bytes[scan + 4] === components; // one scan has the whole image, and others are ignored
  let count = scan === 0 || isWhole ? 0 : 1;
  for (let at = scan; count > 0 && count <= maxScans && at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    if (at > scan && bytes[at + 1] === 0xda) count++;
  }
  return count > maxScans;
}

export const maxScans = 200;

/** Whether a marker begins a frame header. Three of its range have other meanings. */
const isFrame = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;

/** The segments of a JPEG file up to its first scan. */
function* segments(bytes: Uint8Array): Generator<{ readonly marker: number; readonly at: number }> {
  const view = viewOf(bytes);
  for (let at = 2; at + 10 <= bytes.length && bytes[at] === 0xff; ) {
    const marker = bytes[at + 1]!;
    if (marker !== 0xff) yield { marker, at };
    if (marker === 0xda) return;
    at += marker === 0xff ? 1 : 2 + view.getUint16(at + 2); // 0xff before a marker is padding
  }
}

function pngSize(bytes: Uint8Array): Size | undefined {
  if (bytes.length < 24) return undefined;
  const view = viewOf(bytes);
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

/** https://developers.google.com/speed/webp/docs/riff_container */
function webpSize(bytes: Uint8Array): Size | undefined {
  if (bytes.length < 30) return undefined;
  const view = viewOf(bytes);
  const kind = view.getUint32(12);
  if (kind === 0x56503820)
    return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
  if (kind === 0x5650384c) {
    const bits = view.getUint32(21, true);
    return { width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1 };
  }
  const three = (at: number) => (view.getUint32(at, true) & 0xffffff) + 1;
  return kind === 0x56503858 && bytes.length >= 31 ? { width: three(24), height: three(27) } : undefined;
}
