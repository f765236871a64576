/**
 * What `resnext bench --tune` measured on this machine: a small table, kept as `tuning.json` in the cache's folder, that
 * opening a model reads. A table of another machine, or another version of ONNX Runtime, is not used.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, writeFileAtomically } from '../files.ts';

export interface Tuning {
  /** Whether putting groups of so many channels together pays. */
  readonly mergeGroups: Readonly<Record<number, boolean>>;
  /** Threads within one operator that were fastest. */
  readonly threads: number;
}

const fileName = 'tuning.json';

/** The table for a machine, which is any object that says what it is; undefined where there is none. */
export function readTuning(folder: string, machine: object): Tuning | undefined {
  try {
    const table = JSON.parse(readFileSync(join(folder, fileName), 'utf8')) as Tuning & { machine: unknown };
    const isOurs = JSON.stringify(table.machine) === JSON.stringify(machine);
    return isOurs && isTuning(table) ? { mergeGroups: table.mergeGroups, threads: table.threads } : undefined;
  } catch {
    return undefined; // no table, or one that cannot be read: the rules decide
  }
}

const isTuning = ({ mergeGroups, threads }: Tuning): boolean =>
  Number.isInteger(threads) && threads > 0 && Object.values(mergeGroups).every((pays) => typeof pays === 'boolean');

/**
 * Writes the table.
 *
 * @returns the file's path.
 * @throws UsageError when the file system refuses.
 */
export async function writeTuning(folder: string, machine: object, tuning: Tuning): Promise<string> {
  await makeFolder(folder);
  const path = join(folder, fileName);
  const text = `${JSON.stringify({ machine, ...tuning }, null, 2)}\n`;
  await writeFileAtomically(path, text);
  return path;
}
