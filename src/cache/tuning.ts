/**
 * The results of `resnext bench --tune` on this machine: a small table, stored as `tuning.json` in the cache folder and
 * read when a model is opened. A table for another machine, or another version of ONNX Runtime, is ignored.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomically } from '../files.ts';

export interface Tuning {
  /** Whether merging groups is faster, by the number of channels per group. */
  readonly mergeGroups: Readonly<Record<number, boolean>>;
  /** The fastest number of threads per operator. */
  readonly threads: number;
}

const fileName = 'tuning.json';

/** The table for a machine, which any object can describe; undefined if there is none. */
export function readTuning(folder: string, machine: object): Tuning | undefined {
  try {
    const table = JSON.parse(readFileSync(join(folder, fileName), 'utf8')) as Tuning & { machine: unknown };
    const isOurs = JSON.stringify(table.machine) === JSON.stringify(machine);
    return isOurs && isTuning(table) ? { mergeGroups: table.mergeGroups, threads: table.threads } : undefined;
  } catch {
    return undefined; // missing or unreadable: the defaults apply
  }
}

const isTuning = ({ mergeGroups, threads }: Tuning): boolean =>
  Number.isInteger(threads) && threads > 0 && Object.values(mergeGroups).every((merge) => typeof merge === 'boolean');

/**
 * Writes the table.
 *
 * @returns the path of the file.
 * @throws UsageError if the file cannot be written.
 */
export async function writeTuning(folder: string, machine: object, tuning: Tuning): Promise<string> {
  const path = join(folder, fileName);
  const text = `${JSON.stringify({ machine, ...tuning }, null, 2)}\n`;
  await writeFileAtomically(path, text);
  return path;
}
