/** What the commands of `resnext bulk` share. */
import { checkModel } from '../bulk/network.ts';
import { Plan } from '../bulk/plan.ts';
import { settingsFor } from '../bulk/prepare.ts';
import { ShardQueue } from '../bulk/queue.ts';
import type { Stage } from '../model/stages.ts';
import { labelsIn } from './model.ts';
import type { TaskOptions } from './options/bulk.ts';
import type { Output } from './output.ts';

/** The plan of the task that was typed: a new one, or the one of the same task that is in its folder. */
export async function planFor({ out, labels, stages, ...options }: TaskOptions, output: Output): Promise<Plan> {
  const { sources, task, model, key, size, resize, interpolation } = options;
  const { imageColumn, maxMegapixels, shardSize, top, threshold, format } = options;
  const settings = await settingsFor({
    task,
    sources: [...sources],
    imageColumn,
    shardSize,
    model,
    key,
    size,
    resize,
    interpolation,
    labels: labels === undefined ? undefined : labelsIn(labels),
    maxMegapixels,
    stages: [...new Set(stages)] as Stage[],
    format,
    top,
    threshold,
  });
  for (const note of await checkModel(settings)) output.note(note);
  const notes: string[] = [];
  const plan = await Plan.for(out, settings, notes);
  for (const note of notes) output.warn(note);
  return plan;
}

/** Opens a queue, closes it after use, and says what it may lose. */
export async function withQueue<T>(
  { queue: url, queueName: name }: { readonly queue: string; readonly queueName: string },
  output: Output,
  use: (queue: ShardQueue) => Promise<T>,
): Promise<T> {
  const queue = await ShardQueue.open({ url, name });
  for (const note of queue.notes) output.warn(note);
  try {
    return await use(queue);
  } finally {
    await queue.close();
  }
}
