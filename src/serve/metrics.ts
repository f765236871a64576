/** What a server counts and measures, for Prometheus. Names and units follow its guide: base units, `_total` for counters. */
import type { Registry } from 'prom-client';
import { type BatchReport, tasks } from '../batcher/options.ts';

/** A request that was answered. */
export interface AnsweredRequest {
  /** The pattern of its address, so that there are few. */
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly seconds: number;
}

export interface Metrics {
  request(answered: AnsweredRequest): void;
  batch(model: string, version: number, report: BatchReport): void;
  /** Leaves out a version of a model that has ended, so that there are never many. */
  forget(model: string, version: number): void;
  readonly contentType: string;
  text(): Promise<string>;
}

/** What is read when the metrics are asked for. */
export interface Gauges {
  /** Images that wait or run, by model. */
  waiting(): ReadonlyMap<string, number>;
  /** Bytes of the bodies of requests in progress. */
  bodyBytes(): number;
}

const requestSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const batchSizes = [1, 2, 4, 8, 16, 32, 64, 128];

/** Metrics of one server, with a registry of its own. */
export async function createMetrics(gauges: Gauges): Promise<Metrics> {
  const { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } = await import('prom-client');
  const registry: Registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: 'resnext_requests_total',
    help: 'Requests that were answered',
    labelNames: ['route', 'method', 'status'] as const,
    registers,
  });
  const seconds = new Histogram({
    name: 'resnext_request_duration_seconds',
    help: 'Time from a request to its answer',
    labelNames: ['route'] as const,
    buckets: requestSeconds,
    registers,
  });
  const ofModel = ['model', 'version', 'task'] as const;
  const images = new Counter({
    name: 'resnext_images_total',
    help: 'Images that a network has run',
    labelNames: ofModel,
    registers,
  });
  const batches = new Counter({
    name: 'resnext_batches_total',
    help: 'Batches that a network has run',
    labelNames: ofModel,
    registers,
  });
  const sizes = new Histogram({
    name: 'resnext_batch_images',
    help: 'Images in a batch',
    labelNames: ofModel,
    buckets: batchSizes,
    registers,
  });
  const compute = new Histogram({
    name: 'resnext_compute_duration_seconds',
    help: 'Time that a network takes for a batch',
    labelNames: ofModel,
    buckets: requestSeconds,
    registers,
  });
  const gather = new Histogram({
    name: 'resnext_gather_duration_seconds',
    help: 'Time that the first image of a batch waits for it, after it was prepared',
    labelNames: ofModel,
    buckets: requestSeconds,
    registers,
  });
  new Gauge({
    name: 'resnext_queue_images',
    help: 'Images that are accepted and not answered',
    labelNames: ['model'] as const,
    registers,
    collect() {
      this.reset();
      for (const [model, waiting] of gauges.waiting()) this.set({ model }, waiting);
    },
  });
  new Gauge({
    name: 'resnext_body_bytes',
    help: 'Bytes of the bodies of requests in progress',
    registers,
    collect() {
      this.set(gauges.bodyBytes());
    },
  });
  return {
    request({ route, method, status, seconds: took }) {
      requests.inc({ route, method, status });
      seconds.observe({ route }, took);
    },
    batch(model, version, { task, images: count, waited, took }) {
      const labels = { model, version, task };
      images.inc(labels, count);
      batches.inc(labels);
      sizes.observe(labels, count);
      compute.observe(labels, took / 1000);
      gather.observe(labels, waited / 1000);
    },
    forget(model, version) {
      for (const metric of [images, batches, sizes, compute, gather]) {
        for (const task of tasks) metric.remove({ model, version, task });
      }
    },
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}
