/**
 * Published weights, and anybody's on the Hugging Face hub or at an https address, brought into the caches that Python's
 * libraries use: the hub's (`hub-cache.ts`), and for other addresses torch.hub's folder of checkpoints. Published weights
 * that are in one of them are taken from there, without asking a server.
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
import { type Answer, Client, Interrupted, Unreachable } from './http.ts';
import { checkRevision, HubCache, isCommit, isEtag, isFile, isRepository } from './hub-cache.ts';

export interface PullOptions {
  /** Take from the caches what is there, and ask no server. Default: as HF_HUB_OFFLINE says. */
  readonly offline?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** How often in a row a broken connection or a busy server is tried again. Default: 5. */
  readonly retries?: number;
  /** Bytes that a file may have at most. Default: 8 GiB. */
  readonly limit?: number;
  /** Default: from the process's environment variables. */
  readonly environment?: HubEnvironment;
  /** Waits for seconds between attempts. Default: by the clock. */
  readonly wait?: (seconds: number) => Promise<void>;
}

export interface Pulled {
  /** The file of weights. */
  readonly path: string;
  /** The repository's config.json, where there is one. */
  readonly config?: string;
  /** What is known of the weights, where they are published ones. */
  readonly entry?: PublishedWeights;
}

/** What a text names. */
type Named =
  | { readonly kind: 'published'; readonly entry: PublishedWeights }
  | { readonly kind: 'repository'; readonly repository: string; readonly revision: string }
  | { readonly kind: 'address'; readonly url: URL };

/** Files that hold a repository's weights, the best first. */
const weightFiles = ['model.safetensors', 'pytorch_model.bin', 'model.onnx', 'onnx/model.onnx'];

/**
 * Fetches weights into the cache, unless they are there.
 *
 * @param name published weights (`findWeights`), a repository of the hub (`owner/name`, `owner/name@revision`) or an
 *   https address.
 * @throws UsageError when there are none of that name, or they cannot be had or written; FormatError when a server sends
 *   something else than was promised, which is then removed.
 * @example const { path } = await pull('resnext50_32x4d.tv2_in1k');
 */
export async function pull(name: string, options: PullOptions = {}): Promise<Pulled> {
  const named = read(name);
  if (!named) throw new UsageError(`"${name}" is no published weights.${suggestWeights(name)}`);
  const environment = options.environment ?? hubEnvironment();
  const offline = options.offline ?? environment.offline;
  const { signal, onProgress, retries = 5, limit = 8 * 2 ** 30 } = options;
  const wait = options.wait ?? ((seconds) => setTimeout(1000 * seconds, undefined, signal && { signal }));
  const manner = { signal, onProgress, retries, limit, wait };
  const client = new Client(environment);
  try {
    return await new Puller(client, environment, offline, manner).pull(named);
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  } finally {
    await client.close();
  }
}

/** Whether `pull` takes a text for a name. */
export const canPull = (name: string): boolean => read(name) !== undefined;

function read(name: string): Named | undefined {
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
  if (!URL.canParse(text)) throw new UsageError(`"${text}" is no address.`);
  const url = new URL(text);
  const local = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  if (url.protocol === 'https:' || local) return url;
  throw new UsageError(`"${text}" should begin with https://, so that nobody can change the weights on the way.`);
}

/** A file of a repository in the cache. */
interface HubFile {
  readonly path: string;
  readonly commit: string;
  /** Whether the hub was asked. */
  readonly fresh: boolean;
}

class Puller {
  readonly #client: Client;
  readonly #environment: HubEnvironment;
  readonly #offline: boolean;
  readonly #manner: RetryPolicy;

  constructor(client: Client, environment: HubEnvironment, offline: boolean, manner: RetryPolicy) {
    this.#client = client;
    this.#environment = environment;
    this.#offline = offline;
    this.#manner = manner;
  }

  async pull(named: Named): Promise<Pulled> {
    if (named.kind === 'address') return { path: await this.#address(sourceOf(named.url)) };
    if (named.kind === 'repository') return this.#repository(named.repository, named.revision);
    return { ...(await this.#published(named.entry)), entry: named.entry };
  }

  /** From the first source that is in a cache; failing that, from the first that can be reached. */
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
    throw new Unreachable(`${name} cannot be fetched: ${first!.message}`, first!.status, { cause: first });
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
      `${name} is neither in "${hubCache}" nor in "${checkpoints}", and offline nothing is fetched; pull it once with a network.`,
    );
  }

  /** A repository's weights under the first of their usual names. */
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
    throw new UsageError(`${repository} on the hub has none of ${weightFiles.join(', ')} at "${revision}".`);
  }

  /** Weights, and the config.json of the same commit. */
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

  /** A file of a repository: as the hub has it now, or from the cache where the hub cannot be reached. */
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
      if (!(await isFile(path))) await download(this.#client, wanted, this.#manner);
      return { path: await cache.place(revision, file, { commit, etag }), commit, fresh: true };
    } catch (error) {
      if (there && isOutOfReach(error)) return { ...there, fresh: false };
      throw error;
    }
  }

  /** What the hub says of a file: its commit, its etag and its size, before any redirect to where the bytes are. */
  async #describe(url: string, what: string): Promise<{ commit: string; etag: string; size: number | undefined }> {
    const answer = await this.#persistently(() =>
      this.#client.ask({ url, method: 'HEAD', stayOnHub: true, signal: this.#manner.signal }),
    );
    answer.body.resume();
    const commit = answer.header('x-repo-commit') ?? '';
    const etag = (answer.header('x-linked-etag') ?? answer.header('etag') ?? '').replace(/^(?:W\/)?"(.*)"$/, '$1');
    if (!isCommit(commit) || !isEtag(etag)) {
      throw new Unreachable(
        `${answer.url.host} does not answer as the hub does: it names no commit and hash of ${what}.`,
      );
    }
    const size =
      answer.header('x-linked-size') ?? (answer.status === 200 ? answer.header('content-length') : undefined);
    return { commit, etag, size: size !== undefined && /^\d+$/.test(size) ? Number(size) : undefined };
  }

  async #persistently(ask: () => Promise<Answer>): Promise<Answer> {
    for (let failures = 1; ; failures++) {
      try {
        return await ask();
      } catch (error) {
        await waitAndRetry(error, failures, this.#manner);
      }
    }
  }

  /** torch.hub's place for a file that is published with its hash; what is not has its address to tell it apart. */
  #pathOf(source: UrlSource): string {
    return checkOf(source) ? join(this.#environment.checkpoints, source.file) : this.#ownPath(source);
  }

  #ownPath({ url, file }: UrlSource): string {
    return join(this.#environment.checkpoints, createHash('sha256').update(url).digest('hex').slice(0, 12), file);
  }

  /** Whoever gives an address chooses the file's name and its hash too, so it gets no place that Python trusts. */
  #address(source: UrlSource): Promise<string> {
    return this.#file(source, this.#ownPath(source));
  }

  async #file(source: UrlSource, path = this.#pathOf(source)): Promise<string> {
    if (await isFile(path)) return path;
    if (this.#offline) throw this.#missing(source.url);
    const { url, file: name } = source;
    const wanted = { url, path, partial: `${path}.incomplete`, name, check: checkOf(source) };
    await download(this.#client, wanted, this.#manner);
    return path;
  }
}

/** Whether it is the hub that cannot be reached, rather than the file that is not there. */
const isOutOfReach = (error: unknown): boolean =>
  error instanceof Unreachable && (error.status === 0 || error instanceof Interrupted);

function checkOf({ sha256, sha1Inside }: UrlSource): Check | undefined {
  if (sha1Inside) return { kind: 'sha1-inside', digest: sha1Inside };
  return sha256 ? { kind: 'sha256', digest: sha256 } : undefined;
}

/**
 * The source of an address: torch.hub's names end in `-{hash}.{extension}`, with 8 or more digits of a SHA-256. Eight digits
 * that read as a date are none.
 */
function sourceOf(url: URL): UrlSource {
  const file = decoded(url.pathname.split('/').at(-1)!);
  if (!/^\w[\w.+-]*$/.test(file)) {
    throw new UsageError(`${url.href} should end in the name of a file of letters, digits, dots and dashes.`);
  }
  const sha256 = /-(?!(?:19|20)\d{6}\.)([0-9a-f]{8,64})\.[\w.]+$/.exec(file)?.[1];
  return { url: url.href, file, ...(sha256 && !file.endsWith('.zip') && { sha256 }) };
}

/** As it is where it is no encoding of text. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
