/**
 * One shard of a bulk task: reads its images, runs the model, and writes the output shard. The names of its files follow
 * from the task and the number of the shard, each is written whole or not at all, and `NAME.json` comes last; so a shard
 * is done when that file is there, and doing it again, even by two processes at once, does no harm.
 */
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import * as z from 'zod';
import { isUrl } from '../data/fetch.ts';
import type { NamedImage } from '../data/image-source.ts';
import { type LabeledImage, nameOf } from '../data/samples.ts';
import { type PackedImages, packedImages } from '../datasets/packed-images.ts';
import { FormatError } from '../errors.ts';
import { makeFolder, type StagedFile, stageFile, writeFileAtomically } from '../files.ts';
import { contentsOf } from './contents.ts';
import type { BulkModel } from './network.ts';
import type { Plan, Shard } from './plan.ts';
import type { Settings } from './settings.ts';

/** Where output shards are, in the folder of a task. */
export const shardFolder = 'shards';

/** What is known of an output shard, as in its `NAME.json`. */
const summarySchema = z.object({
  /** The plan's. */
  plan: z.string(),
  shard: z.string(),
  /** Number of images, read or not. */
  images: z.int(),
  unread: z.array(z.object({ image: z.string(), error: z.string() })),
  /** How long it took. */
  seconds: z.number(),
  ended: z.string(),
  machine: z.string(),
});

export type ShardSummary = z.infer<typeof summarySchema>;

/** The start of the paths of an output shard's files. */
export const stemOf = (plan: Plan, shard: number): string => join(plan.folder, shardFolder, plan.name(shard));

/** The summary of an output shard; undefined if the shard is not done. */
export function summaryOf(plan: Plan, shard: number): ShardSummary | undefined {
  const path = `${stemOf(plan, shard)}.json`;
  if (!existsSync(path)) return undefined;
  try {
    const { data } = summarySchema.safeParse(JSON.parse(readFileSync(path, 'utf8')));
    return data?.plan === plan.id ? data : undefined;
  } catch {
    return undefined;
  }
}

/** Which shards are left to do. */
export function* remaining(plan: Plan, { retryUnread = false } = {}): Generator<number, void, undefined> {
  for (let shard = 0; shard < plan.shards; shard++) {
    const summary = summaryOf(plan, shard);
    if (!summary || (retryUnread && summary.unread.length > 0)) yield shard;
  }
}

export interface ShardHooks {
  /** Called for each image. */
  readonly onImage?: (done: number, total: number) => void;
}

/** Processes a shard. */
export class ShardJobs {
  readonly #plan: Plan;
  readonly #model: BulkModel;
  /** The larger file that was read last, since neighboring shards are often in the same one. */
  #packed: { readonly file: string; readonly images: PackedImages } | undefined;

  constructor(plan: Plan, model: BulkModel) {
    this.#plan = plan;
    this.#model = model;
  }

  /** @throws FormatError if a file with many images is damaged, UsageError if files cannot be read or written. */
  async run(shard: number, { onImage = () => {} }: ShardHooks = {}): Promise<ShardSummary> {
    const start = performance.now();
    const { id, settings } = this.#plan;
    const images = await this.#imagesOf(this.#plan.shard(shard), settings);
    const contents = contentsOf[settings.task](settings, this.#model.description);
    const unread: ShardSummary['unread'] = [];
    let done = 0;
    for await (const outcome of this.#model.run(images)) {
      const name = nameOf(images[done++]!);
      contents.add(name, outcome);
      if ('error' in outcome) unread.push({ image: name, error: outcome.error.message });
      onImage(done, images.length);
    }
    const stem = stemOf(this.#plan, shard);
    await makeFolder(join(this.#plan.folder, shardFolder));
    await writeTogether(await contents.files(stem));
    const summary: ShardSummary = {
      plan: id,
      shard: this.#plan.name(shard),
      images: images.length,
      unread,
      seconds: Math.round(performance.now() - start) / 1000,
      ended: new Date().toISOString(),
      machine: hostname(),
    };
    await writeFileAtomically(`${stem}.json`, `${JSON.stringify(summary, null, 2)}\n`);
    return summary;
  }

  async #imagesOf(shard: Shard, settings: Settings): Promise<readonly (NamedImage | LabeledImage)[]> {
    const { folder, imageColumn } = settings;
    const absolute = (path: string) => (isUrl(path) || isAbsolute(path) ? path : resolve(folder, path));
    if ('files' in shard) return shard.files.map((name) => ({ name, image: absolute(name) }));
    const { packed, file, from } = shard;
    if (this.#packed?.file !== file) {
      this.#packed = { file, images: await packedImages(packed, absolute(file), file, imageColumn) };
    }
    const { images } = this.#packed;
    const count = shard.count ?? images.length;
    if (from + count <= images.length) return Array.from({ length: count }, (_, i) => images.at(from + i));
    throw new FormatError(
      `${file} has ${images.length} images, but expected ${from + count} or more, as when the task was planned. Put the same file there.`,
    );
  }
}

/** Stages all files before the first is put in its place. */
async function writeTogether(files: readonly (readonly [string, Iterable<Uint8Array>])[]): Promise<void> {
  const staged: StagedFile[] = [];
  try {
    for (const [path, contents] of files) staged.push(await stageFile(path, contents));
  } catch (error) {
    for (const each of staged) await each.discard();
    throw error;
  }
  for (const each of staged) await each.commit();
}
