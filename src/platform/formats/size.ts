/** Reads the size of an image from the header of its file, without decoding it. */
import type { Format } from './formats.ts';

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface JpegHeader extends Size {
  /** 1 is grayscale, 3 color, 4 CMYK. */
  readonly components: number;
}

/** The size that a header claims, or undefined if the format is another, or the header is damaged. */
export function sizeIn(bytes: Uint8Array, format: Format): Size | undefined {
  if (format === 'JPEG') return jpegHeader(bytes);
  if (format === 'PNG') return pngSize(bytes);
  return format === 'WebP' ? webpSize(bytes) : undefined;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The first frame header of a JPEG file (ITU-T T.81, B.2). */
export function jpegHeader(bytes: Uint8Array): JpegHeader | undefined {
  const view = viewOf(bytes);
  for (let at = 2; at + 10 <= bytes.length; ) {
    if (bytes[at] !== 0xff) return undefined;
    const marker = bytes[at + 1]!;
    const isFrame = marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
    if (isFrame) return { height: view.getUint16(at + 5), width: view.getUint16(at + 7), components: bytes[at + 9]! };
    if (marker === 0xda) return undefined;
    at += marker === 0xff ? 1 : 2 + view.getUint16(at + 2); // 0xff before a marker is padding
  }
  return undefined;
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
