/**
 * The images of a run by name, and on which side each is. `split.json` keeps them, so that a resumed run never validates
 * on an image that it was trained on, even if images come and go.
 */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import * as z from 'zod';
import { type Folder, nameIn, type Sample } from '../data/folder.ts';
import type { HoldOut } from '../data/split.ts';
import { FormatError } from '../errors.ts';
import { parseJson } from '../json.ts';

const schema = z.object({
  /** Name of the folder with the validation images; absent if they are held out of the training folder. */
  validationFolder: z.string().exactOptional(),
  /** Paths within the class folders. */
  classes: z.array(z.object({ name: z.string(), train: z.array(z.string()), validation: z.array(z.string()) })),
});

export type Split = z.infer<typeof schema>;
export type Side = 'train' | 'validation';

export function splitOf({ classes, train, validation, trainDir, validationDir }: Folder): Split {
  const own = classes.map((name) => ({ name, train: [] as string[], validation: [] as string[] }));
  const file = (side: Side, dir: string) => (sample: Sample) => own[sample.label]![side].push(nameIn(dir, sample));
  train.forEach(file('train', trainDir));
  validation.forEach(file('validation', validationDir ?? trainDir));
  return { ...(validationDir !== undefined && { validationFolder: basename(validationDir) }), classes: own };
}

export const writeSplit = (split: Split): string => `${JSON.stringify(split, null, 1)}\n`;

/** @throws FormatError if the text is not a split. */
export function readSplit(text: string, path: string): Split {
  const { data, error } = schema.safeParse(parseJson(text, `${path}: the split of the images`));
  if (data) return data;
  const { path: at, message } = error.issues[0]!;
  throw new FormatError(`${path}: "${at.join('.')}" in the split of the images cannot be read: ${message}.`);
}

/** Identifies the training images and their order, which a run has to find again to go on within an epoch. */
export function trainingDigest({ classes }: Split): string {
  const hash = createHash('sha256');
  for (const { name, train } of classes) hash.update(JSON.stringify([name, train]));
  return hash.digest('hex');
}

/**
 * Holds out the images that were held out before. All others are trained on: a new image may be one that the run was
 * trained on under another name.
 */
export function asBefore({ classes }: Split): HoldOut {
  const held = new Map(classes.map(({ name, validation }) => [name, new Set(validation)]));
  return (_, className) => held.get(className) ?? new Set();
}

/** Images as `class/path`. */
export interface Changes {
  readonly removed: readonly string[];
  readonly added: readonly string[];
  /** Those to validate on that were only trained on before. */
  readonly moved: readonly string[];
  /** How many are still there. */
  readonly kept: number;
  /** Whether validation images were removed or added. */
  readonly ofValidation: boolean;
}

export function changesBetween(before: Split, now: Split): Changes {
  const [old, found] = [namesOn(before), namesOn(now)];
  const missing = (side: Side) => [...old[side]].filter((name) => !found[side].has(name));
  const extra = (side: Side) => [...found[side]].filter((name) => !old[side].has(name));
  const added = extra('validation');
  const removed = missing('validation');
  return {
    removed: [...missing('train'), ...removed],
    added: [...extra('train'), ...added],
    moved: added.filter((name) => old.train.has(name) && !found.train.has(name)),
    kept: [...found.train, ...found.validation].filter((name) => old.train.has(name) || old.validation.has(name))
      .length,
    ofValidation: removed.length + added.length > 0,
  };
}

function namesOn({ classes }: Split): Record<Side, Set<string>> {
  const on = (side: Side) => new Set(classes.flatMap((each) => each[side].map((name) => `${each.name}/${name}`)));
  return { train: on('train'), validation: on('validation') };
}
