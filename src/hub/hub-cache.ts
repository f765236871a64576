/**
 * The cache of the Hugging Face hub, as its Python library lays it out, so that both find each other's files:
 *
 *     models--{owner}--{name}/blobs/{etag}                 contents; {etag}.incomplete while they are fetched
 *     models--{owner}--{name}/refs/{revision}              the commit that a branch or tag stands for
 *     models--{owner}--{name}/snapshots/{commit}/{file}    relative links to blobs; copies where links are refused
 *
 * Etags and commits come from a server and become names of files, so they must be hashes and nothing else.
 */
import { copyFile, lstat, mkdir, readFile, realpath, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { UsageError } from '../errors.ts';
import { refusal, writeFileAtomically } from '../files.ts';

/** A file of a repository at a commit. */
export interface Place {
  readonly commit: string;
  readonly etag: string;
}

const part = /^[A-Za-z0-9](?:[\w.-]{0,94}\w)?$/;

/** Whether a text reads as the name of a repository on the hub. */
export function isRepository(text: string): boolean {
  const parts = text.split('/');
  return parts.length === 2 && parts.every((name) => part.test(name) && !/--|\.\./.test(name));
}

/** @throws UsageError unless the text can be a branch, tag or commit. */
export function checkRevision(revision: string): void {
  const parts = revision.split('/');
  if (parts.every((name) => /^\w[\w.-]*$/.test(name) && !name.includes('..'))) return;
  throw new UsageError(`"${revision}" is no revision: it should be a branch, a tag or a commit.`);
}

const commitPattern = /^[0-9a-f]{40}$/;
const etagPattern = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

export const isCommit = (text: string): boolean => commitPattern.test(text);
export const isEtag = (text: string): boolean => etagPattern.test(text);

export class HubCache {
  readonly folder: string;

  constructor(cache: string, repository: string) {
    this.folder = join(cache, `models--${repository.replace('/', '--')}`);
  }

  blob(etag: string): string {
    return join(this.folder, 'blobs', etag);
  }

  #snapshot(commit: string, file: string): string {
    return join(this.folder, 'snapshots', commit, ...file.split('/'));
  }

  /** The path of a file that is there at a revision, and the commit; undefined where it is not. */
  async find(revision: string, file: string): Promise<{ path: string; commit: string } | undefined> {
    const commit = isCommit(revision) ? revision : await this.#ref(revision);
    if (commit === undefined) return undefined;
    const path = this.#snapshot(commit, file);
    return (await isFile(path)) ? { path, commit } : undefined;
  }

  async #ref(revision: string): Promise<string | undefined> {
    const text = await readFile(join(this.folder, 'refs', ...revision.split('/')), 'utf8').catch(() => '');
    return isCommit(text.trim()) ? text.trim() : undefined;
  }

  /** Makes a blob that is there the file of a snapshot, notes what the revision stands for, and gives the file's path. */
  async place(revision: string, file: string, { commit, etag }: Place): Promise<string> {
    const path = this.#snapshot(commit, file);
    try {
      await mkdir(dirname(path), { recursive: true });
      if (!(await leadsTo(path, this.blob(etag)))) await link(this.blob(etag), path);
      if (!isCommit(revision) && (await this.#ref(revision)) !== commit) await this.#note(revision, commit);
    } catch (error) {
      throw refusal('write', path, error);
    }
    return path;
  }

  async #note(revision: string, commit: string): Promise<void> {
    const path = join(this.folder, 'refs', ...revision.split('/'));
    await mkdir(dirname(path), { recursive: true });
    await writeFileAtomically(path, commit);
  }
}

export const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );

/** Whether a snapshot's file leads to the blob, or is a copy of its size. */
async function leadsTo(path: string, blob: string): Promise<boolean> {
  if (!(await isFile(path))) return false;
  if ((await lstat(path)).isSymbolicLink()) return (await realpath(path)) === (await realpath(blob));
  return (await stat(path)).size === (await stat(blob)).size;
}

async function link(blob: string, path: string): Promise<void> {
  await rm(path, { force: true });
  const target = relative(dirname(path), blob).split(sep).join('/');
  await symlink(target, path).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return; // somebody else made it
    await copyFile(blob, path);
  });
}
