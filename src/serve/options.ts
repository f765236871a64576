/** The options of a server. */
import type { FieldsOf } from '../arguments.ts';
import { callback, isRecord, object } from '../arguments.ts';
import { gatherFields } from '../batcher/options.ts';
import { maxMegapixels } from '../data/budget.ts';
import { workers } from '../data/workers.ts';
import { flag, list, real, text, threads, whole } from '../options.ts';
import type { SavedModel } from '../saved/model.ts';

/** A line of the log: a request that was answered, or something else that happened. Never the content of an image. */
export interface LogEntry {
  readonly time: string;
  readonly level: 'info' | 'warn' | 'error';
  readonly event: string;
  readonly [detail: string]: unknown;
}

/** How models are served. */
export interface ServeOptions {
  /** The models by the names that requests use: each as for `load`, or in memory. The first is the default. */
  readonly models?: Readonly<Record<string, string | URL | SavedModel>>;
  /** The address to listen at. Default: 127.0.0.1, which only this machine can reach. */
  readonly host?: string;
  /** The port to listen at; 0 takes a free one. Default: 8080. */
  readonly port?: number;
  /** Maximum number of images that run at a time. Default: 8. */
  readonly maxBatch?: number;
  /** Milliseconds to wait for further images before an incomplete batch runs. Default: 5. */
  readonly maxWait?: number;
  /** Maximum number of images of a model that wait or run. Further requests are answered with 429. Default: 256. */
  readonly maxQueue?: number;
  /** Maximum number of images in a request. Default: 64. */
  readonly maxImages?: number;
  /** MiB of the largest request. The bodies of all may take eight times as much memory, or they are answered with 429. Default: 32. */
  readonly maxBody?: number;
  /** Megapixels of the largest image, and of all images that are decoded at once. Default: 50. */
  readonly maxMegapixels?: number;
  /** Seconds in which an accepted request is answered, or else with 504. Default: 30. */
  readonly timeout?: number;
  /** Seconds that a client may take to send a request. Default: 20. */
  readonly bodyTimeout?: number;
  /** Keys, one of which a request must have. Default: none, so that anybody may ask. */
  readonly keys?: readonly string[];
  /** Requests per minute of a key, or without keys of an address. Default: 0, which is no limit. */
  readonly rate?: number;
  /** Hosts from which a request may have images fetched: `images.example.org`, or `*.example.org`. Default: none. */
  readonly allowHosts?: readonly string[];
  /** Whether a reverse proxy sets `X-Forwarded-For`, so that addresses are those of its clients. Default: false. */
  readonly trustProxy?: boolean;
  /** Seconds for which requests are still accepted while `/readyz` says that the server is about to end. Default: 0. */
  readonly drain?: number;
  /** Threads of a network. Default: all cores. */
  readonly threads?: number;
  /** Threads that decode images. Default: one per core, at most 8. */
  readonly workers?: number;
  /** Called with each line of the log. */
  readonly onLog?: (entry: LogEntry) => void;
}

/** `ServeOptions` with their checks, and with flags those of the command line. */
export const serveFields = {
  models: object('an object from names to models', (value) => isRecord(value) && Object.keys(value).length > 0),
  host: text({
    default: '127.0.0.1',
    expected: 'an address',
    flag: '--host <address>',
    group: 'Network',
    doc: 'address to listen at; 0.0.0.0 is all of this machine',
  }),
  port: whole({
    from: 0,
    to: 65535,
    default: 8080,
    flag: '--port <n>',
    group: 'Network',
    doc: 'port to listen at; 0 takes a free one',
  }),
  maxBatch: gatherFields.maxBatch,
  maxWait: gatherFields.maxWait,
  maxQueue: gatherFields.maxQueue,
  maxImages: whole({
    from: 1,
    default: 64,
    flag: '--max-images <n>',
    group: 'Limits',
    doc: 'images in a request',
  }),
  maxBody: real({
    above: 0,
    to: 1024,
    default: 32,
    flag: '--max-body <MiB>',
    group: 'Limits',
    doc: 'MiB of the largest request; eight times as much may be in memory at once',
  }),
  maxMegapixels: { ...maxMegapixels, default: 50, group: 'Limits' },
  timeout: real({
    above: 0,
    to: 3600,
    default: 30,
    flag: '--timeout <s>',
    group: 'Limits',
    doc: 'seconds in which an accepted request is answered, or else with 504',
  }),
  bodyTimeout: real({
    above: 0,
    to: 3600,
    default: 20,
    flag: '--body-timeout <s>',
    group: 'Limits',
    doc: 'seconds that a client may take to send a request',
  }),
  keys: list(text({ expected: 'a key', doc: 'a key' }), { default: [], doc: 'keys, one of which a request must have' }),
  rate: whole({
    from: 0,
    default: 0,
    usual: 'no limit',
    flag: '--rate <n>',
    group: 'Limits',
    doc: 'requests per minute of a key, or without keys of an address',
  }),
  allowHosts: list(text({ expected: 'a host', doc: 'a host' }), {
    default: [],
    usual: 'none',
    flag: '--allow-hosts <hosts>',
    group: 'Network',
    doc: 'hosts from which images may be fetched, such as images.example.org,*.example.net',
  }),
  trustProxy: flag({
    default: false,
    flag: '--trust-proxy',
    group: 'Network',
    doc: 'take the addresses of clients from the header X-Forwarded-For of a reverse proxy',
  }),
  drain: real({
    from: 0,
    to: 3600,
    default: 0,
    flag: '--drain <s>',
    group: 'Network',
    doc: 'seconds to accept requests after SIGTERM, while /readyz says that the server ends',
  }),
  threads,
  workers,
  onLog: callback('called with each line of the log'),
} satisfies FieldsOf<ServeOptions>;
