/** `resnext bulk cancel`: removes shards from a queue. Those in progress are finished, and results stay where they are. */
import type { OptionsOf } from '../../options.ts';
import { counted } from '../../output/text.ts';
import { withQueue } from '../bulk.ts';
import type { cancelOptions } from '../options/bulk.ts';
import type { Output } from '../output.ts';

export async function run(options: OptionsOf<typeof cancelOptions>, output: Output): Promise<number> {
  const shards = await withQueue(options, output, (queue) => queue.cancel(options.out));
  output.document({ shards });
  output.line(`Removed ${counted(shards, 'shard')} that ${shards === 1 ? 'was' : 'were'} not done.`);
  return 0;
}
