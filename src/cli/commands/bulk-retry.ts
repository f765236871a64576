/** `resnext bulk retry`: lets the shards that failed be tried again. */
import type { OptionsOf } from '../../options.ts';
import { counted } from '../../output/text.ts';
import { withQueue } from '../bulk.ts';
import type { retryOptions } from '../options/bulk.ts';
import type { Output } from '../output.ts';

export async function run(options: OptionsOf<typeof retryOptions>, output: Output): Promise<number> {
  const shards = await withQueue(options, output, (queue) => queue.retry(options.out));
  output.document({ shards });
  output.line(`${counted(shards, 'shard')} that failed ${shards === 1 ? 'waits' : 'wait'} to be tried again.`);
  return 0;
}
