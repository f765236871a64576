/**
 * Downloads weights (published, from any repository on the Hugging Face hub, or from an https URL) into the caches that
 * Python's libraries use: the hub's (`hub-cache.ts`), and torch.hub's checkpoint folder for other URLs. Published
 * weights that are already in one of them are used without contacting a server.
 */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import {
  callback,
  checkArgument,
  checkOptions,
  type FieldsOf,
  hasAll,
  kind,
  object,
  path,
  signalField,
} from '../arguments.ts';
import type { HubSource, PublishedWeights, UrlSource } from '../catalog/entry.ts';
import { lookUpWeights, suggestModel } from '../catalog/published.ts';
import type { ShippedModel } from '../catalog/shipped.ts';
import { FormatError, UsageError } from '../errors.ts';
import { flag, real, whole } from '../options.ts';
import { joinBytes } from '../tensor.ts';
import { fileSource } from '../weights/files.ts';
import { shardsOf } from '../weights/sharded.ts';
import { type Check, damageOf } from './checksum.ts';
import { type DownloadProgress, download, type RetryPolicy, waitAndRetry } from './download.ts';
import { type HubEnvironment, hubEnvironment } from './environment.ts';
import { Client, discard, type FileResponse, Interrupted, Unreachable } from './http.ts';
import { type CachedFile, checkOfEtag, checkOfLink, HubCache, isCommit, isEtag, isFile } from './hub-cache.ts';
import { checkOf, parseName, sourceOf, type Target } from './names.ts';
import { shippedFile } from './shipped.ts';

/** How weights are downloaded, and how long that may take. */
export interface PullOptions {
  /** Use only the caches and contact no server. Default: from HF_HUB_OFFLINE. */
  readonly offline?: boolean;
  /**
   * Whether to compare the hash of a cached file with the expected one, so that a damaged file is found and downloaded
   * again. Sizes are always compared. Default: true for `pull`, false when a model is opened.
   */
  readonly verify?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Maximum number of consecutive retries after a broken connection or a busy server. Default: 5. */
  readonly retries?: number;
  /** Seconds to wait for a server that sends nothing, or less than a kilobyte per second. Default: 30. */
  readonly timeout?: number;
  /** Maximum size of a file in bytes. Default: 8 GiB. */
  readonly limit?: number;
  /** Default: from the environment variables of the process. */
  readonly environment?: HubEnvironment;
  /** Waits for a number of seconds between attempts. Default: a timer. */
  readonly wait?: (seconds: number) => Promise<void>;
}

/** `PullOptions` with their checks. */
export const pullFields: FieldsOf<PullOptions> = {
  offline: flag({ doc: 'use only the caches' }),
  verify: flag({ doc: 'verify hashes' }),
  signal: signalField,
  onProgress: callback('called with the progress'),
  retries: whole({ from: 0, doc: 'consecutive retries' }),
  timeout: real({ above: 0, doc: 'seconds to wait' }),
  limit: whole({ from: 1, doc: 'bytes of the largest file' }),
  environment: object('an environment, as of hubEnvironment()', (value) => hasAll(value, 'endpoint', 'hubCache')),
  wait: callback('waits between attempts'),
};

const weightsName = kind('the name of published weights, a repository on the hub, or a URL', path.accepts);

export interface Pulled {
  /** The weights file. */
  readonly path: string;
  /** The repository's config.json, if it has one. */
  readonly config?: string;
  /** The catalog entry, if these are published weights. */
  readonly entry?: PublishedWeights;
  /** What the model is, if it ships with this package. */
  readonly shipped?: ShippedModel;
}

/** Names of weights files in a repository, and of indexes of several, in order of preference. */
const weightFiles = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
  'model.onnx',
  'onnx/model.onnx',
];
const configFile = 'config.json';

/** Maximum size of a config.json and of an index of shards. */
const maxJsonBytes = 8 * 2 ** 20;

/**
 * Downloads weights into the cache, unless they are cached. Models that ship with this package need no download.
 *
 * @param name a shipped model (`cifar10`), published weights (`findWeights`), a repository on the hub (`owner/name`,
 *   `owner/name@revision`) or an https URL.
 * @throws UsageError if there are no weights with that name, or they cannot be fetched or written; FormatError if a
 *   server sends a different file than expected, which is then deleted.
 * @example const { path } = await pull('resnext50_32x4d.tv2_in1k');
 */
export async function pull(name: string, options: PullOptions = {}): Promise<Pulled> {
  checkArgument('name', name, weightsName);
  checkOptions(pullFields, options);
  const target = parseName(name);
  if (!target) throw new UsageError(`There are no published weights named "${name}".${suggestModel(name)}`);
  if (target.kind === 'shipped') return { path: shippedFile(target.shipped), shipped: target.shipped };
  return withPuller(options, (puller) => puller.pull(target));
}

/** Does something with the connections and limits that `options` ask for. */
export async function withPuller<T>(options: PullOptions, action: (puller: Puller) => Promise<T>): Promise<T> {
  const environment = options.environment ?? hubEnvironment();
  const offline = options.offline ?? environment.offline;
  const { signal, onProgress, retries = 5, limit = 8 * 2 ** 30, verify = true, timeout = 30 } = options;
  const wait = options.wait ?? ((seconds) => setTimeout(1000 * seconds, undefined, signal && { signal }));
  const policy = { signal, onProgress, retries, timeout, limit, verify, wait };
  const client = new Client(environment, timeout);
  try {
    return await action(new Puller(client, environment, offline, policy));
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  } finally {
    await client.close();
  }
}

/** A repository's file in the cache. */
export interface HubFile extends CachedFile {
  /** Whether the hub confirmed that it is current. */
  readonly fresh: boolean;
}

export class Puller {
  readonly #client: Client;
  readonly environment: HubEnvironment;
  readonly offline: boolean;
  readonly #policy: RetryPolicy;
  /** A sentence per damaged file in a cache. */
  readonly #damaged = new Set<string>();

  constructor(client: Client, environment: HubEnvironment, offline: boolean, policy: RetryPolicy) {
    this.#client = client;
    this.environment = environment;
    this.offline = offline;
    this.#policy = policy;
  }

  async pull(target: Exclude<Target, { readonly kind: 'shipped' }>): Promise<Pulled> {
    if (target.kind === 'published') return { ...(await this.#published(target.entry)), entry: target.entry };
    try {
      if (target.kind === 'address') return { path: await this.#address(sourceOf(target.url)) };
      return await this.#repository(target.repository, target.revision);
    } catch (error) {
      if (this.offline || !isOutOfReach(error)) throw error;
      throw this.#unreachable(target.kind === 'address' ? target.url.href : target.repository, error);
    }
  }

  /** Uses the first source that is cached, or else downloads from the first that can be reached. */
  async #published({ name, sources }: PublishedWeights): Promise<Pulled> {
    for (const source of sources) {
      const found = await this.#cached(source);
      if (found) return found;
    }
    if (this.offline) throw this.#missing(name);
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
    throw this.#unreachable(name, first!);
  }

  async #cached(source: HubSource | UrlSource): Promise<Pulled | undefined> {
    if ('url' in source) {
      const path = this.#pathOf(source);
      return (await this.#isUsable(path, checkOf(source))) ? { path } : undefined;
    }
    const cache = new HubCache(this.environment.hubCache, source.repository);
    const found = await this.#find(cache, 'main', source.file);
    if (!found) return undefined;
    const hasConfig = (await cache.find(found.commit, configFile)) !== undefined;
    const config = hasConfig ? await this.#find(cache, found.commit, configFile) : undefined;
    return hasConfig && !config ? undefined : { path: found.path, ...(config && { config: config.path }) };
  }

  /** A cached file that can be used. */
  async #find(cache: HubCache, revision: string, file: string): Promise<CachedFile | undefined> {
    const found = await cache.find(revision, file);
    const { verify } = this.#policyFor(file);
    return found && (await this.#isUsable(found.path, await checkOfLink(found.path), verify)) ? found : undefined;
  }

  /** JSON has to be small, and is therefore always verified. */
  #policyFor(file: string, limit = this.#policy.limit): RetryPolicy {
    const isJson = file.endsWith('.json');
    return { ...this.#policy, ...(isJson ? { limit: Math.min(limit, maxJsonBytes), verify: true } : { limit }) };
  }

  /**
   * Whether there is a cached file and it is as expected, as far as that is known.
   *
   * @throws FormatError if it is damaged and cannot be replaced because this is offline.
   */
  async #isUsable(path: string, check: Check | undefined, verify = this.#policy.verify): Promise<boolean> {
    if (!(await isFile(path))) return false;
    const damage = await damageOf(path, verify ? { check } : {}, this.#policy.limit);
    if (damage === undefined) return true;
    const sentence = `"${path}" is damaged: ${damage}.`;
    if (this.offline) throw new FormatError(`${sentence} Pull it again while online.`);
    this.#damaged.add(sentence);
    return false;
  }

  #missing(name: string): UsageError {
    const { hubCache, checkpoints } = this.environment;
    return new Unreachable(
      `${name} is neither in "${hubCache}" nor in "${checkpoints}", and cannot be downloaded offline. Pull it once while online.`,
    );
  }

  #unreachable(name: string, error: Unreachable): Unreachable {
    const sentences = [...this.#damaged, `${name} cannot be downloaded: ${error.message}`];
    return new Unreachable(sentences.join(' '), error.status, { cause: error });
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
    if (this.offline) throw this.#missing(`${repository}@${revision}`);
    throw new UsageError(`The hub's ${repository} has none of ${weightFiles.join(', ')} at "${revision}".`);
  }

  /** The weights, or the index of shards and the shards, and the config.json of the same commit. */
  async #fromHub(source: HubSource, revision: string): Promise<Pulled> {
    const isIndex = source.file.endsWith('.json');
    const { path, commit, fresh } = await this.hubFile(source, revision);
    if (isIndex) await this.#shards({ ...source, file: path }, commit);
    try {
      const config = await this.hubFile({ ...source, file: configFile }, commit);
      return { path, config: config.path };
    } catch (error) {
      const isMissing = error instanceof Unreachable && (error.status === 404 || (!fresh && isOutOfReach(error)));
      if (isMissing) return { path };
      throw error;
    }
  }

  /** Downloads the shards that an index lists. Together they may have as many bytes as one file. */
  async #shards(index: HubSource, commit: string): Promise<void> {
    let left = this.#policy.limit;
    for (const file of shardsOf(fileSource(index.file), index.file)) {
      const { path } = await this.hubFile({ ...index, file }, commit, left).catch((error: unknown) => {
        if (!(error instanceof Unreachable) || error.status !== 404 || this.offline) throw error;
        throw new FormatError(
          `The index of ${index.repository} lists ${file}, but the repository does not contain it.`,
        );
      });
      left -= (await stat(path)).size;
    }
  }

  /** A repository's file: the hub's current version, or the cached one if the hub cannot be reached. */
  async hubFile({ repository, file }: HubSource, revision: string, limit?: number): Promise<HubFile> {
    const cache = new HubCache(this.environment.hubCache, repository);
    const there = await this.#find(cache, revision, file);
    if (there && (this.offline || isCommit(revision))) return { ...there, fresh: false };
    const name = `${repository}/${file}`;
    if (this.offline) throw new Unreachable(this.#missing(name).message, 404);
    const url = `${this.environment.endpoint}/${repository}/resolve/${encodeURIComponent(revision)}/${file}`;
    try {
      const { commit, etag, size } = await this.#describe(url, name);
      const path = cache.blob(etag);
      const wanted = { url, path, partial: `${path}.incomplete`, name, size, check: checkOfEtag(etag) };
      const policy = this.#policyFor(file, limit);
      await download(this.#client, wanted, policy);
      const placed = await cache.place(revision, file, { commit, etag }, policy.verify);
      return { path: placed, commit, fresh: true };
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
    discard(response);
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

  /** The bytes at a URL of the hub, at most 8 MiB of JSON. */
  async json(url: string): Promise<Uint8Array> {
    const response = await this.#retrying(() => this.#client.request({ url, signal: this.#policy.signal }));
    return readJson(response);
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
    return checkOf(source) ? join(this.environment.checkpoints, source.file) : this.#ownPath(source);
  }

  #ownPath({ url, file }: UrlSource): string {
    return join(this.environment.checkpoints, createHash('sha256').update(url).digest('hex').slice(0, 12), file);
  }

  /** The URL determines both the file name and the hash, so the file must not go where Python would trust it. */
  #address(source: UrlSource): Promise<string> {
    return this.#file(source, this.#ownPath(source));
  }

  async #file(source: UrlSource, path = this.#pathOf(source)): Promise<string> {
    const { url, file: name } = source;
    const check = checkOf(source);
    if (await this.#isUsable(path, check)) return path;
    if (this.offline) throw this.#missing(url);
    const wanted = { url, path, partial: `${path}.incomplete`, name, check };
    await download(this.#client, wanted, this.#policy);
    return path;
  }
}

async function readJson({ body, url }: FileResponse): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxJsonBytes) throw new FormatError(`${url.href} sends more than ${maxJsonBytes} bytes.`);
    chunks.push(chunk);
  }
  return joinBytes(chunks);
}

/** Whether the hub cannot be reached, as opposed to a missing file. */
export const isOutOfReach = (error: unknown): error is Unreachable =>
  error instanceof Unreachable && (error.status === 0 || error instanceof Interrupted);
