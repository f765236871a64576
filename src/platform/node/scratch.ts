/** Folders for files that are needed for a moment, but may be large. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { abandonedAfter } from '../../files.ts';

/**
 * Creates a scratch folder, which the caller deletes. Those of its kind that killed processes left are deleted here.
 *
 * @param kind what it is for, in its name.
 * @param parent an existing folder. Default: the system's for temporary files.
 */
export async function scratchFolder(kind: 'lowered' | 'shapes', parent = tmpdir()): Promise<string> {
  const prefix = `resnext-${kind}-`;
  const others = (await readdir(parent)).filter((name) => name.startsWith(prefix)).map((name) => join(parent, name));
  for (const path of others) {
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (Date.now() - mtimeMs > abandonedAfter) await rm(path, { recursive: true, force: true }).catch(() => {});
  }
  return mkdtemp(join(parent, prefix));
}
