/**
 * Decodes small JPEG files with libjpeg-turbo in WebAssembly. libvips takes ten times as long, nearly all of it for setup.
 * It uses the same decoder, so the pixels are bit-identical, except perhaps in damaged files with coefficients that no
 * image has.
 */

import type { JPEGDecoder } from '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs';
import type { Image } from '../contract.ts';

/** Larger images gain less, and would block this thread, while libvips decodes on others. */
const maxPixels = 96 * 96;

let loaded: Promise<JPEGDecoder | undefined> | undefined;

async function load(): Promise<JPEGDecoder | undefined> {
  try {
    const { default: create } = await import('@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs');
    return new (await create()).JPEGDecoder();
  } catch {
    return undefined; // for example because WebAssembly is disabled
  }
}

/** The image, or undefined to leave the file to libvips, which repairs some files and explains what is wrong with others. */
export async function decodeSmallJpeg(bytes: Uint8Array): Promise<Image | undefined> {
  if (!isSmallJpeg(bytes)) return undefined;
  loaded ??= load();
  const decoder = await loaded;
  if (!decoder) return undefined;
  try {
    decoder.getEncodedBuffer(bytes.length).set(bytes);
    decoder.decode();
  } catch {
    loaded = undefined; // an error leaks the decoder's stack, so the next image gets a new decoder
    return undefined;
  }
  const { width, height, componentCount } = decoder.getFrameInfo();
  const pixels = decoder.getDecodedBuffer(); // [H, W, C]
  const data = componentCount === 3 ? new Uint8Array(pixels) : new Uint8Array(3 * pixels.length); // [H, W, 3]
  if (componentCount === 1) for (let i = 0; i < data.length; i++) data[i] = pixels[Math.floor(i / 3)]!;
  return { width, height, channels: 3, data };
}

/** Whether the header is that of a small baseline JPEG, in grayscale or three colors (ITU-T T.81, B.2). */
function isSmallJpeg(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 2 || view.getUint16(0) !== 0xffd8) return false;
  for (let at = 2; at + 10 <= bytes.length; at += 2 + view.getUint16(at + 2)) {
    const marker = view.getUint16(at);
    if (marker === 0xffc0) {
      return view.getUint16(at + 5) * view.getUint16(at + 7) <= maxPixels && [1, 3].includes(bytes[at + 9]!);
    }
    if (marker < 0xffc0 || marker === 0xffda) return false;
  }
  return false;
}
