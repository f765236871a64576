/** `resnext bulk merge`: joins the output shards of a task to one file. */
import { merge } from '../../bulk/merge.ts';
import { Plan } from '../../bulk/plan.ts';
import { printable, UsageError } from '../../errors.ts';
import type { OptionsOf } from '../../options.ts';
import { counted } from '../../output/text.ts';
import type { mergeOptions } from '../options/bulk.ts';
import type { Output } from '../output.ts';

export async function run({ dir, output: file }: OptionsOf<typeof mergeOptions>, output: Output): Promise<number> {
  const plan = Plan.in(dir);
  if (!plan) throw new UsageError(`"${dir}" has no results of resnext bulk. Name the folder that was given to --out.`);
  const onShard = (done: number) => output.progress(done / plan.shards, `${done} of ${counted(plan.shards, 'shard')}`);
  const { files, images, unread, notes } = await merge(plan, file, onShard);
  output.clear();
  for (const note of notes) output.warn(note);
  output.document({ files, images, unread });
  const lost = unread === 0 ? '' : `, ${unread} of which could not be read`;
  output.line(`Wrote ${printable(files.join(', '))}: ${counted(images, 'image')}${lost}.`);
  return 0;
}
