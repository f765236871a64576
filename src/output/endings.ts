/** The format of a file that is to be written, by the ending of its name. */
import { extname } from 'node:path';
import { UsageError } from '../errors.ts';
import { either } from '../options.ts';

/** The ending of a file's name in lower case, with its dot; empty without one. */
export const endingOf = (file: string): string => extname(file).toLowerCase();

/** @throws UsageError unless an HTML page may have this name. */
export const checkPageFile = (file: string): void =>
  void byEnding(file, { '': true, '.html': true, '.htm': true }, 'A report is an HTML page.');

/**
 * The entry of a table for the ending of a file's name. The entry for the empty ending is that of a name without one.
 *
 * @param advice what to do about another ending, as a sentence.
 * @throws UsageError if the table has no entry for the ending.
 */
export function byEnding<T>(file: string, table: Readonly<Record<string, T>>, advice: string): T {
  const ending = endingOf(file);
  if (Object.hasOwn(table, ending)) return table[ending]!;
  const known = Object.keys(table).filter((name) => name !== '');
  const found = ending === '' ? 'has no ending' : `ends in "${extname(file)}"`;
  throw new UsageError(`"${file}" ${found}, but expected ${either(known)}. ${advice}`);
}
