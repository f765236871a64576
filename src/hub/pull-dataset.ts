/**
 * Downloads the Parquet files of a dataset on the Hugging Face hub into the hub's cache, where Python's libraries find them
 * too. Their names come from the hub, and become paths in the cache only if they are plain.
 */
import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import * as z from 'zod';
import { UsageError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { Unreachable } from './http.ts';
import { checkRevision, datasetPrefix, HubCache, isCommit, isRepository } from './hub-cache.ts';
import { isOutOfReach, type Puller, type PullOptions, withPuller } from './pull.ts';

/** A dataset's name, parsed. */
interface DatasetName {
  readonly repository: string;
  readonly revision: string;
  /** The folder in the repository that the files are in; empty for all. */
  readonly folder: string;
}

const scheme = 'hf://';

/** Whether `name` has the form of a dataset on the hub, unless it is a path. */
export const isDatasetName = (name: string): boolean => name.startsWith(scheme) || isRepository(name.split('@')[0]!);

/**
 * Parses `hf://datasets/owner/name@revision/folder`, or `owner/name@revision`.
 *
 * @throws UsageError if it has neither form.
 */
export function parseDatasetName(name: string): DatasetName {
  const text = name.startsWith(scheme) ? name.slice(scheme.length) : `${datasetPrefix}${name}`;
  const [, repository = '', revision = 'main', folder = ''] =
    /^datasets\/([^/@]+\/[^/@]+)(?:@([^/]+(?:\/convert\/parquet)?))?(?:\/(.*?))?\/?$/.exec(text) ?? [];
  if (!isRepository(repository) || (folder !== '' && !isPlain(folder))) {
    throw new UsageError(`"${name}" is not the name of a dataset; expected hf://datasets/OWNER/NAME.`);
  }
  checkRevision(revision);
  return { repository: datasetPrefix + repository, revision, folder };
}

/** The Parquet files of a dataset. */
export interface PulledDataset {
  /** The folder on disk that stands for the repository at the revision. */
  readonly folder: string;
  /** Paths on disk, in the order of their names in the repository. */
  readonly files: readonly string[];
}

/**
 * Downloads a dataset's Parquet files, unless they are cached.
 *
 * @param name `hf://datasets/owner/name`, with `@revision` and `/folder` if need be, or `owner/name`.
 * @throws UsageError if there is no such dataset, it has no Parquet files, or they cannot be fetched.
 * @example const { files } = await pullDataset('hf://datasets/uoft-cs/cifar10');
 */
export async function pullDataset(name: string, options: PullOptions = {}): Promise<PulledDataset> {
  const wanted = parseDatasetName(name);
  return withPuller(options, async (puller) => {
    const cache = new HubCache(puller.environment.hubCache, wanted.repository);
    try {
      if (!puller.offline) return await fetchDataset(name, wanted, puller, cache);
    } catch (error) {
      if (!isOutOfReach(error)) throw error;
      const known = await cachedDataset(name, wanted, cache);
      if (known) return known;
      throw error;
    }
    const known = await cachedDataset(name, wanted, cache);
    if (known) return known;
    throw new Unreachable(`The dataset "${name}" is not in "${cache.folder}", and cannot be downloaded offline.`);
  });
}

const listing = z.object({ sha: z.string(), siblings: z.array(z.object({ rfilename: z.string() })) });

async function fetchDataset(
  name: string,
  wanted: DatasetName,
  puller: Puller,
  cache: HubCache,
): Promise<PulledDataset> {
  const { repository, revision } = wanted;
  const url = `${puller.environment.endpoint}/api/${repository}/revision/${encodeURIComponent(revision)}`;
  const text = new TextDecoder().decode(await puller.json(url));
  const found = listing.safeParse(parseJson(text, url)).data;
  if (!found || !isCommit(found.sha)) throw new Unreachable(`${url} does not respond like the hub.`);
  const { sha, siblings } = found;
  const files: string[] = [];
  for (const { file } of chosen(
    name,
    siblings.map(({ rfilename: file }) => ({ file })),
    wanted,
  )) {
    files.push((await puller.hubFile({ repository, file }, sha)).path);
  }
  await cache.remember(revision, sha);
  return { folder: (await cache.snapshotOf(sha))!, files };
}

/** What is in the cache of a revision; undefined if nothing or only a part is. */
async function cachedDataset(name: string, wanted: DatasetName, cache: HubCache): Promise<PulledDataset | undefined> {
  const folder = await cache.snapshotOf(wanted.revision);
  if (folder === undefined) return undefined;
  const entries = await readdir(folder, { recursive: true });
  const all = entries.map((entry) => ({ file: relative('.', entry).split(sep).join('/'), path: join(folder, entry) }));
  const files = chosen(name, all, wanted);
  return isComplete(files.map(({ file }) => file)) ? { folder, files: files.map(({ path }) => path) } : undefined;
}

/** Whether there are as many files `train-00003-of-00010.parquet` as each says: a download may have been interrupted. */
function isComplete(files: readonly string[]): boolean {
  const counts = new Map<string, number>();
  for (const file of files) {
    const group = file.replace(/-\d+(-of-\d+\.parquet)$/, '$1');
    counts.set(group, (counts.get(group) ?? 0) + 1);
  }
  return [...counts].every(([group, count]) => count === Number(/-of-(\d+)\.parquet$/.exec(group)?.[1] ?? count));
}

/** The Parquet files of one configuration, in order. */
function chosen<T extends { readonly file: string }>(
  name: string,
  all: readonly T[],
  { repository, folder }: DatasetName,
): T[] {
  const within = (file: string) => folder === '' || file.startsWith(`${folder}/`);
  const files = all.filter(({ file }) => file.endsWith('.parquet') && isPlain(file) && within(file));
  if (files.length === 0) {
    throw new UsageError(
      `The dataset "${name}" has no Parquet files${folder && ` in "${folder}"`}. Try ${scheme}${repository}@refs/convert/parquet, where the hub puts them.`,
    );
  }
  const configurations = [...new Set(files.map(({ file }) => configurationOf(file)))];
  if (configurations.length > 1) {
    const example = `${scheme}${repository}/${configurations[0]}`;
    throw new UsageError(
      `The dataset "${name}" has several configurations: ${configurations.join(', ')}. Name one, such as ${example}.`,
    );
  }
  return files.sort((a, b) => (a.file < b.file ? -1 : 1));
}

/** The folder of a file, without one for its split. */
const configurationOf = (file: string): string =>
  file
    .split('/')
    .slice(0, -1)
    .join('/')
    .replace(/(^|\/)(partial-)?(train|validation|valid|val|test)$/, '');

/** Whether a path of a server is plain: no hidden, parent or absolute part, and no character that a system treats specially. */
const isPlain = (path: string): boolean => path.split('/').every((part) => /^[\w=][\w.=+ -]*$/.test(part));
