/** Expands arguments that name images (files, folders, patterns, URLs, `-` for standard input) to a list in order. */
import { statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { glob, isDynamicPattern } from 'tinyglobby';
import { UsageError } from '../errors.ts';
import { isUrl, readCapped, shortName } from './fetch.ts';
import { isImageName, listImages } from './folder.ts';
import type { NamedImage } from './image-source.ts';

export interface Source extends NamedImage {
  /** The image's name in results: the path or URL, or `-`. */
  readonly label: string;
}

/** @throws UsageError for a folder without images, or a pattern that matches none. */
export async function expandSources(given: readonly string[]): Promise<Source[]> {
  const sources: Source[] = [];
  for (const text of given) sources.push(...(await expand(text)));
  if (sources.filter(({ label }) => label === standardInput.label).length > 1) {
    throw new UsageError('Standard input is one image, but "-" was given several times. Give it once.');
  }
  return sources;
}

const standardInput: Source = {
  label: '-',
  name: 'standard input',
  image: () => readCapped(process.stdin, 'standard input'),
};

async function expand(text: string): Promise<Source[]> {
  if (text === standardInput.label) return [standardInput];
  if (isUrl(text)) return [fileOrUrl(text)];
  const found = statSync(text, { throwIfNoEntry: false });
  if (found?.isDirectory()) return (await listImages(text)).map(fileOrUrl);
  if (found || !isDynamicPattern(text)) return [fileOrUrl(text)]; // a missing file is reported when it is read
  const paths = (await glob(text, { expandDirectories: false, absolute: isAbsolute(text) })).filter(isImageName).sort();
  if (paths.length === 0) throw new UsageError(`No image matches the pattern "${text}".`);
  return paths.map(fileOrUrl);
}

function fileOrUrl(image: string): Source {
  const name = shortName(image);
  return { label: name, name, image };
}
