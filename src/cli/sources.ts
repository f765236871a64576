/**
 * What is typed for images (files, folders, patterns, URLs, `-` for standard input) as a list, and that list read and
 * run in batches, past those that cannot be read.
 */
import { statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import type { Classifier } from '../classifier/classifier.ts';
import { isUrl, readCapped, shortName } from '../data/fetch.ts';
import { isImageName, listImages } from '../data/folder.ts';
import type { ImageSource } from '../data/image-source.ts';
import type { Views } from '../data/presets.ts';
import { FormatError, UsageError } from '../errors.ts';
import type { Tensor } from '../tensor.ts';

/** An image to be read, and what it is called. */
export interface Source {
  readonly name: string;
  readonly image: () => Promise<ImageSource>;
}

/** An image that was read, or the sentence that says why not. */
export type Read =
  | { readonly name: string; readonly prepared: Tensor<'float32'> }
  | { readonly name: string; readonly error: string };

/**
 * @throws UsageError for a folder without images, or a pattern that no image fits.
 */
export async function expandSources(given: readonly string[]): Promise<Source[]> {
  const sources: Source[] = [];
  for (const text of given) sources.push(...(await expand(text)));
  if (sources.filter(({ name }) => name === '-').length > 1) {
    throw new UsageError('Standard input holds one image; name "-" once.');
  }
  return sources;
}

async function expand(text: string): Promise<Source[]> {
  if (text === '-') return [{ name: text, image: () => readCapped(process.stdin, 'standard input') }];
  if (isUrl(text)) return [fileOrUrl(text)];
  const found = statSync(text, { throwIfNoEntry: false });
  if (found?.isDirectory()) return (await listImages(text)).map(fileOrUrl);
  if (found || !isDynamicPattern(text)) return [fileOrUrl(text)]; // what is missing is told when it is read
  const paths = (await glob(text, { expandDirectories: false, absolute: isAbsolute(text) })).filter(isImageName).sort();
  if (paths.length === 0) throw new UsageError(`No image fits the pattern "${text}".`);
  return paths.map(fileOrUrl);
}

const fileOrUrl = (source: string): Source => ({ name: shortName(source), image: async () => source });

/**
 * Reads images, so many at a time, for `use`, which gets each batch in the order of the list.
 *
 */
export async function readInBatches(
  classifier: Classifier,
  sources: readonly Source[],
  batch: number,
  views: Views,
  use: (read: readonly Read[], done: number) => Promise<void>,
): Promise<void> {
  const read = async ({ name, image }: Source): Promise<Read> => {
    try {
      const label = name === '-' ? 'standard input' : name;
      return { name, prepared: await classifier.prepare(await image(), views, label) };
    } catch (error) {
      if (error instanceof FormatError) return { name, error: error.message };
      throw error;
    }
  };
  for (let start = 0; start < sources.length; start += batch) {
    const some = sources.slice(start, start + batch);
    await use(await Promise.all(some.map(read)), start + some.length);
  }
}
