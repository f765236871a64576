/**
 * Decodes images with the browser. In Chromium, the pixels of opaque JPEG and PNG files equal Node's. A canvas
 * premultiplies alpha, so the colors of transparent pixels come back rounded or black. Some versions of Chromium apply the
 * EXIF orientation although they are told not to.
 */
import { UsageError } from '../../errors.ts';
import type { Image } from '../contract.ts';
import { firstLine, unreadable } from '../image-errors.ts';

export async function openDecoder(): Promise<void> {}

export async function decodeImage(bytes: Uint8Array, name: string): Promise<Image> {
  const bitmap = await open(bytes, name);
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

async function open(bytes: Uint8Array, name: string): Promise<ImageBitmap> {
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

function canvasOf(width: number, height: number): OffscreenCanvasRenderingContext2D {
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (context) return context;
  throw new UsageError('This browser has no OffscreenCanvas with a 2D context, which reading images needs.');
}

export async function thumbnail(bytes: Uint8Array, side: number): Promise<string> {
  const bitmap = await createImageBitmap(new Blob([bytes.slice()]));
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((length) => Math.max(1, Math.round(scale * length)));
  const context = canvasOf(width!, height!);
  context.fillStyle = '#fff';
  context.fillRect(0, 0, width!, height!);
  context.drawImage(bitmap, 0, 0, width!, height!);
  bitmap.close();
  const blob = await context.canvas.convertToBlob({ type: 'image/jpeg', quality: 0.8 });
  const jpeg = new Uint8Array(await blob.arrayBuffer());
  return `data:image/jpeg;base64,${btoa(Array.from(jpeg, (byte) => String.fromCharCode(byte)).join(''))}`;
}

export const isFile = (): boolean => false;

export function readImageFile(path: string): Uint8Array {
  throw new UsageError(`A page cannot read the file "${path}". Pass its bytes, or its URL to readImage.`);
}
