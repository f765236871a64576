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
export const renderPng = async (svg: string, scale: number): Promise<Uint8Array> =>
  (await renderSvg(svg, scale, 'png')).data;

/** An image file, and its size in pixels. */
export interface Rendered {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** As `renderPng`, in any format. */
export async function renderSvg(svg: string, scale: number, format: ImageFileFormat): Promise<Rendered> {
  const sharp = await loadSharp();
  const { data, info } = await sharp(new TextEncoder().encode(svg), { density: cssDensity * scale })
    .toFormat(format, format === 'png' ? {} : { quality })
    .toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
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
