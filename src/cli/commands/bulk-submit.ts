/** `resnext bulk submit`: puts the shards of a task in a queue. */
import type { OptionsOf } from '../../options.ts';
import { counted } from '../../output/text.ts';
import { planFor, withQueue } from '../bulk.ts';
import type { submitOptions } from '../options/bulk.ts';
import type { Output } from '../output.ts';

export async function run(options: OptionsOf<typeof submitOptions>, output: Output): Promise<number> {
  const { queue: url, queueName, attempts, retryUnread, ...task } = options;
  return withQueue({ queue: url, queueName }, output, async (queue) => {
    const plan = await planFor(task, output);
    const onSubmitted = (count: number) => output.progress(count / plan.shards, `${count} of ${plan.shards} shards`);
    const submitted = await queue.submit(plan, { attempts, retryUnread }, onSubmitted);
    output.clear();
    const done = plan.shards - submitted;
    output.document({ event: 'submitted', shards: submitted, done, images: plan.images }, false);
    const before = done > 0 ? ` ${done} of ${plan.shards} were done before.` : '';
    output.line(`Submitted ${counted(submitted, 'shard')}.${before}`);
    return 0;
  });
}
