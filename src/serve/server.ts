/** Serves models over HTTP. */
import { isIP } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkArgument, checkOptions, kind } from '../arguments.ts';
import { modelName } from '../classifier/load.ts';
import { WorkerPool } from '../data/pool.ts';
import { UsageError } from '../errors.ts';
import { type OptionsOf, resolve } from '../options.ts';
import { type SavedModel, savedModelKind } from '../saved/model.ts';
import { aliasRoutes } from './aliases.ts';
import { createApp } from './app.ts';
import { BodyMemory } from './body.ts';
import { Keys } from './keys.ts';
import type { Limits } from './limits.ts';
import { createMetrics } from './metrics.ts';
import { type ModelGiven, Models } from './models.ts';
import { operationRoutes } from './operations.ts';
import { type LogEntry, type ServeOptions, serveFields } from './options.ts';
import { Painter } from './painter.ts';
import { Problem } from './problem.ts';
import type { Context } from './route.ts';
import { v1Routes } from './v1.ts';
import { v2Routes } from './v2.ts';

/** A running server. */
export interface Server {
  /** Where it listens, such as `http://127.0.0.1:8080`. */
  readonly url: string;
  readonly port: number;
  /** Sentences for the one who runs it: on the address, and on how models were read. */
  readonly notes: readonly string[];
  /** The names of its models. The first is the default. */
  readonly models: readonly string[];
  /**
   * Adds a model, or replaces the one of this name without losing a request: the old one answers what it has accepted. If the
   * new one cannot be opened, the old one stays.
   *
   * @param model as in `ServeOptions`. Default: what the name had, read again.
   * @throws as `createBatcher`; UsageError if the name has no model and none is given.
   */
  load(name: string, model?: string | URL | SavedModel): Promise<void>;
  /**
   * Removes a model, which answers what it has accepted.
   *
   * @throws UsageError if there is none of this name, or no other.
   */
  unload(name: string): Promise<void>;
  /** Ends: requests in progress are answered, new ones are refused. Resolves when everything is closed. */
  close(): Promise<void>;
}

/** Bodies of all requests may take this many times the largest one. */
const bodiesAtOnce = 8;

const given = kind(`${modelName.expected}, or a model in memory`, (value) => {
  return modelName.accepts(value) || savedModelKind.accepts(value);
});

const servedName = kind('a name of letters, digits, ".", "_" and "-"', (value) => {
  return typeof value === 'string' && /^[\w.-]{1,100}$/.test(value);
});

/**
 * Serves models to many clients over HTTP. Their images are gathered into batches; see `createBatcher`. The documentation of
 * the server is at `/docs`.
 *
 * @throws UsageError if a model cannot be opened, or the port is in use; FormatError if a file is not a model.
 * @example
 * const server = await serve({ models: { flowers: 'runs/flowers' }, port: 8080 });
 * process.once('SIGTERM', () => server.close());
 */
export async function serve(options: ServeOptions = {}): Promise<Server> {
  checkOptions(serveFields, options);
  const resolved = resolve(serveFields, options);
  const { models: sources = { cifar10: 'cifar10' } } = options;
  for (const [name, source] of Object.entries(sources)) checkModel(name, source);
  const parts = await openParts(resolved, options.onLog);
  const { models, pool } = parts;
  const starting = pool.start(); // so that the first request does not wait for it
  starting.catch(() => {}); // awaited below
  try {
    const notes = [...addressNotes(resolved)];
    for (const [name, source] of Object.entries(sources)) {
      const { batcher } = await models.load(name, source);
      notes.push(...batcher.notes.map((note) => `${name}: ${note}`));
    }
    await starting;
    return await listen(parts, resolved, notes);
  } catch (error) {
    await models.close();
    await pool.close();
    throw error;
  }
}

function checkModel(name: string, source: unknown): void {
  checkArgument('The name of a model', name, servedName);
  checkArgument(`models.${name}`, source, given);
}

type Resolved = OptionsOf<typeof serveFields>;

interface Parts {
  readonly models: Models;
  readonly pool: WorkerPool;
  readonly painter: Painter;
  readonly context: Context;
  readonly state: { isEnding: boolean };
  log(level: LogEntry['level'], event: string, details: object): void;
}

async function openParts(options: Resolved, onLog: ServeOptions['onLog']): Promise<Parts> {
  const { maxBatch, maxWait, maxQueue, maxMegapixels, threads, workers } = options;
  const pool = new WorkerPool({ workers, maxMegapixels });
  const memory = new BodyMemory(bodiesAtOnce * options.maxBody * 2 ** 20);
  const metrics = await createMetrics({
    waiting: () => new Map(models.all.map(({ name, batcher }) => [name, batcher.waiting])),
    bodyBytes: () => memory.taken,
  });
  const models = new Models({
    batcher: (name, version) => ({
      pool,
      maxBatch,
      maxWait,
      maxQueue,
      ...(threads !== undefined && { threads }),
      onBatch: (report) => metrics.batch(name, version, report),
    }),
    onEnd: ({ name, version }) => metrics.forget(name, version),
  });
  const painter = new Painter();
  const state = { isEnding: false };
  const limits: Limits = {
    maxImages: Math.min(options.maxImages, maxQueue),
    maxBytes: options.maxBody * 2 ** 20,
    maxMegapixels,
    bodySeconds: options.bodyTimeout,
    seconds: options.timeout,
    hosts: options.allowHosts,
  };
  return {
    models,
    pool,
    painter,
    state,
    context: { models, metrics, memory, limits, draw: (job) => painter.draw(job), isReady: () => !state.isEnding },
    log: (level, event, details) => onLog?.({ time: new Date().toISOString(), level, event, ...details }),
  };
}

async function listen(parts: Parts, options: Resolved, notes: readonly string[]): Promise<Server> {
  const { models, pool, painter, context, state, log } = parts;
  const { host, port, rate, trustProxy, drain } = options;
  const routes = [...v1Routes, ...v2Routes, ...aliasRoutes, ...operationRoutes];
  const app = await createApp({ context, routes, keys: new Keys(options.keys), rate, trustProxy, log });
  await app.listen({ host, port }).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(
      `Cannot listen at ${host}, port ${port}: ${listenReasons[error.code ?? ''] ?? error.message}.`,
    );
  });
  const address = app.server.address();
  const taken = typeof address === 'object' && address ? address.port : port;
  const url = `http://${isIP(host) === 6 ? `[${host}]` : host}:${taken}`;
  log('info', 'listening', { url, models: models.all.map(({ name }) => name) });
  const close = async () => {
    state.isEnding = true;
    log('info', 'ending', { waiting: models.all.reduce((sum, { batcher }) => sum + batcher.waiting, 0) });
    await sleep(1000 * drain);
    await app.close();
    await models.close();
    await pool.close();
    await painter.close();
    log('info', 'ended', {});
  };
  let end: Promise<void> | undefined;
  return {
    url,
    port: taken,
    notes,
    get models() {
      return models.all.map(({ name }) => name);
    },
    load: async (name, model) => {
      const source = model ?? models.all.find((each) => each.name === name)?.source;
      checkModel(name, source);
      const { version } = await models.load(name, source as ModelGiven);
      log('info', 'loaded', { model: name, version });
    },
    unload: async (name) => {
      if (models.all.length < 2) throw new UsageError('The last model cannot be unloaded. Close the server instead.');
      await refusingProblems(() => models.unload(name));
      log('info', 'unloaded', { model: name });
    },
    close: () => {
      end ??= close();
      return end;
    },
  };
}

const listenReasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use. Choose another one, or 0 for a free one',
  EACCES: 'ports below 1024 are reserved. Choose another one',
  EADDRNOTAVAIL: 'this machine does not have that address',
  ENOTFOUND: 'there is no such address',
};

/** Answers to requests as errors of a program. */
async function refusingProblems<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw error instanceof Problem ? new UsageError(error.message) : error;
  }
}

/** Whether an address is of this machine only. */
const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127\./.test(host);

function* addressNotes({ host, keys }: Resolved): Generator<string> {
  if (isLoopback(host) || keys.length > 0) return;
  yield `The server is open to everybody who can reach ${host}. Give it keys, or let it listen at 127.0.0.1.`;
}
