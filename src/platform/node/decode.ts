/**
 * Decodes images with sharp (libvips), and small JPEG files with a faster decoder that gives the same pixels.
 *
 * Pixels equal those of Pillow's `Image.open(file).convert('RGB')` for 8-bit JPEG, PNG, GIF, WebP and TIFF files, except
 * CMYK: alpha is dropped rather than blended, color profiles and EXIF orientation are ignored, and only the first frame of
 * an animation is decoded.
 */
import type { Image } from '../contract.ts';
import { messageOf, unreadable } from '../image-errors.ts';
import { decodeSmallJpeg } from './jpeg.ts';
import { loadSharp } from './sharp.ts';

export async function openDecoder(options: { readonly oneThread?: boolean } = {}): Promise<void> {
  const sharp = await loadSharp();
  if (!options.oneThread) return;
  sharp.concurrency(1);
  sharp.cache(false); // an epoch reads every image once
}

export async function decodeImage(bytes: Uint8Array, name: string): Promise<Image> {
  const sharp = await loadSharp();
  const small = await decodeSmallJpeg(bytes);
  if (small) return small;
  try {
    // "truncated" would accept a truncated TIFF.
    const { data, info } = await sharp(bytes, { failOn: 'error', ignoreIcc: true })
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    return {
      width: info.width,
      height: info.height,
      channels: 3,
      data: new Uint8Array(data.buffer, data.byteOffset, data.length),
    };
  } catch (cause) {
    throw unreadable(name, reasonOf(cause), cause);
  }
}

/** The error of libvips in one line. Its "bad seek" lines only mean that the bytes ended early. */
function reasonOf(cause: unknown): string {
  const lines = messageOf(cause).split('\n');
  const line = lines.find((text) => text !== '' && !text.includes('bad seek to')) ?? 'the file ends too early';
  if (line.endsWith('contains unsupported image format')) return 'its format is not supported, or it is damaged';
  return line.replace(/^Input (buffer|bit array)/i, 'the file').replace(/\.$/, '');
}

export async function thumbnail(bytes: Uint8Array, side: number): Promise<string> {
  const sharp = await loadSharp();
  const small = await sharp(bytes, { failOn: 'error' }) // accepts the same files as `decodeImage`
    .flatten({ background: '#fff' })
    .resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
    .jpeg({ quality: 80 })
    .toBuffer();
  return `data:image/jpeg;base64,${small.toString('base64')}`;
}
