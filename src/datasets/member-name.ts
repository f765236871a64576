/**
 * Names in archives. Nothing is ever written under them, but they become names of classes and appear in messages, and
 * those that lead out of a folder show that an archive was made to attack who unpacks it.
 */
import { FormatError } from '../errors.ts';

/**
 * A member's path without the parts of it that mean nothing: `./` and repeated slashes.
 *
 * @throws FormatError for a path that is absolute or leads out of the archive.
 */
export function memberName(path: string, archive: string): string {
  const name = path.replace(/^(\.\/+)+/, '').replace(/(?<=\/)(\.?\/)+/g, '');
  const isAbsolute = name === '' || name.startsWith('/') || /^[a-z]:[\\/]/i.test(name);
  if (!isAbsolute && !name.includes('\0') && !name.split('/').includes('..')) return name;
  throw new FormatError(`${archive} has a file named ${JSON.stringify(path)}, which leads out of the archive.`);
}
