/** Decoders of our own, for formats that libvips and browsers do not read, or whose colors they change. */
import { openBmp } from './bmp.ts';
import type { Format } from './formats.ts';
import { openGif } from './gif.ts';
import { openPnm } from './pnm.ts';
import type { Raster } from './raster.ts';

const decoders: { readonly [F in Format]?: (file: Uint8Array) => Raster } = {
  GIF: openGif,
  BMP: openBmp,
  PNM: openPnm,
};

/**
 * Reads the header of a file in one of these formats; undefined for another format.
 *
 * @throws Error with the reason if the file is damaged.
 */
export const openRaster = (bytes: Uint8Array, format: Format): Raster | undefined => decoders[format]?.(bytes);
