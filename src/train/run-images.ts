/**
 * The images of a run. A resumed run finds each on the side where it was; what has changed since is reported, and what
 * would let it validate on images that it was trained on is refused.
 */
import { basename, dirname, join } from 'node:path';
import { columnsOf } from '../data/datasets.ts';
import { type Folder, readFolder } from '../data/folder.ts';
import { type Layout, layout, subfolders } from '../data/layout.ts';
import { kindOf, openDataset, readDataset } from '../datasets/open.ts';
import { UsageError } from '../errors.ts';
import { statIfPresent } from '../files.ts';
import { firstOf } from '../options.ts';
import type { Checkpoint } from './checkpoint.ts';
import { openFold } from './fold.ts';
import { openFormer } from './former-split.ts';
import type { TrainOptions } from './options.ts';
import { asBefore, type Changes, changesBetween, type Split, splitOf, trainingDigest } from './split.ts';
import { areSame } from './start.ts';

export interface RunImages {
  readonly folder: Folder;
  readonly split: Split;
  /** Identifies the training images and their order. */
  readonly digest: string;
  /** Whether a resumed run starts its epoch over, since the training images changed within it. */
  readonly restartsEpoch: boolean;
  /** Sentences for the user. */
  readonly notes: readonly string[];
}

/** The images of a new run. */
export const openImages = async (options: TrainOptions): Promise<RunImages> => described(await openNew(options));

function openNew(options: TrainOptions): Promise<Folder> {
  const { data, validation, seed, fold } = options;
  const columns = columnsOf(options);
  return fold === '' ? openDataset(data, { validation, seed, ...columns }) : openFold(data, fold, seed, columns);
}

function described(folder: Folder): RunImages {
  const split = splitOf(folder);
  return { folder, split, digest: trainingDigest(split), restartsEpoch: false, notes: folder.notes ?? [] };
}

/**
 * The images of a resumed run.
 *
 * @param before the split that the run has kept, if any.
 * @throws UsageError if the classes are others, or images that the run was trained on would validate it.
 */
export async function reopenImages(
  options: TrainOptions,
  checkpoint: Checkpoint,
  before: Split | undefined,
): Promise<RunImages> {
  const images = described(await reopen(options, checkpoint, before));
  const { folder, split, digest, notes } = images;
  checkClasses(options, checkpoint, folder.classes);
  const { epoch, step } = checkpoint.progress;
  const steps = Math.floor(folder.train.length / options.batch);
  const isOther = checkpoint.images === undefined ? step > steps : checkpoint.images !== digest;
  const restartsEpoch = step > 0 && isOther;
  const changes = before && changesBetween(before, split);
  if (changes) checkChanges(options, changes);
  const said = changes ? describeChanges(changes, epoch) : [];
  if (isOther && said.length === 0) said.push('The training images have changed since the run was saved.');
  if (restartsEpoch) said.push(`Epoch ${epoch + 1} starts over.`);
  return { ...images, restartsEpoch, notes: said.length > 0 ? [...notes, said.join(' ')] : notes };
}

async function reopen(options: TrainOptions, checkpoint: Checkpoint, before: Split | undefined): Promise<Folder> {
  if (before) return readAsBefore(options, checkpoint, before);
  const isFolder = (await kindOf(options.data)) === undefined;
  return checkpoint.images === undefined && isFolder ? openFormer(options, checkpoint) : openNew(options);
}

/** The images of a run, each on the side where it was. New ones are trained on unless they are in a folder for validation. */
export async function readAsBefore(
  options: TrainOptions,
  known: Pick<Checkpoint, 'classes'>,
  before: Split,
): Promise<Folder> {
  if ((await kindOf(options.data)) !== undefined) return reopenOther(options, before);
  const now = await layout(options.data);
  checkClasses(options, known, await subfolders(now.trainDir));
  return readFolder(layoutAsBefore(options, now, before), { holdOut: asBefore(before) });
}

/** A dataset that is no folder has its images for validation where they were, or none. */
async function reopenOther(options: TrainOptions, before: Split): Promise<Folder> {
  const { data, out, fold } = options;
  const holdOut = asBefore(before);
  const folder = await readDataset(data, { ...columnsOf(options), holdOut, alwaysHoldsOut: fold !== '' });
  const now = folder.validationDir === undefined ? undefined : basename(folder.validationDir);
  if (now === before.validationFolder) return folder;
  const shown = (name: string | undefined) => (name === undefined ? 'images that are held out' : `"${name}"`);
  throw new UsageError(
    `The run in "${out}" validates on ${shown(before.validationFolder)}, but "${data}" now has ${shown(now)}. Change it back, or start a new run.`,
  );
}

/** @throws UsageError if there is a folder for validation now and was none, or the reverse. */
function layoutAsBefore({ data, out, fold }: TrainOptions, now: Layout, { validationFolder: name }: Split): Layout {
  const { trainDir, validationDir, ...rest } = now;
  if (fold !== '') return { trainDir, ...rest };
  if (name === undefined) {
    if (validationDir === undefined) return now;
    throw new UsageError(
      `The run in "${out}" validates on images held out of "${trainDir}", but now there is "${validationDir}". Rename or remove that folder, or start a new run.`,
    );
  }
  const same = join(dirname(trainDir), name);
  if (trainDir !== data && statIfPresent(same)?.isDirectory()) return { ...now, validationDir: same };
  if (validationDir !== undefined) return now;
  throw new UsageError(
    `The run in "${out}" validates on the folder "${name}", but "${data}" has none now. Put it back, or start a new run.`,
  );
}

function checkClasses(
  { data }: TrainOptions,
  { classes }: Pick<Checkpoint, 'classes'>,
  found: readonly string[],
): void {
  if (areSame(classes, found)) return;
  throw new UsageError(
    `The run was trained on the classes ${classes.join(', ')}, but "${data}" has ${found.join(', ')}. Resume it on the images it was trained on.`,
  );
}

function checkChanges({ data, out }: TrainOptions, { kept, moved }: Changes): void {
  if (kept === 0) {
    throw new UsageError(
      `"${data}" has none of the images of the run in "${out}". Resume it on the images it was trained on, or start a new run from it.`,
    );
  }
  if (moved.length === 0) return;
  const images = moved.length === 1 ? '1 image' : `${moved.length} images`;
  throw new UsageError(
    `The run in "${out}" was trained on ${images} that "${data}" has for validation now: ${firstOf(moved, 3)}. Move them back, or start a new run.`,
  );
}

/** Sentences on removed and added images. */
function describeChanges({ removed, added, ofValidation }: Changes, epoch: number): string[] {
  const counted = (names: readonly string[], verb: string) =>
    names.length === 0
      ? []
      : [`${names.length === 1 ? '1 image was' : `${names.length} images were`} ${verb} (${firstOf(names, 3)})`];
  const parts = [...counted(removed, 'removed'), ...counted(added, 'added')];
  if (parts.length === 0) return [];
  return [
    `Since the run was saved, ${parts.join(' and ')}.`,
    ...(ofValidation && epoch > 0 ? ['The best top-1 until now was measured on the earlier validation images.'] : []),
  ];
}
