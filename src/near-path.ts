/** The file or folder that someone who mistyped its path may have meant (Node only). */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, parse, sep } from 'node:path';
import { didYouMean, meantName } from './closest-name.ts';
import { either } from './options.ts';

/** More names than this are not compared. */
const maxNames = 10_000;

/**
 * An existing path that is close to one that does not exist: from folder to folder, each name that does not exist is
 * replaced.
 *
 * @example nearPath('run/flowres') // 'runs/flowers'
 */
export function nearPath(path: string): string | undefined {
  const { root } = parse(path);
  const names = path.slice(root.length).split(/[/\\]/).filter(Boolean);
  let at = root;
  for (const name of names) {
    const found = existsSync(join(at, name)) ? name : meantName(name, namesIn(at));
    if (found === undefined) return undefined;
    at = join(at, found);
  }
  return at.split(sep).join('/');
}

/** As many folders are suggested. */
const maxFolders = 3;

/**
 * A question, after a space, on the folders that may be meant by a path that is not one of them: one that contains the path, is
 * in it, newest first, or has a similar name, of which the first part `runs` may be missing.
 *
 * @param isMeant whether a folder is of the kind that is looked for.
 * @example suggestFolder('runs', (folder) => existsSync(join(folder, 'model.json'))) // ' Did you mean "runs/flowers"?'
 */
export function suggestFolder(path: string, isMeant: (folder: string) => boolean): string {
  const around = [dirname(path), dirname(dirname(path))].filter((folder) => folder !== '.' && isMeant(folder));
  const within = namesIn(path)
    .map((name) => join(path, name))
    .filter(isMeant)
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  const near = [path, ...(isAbsolute(path) ? [] : [join('runs', path)])]
    .map(nearPath)
    .filter((folder) => folder !== undefined && isMeant(folder));
  const folders = [around, within, near].find(({ length }) => length > 0) ?? [];
  const quoted = folders.slice(0, maxFolders).map((folder) => `"${folder!.split(sep).join('/')}"`);
  return didYouMean(quoted.length > 0 ? either(quoted) : undefined);
}

function namesIn(folder: string): string[] {
  try {
    const names = readdirSync(folder === '' ? '.' : folder).filter((name) => !name.startsWith('.'));
    return names.length > maxNames ? [] : names;
  } catch {
    return [];
  }
}
