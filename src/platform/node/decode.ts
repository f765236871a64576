/**
 * Decodes images: with sharp (libvips), small JPEG files with a faster decoder that gives the same pixels, and GIF, BMP and
 * PNM with decoders of our own.
 *
 * Pixels equal those of Pillow's `Image.open(file).convert('RGB')`: alpha is dropped rather than blended, color profiles are
 * ignored, CMYK becomes RGB by Pillow's formula, a TIFF is turned as its orientation says, other formats are not, and only
 * the first frame of an animation is decoded. The exception is 16-bit grayscale: Pillow cuts it off at 255, while its range
 * is kept here.
 */
import type { SharpOptions } from 'sharp';
import { messageOf, UsageError } from '../../errors.ts';
import type { Image, OpenedImage } from '../contract.ts';
import { openRaster } from '../formats/decoders.ts';
import { describeOther, type Format, formatNames, formatOf } from '../formats/formats.ts';
import { hasManyScans, maxScans, type Size, sizeIn } from '../formats/size.ts';
import { checkSize, unreadable } from '../image-errors.ts';
import { decodeSmallJpeg } from './jpeg.ts';
import { loadSharp } from './sharp.ts';
import { secondsPerImage, withinTime } from './time-limit.ts';

export async function openDecoder(options: { readonly oneThread?: boolean } = {}): Promise<void> {
  const sharp = await loadSharp();
  if (!options.oneThread) return;
  sharp.concurrency(1);
  sharp.cache(false); // an epoch reads every image once
}

/** Only libvips that was built with an HEVC decoder reads HEIC. */
export async function readsHeic(): Promise<boolean> {
  const { heif } = (await loadSharp()).format;
  return heif.input.fileSuffix?.includes('.heic') ?? false;
}

export async function openImage(bytes: Uint8Array, name: string, maxMegapixels: number): Promise<OpenedImage> {
  const format = formatOf(bytes);
  if (format === undefined) throw unreadable(name, describeOther(bytes));
  if (format === 'HEIC' && !(await readsHeic())) {
    throw unreadable(name, `it is HEIC, which the installed sharp does not decode; expected ${formatNames}`);
  }
  const source = await explained(name, async () => sourceOf(bytes, format));
  const { width, height } = source;
  const pixels = checkSize(name, width, height, maxMegapixels);
  return { width, height, pixels, decode: () => explained(name, () => source.decode(pixels)) };
}

/** A file whose header was read. */
interface Source extends Size {
  decode(pixels: number): Promise<Image>;
}

async function sourceOf(bytes: Uint8Array, format: Format): Promise<Source> {
  const raster = openRaster(bytes, format);
  if (raster) {
    const { width, height, pixels } = raster;
    return { width, height, decode: async () => ({ width, height, channels: 3, data: pixels() }) };
  }
  if (format === 'JPEG' && hasManyScans(bytes)) throw new Error(`it has more than ${maxScans} scans`);
  const size = sizeIn(bytes, format);
  if (size) {
    const isCmyk = size.components === 4;
    return {
      ...size,
      decode: async (pixels) => (await small(bytes, format)) ?? decodeWithSharp(bytes, pixels, { isCmyk }),
    };
  }
  return described(bytes, format);
}

const small = async (bytes: Uint8Array, format: Format): Promise<Image | undefined> =>
  format === 'JPEG' ? decodeSmallJpeg(bytes) : undefined;

/** A file whose header libvips reads. */
async function described(bytes: Uint8Array, format: Format): Promise<Source> {
  const sharp = await loadSharp();
  const header = await withinTime(() => sharp(bytes, { limitInputPixels: false }).metadata());
  const manner = { isCmyk: header.space === 'cmyk', isTurned: format === 'TIFF' };
  const { width, height } = manner.isTurned ? header.autoOrient : header;
  return { width, height, decode: (pixels) => decodeWithSharp(bytes, pixels, manner) };
}

interface Manner {
  readonly isCmyk: boolean;
  /** Whether to apply the orientation that the file states. */
  readonly isTurned?: boolean;
}

async function decodeWithSharp(
  bytes: Uint8Array,
  pixels: number,
  { isCmyk, isTurned = false }: Manner,
): Promise<Image> {
  const sharp = await loadSharp();
  // "truncated" would accept a truncated TIFF.
  const options: SharpOptions = { failOn: 'error', ignoreIcc: true, limitInputPixels: pixels };
  const { data, info } = await withinTime(() => {
    const input = sharp(bytes, options).timeout({ seconds: secondsPerImage });
    const image = isTurned ? input.autoOrient() : input;
    const converted = isCmyk
      ? image.pipelineColourspace('cmyk').toColourspace('cmyk')
      : image.removeAlpha().toColourspace('srgb');
    return converted.raw().toBuffer({ resolveWithObject: true });
  });
  const { width, height, channels } = info;
  const read = new Uint8Array(data.buffer, data.byteOffset, data.length);
  return { width, height, channels: 3, data: isCmyk ? fromCmyk(read, channels) : read };
}

/** Pillow's conversion: each ink is a share of the light that black leaves. */
function fromCmyk(inks: Uint8Array, channels: number): Uint8Array {
  const data = new Uint8Array((inks.length / channels) * 3); // [H, W, 3]
  for (let from = 0, to = 0; to < data.length; from += channels) {
    const light = 255 - inks[from + 3]!;
    for (let c = 0; c < 3; c++) {
      const product = inks[from + c]! * light + 128;
      data[to++] = light - ((product + (product >> 8)) >> 8);
    }
  }
  return data;
}

async function explained<T>(name: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    throw unreadable(name, reasonOf(cause), cause);
  }
}

/** The error of libvips in one line. Its "bad seek" lines only mean that the bytes ended early. */
function reasonOf(cause: unknown): string {
  const lines = messageOf(cause).split('\n');
  const line = lines.find((text) => text !== '' && !text.includes('bad seek to')) ?? 'the file ends too early';
  if (line.endsWith('contains unsupported image format')) return 'its format is not supported, or it is damaged';
  if (line === 'Input image exceeds pixel limit') return 'it has more pixels than its header says';
  return line.replace(/^Input (buffer|bit array)/i, 'the file').replace(/\.$/, '');
}

export async function thumbnail({ width, height, channels, data }: Image, side: number): Promise<string> {
  const sharp = await loadSharp();
  const jpeg = await sharp(data, { raw: { width, height, channels }, limitInputPixels: false })
    .resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
    .jpeg({ quality: 80 })
    .toBuffer();
  return `data:image/jpeg;base64,${jpeg.toString('base64')}`;
}
