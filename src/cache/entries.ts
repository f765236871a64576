/**
 * A cache of folders of generated files. The key of an entry identifies everything that it was made from. Entries are
 * written under a temporary name and renamed, so they are complete or absent. An entry lists the fingerprints of its
 * files and is ignored if they do not match. Errors of the file system are never thrown: they disable the cache. When
 * the total size exceeds a limit, the least recently used entries are deleted.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { abandonedAfter } from '../files.ts';
import { fingerprint } from './fingerprint.ts';

/** An existing entry: its folder, and the note it was committed with. */
export interface Entry {
  readonly path: string;
  readonly note: unknown;
}

/** A new entry: write files into the folder `path`, then `commit` or `discard` it. */
export interface StagedEntry {
  readonly path: string;
  commit(note: unknown): void;
  discard(): void;
}

const listName = 'entry.json';
const limit = 2 * 2 ** 30;

/** The entry for a key, if it exists and has not been modified. */
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

/** Deletes an entry. */
export const removeEntry = (folder: string, key: string): void => void quietly(() => remove(join(folder, key)));

/** Starts a new entry; undefined if the folder cannot be created. `maxBytes` limits the total size of all entries. */
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

/** Deletes the least recently used entries, except `kept`, until the rest fits. */
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

/** The result of `action`, or undefined if it throws. */
function quietly<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
