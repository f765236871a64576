/** The file or folder that someone who mistyped its path may have meant (Node only). */
import { existsSync, readdirSync } from 'node:fs';
import { join, parse, sep } from 'node:path';
import { meantName } from './closest-name.ts';

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

function namesIn(folder: string): string[] {
  try {
    const names = readdirSync(folder === '' ? '.' : folder).filter((name) => !name.startsWith('.'));
    return names.length > maxNames ? [] : names;
  } catch {
    return [];
  }
}
