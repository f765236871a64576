/** Expands arguments that name images (files, folders, patterns, URLs, `-` for standard input) to a list in order. */
import { stat } from 'node:fs/promises';
import { FormatError, UsageError } from '../errors.ts';
import { isUrl, readCapped, shortName } from './fetch.ts';
import { listImages } from './folder.ts';
import type { NamedImage } from './image-source.ts';
import { describeSkipped, type Listing } from './listing.ts';
import { isPattern, listPattern } from './patterns.ts';

export interface Source extends NamedImage {
  /** The image's name in results: the path or URL, or `-`. */
  readonly label: string;
}

export interface Sources {
  readonly sources: readonly Source[];
  /** Sentences for the user on files that were skipped. */
  readonly notes: readonly string[];
}

/** @throws UsageError for a folder without images, or a pattern that matches none. */
export async function expandSources(given: readonly string[]): Promise<Sources> {
  const sources: Source[] = [];
  const listings: Listing[] = [];
  for (const text of given) {
    const found = await expand(text);
    const listed = 'paths' in found;
    if (listed) listings.push(found);
    for (const source of listed ? found.paths.map(fileOrUrl) : [found]) sources.push(source);
  }
  if (sources.filter(({ label }) => label === standardInput.label).length > 1) {
    throw new UsageError('Standard input is one image, but "-" was given several times. Give it once.');
  }
  return { sources, notes: describeSkipped(listings) };
}

const standardInput: Source = {
  label: '-',
  name: 'standard input',
  image: async () => {
    const bytes = await readCapped(process.stdin, 'standard input');
    if (bytes.length > 0) return bytes;
    throw new FormatError('Standard input is empty, but expected the bytes of an image.');
  },
};

async function expand(text: string): Promise<Source | Listing> {
  if (text === standardInput.label) return standardInput;
  if (isUrl(text)) return fileOrUrl(text);
  const found = await stat(text).catch(() => undefined);
  if (found?.isDirectory()) return listImages(text);
  if (found || !isPattern(text)) return fileOrUrl(text); // a missing file is reported when it is read
  const listing = await listPattern(text);
  if (listing.paths.length === 0) throw new UsageError(`No image matches the pattern "${text}".`);
  return listing;
}

function fileOrUrl(image: string): Source {
  const name = shortName(image);
  return { label: name, name, image };
}
