/**
 * Downloads weights (published, from any repository on the Hugging Face hub, or from an https URL) into the caches that
 * Python's libraries use: the hub's (`hub-cache.ts`), and torch.hub's checkpoint folder for other URLs. Published
 * weights that are already in one of them are used without contacting a server.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { HubSource, PublishedWeights, UrlSource } from '../catalog/entry.ts';
import { lookUpWeights, suggestWeights, weightsAt } from '../catalog/published.ts';
import { UsageError } from '../errors.ts';
import type { Check } from './checksum.ts';
import { type DownloadProgress, download, type RetryPolicy, waitAndRetry } from './download.ts';
import { type HubEnvironment, hubEnvironment } from './environment.ts';
import { Client, type FileResponse, Interrupted, Unreachable } from './http.ts';
import { checkRevision, HubCache, isCommit, isEtag, isFile, isRepository } from './hub-cache.ts';

export interface PullOptions {
  /** Use only the caches and contact no server. Default: from HF_HUB_OFFLINE. */
  readonly offline?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Maximum number of consecutive retries after a broken connection or a busy server. Default: 5. */
  readonly retries?: number;
  /** Maximum size of a file in bytes. Default: 8 GiB. */
  readonly limit?: number;
  /** Default: from the environment variables of the process. */
  readonly environment?: HubEnvironment;
  /** Waits for a number of seconds between attempts. Default: a timer. */
  readonly wait?: (seconds: number) => Promise<void>;
}

export interface Pulled {
  /** The weights file. */
  readonly path: string;
  /** The repository's config.json, if it has one. */
  readonly config?: string;
  /** The catalog entry, if these are published weights. */
  readonly entry?: PublishedWeights;
}

/** A parsed name. */
type Target =
  | { readonly kind: 'published'; readonly entry: PublishedWeights }
  | { readonly kind: 'repository'; readonly repository: string; readonly revision: string }
  | { readonly kind: 'address'; readonly url: URL };

/** Names of weights files in a repository, in order of preference. */
const weightFiles = ['model.safetensors', 'pytorch_model.bin', 'model.onnx', 'onnx/model.onnx'];

/**
 * Downloads weights into the cache, unless they are cached.
 *
 * @param name published weights (`findWeights`), a repository on the hub (`owner/name`, `owner/name@revision`) or an
 *   https URL.
 * @throws UsageError if there are no weights with that name, or they cannot be fetched or written; FormatError if a
 *   server sends a different file than expected, which is then deleted.
 * @example const { path } = await pull('resnext50_32x4d.tv2_in1k');
 */
export async function pull(name: string, options: PullOptions = {}): Promise<Pulled> {
  const target = parseName(name);
  if (!target) throw new UsageError(`There are no published weights named "${name}".${suggestWeights(name)}`);
  const environment = options.environment ?? hubEnvironment();
  const offline = options.offline ?? environment.offline;
  const { signal, onProgress, retries = 5, limit = 8 * 2 ** 30 } = options;
  const wait = options.wait ?? ((seconds) => setTimeout(1000 * seconds, undefined, signal && { signal }));
  const policy = { signal, onProgress, retries, limit, wait };
  const client = new Client(environment);
  try {
    return await new Puller(client, environment, offline, policy).pull(target);
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  } finally {
    await client.close();
  }
}

/** Whether `name` has a form that `pull` accepts. */
export const canPull = (name: string): boolean => parseName(name) !== undefined;

function parseName(name: string): Target | undefined {
  const entry = lookUpWeights(name) ?? weightsAt(name);
  if (entry) return { kind: 'published', entry };
  if (/^https?:\/\//.test(name)) return { kind: 'address', url: address(name) };
  const [base = '', revision = 'main', ...rest] = name.split('@');
  const published = lookUpWeights(base)?.sources.find((source) => 'repository' in source);
  const repository = published?.repository ?? base;
  if (rest.length > 0 || !isRepository(repository)) return undefined;
  checkRevision(revision);
  return { kind: 'repository', repository, revision };
}

function address(text: string): URL {
  if (!URL.canParse(text)) throw new UsageError(`"${text}" is not a valid URL.`);
  const url = new URL(text);
  const local = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  if (url.protocol === 'https:' || local) return url;
  throw new UsageError(`"${text}" should begin with https://, so that nobody can tamper with the weights in transit.`);
}

/** A repository's file in the cache. */
interface HubFile {
  readonly path: string;
  readonly commit: string;
  /** Whether the hub confirmed that it is current. */
  readonly fresh: boolean;
}

class Puller {
  readonly #client: Client;
  readonly #environment: HubEnvironment;
  readonly #offline: boolean;
  readonly #policy: RetryPolicy;

  constructor(client: Client, environment: HubEnvironment, offline: boolean, policy: RetryPolicy) {
    this.#client = client;
    this.#environment = environment;
    this.#offline = offline;
    this.#policy = policy;
  }

  async pull(target: Target): Promise<Pulled> {
    if (target.kind === 'published') return { ...(await this.#published(target.entry)), entry: target.entry };
    try {
      if (target.kind === 'address') return { path: await this.#address(sourceOf(target.url)) };
      return await this.#repository(target.repository, target.revision);
    } catch (error) {
      if (this.#offline || !isOutOfReach(error)) throw error;
      const what = target.kind === 'address' ? target.url.href : target.repository;
      throw new Unreachable(`${what} cannot be downloaded: ${error.message}`, error.status, { cause: error });
    }
  }

  /** Uses the first source that is cached, or else downloads from the first that can be reached. */
  async #published({ name, sources }: PublishedWeights): Promise<Pulled> {
    for (const source of sources) {
      const found = await this.#cached(source);
      if (found) return found;
    }
    if (this.#offline) throw this.#missing(name);
    let first: Unreachable | undefined;
    for (const source of sources) {
      try {
        if ('url' in source) return { path: await this.#file(source) };
        return await this.#fromHub(source, 'main');
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
        first ??= error;
      }
    }
    throw new Unreachable(`${name} cannot be downloaded: ${first!.message}`, first!.status, { cause: first });
  }

  async #cached(source: HubSource | UrlSource): Promise<Pulled | undefined> {
    if ('url' in source) {
      const path = this.#pathOf(source);
      return (await isFile(path)) ? { path } : undefined;
    }
    const cache = new HubCache(this.#environment.hubCache, source.repository);
    const found = await cache.find('main', source.file);
    if (!found) return undefined;
    const config = await cache.find(found.commit, 'config.json');
    return { path: found.path, ...(config && { config: config.path }) };
  }

  #missing(name: string): UsageError {
    const { hubCache, checkpoints } = this.#environment;
    return new Unreachable(
      `${name} is neither in "${hubCache}" nor in "${checkpoints}", and cannot be downloaded offline. Pull it once while online.`,
    );
  }

  /** A repository's weights, from the first of the usual file names that it has. */
  async #repository(repository: string, revision: string): Promise<Pulled> {
    const entry = lookUpWeights(repository);
    for (const file of weightFiles) {
      try {
        return { ...(await this.#fromHub({ repository, file }, revision)), ...(entry && { entry }) };
      } catch (error) {
        if (!(error instanceof Unreachable) || error.status !== 404) throw error;
      }
    }
    if (this.#offline) throw this.#missing(`${repository}@${revision}`);
    throw new UsageError(`The hub's ${repository} has none of ${weightFiles.join(', ')} at "${revision}".`);
  }

  /** The weights and the config.json of the same commit. */
  async #fromHub(source: HubSource, revision: string): Promise<Pulled> {
    const { path, commit, fresh } = await this.#hubFile(source, revision);
    try {
      const config = await this.#hubFile({ ...source, file: 'config.json' }, commit);
      return { path, config: config.path };
    } catch (error) {
      const isMissing = error instanceof Unreachable && (error.status === 404 || (!fresh && isOutOfReach(error)));
      if (isMissing) return { path };
      throw error;
    }
  }

  /** A repository's file: the hub's current version, or the cached one if the hub cannot be reached. */
  async #hubFile({ repository, file }: HubSource, revision: string): Promise<HubFile> {
    const cache = new HubCache(this.#environment.hubCache, repository);
    const there = await cache.find(revision, file);
    if (there && (this.#offline || isCommit(revision))) return { ...there, fresh: false };
    if (this.#offline) throw new Unreachable(this.#missing(`${repository}/${file}`).message, 404);
    const url = `${this.#environment.endpoint}/${repository}/resolve/${encodeURIComponent(revision)}/${file}`;
    try {
      const { commit, etag, size } = await this.#describe(url, `${repository}/${file}`);
      const path = cache.blob(etag);
      const check: Check = { kind: etag.length === 64 ? 'sha256' : 'git-blob', digest: etag };
      const wanted = { url, path, partial: `${path}.incomplete`, name: `${repository}/${file}`, size, check };
      if (!(await isFile(path))) await download(this.#client, wanted, this.#policy);
      return { path: await cache.place(revision, file, { commit, etag }), commit, fresh: true };
    } catch (error) {
      if (there && isOutOfReach(error)) return { ...there, fresh: false };
      throw error;
    }
  }

  /** A file's commit, etag and size, from the hub's headers before any redirect to the storage server. */
  async #describe(url: string, what: string): Promise<{ commit: string; etag: string; size: number | undefined }> {
    const response = await this.#retrying(() =>
      this.#client.request({ url, method: 'HEAD', stayOnHub: true, signal: this.#policy.signal }),
    );
    response.body.resume();
    const commit = response.header('x-repo-commit') ?? '';
    const etag = (response.header('x-linked-etag') ?? response.header('etag') ?? '').replace(/^(?:W\/)?"(.*)"$/, '$1');
    if (!isCommit(commit) || !isEtag(etag)) {
      throw new Unreachable(
        `${response.url.host} does not respond like the hub: the headers for ${what} have no valid commit and hash.`,
      );
    }
    const size =
      response.header('x-linked-size') ?? (response.status === 200 ? response.header('content-length') : undefined);
    return { commit, etag, size: size !== undefined && /^\d+$/.test(size) ? Number(size) : undefined };
  }

  async #retrying(send: () => Promise<FileResponse>): Promise<FileResponse> {
    for (let failures = 1; ; failures++) {
      try {
        return await send();
      } catch (error) {
        await waitAndRetry(error, failures, this.#policy);
      }
    }
  }

  /** torch.hub's path for a file that is published with its hash; otherwise a path that depends on the URL. */
  #pathOf(source: UrlSource): string {
    return checkOf(source) ? join(this.#environment.checkpoints, source.file) : this.#ownPath(source);
  }

  #ownPath({ url, file }: UrlSource): string {
    return join(this.#environment.checkpoints, createHash('sha256').update(url).digest('hex').slice(0, 12), file);
  }

  /** The URL determines both the file name and the hash, so the file must not go where Python would trust it. */
  #address(source: UrlSource): Promise<string> {
    return this.#file(source, this.#ownPath(source));
  }

  async #file(source: UrlSource, path = this.#pathOf(source)): Promise<string> {
    if (await isFile(path)) return path;
    if (this.#offline) throw this.#missing(source.url);
    const { url, file: name } = source;
    const wanted = { url, path, partial: `${path}.incomplete`, name, check: checkOf(source) };
    await download(this.#client, wanted, this.#policy);
    return path;
  }
}

/** Whether the hub cannot be reached, as opposed to a missing file. */
const isOutOfReach = (error: unknown): error is Unreachable =>
  error instanceof Unreachable && (error.status === 0 || error instanceof Interrupted);

function checkOf({ sha256, sha1Inside }: UrlSource): Check | undefined {
  if (sha1Inside) return { kind: 'sha1-inside', digest: sha1Inside };
  return sha256 ? { kind: 'sha256', digest: sha256 } : undefined;
}

/**
 * The source for a URL. torch.hub's file names end in `-{hash}.{extension}`, with 8 or more digits of a SHA-256. Eight
 * digits that read as a date are not a hash.
 */
function sourceOf(url: URL): UrlSource {
  const file = decoded(url.pathname.split('/').at(-1)!);
  if (!/^\w[\w.+-]*$/.test(file)) {
    throw new UsageError(`${url.href} should end in a file name of letters, digits, dots and dashes.`);
  }
  const sha256 = /-(?!(?:19|20)\d{6}\.)([0-9a-f]{8,64})\.[\w.]+$/.exec(file)?.[1];
  return { url: url.href, file, ...(sha256 && !file.endsWith('.zip') && { sha256 }) };
}

/** Returns text that is not valid percent-encoding unchanged. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
