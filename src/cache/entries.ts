/**
 * Folders of files that can be made again, each under a key that says all they were made from. An entry is written under
 * a temporary name and renamed, so it is whole or not there; it lists its files with their fingerprints, and one that
 * does not match its list is as good as none. Nothing here throws because of the disk: a cache that cannot be used is
 * not used. When all entries together grow beyond a limit, those that were not read for longest go.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprint } from './fingerprint.ts';

/** An entry that is there: its folder, and what was noted about it. */
export interface Entry {
  readonly path: string;
  readonly note: unknown;
}

/** A new entry: files are put into `path`, then `commit` makes it an entry, or `discard` removes it. */
export interface StagedEntry {
  readonly path: string;
  commit(note: unknown): void;
  discard(): void;
}

const listName = 'entry.json';
const limit = 2 * 2 ** 30;
/** After an hour what has not been renamed was left behind. */
const abandonedAfter = 3_600_000;

/** The entry of a key, if it is there and as it was written. */
export function findEntry(folder: string, key: string): Entry | undefined {
  const path = join(folder, key);
  return quietly(() => {
    const { files, note } = JSON.parse(readFileSync(join(path, listName), 'utf8')) as {
      files: Record<string, string>;
      note: unknown;
    };
    if (Object.entries(files).some(([name, print]) => fingerprint(join(path, name)) !== print)) return undefined;
    quietly(() => utimesSync(join(path, listName), new Date(), new Date()));
    return { path, note };
  });
}

/** Removes an entry that turned out to be of no use. */
export const removeEntry = (folder: string, key: string): void => void quietly(() => remove(join(folder, key)));

/** Begins an entry; undefined where the disk does not let it. `maxBytes` bounds all entries together. */
export function stageEntry(folder: string, key: string, maxBytes = limit): StagedEntry | undefined {
  const path = join(folder, `${key}.${randomUUID()}.tmp`);
  const discard = () => void quietly(() => remove(path));
  const commit = (note: unknown) => {
    const done = quietly(() => {
      const files = Object.fromEntries(readdirSync(path).map((name) => [name, fingerprint(join(path, name))]));
      writeFileSync(join(path, listName), JSON.stringify({ files, note }));
      remove(join(folder, key));
      renameSync(path, join(folder, key));
      return true;
    });
    if (!done) discard();
    quietly(() => prune(folder, key, maxBytes));
  };
  return quietly(() => {
    mkdirSync(path, { recursive: true });
    return { path, commit, discard };
  });
}

/** Removes the entries read longest ago until the others fit, all but `kept`. */
function prune(folder: string, kept: string, maxBytes: number): void {
  const entries = readdirSync(folder).flatMap((name) => quietly(() => [measured(folder, name)]) ?? []);
  for (const { path, read } of entries.filter(({ name }) => name.endsWith('.tmp'))) {
    if (Date.now() - read > abandonedAfter) remove(path);
  }
  const whole = entries.filter(({ name }) => !name.endsWith('.tmp')).sort((a, b) => a.read - b.read);
  let bytes = whole.reduce((sum, entry) => sum + entry.bytes, 0);
  for (const entry of whole.filter(({ name }) => name !== kept)) {
    if (bytes <= maxBytes) return;
    remove(entry.path);
    bytes -= entry.bytes;
  }
}

function measured(folder: string, name: string) {
  const path = join(folder, name);
  const bytes = readdirSync(path).reduce((sum, file) => sum + statSync(join(path, file)).size, 0);
  const listed = quietly(() => statSync(join(path, listName)).mtimeMs);
  return { name, path, bytes, read: listed ?? statSync(path).mtimeMs };
}

const remove = (path: string): void => rmSync(path, { recursive: true, force: true });

/** What `action` gives; undefined where it throws. */
function quietly<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
