/** Patterns of paths, as a shell expands them: `photos/*.jpg`, `photos/**` with all subfolders, `{cats,dogs}/*`. */
import { readdirSync, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import picomatch from 'picomatch';
import { emptyListing, isHidden, type Listing, listFolder } from './listing.ts';

export const isPattern = (text: string): boolean => picomatch.scan(text).isGlob;

/** The images whose paths match, in order. Hidden files and folders match only where the pattern names them. */
export async function listPattern(pattern: string): Promise<Listing> {
  const { base, glob } = picomatch.scan(pattern);
  const dir = base === '' ? '.' : unescaped(base);
  if (!(await stat(dir).catch(() => undefined))?.isDirectory()) return emptyListing();
  const matches = picomatch(glob);
  const found = await listFolder(dir, {
    depth: glob.includes('**') ? Infinity : glob.split('/').length,
    isHidden: (name) => isHidden(name) && !glob.split('/').includes(name),
    accepts: (path) => matches(relative(dir, path).replaceAll('\\', '/')),
  });
  return { ...found, paths: [...found.paths].sort() };
}

/** All paths that match, in order, whatever they are. Hidden names match only where the pattern names them. */
export function pathsMatching(pattern: string): string[] {
  const { base, glob } = picomatch.scan(pattern);
  const dir = base === '' ? '.' : unescaped(base);
  if (!statSync(dir, { throwIfNoEntry: false })?.isDirectory()) return [];
  const names = readdirSync(dir, { recursive: glob.includes('/') || glob.includes('**'), encoding: 'utf8' });
  const matches = picomatch(glob);
  return names
    .filter((name) => matches(name.replaceAll('\\', '/')))
    .map((name) => join(dir, name))
    .sort();
}

/** A folder's name without backslashes before special characters. On Windows, they separate folders. */
const unescaped = (base: string): string => (sep === '/' ? base.replace(/\\(.)/g, '$1') : base);
