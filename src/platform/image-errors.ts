/** The errors for images that cannot be read, with the same wording on both platforms. */
import { FormatError, messageOf } from '../errors.ts';

export const unreadable = (name: string, reason: string, cause?: unknown): FormatError =>
  new FormatError(`Image "${name}" cannot be read: ${reason}. Replace or remove it.`, { cause });

export const firstLine = (cause: unknown): string => messageOf(cause).split('\n')[0]!.trim();

/**
 * @throws FormatError if an image is empty or has more pixels than the limit, naming the option that raises it.
 * @returns the number of its pixels.
 */
export function checkSize(name: string, width: number, height: number, maxMegapixels: number): number {
  const pixels = width * height;
  if (pixels === 0) throw unreadable(name, `its size is ${width} × ${height}`);
  if (pixels <= maxMegapixels * 1e6) return pixels;
  throw new FormatError(
    `Image "${name}" has ${width} × ${height} pixels, more than ${maxMegapixels} megapixels. Make it smaller, or raise the limit (maxMegapixels, --max-megapixels).`,
  );
}
