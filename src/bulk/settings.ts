/** What determines the results of a bulk task, and how its model is opened. Options of the machine are not part of it. */
import * as z from 'zod';
import type { ClassifierOptions } from '../classifier/open.ts';
import type { Preprocessing } from '../data/presets.ts';
import { interpolations } from '../data/resize.ts';
import type { Stage } from '../model/stages.ts';

export const tasks = ['classify', 'features'] as const;

/** The formats of features. Classes are in JSON lines. */
export const formats = ['npy', 'parquet', 'jsonl'] as const;

/** Values are compared with those of a task that continues, each by its name for people. */
export const settingsSchema = z.object({
  /** Of this package. */
  version: z.string(),
  task: z.enum(tasks),
  /** As they were typed. */
  sources: z.array(z.string()),
  /** The folder that relative paths start from. */
  folder: z.string(),
  imageColumn: z.string().optional(),
  /** Images in a shard. */
  shardSize: z.int().min(1),
  /** A name, or an absolute path. */
  model: z.string(),
  /** SHA-256 of the model's file. */
  weights: z.string(),
  key: z.string().optional(),
  size: z.int().optional(),
  resize: z.int().optional(),
  interpolation: z.enum(interpolations).optional(),
  labels: z.array(z.string()).optional(),
  maxMegapixels: z.number(),
  /** Of features. */
  stages: z.array(z.custom<Stage>((value) => typeof value === 'string')),
  format: z.enum(formats),
  /** Of classes. */
  top: z.int(),
  threshold: z.number(),
});

export type Settings = z.infer<typeof settingsSchema>;

/** The stages of the network that the task needs. */
export const stagesOf = ({ task, stages }: Settings): readonly Stage[] => (task === 'classify' ? ['logits'] : stages);

/** The names of the settings in which two tasks differ. */
export function differences(a: Settings, b: Settings): string[] {
  const names = Object.keys(settingsSchema.shape) as (keyof Settings)[];
  return names.filter((name) => JSON.stringify(a[name]) !== JSON.stringify(b[name]));
}

/** How to open the model. */
export function openingOf({ key, size, resize, interpolation, labels, maxMegapixels }: Settings): ClassifierOptions {
  const preprocessing: Partial<Preprocessing> = {
    ...(size !== undefined && { size }),
    ...(resize !== undefined && { resize }),
    ...(interpolation !== undefined && { interpolation }),
  };
  return {
    maxMegapixels,
    ...(key !== undefined && { key }),
    ...(labels !== undefined && { labels }),
    ...(Object.keys(preprocessing).length > 0 && { preprocessing }),
  };
}
