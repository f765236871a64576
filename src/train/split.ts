/**
 * The images of a run by name, and on which side each is. `split.json` keeps them, so that a resumed run never validates
 * on an image that it was trained on, even if images come and go.
 */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import * as z from 'zod';
import type { Folder } from '../data/folder.ts';
import { indicesByLabel, type SampleList } from '../data/samples.ts';
import type { HoldOut } from '../data/split.ts';
import { FormatError } from '../errors.ts';
import { parseJson } from '../json.ts';

const schema = z.object({
  /** Name of the folder with the validation images; absent if they are held out of the training folder. */
  validationFolder: z.string().exactOptional(),
  /** Paths within the class folders. */
  classes: z.array(z.object({ name: z.string(), train: z.array(z.string()), validation: z.array(z.string()) })),
});

/** Names of images, which need not all be in memory. */
type NameList = Iterable<string> & { readonly length: number };

export interface Split {
  readonly validationFolder?: string;
  readonly classes: readonly { readonly name: string; readonly train: NameList; readonly validation: NameList }[];
}

export type Side = 'train' | 'validation';

/** The split of a folder, whose names are made when they are needed. */
export function splitOf({ classes, train, validation, validationDir }: Folder): Split {
  const [trained, validated] = [train, validation].map((side) => namesByLabel(side, classes.length));
  const own = classes.map((name, k) => ({ name, train: trained![k]!, validation: validated![k]! }));
  return { ...(validationDir !== undefined && { validationFolder: basename(validationDir) }), classes: own };
}

function namesByLabel(samples: SampleList, classes: number): NameList[] {
  return indicesByLabel(samples, classes).map((indices) => ({
    length: indices.length,
    *[Symbol.iterator]() {
      for (const index of indices) yield samples.key(index);
    },
  }));
}

/** The text of `split.json`, class by class. */
export function* writeSplit({ validationFolder, classes }: Split): Generator<Uint8Array, void, undefined> {
  const encoder = new TextEncoder();
  const folder = validationFolder === undefined ? '' : ` "validationFolder": ${JSON.stringify(validationFolder)},\n`;
  yield encoder.encode(`{\n${folder} "classes": [`);
  for (const [k, { name, train, validation }] of classes.entries()) {
    const text = JSON.stringify({ name, train: [...train], validation: [...validation] }, null, 1);
    yield encoder.encode(`${k === 0 ? '' : ','}\n  ${text.replaceAll('\n', '\n  ')}`);
  }
  yield encoder.encode('\n ]\n}\n');
}

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
  for (const { name, train } of classes) hash.update(JSON.stringify([name, [...train]]));
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

/** Compares class by class, so that only the names of one are in memory. */
export function changesBetween(before: Split, now: Split): Changes {
  const removed: Record<Side, string[]> = { train: [], validation: [] };
  const added: Record<Side, string[]> = { train: [], validation: [] };
  const moved: string[] = [];
  let kept = 0;
  const names = new Set([...before.classes, ...now.classes].map(({ name }) => name));
  for (const name of names) {
    const [old, found] = [sidesOf(before, name), sidesOf(now, name)];
    const full = (image: string) => `${name}/${image}`;
    for (const side of ['train', 'validation'] as const) {
      for (const image of old[side]) if (!found[side].has(image)) removed[side].push(full(image));
      for (const image of found[side]) if (!old[side].has(image)) added[side].push(full(image));
    }
    for (const image of found.validation) {
      if (!old.validation.has(image) && old.train.has(image) && !found.train.has(image)) moved.push(full(image));
    }
    const all = new Set([...old.train, ...old.validation]);
    for (const side of [found.train, found.validation]) for (const image of side) kept += all.has(image) ? 1 : 0;
  }
  return {
    removed: [...removed.train, ...removed.validation],
    added: [...added.train, ...added.validation],
    moved,
    kept,
    ofValidation: removed.validation.length + added.validation.length > 0,
  };
}

function sidesOf({ classes }: Split, name: string): Record<Side, Set<string>> {
  const own = classes.find((each) => each.name === name);
  return { train: new Set(own?.train), validation: new Set(own?.validation) };
}
