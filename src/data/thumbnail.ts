/** An image made small enough to stand in a page: a few kilobytes, as a `data:` URL. */
import { loadSharp } from './sharp.ts';

/**
 * @param side what the longer side has at most, in pixels; a smaller image stays as it is.
 * @throws Error when the image cannot be read.
 * @example const url = await thumbnail('rose.jpg', 96); // data:image/jpeg;base64,…
 */
export async function thumbnail(path: string, side: number): Promise<string> {
  const sharp = await loadSharp();
  const bytes = await sharp(path, { failOn: 'error' }) // what `decode` reads can be shown
    .flatten({ background: '#fff' })
    .resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
    .jpeg({ quality: 80 })
    .toBuffer();
  return `data:image/jpeg;base64,${bytes.toString('base64')}`;
}
