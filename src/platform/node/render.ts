/** Renders our own drawings. Images from elsewhere are never rendered: `decode.ts` refuses SVG. */
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
