/**
 * Decoding by sharp (libvips). Small JPEG files take a shorter way to the same pixels.
 *
 * Pixels equal Pillow's `Image.open(file).convert('RGB')` for JPEG, PNG, GIF, WebP and TIFF of 8 bits, CMYK apart: alpha
 * is dropped rather than blended, an embedded color profile is ignored, an EXIF orientation is not applied, and the first
 * frame of an animation is taken.
 */
import type { Image } from '../contract.ts';
import { messageOf, unreadable } from '../image-errors.ts';
import { decodeSmallJpeg } from './jpeg.ts';
import { loadSharp } from './sharp.ts';

export async function openDecoder(options: { readonly oneThread?: boolean } = {}): Promise<void> {
  const sharp = await loadSharp();
  if (!options.oneThread) return;
  sharp.concurrency(1);
  sharp.cache(false); // no image is read twice in an epoch
}

export async function decodeImage(bytes: Uint8Array, name: string): Promise<Image> {
  const sharp = await loadSharp();
  const small = await decodeSmallJpeg(bytes);
  if (small) return small;
  try {
    // "error" and not "truncated": the latter lets a TIFF through that was cut short.
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

/** libvips' complaint in one line: its "bad seek" lines only say that the bytes ended early. */
function reasonOf(cause: unknown): string {
  const lines = messageOf(cause).split('\n');
  const line = lines.find((text) => text !== '' && !text.includes('bad seek to')) ?? 'the file ends too early';
  return line.replace(/^Input (buffer|bit array)/i, 'the file').replace(/\.$/, '');
}

export async function thumbnail(bytes: Uint8Array, side: number): Promise<string> {
  const sharp = await loadSharp();
  const small = await sharp(bytes, { failOn: 'error' }) // shows whatever `decodeImage` reads
    .flatten({ background: '#fff' })
    .resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
    .jpeg({ quality: 80 })
    .toBuffer();
  return `data:image/jpeg;base64,${small.toString('base64')}`;
}
