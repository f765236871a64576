/** `resnext bulk run`: processes the shards of a task, or a part of them, in this process. */
import { BulkModel, type Machine } from '../../bulk/network.ts';
import { partOf, wholeTask } from '../../bulk/part.ts';
import type { Plan } from '../../bulk/plan.ts';
import { left, pace, type Rate } from '../../bulk/rate.ts';
import { type Ran, type RunEvent, type RunHooks, type RunOptions, retryDelay, runPart } from '../../bulk/run.ts';
import { type ShardHooks, ShardJobs } from '../../bulk/shard-job.ts';
import { printable } from '../../errors.ts';
import type { OptionsOf } from '../../options.ts';
import { counted, duration } from '../../output/text.ts';
import { planFor } from '../bulk.ts';
import { interruptedCode, onInterrupt } from '../interrupt.ts';
import type { runOptions } from '../options/bulk.ts';
import type { Output } from '../output.ts';

type Options = OptionsOf<typeof runOptions>;

/** Exit code 1 if shards failed. Images that cannot be read are listed with the output shards and are no failure. */
export async function run(
  { shard, attempts, retryUnread, batch, threads, workers, ...task }: Options,
  output: Output,
): Promise<number> {
  const part = shard === undefined ? wholeTask : partOf(shard, process.env);
  const plan = await planFor(task, output);
  const running = { part, attempts, retryUnread, delay: retryDelay };
  const ran = await runAll(plan, { batch, threads, workers }, running, output);
  output.clear();
  output.document({ event: 'end', ...ran }, false);
  output.line(endOf(ran, plan));
  return ran.failed > 0 ? 1 : 0;
}

async function runAll(plan: Plan, machine: Machine, running: RunOptions, output: Output): Promise<Ran> {
  let model: BulkModel | undefined;
  let jobs: ShardJobs | undefined;
  const runShard = async (shard: number, hooks: ShardHooks) => {
    model ??= await BulkModel.open(plan.settings, machine);
    jobs ??= new ShardJobs(plan, model);
    return jobs.run(shard, hooks);
  };
  const ignore = onInterrupt(() => {
    output.clear();
    output.note('Stopped. The same command continues with the shards that are not done.');
    process.exit(interruptedCode);
  });
  try {
    return await runPart(plan, runShard, running, reportingTo(output));
  } finally {
    ignore();
    await model?.dispose();
  }
}

function reportingTo(output: Output): RunHooks {
  return {
    onEvent: (event) => {
      output.document(event.event === 'shard' ? { ...event, unread: event.unread.length } : event, false);
      const warning = warnings(event);
      if (warning !== undefined) output.warn(warning);
      if (event.event === 'plan') output.note(planned(event));
    },
    onProgress: (rate) => output.progress(rate.share, ...progressOf(rate)),
  };
}

const planned = ({ shards, done, images }: Extract<RunEvent, { event: 'plan' }>): string => {
  const of = images === undefined ? '' : ` of ${counted(images, 'image')}`;
  return `${counted(shards, 'shard')}${of}${done > 0 ? `, ${done} of which ${done === 1 ? 'is' : 'are'} done` : ''}.`;
};

const progressOf = (rate: Rate): string[] => [pace(rate.imagesPerSecond), left(rate.secondsLeft)];

function warnings(event: RunEvent): string | undefined {
  if (event.event === 'failed') {
    const tries = event.attempts === 1 ? '' : ` ${event.attempts} times`;
    return `Shard ${event.shard} failed${tries}: ${event.reason}`;
  }
  if (event.event !== 'shard' || event.unread.length === 0) return undefined;
  const { unread, shard } = event;
  return `${counted(unread.length, 'image')} of shard ${shard} cannot be read: ${unread[0]!.error}`;
}

function endOf({ shards, images, unread, failed, seconds }: Ran, { folder }: Plan): string {
  const speed = shards === 0 ? '' : ` in ${duration(seconds)}, ${pace(images / seconds)}`;
  const lost = unread === 0 ? '' : ` ${counted(unread, 'image')} could not be read.`;
  const rest = failed === 0 ? '' : ` ${counted(failed, 'shard')} failed; the same command tries again.`;
  const shown = printable(folder);
  return `Wrote ${counted(shards, 'shard')} of ${counted(images, 'image')} to ${shown}${speed}.${lost}${rest}`;
}
