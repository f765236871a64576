/** `resnext bulk work`: processes shards from a queue until it is told to end. */
import { setTimeout } from 'node:timers/promises';
import { serveMetrics, type WorkerMetrics, workerMetrics } from '../../bulk/metrics.ts';
import type { ShardQueue } from '../../bulk/queue.ts';
import { type WorkerEvent, work } from '../../bulk/worker.ts';
import type { OptionsOf } from '../../options.ts';
import { counted } from '../../output/text.ts';
import { withQueue } from '../bulk.ts';
import { onInterrupt } from '../interrupt.ts';
import type { workOptions } from '../options/bulk.ts';
import type { Output } from '../output.ts';

type Options = OptionsOf<typeof workOptions>;

/** SIGTERM and Ctrl-C end the worker after the shard in progress, a second one at once. */
export async function run(options: Options, output: Output): Promise<number> {
  const { queue: url, queueName: name, batch, threads, workers, untilDone } = options;
  return withQueue(options, output, async (queue) => {
    const metrics = await workerMetrics(() => queue.counts());
    const served = await serving(metrics, options, output);
    const worker = await work({ url, name }, { batch, threads, workers }, reportingTo(output, metrics));
    try {
      await ended(untilDone ? queue : undefined);
      output.note('Ending after the shard in progress.');
    } finally {
      await worker.close();
      served?.close();
    }
    return 0;
  });
}

async function serving(metrics: WorkerMetrics, { metricsPort: port, metricsHost: host }: Options, output: Output) {
  if (port === undefined) return undefined;
  const served = await serveMetrics(metrics, { host, port });
  output.document({ event: 'metrics', url: served.url }, false);
  output.note(`Metrics: ${served.url}`);
  return served;
}

const checkEvery = 1000;

/** Waits for a signal, or until a queue holds nothing more to do. */
async function ended(queue: ShardQueue | undefined): Promise<void> {
  let isTold = false;
  const off = onInterrupt(() => {
    isTold = true;
    off(); // a second signal ends the process at once
  });
  while (!isTold) {
    await setTimeout(checkEvery);
    const counts = queue && (await queue.counts().catch(() => undefined)); // Redis may be gone for a while
    if (counts && counts.waiting + counts.active + counts.retrying === 0) break;
  }
  off();
}

function reportingTo(output: Output, metrics: WorkerMetrics): (event: WorkerEvent) => void {
  let trouble = '';
  return (event) => {
    output.document(event, false);
    if (event.event === 'trouble' && event.reason === trouble) return; // once, while Redis is gone
    trouble = event.event === 'trouble' ? event.reason : '';
    count(event, metrics);
    const line = lineOf(event);
    if (warned.has(event.event)) output.warn(line);
    else output.line(line);
  };
}

function count(event: WorkerEvent, metrics: WorkerMetrics): void {
  if (event.event === 'failed') metrics.shard('failed', 0);
  if (event.event !== 'shard') return;
  const { isRepeated, images, unread, seconds } = event;
  metrics.shard(isRepeated ? 'repeated' : 'done', seconds);
  if (!isRepeated) metrics.images(images - unread, unread);
}

/** What people have to know even if they read JSON. */
const warned: ReadonlySet<WorkerEvent['event']> = new Set(['failed', 'stalled', 'trouble']);

function lineOf(event: WorkerEvent): string {
  switch (event.event) {
    case 'ready':
      return `Waiting for shards in the queue "${event.queue}".`;
    case 'started':
      return `${event.out} ${event.shard}: started`;
    case 'shard': {
      const { out, shard, images, unread, seconds, isRepeated } = event;
      const lost = unread === 0 ? '' : `, ${unread} of which cannot be read`;
      return `${out} ${shard}: ${counted(images, 'image')}${lost}${isRepeated ? ', done before' : ` in ${seconds.toFixed(1)} s`}`;
    }
    case 'failed':
      return `${event.out} ${event.shard} failed${event.isFinal ? '' : ' and is tried again'}: ${event.reason}`;
    case 'stalled':
      return `The worker of shard ${event.job} does not answer, so another takes it.`;
    case 'trouble':
      return `The queue has trouble: ${event.reason}`;
  }
}
