/** `resnext bulk status`: what a queue holds. Exit code 1 if shards failed. */

import type { QueueStatus } from '../../bulk/queue.ts';
import { left, pace } from '../../bulk/rate.ts';
import type { OptionsOf } from '../../options.ts';
import { table } from '../../output/text.ts';
import { withQueue } from '../bulk.ts';
import type { statusOptions } from '../options/bulk.ts';
import type { Output } from '../output.ts';

export async function run(options: OptionsOf<typeof statusOptions>, output: Output): Promise<number> {
  const status = await withQueue(options, output, (queue) => queue.status());
  output.document(status);
  for (const line of linesOf(status, output.width)) output.line(line);
  return status.failed > 0 ? 1 : 0;
}

function* linesOf(status: QueueStatus, width: number): Generator<string> {
  const { waiting, active, retrying, done, failed, imagesPerSecond, secondsLeft, running, dead } = status;
  const counts = [
    ['shards', 'waiting', 'active', 'retrying', 'done', 'failed'],
    ['', waiting, active, retrying, done, failed],
  ];
  yield table(counts);
  if (imagesPerSecond !== undefined && secondsLeft !== undefined && waiting + active + retrying > 0) {
    yield `${pace(imagesPerSecond)}, ${left(secondsLeft)}`;
  }
  if (running.length > 0) {
    const rows = running.map(({ out, shard, done: images = 0, total }) => [
      out,
      shard,
      total === undefined ? 'started' : `${images} of ${total} images`,
    ]);
    yield `\n${table([['active', 'shard', 'progress'], ...rows], width)}`;
  }
  if (dead.length === 0) return;
  const rows = dead.map(({ out, shard, attempts, reason }) => [out, shard, attempts, reason]);
  yield `\n${table([['failed', 'shard', 'attempts', 'reason'], ...rows], width)}`;
  if (failed > dead.length) yield `and ${failed - dead.length} more`;
}
