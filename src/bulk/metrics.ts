/** What a worker counts and measures, for Prometheus. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { UsageError } from '../errors.ts';
import { reasonOf } from '../files.ts';
import type { QueueCounts } from './queue.ts';

/** What became of a job. */
const outcomes = ['done', 'repeated', 'failed'] as const;
type ShardOutcome = (typeof outcomes)[number];

export interface WorkerMetrics {
  shard(outcome: ShardOutcome, seconds: number): void;
  images(read: number, unread: number): void;
  text(): Promise<string>;
  readonly contentType: string;
}

const seconds = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800];

/** @param status of the queue, which is asked for with the metrics. */
export async function workerMetrics(status: () => Promise<QueueCounts>): Promise<WorkerMetrics> {
  const { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } = await import('prom-client');
  const registry: Registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const shards = new Counter({
    name: 'resnext_bulk_shards_total',
    help: 'Shards that this worker has ended: done, done before by another worker, or failed',
    labelNames: ['outcome'] as const,
    registers,
  });
  const images = new Counter({
    name: 'resnext_bulk_images_total',
    help: 'Images of the shards that this worker has done',
    labelNames: ['outcome'] as const,
    registers,
  });
  const durations = new Histogram({
    name: 'resnext_bulk_shard_duration_seconds',
    help: 'Time that a shard takes',
    buckets: seconds,
    registers,
  });
  new Gauge({
    name: 'resnext_bulk_queue_shards',
    help: 'Shards in the queue',
    labelNames: ['state'] as const,
    registers,
    async collect() {
      for (const [state, count] of Object.entries(await status())) this.set({ state }, count);
    },
  });
  for (const outcome of outcomes) shards.inc({ outcome }, 0);
  for (const outcome of ['read', 'unread']) images.inc({ outcome }, 0);
  return {
    shard(outcome, took) {
      shards.inc({ outcome });
      if (outcome === 'done') durations.observe(took);
    },
    images(read, unread) {
      images.inc({ outcome: 'read' }, read);
      images.inc({ outcome: 'unread' }, unread);
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}

/** Answers `GET /metrics`, and `GET /healthz` while the process lives. Returns the server and its address. */
export async function serveMetrics(
  metrics: WorkerMetrics,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<{ readonly url: string; close(): void }> {
  const server: Server = createServer(async (request, response) => {
    const [path] = (request.url ?? '').split('?');
    if (path === '/healthz') return void response.end('ok\n');
    if (path !== '/metrics') return void response.writeHead(404).end('Expected /metrics or /healthz.\n');
    const text = await metrics.text().catch(() => undefined);
    if (text === undefined) return void response.writeHead(503).end('The queue cannot be reached.\n');
    response.writeHead(200, { 'content-type': metrics.contentType }).end(text);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(new UsageError(`Cannot listen at ${host}:${port}: ${reasonOf(error)}. Choose another --metrics-port.`));
    });
    server.listen(port, host, resolve);
  });
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${(server.address() as AddressInfo).port}/metrics`;
  return { url, close: () => void server.close().closeAllConnections() };
}
