/**
 * The Hugging Face hub's cache, in the layout of its Python library, so that both share their files:
 *
 *     models--{owner}--{name}/blobs/{etag}                 contents; {etag}.incomplete during a download
 *     models--{owner}--{name}/refs/{revision}              the commit of a branch or tag
 *     models--{owner}--{name}/snapshots/{commit}/{file}    relative links to blobs, or copies if links are not possible
 *
 * Etags and commits come from a server and become file names, so anything but a hash is refused.
 */
import { copyFile, lstat, mkdir, readFile, realpath, rm, stat, symlink } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { UsageError } from '../errors.ts';
import { refusal, writeFileAtomically } from '../files.ts';
import type { Check } from './checksum.ts';

/** The version of a repository's file. */
export interface FileVersion {
  readonly commit: string;
  readonly etag: string;
}

const part = /^[A-Za-z0-9](?:[\w.-]{0,94}\w)?$/;

/** Whether `text` has the form of a repository name on the hub. */
export function isRepository(text: string): boolean {
  const parts = text.split('/');
  return parts.length === 2 && parts.every((name) => part.test(name) && !/--|\.\./.test(name));
}

/** @throws UsageError unless `revision` has the form of a branch, tag or commit. */
export function checkRevision(revision: string): void {
  const parts = revision.split('/');
  if (parts.every((name) => /^\w[\w.-]*$/.test(name) && !name.includes('..'))) return;
  throw new UsageError(`"${revision}" is not a valid revision: expected a branch, a tag or a commit.`);
}

const commitPattern = /^[0-9a-f]{40}$/;
const etagPattern = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

export const isCommit = (text: string): boolean => commitPattern.test(text);
export const isEtag = (text: string): boolean => etagPattern.test(text);

/** The hash that an etag is: SHA-256 for the hub's large files, git's for its small ones. */
export const checkOfEtag = (etag: string): Check => ({
  kind: etag.length === 64 ? 'sha256' : 'git-blob',
  digest: etag,
});

/** The hash of a file in the cache, from the name of the blob that it links to. A copy has none. */
export async function checkOfLink(path: string): Promise<Check | undefined> {
  const blob = await realpath(path);
  const etag = basename(blob);
  return basename(dirname(blob)) === 'blobs' && isEtag(etag) ? checkOfEtag(etag) : undefined;
}

/** A cached file at a commit. */
export interface CachedFile {
  readonly path: string;
  readonly commit: string;
}

/** The start of the names of repositories that are datasets, in URLs and in this package. */
export const datasetPrefix = 'datasets/';

export class HubCache {
  readonly folder: string;

  /** @param repository `owner/name` for a model, `datasets/owner/name` for a dataset. */
  constructor(cache: string, repository: string) {
    const typed = repository.startsWith(datasetPrefix) ? repository : `models/${repository}`;
    this.folder = join(cache, typed.replaceAll('/', '--'));
  }

  /** The folder of a revision's files, if any is cached. */
  async snapshotOf(revision: string): Promise<string | undefined> {
    const commit = isCommit(revision) ? revision : await this.#ref(revision);
    const path = commit === undefined ? undefined : join(this.folder, 'snapshots', commit);
    return path !== undefined && (await isFolder(path)) ? path : undefined;
  }

  blob(etag: string): string {
    return join(this.folder, 'blobs', etag);
  }

  #snapshot(commit: string, file: string): string {
    return join(this.folder, 'snapshots', commit, ...file.split('/'));
  }

  /** A cached file at a revision, or undefined if it is not cached. */
  async find(revision: string, file: string): Promise<CachedFile | undefined> {
    const commit = isCommit(revision) ? revision : await this.#ref(revision);
    if (commit === undefined) return undefined;
    const path = this.#snapshot(commit, file);
    return (await isFile(path)) ? { path, commit } : undefined;
  }

  async #ref(revision: string): Promise<string | undefined> {
    const text = await readFile(join(this.folder, 'refs', ...revision.split('/')), 'utf8').catch(() => '');
    return isCommit(text.trim()) ? text.trim() : undefined;
  }

  /**
   * Links a blob into a snapshot, records the revision's commit, and returns the path of the link.
   *
   * @param renew whether to replace a copy of the same size too.
   */
  async place(revision: string, file: string, { commit, etag }: FileVersion, renew: boolean): Promise<string> {
    const path = this.#snapshot(commit, file);
    try {
      await mkdir(dirname(path), { recursive: true });
      if (!(await isLinkTo(path, this.blob(etag), renew))) await link(this.blob(etag), path);
      await this.remember(revision, commit);
    } catch (error) {
      throw refusal('write', path, error);
    }
    return path;
  }

  /** Records the commit that a branch or tag was at. */
  async remember(revision: string, commit: string): Promise<void> {
    if (isCommit(revision) || (await this.#ref(revision)) === commit) return;
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

const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/** Whether a snapshot's file is a link to the blob or, unless copies are renewed, a copy of the same size. */
async function isLinkTo(path: string, blob: string, renew: boolean): Promise<boolean> {
  if (!(await isFile(path))) return false;
  if ((await lstat(path)).isSymbolicLink()) return (await realpath(path)) === (await realpath(blob));
  return !renew && (await stat(path)).size === (await stat(blob)).size;
}

async function link(blob: string, path: string): Promise<void> {
  await rm(path, { force: true });
  const target = relative(dirname(path), blob).split(sep).join('/');
  await symlink(target, path).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return; // another process made it
    await copyFile(blob, path);
  });
}
