/**
 * Decodes images with the browser, and GIF, BMP and PNM with decoders of our own. In Chromium, the pixels of opaque JPEG and
 * PNG files equal Node's. A canvas premultiplies alpha, so the colors of transparent pixels come back rounded or black. Some
 * versions of Chromium apply the EXIF orientation although they are told not to.
 */
import { UsageError } from '../../errors.ts';
import type { Extent, Image, OpenedImage } from '../contract.ts';
import { openRaster } from '../formats/decoders.ts';
import { describeOther, formatOf } from '../formats/formats.ts';
import { sizeIn } from '../formats/size.ts';
import { checkSize, firstLine, unreadable } from '../image-errors.ts';

export async function openDecoder(): Promise<void> {}

export const readsHeic = async (): Promise<boolean> => false; // only some browsers do, and pages do not list folders

export async function openImage(bytes: Uint8Array, name: string, maxMegapixels: number): Promise<OpenedImage> {
  const format = formatOf(bytes);
  if (format === undefined) throw unreadable(name, describeOther(bytes));
  const raster = explained(name, () => openRaster(bytes, format));
  if (raster) {
    const { width, height } = raster;
    const pixels = checkSize(name, width, height, maxMegapixels);
    const decode = async (): Promise<Image> => ({ width, height, channels: 3, data: explained(name, raster.pixels) });
    return { width, height, pixels, decode };
  }
  const size = sizeIn(bytes, format);
  if (size) {
    const { width, height } = size;
    const pixels = checkSize(name, width, height, maxMegapixels);
    return { width, height, pixels, decode: async () => pixelsOf(await decoded(bytes, name)) };
  }
  const bitmap = await decoded(bytes, name); // only the browser can tell its size
  const { width, height } = bitmap;
  const pixels = checkSize(name, width, height, maxMegapixels);
  return { width, height, pixels, decode: async () => pixelsOf(bitmap) };
}

function explained<T>(name: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw unreadable(name, firstLine(cause), cause);
  }
}

async function decoded(bytes: Uint8Array, name: string): Promise<ImageBitmap> {
  try {
    return await createImageBitmap(new Blob([bytes.slice()]), {
      premultiplyAlpha: 'none',
      colorSpaceConversion: 'none',
      imageOrientation: 'none',
    });
  } catch (cause) {
    throw unreadable(name, firstLine(cause).replace(/\.$/, ''), cause);
  }
}

function pixelsOf(bitmap: ImageBitmap): Image {
  const { width, height } = bitmap;
  const context = canvasOf(width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const rgba = context.getImageData(0, 0, width, height).data; // [H, W, 4]
  const data = new Uint8Array(width * height * 3); // [H, W, 3]
  for (let to = 0, from = 0; to < data.length; to += 3, from += 4) {
    data[to] = rgba[from]!;
    data[to + 1] = rgba[from + 1]!;
    data[to + 2] = rgba[from + 2]!;
  }
  return { width, height, channels: 3, data };
}

function canvasOf(width: number, height: number): OffscreenCanvasRenderingContext2D {
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (context) return context;
  throw new UsageError('This browser has no OffscreenCanvas with a 2D context, which reading images needs.');
}

export async function thumbnail(image: Image, side: number): Promise<string> {
  const rgba = new Uint8ClampedArray(4 * image.width * image.height).fill(255); // [H, W, 4]
  for (let i = 0; i < image.width * image.height; i++) {
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = image.data[i * image.channels + Math.min(c, image.channels - 1)]!;
  }
  const bitmap = await createImageBitmap(new ImageData(rgba, image.width, image.height));
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((length) => Math.max(1, Math.round(scale * length)));
  const context = canvasOf(width!, height!);
  context.drawImage(bitmap, 0, 0, width!, height!);
  bitmap.close();
  const blob = await context.canvas.convertToBlob({ type: 'image/jpeg', quality: 0.8 });
  const jpeg = new Uint8Array(await blob.arrayBuffer());
  return `data:image/jpeg;base64,${btoa(Array.from(jpeg, (byte) => String.fromCharCode(byte)).join(''))}`;
}

export const isFile = (): boolean => false;

export const readPacked = ({ path }: Extent): Uint8Array => readImageFile(path);

export function readImageFile(path: string): Uint8Array {
  throw new UsageError(`A page cannot read the file "${path}". Pass its bytes, or its URL to readImage.`);
}
