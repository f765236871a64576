/** Renders our own drawings, and writes pixels as image files. Images from elsewhere are never rendered: `decode.ts` refuses SVG. */
import type { Image } from '../contract.ts';
import { loadSharp } from './sharp.ts';

/** The density at which libvips renders a CSS pixel as one pixel. */
const cssDensity = 72;

/**
 * Renders SVG as the bytes of a PNG file, with light colors.
 *
 * @param scale pixels of the result per CSS pixel.
 * @throws UsageError if sharp is not installed.
 * @example await writeFile('block.png', await renderPng(drawBlock(graph), 2));
 */
export async function renderPng(svg: string, scale: number): Promise<Uint8Array> {
  const sharp = await loadSharp();
  return sharp(new TextEncoder().encode(svg), { density: cssDensity * scale })
    .png()
    .toBuffer();
}

/** The formats of image files that can be written. */
export type ImageFileFormat = 'png' | 'jpeg' | 'webp';

/** High enough that heat and text show no blocks. */
const quality = 90;

/**
 * The bytes of an image file.
 *
 * @throws UsageError if sharp is not installed.
 * @example await writeFile('heat.jpg', await encodeImage(drawExplanation(picture, map, preprocessing), 'jpeg'));
 */
export async function encodeImage(
  { width, height, channels, data }: Image,
  format: ImageFileFormat,
): Promise<Uint8Array> {
  const sharp = await loadSharp();
  const pixels = sharp(data, { raw: { width, height, channels }, limitInputPixels: false });
  return pixels.toFormat(format, format === 'png' ? {} : { quality }).toBuffer();
}
