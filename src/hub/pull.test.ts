/** Downloads from local servers that disconnect, lie, redirect, ask to wait, and ignore parts of the request. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Handler } from '../../test/hub-server.ts';
import {
  breakAtHalf,
  commit,
  type FakeHub,
  gitHash,
  send,
  serve,
  serveHub,
  serveProxy,
  sha256,
} from '../../test/hub-server.ts';
import { FormatError, UsageError } from '../errors.ts';
import { hubEnvironment } from './environment.ts';
import { type PullOptions, pull } from './pull.ts';

const weights = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * i) >> 5);
const config = new TextEncoder().encode('{"architecture": "resnext50_32x4d"}');
const name = 'resnext50_32x4d.a1_in1k';
const hash = sha256(weights);

let dir: string;
let waits: number[];
let closing: (() => void)[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-hub-'));
  waits = [];
  closing = [];
});
afterEach(() => {
  for (const close of closing) close();
  rmSync(dir, { recursive: true });
});

async function hubWith(answers: Handler[] = [], headers?: Readonly<Record<string, string>>): Promise<FakeHub> {
  const fake = await serveHub(weights, config, headers);
  fake.answers.push(...answers);
  closing.push(fake.close);
  return fake;
}

async function server(handler: Handler) {
  const served = await serve(handler);
  closing.push(served.close);
  return served;
}

/** Options for a hub, or for an unreachable one, that never really wait. */
function options(fake?: FakeHub, env: Readonly<Record<string, string>> = {}): PullOptions {
  const endpoint = fake?.hub.url ?? 'http://127.0.0.1:9';
  const environment = hubEnvironment({
    HF_ENDPOINT: endpoint,
    HF_HOME: `${dir}/hf`,
    TORCH_HOME: `${dir}/torch`,
    ...env,
  });
  const wait = async (seconds: number) => {
    waits.push(seconds);
    await new Promise((resolve) => setTimeout(resolve, 5));
  };
  return { environment, wait };
}

const repository = () => join(dir, 'hf/hub/models--timm--resnext50_32x4d.a1_in1k');

/** Every file below a folder, with the hash of its contents or the target of its link. */
function tree(folder: string): Record<string, string> {
  if (!existsSync(folder)) return {};
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
  const entries = paths.flatMap((path) => {
    const stats = lstatSync(join(folder, path));
    if (stats.isDirectory()) return [];
    const text = stats.isSymbolicLink()
      ? `→ ${readlinkSync(join(folder, path))}`
      : sha256(readFileSync(join(folder, path)));
    return [[path, text] as const];
  });
  return Object.fromEntries(entries);
}

const wholeCache = () => ({
  [`blobs/${gitHash(config)}`]: sha256(config),
  [`blobs/${hash}`]: hash,
  'refs/main': sha256(new TextEncoder().encode(commit)),
  [`snapshots/${commit}/config.json`]: `→ ../../blobs/${gitHash(config)}`,
  [`snapshots/${commit}/model.safetensors`]: `→ ../../blobs/${hash}`,
});

/** Fills the cache as the Python library would. */
function fillCache(): void {
  const files = { [`blobs/${hash}`]: weights, [`blobs/${gitHash(config)}`]: config, 'refs/main': commit };
  for (const [path, contents] of Object.entries(files)) {
    mkdirSync(dirname(join(repository(), path)), { recursive: true });
    writeFileSync(join(repository(), path), contents);
  }
  const snapshot = join(repository(), 'snapshots', commit);
  mkdirSync(snapshot, { recursive: true });
  symlinkSync(`../../blobs/${hash}`, join(snapshot, 'model.safetensors'));
  symlinkSync(`../../blobs/${gitHash(config)}`, join(snapshot, 'config.json'));
}

describe('the hub', () => {
  it('fills the cache in the layout of its own library', async () => {
    const fake = await hubWith();
    const pulled = await pull(name, options(fake));
    expect(pulled.path).toBe(join(repository(), 'snapshots', commit, 'model.safetensors'));
    expect(pulled.config).toBe(join(repository(), 'snapshots', commit, 'config.json'));
    expect(pulled.entry?.name).toBe(name);
    expect(tree(repository())).toEqual(wholeCache());
  });

  it('uses what Python has downloaded without contacting a server', async () => {
    fillCache();
    const fake = await hubWith();
    const { path } = await pull(name, options(fake));
    expect(sha256(readFileSync(path))).toBe(hash);
    expect(fake.hub.requests).toEqual([]);
  });

  it('does not send the token to other hosts', async () => {
    const fake = await hubWith();
    await pull(name, options(fake, { HF_TOKEN: 'secret' }));
    expect(new Set(fake.hub.requests.map(({ headers }) => headers.authorization))).toEqual(new Set(['Bearer secret']));
    expect(fake.store.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  it('pulls any repository, at any revision', async () => {
    const fake = await hubWith();
    const { path, entry } = await pull('somebody/flowers@v1/beta', options(fake));
    expect(fake.hub.requests[0]!.url).toBe('/somebody/flowers/resolve/v1%2Fbeta/model.safetensors');
    expect(entry).toBeUndefined();
    const folder = join(dir, 'hf/hub/models--somebody--flowers');
    expect(path).toBe(join(folder, 'snapshots', commit, 'model.safetensors'));
    expect(readFileSync(join(folder, 'refs/v1/beta'), 'utf8')).toBe(commit);
    const known = fake.hub.requests.length;
    await pull(`somebody/flowers@${commit}`, options(fake));
    expect(fake.hub.requests.slice(known).map(({ method }) => method)).toEqual([]);
  });

  it('pulls config.json from the same commit as the weights', async () => {
    const fake = await hubWith();
    await pull(`${name}@main`, options(fake));
    const resolved = new Set(fake.hub.requests.map(({ url }) => url.split('/resolve/')[1]));
    expect([...resolved]).toEqual(['main/model.safetensors', `${commit}/config.json`]);
  });

  it('works without config.json', async () => {
    const fake = await serveHub(weights);
    closing.push(fake.close);
    const pulled = await pull(name, options(fake));
    expect(pulled.config).toBeUndefined();
  });

  it('reports that there is no such repository', async () => {
    const { url } = await server((_, response) => response.writeHead(404).end());
    const environment = hubEnvironment({ HF_ENDPOINT: url, HF_HOME: dir });
    await expect(pull('somebody/nothing', { environment })).rejects.toThrow(
      'The hub\'s somebody/nothing has none of model.safetensors, model.safetensors.index.json, pytorch_model.bin, pytorch_model.bin.index.json, model.onnx, onnx/model.onnx at "main".',
    );
  });

  it.each([
    ['a commit that is a path', { 'x-repo-commit': '../../../evil' }],
    ['an etag that is a path', { 'x-linked-etag': '"../../../evil"' }],
  ])('refuses %s', async (_, headers) => {
    const fake = await hubWith([], headers);
    await expect(pull(name, options(fake))).rejects.toThrow('does not respond like the hub');
    expect(tree(dir)).toEqual({});
  });

  it.each(['owner/../name', 'owner/na--me', 'a/b/c', 'owner/.name', '../name'])(
    'does not accept %s as a name',
    (text) => expect(pull(text, options())).rejects.toThrow(`There are no published weights named "${text}".`),
  );
});

describe('connections', () => {
  it('that break halfway resume where they broke', async () => {
    const { answer, onProgress } = breakAtHalf(weights);
    const fake = await hubWith([answer]);
    const { path } = await pull(name, { ...options(fake), onProgress });
    expect(sha256(readFileSync(path))).toBe(hash);
    expect(fake.store.requests.map(({ headers }) => headers.range)).toEqual([undefined, 'bytes=1500000-']);
    expect(fake.store.requests[1]!.headers['if-range']).toBe('"v1"');
    expect(tree(repository())).toEqual(wholeCache());
  });

  it('to servers that ignore ranges start over', async () => {
    const ignoring: Handler = (_, response) =>
      response.writeHead(200, { 'content-length': weights.length }).end(weights);
    const { answer, onProgress } = breakAtHalf(weights);
    const fake = await hubWith([answer, ignoring]);
    const { path } = await pull(name, { ...options(fake), onProgress });
    expect(fake.store.requests[1]!.headers.range).toBe('bytes=1500000-');
    expect(sha256(readFileSync(path))).toBe(hash);
  });

  it('to servers that send another range start over', async () => {
    const other: Handler = (_, response) =>
      response.writeHead(206, { 'content-range': `bytes 7-9/${weights.length}` }).end('abc');
    const { answer, onProgress } = breakAtHalf(weights);
    const fake = await hubWith([answer, other]);
    const { path } = await pull(name, { ...options(fake), onProgress });
    expect(fake.store.requests[1]!.headers.range).toBe('bytes=1500000-');
    expect(sha256(readFileSync(path))).toBe(hash);
    expect(fake.store.requests.at(-1)!.headers.range).toBeUndefined();
  });

  it('wait as long as a busy server asks, or longer after each failure', async () => {
    const busy = (status: number, retryAfter?: string): Handler => {
      return (_, response) => response.writeHead(status, retryAfter ? { 'retry-after': retryAfter } : {}).end();
    };
    const fake = await hubWith([busy(429, '7'), busy(503), busy(502)]);
    await pull(name, options(fake));
    expect(waits).toEqual([7, 1, 2]);
  });

  it('are retried a limited number of times', async () => {
    const fake = await hubWith(Array.from({ length: 9 }, () => (_, response) => response.writeHead(500).end()));
    await expect(pull(name, { ...options(fake), retries: 3 })).rejects.toThrow(/responded 500 to \/bytes: .* problem/);
    expect(fake.store.requests).toHaveLength(4);
  });

  it('to servers that send and then restart are retried a limited number of times', async () => {
    let open: Parameters<Handler>[1] | undefined;
    const gives: Handler = (_, response) => {
      open = response;
      response.writeHead(200, { 'content-length': weights.length, etag: '"v1"' });
      response.write(weights.subarray(0, 2_000_000));
    };
    const takes: Handler = (_, response) =>
      response.writeHead(206, { 'content-range': `bytes 7-9/${weights.length}` }).end('abc');
    const fake = await hubWith(Array.from({ length: 20 }, () => [gives, takes]).flat());
    const onProgress = ({ done }: { done: number }) => done === 2_000_000 && open?.destroy();
    await expect(pull(name, { ...options(fake), onProgress, retries: 3 })).rejects.toThrow(/different part|broke/);
    expect(fake.store.requests).toHaveLength(4);
  });

  it('do not wait for hours', async () => {
    const later = new Date(Date.now() + 3_600_000).toUTCString();
    const { url, requests } = await server((_, response) => response.writeHead(429, { 'retry-after': later }).end());
    const failed = pull(name, options(undefined, { HF_ENDPOINT: url }));
    await expect(failed).rejects.toThrow(/responded 429 to .*: too many requests\.$/);
    expect([requests.length, waits]).toEqual([1, []]);
  });

  it('that cannot be made are reported in one sentence', async () => {
    const failed = pull('somebody/flowers', options());
    await expect(failed).rejects.toThrow(UsageError);
    await expect(failed).rejects.toThrow(
      'somebody/flowers cannot be downloaded: 127.0.0.1:9 cannot be reached (connection refused, ECONNREFUSED).',
    );
    expect(waits).toEqual([]);
  });

  it('go through the proxy from the environment, except for NO_PROXY', async () => {
    const proxy = await serveProxy();
    closing.push(proxy.close);
    const fake = await hubWith();
    const host = (url: string) => url.replace('http://', '');
    await pull(name, options(fake, { HTTP_PROXY: proxy.url, NO_PROXY: host(fake.store.url) }));
    expect(new Set(proxy.tunnels)).toEqual(new Set([host(fake.hub.url)]));
    expect(fake.store.requests).toHaveLength(1);
  });

  it('stop when aborted, and resume later', async () => {
    const stalled: Handler = (_, response) => {
      response.writeHead(200, { 'content-length': weights.length, etag: '"store"' });
      response.write(weights.subarray(0, 1_000_000));
    };
    const fake = await hubWith([stalled]);
    const controller = new AbortController();
    const onProgress = ({ done }: { done: number }) => done === 1_000_000 && controller.abort();
    const stopped = pull(name, { ...options(fake), onProgress, signal: controller.signal });
    await expect(stopped).rejects.toThrow('aborted');
    await pull(name, options(fake));
    expect(fake.store.requests.at(-1)!.headers.range).toBe('bytes=1000000-');
    expect(tree(repository())).toEqual(wholeCache());
  });
});

describe('a file that is not the expected one is refused and deleted', () => {
  const refused = async (answer: Handler, message: RegExp) => {
    const fake = await hubWith([answer]);
    const failed = pull(name, options(fake));
    await expect(failed).rejects.toThrow(FormatError);
    await expect(failed).rejects.toThrow(message);
    expect(tree(repository())).toEqual({});
  };

  it('another hash', () =>
    refused((q, a) => send(q, a, weights.toReversed()), /its SHA-256 is [0-9a-f]{64}, but expected/));

  it('another length', () =>
    refused((q, a) => send(q, a, weights.subarray(1)), /with 2999999 bytes, but expected 3000000/));

  it('more bytes than promised, without a length', () =>
    refused((_, response) => {
      response.writeHead(200).write(weights);
      response.end('more');
    }, /sent more than the expected 3000000 bytes of /));

  it('a compressed body that was not requested', () =>
    refused(
      (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
      /with content encoding gzip, which was not requested/,
    ));

  it('more than is allowed', async () => {
    const fake = await hubWith();
    await expect(pull(name, { ...options(fake), limit: 1e6 })).rejects.toThrow(/but the limit is 1000000\./);
  });

  it('a config.json with another hash', async () => {
    const fake = await hubWith();
    const { url } = await server((request, response) => {
      const isConfig = request.url!.endsWith('config.json');
      const linked = { location: fake.store.url, 'x-linked-etag': hash, 'x-linked-size': weights.length };
      const headers = isConfig ? { etag: gitHash(weights) } : linked;
      response.writeHead(isConfig ? 200 : 302, { 'x-repo-commit': commit, ...headers });
      response.end(isConfig ? config : undefined);
    });
    await expect(pull(name, options(fake, { HF_ENDPOINT: url }))).rejects.toThrow(/config\.json .* its git hash is/);
    expect(Object.keys(tree(repository()))).not.toContain(`snapshots/${commit}/config.json`);
  });

  it('a full disk is reported in one sentence', async (test) => {
    if (!existsSync('/dev/full')) test.skip();
    const fake = await hubWith();
    mkdirSync(join(repository(), 'blobs'), { recursive: true });
    symlinkSync('/dev/full', join(repository(), 'blobs', `${hash}.incomplete`));
    await expect(pull(name, options(fake))).rejects.toThrow(
      /^Cannot write ".*incomplete": the disk is full \(ENOSPC\)\.$/,
    );
  });
});

describe('caches', () => {
  it('are the only source when offline', async () => {
    const fake = await hubWith();
    const offline = { ...options(fake), offline: true };
    await expect(pull(name, offline)).rejects.toThrow(`${name} is neither in "${dir}/hf/hub" nor in`);
    await expect(pull('somebody/flowers', offline)).rejects.toThrow('somebody/flowers@main is neither in');
    fillCache();
    expect((await pull(name, offline)).config).toBeDefined();
    expect((await pull(`timm/${name}@main`, options(fake, { HF_HUB_OFFLINE: '1' }))).entry?.name).toBe(name);
    expect(fake.hub.requests).toEqual([]);
  });

  it('are used if the hub cannot be reached', async () => {
    fillCache();
    const { path } = await pull(`${name}@main`, options());
    expect(sha256(readFileSync(path))).toBe(hash);
  });

  it('are used without a config.json if there was none', async () => {
    fillCache();
    rmSync(join(repository(), 'snapshots', commit, 'config.json'));
    for (const revision of ['main', commit]) {
      const { path, config } = await pull(`timm/${name}@${revision}`, options());
      expect([sha256(readFileSync(path)), config]).toEqual([hash, undefined]);
    }
  });

  it('are filled once by two simultaneous pulls', async () => {
    const fake = await hubWith();
    const [first, second] = await Promise.all([pull(name, options(fake)), pull(name, options(fake))]);
    expect(first.path).toBe(second.path);
    expect(fake.store.requests.map(({ method }) => method)).toEqual(['GET']);
    expect(tree(repository())).toEqual(wholeCache());
  });

  it('resume what a process that has ended left behind', async () => {
    const fake = await hubWith();
    mkdirSync(join(repository(), 'blobs'), { recursive: true });
    const partial = join(repository(), 'blobs', `${hash}.incomplete`);
    writeFileSync(partial, weights.subarray(0, 2_000_000));
    writeFileSync(`${partial}.lock`, `${2 ** 30} ${(await import('node:os')).hostname()} gone`);
    await pull(name, options(fake));
    expect(fake.store.requests[0]!.headers.range).toBe('bytes=2000000-');
    expect(tree(repository())).toEqual(wholeCache());
  });
});
