/** Which images a run held out of training, so that an evaluation can say how it does on those alone. */
import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { layout } from '../data/layout.ts';
import type { SampleList } from '../data/samples.ts';
import { readRunText, runOf, runTexts } from './run-folder.ts';
import { absolute, readRecord } from './run-record.ts';
import { readSplit } from './split.ts';

export interface Evaluated {
  /** The folder whose subfolders are the classes. */
  readonly dir: string;
  readonly samples: SampleList;
  /** The classes that labels refer to. */
  readonly classes: readonly string[];
}

/**
 * For each sample, whether it was held out.
 *
 * @param model a run, or a model in its folder.
 * @returns undefined if the model is not a run's, or the run was trained on another folder.
 */
export async function heldOutOf(model: string, { dir, samples, classes }: Evaluated): Promise<boolean[] | undefined> {
  const run = runOf(model);
  const [split, record] = [readRunText(run, 'split'), readRunText(run, 'record')];
  if (split === undefined || record === undefined) return undefined;
  const data = readRecord(record)?.data;
  if (data === undefined) return undefined;
  const { folder, trainDir = existsSync(folder) ? (await layout(folder)).trainDir : folder } = data;
  if (realPlace(trainDir) !== realPlace(dir)) return undefined;
  const sides = readSplit(split, join(run, runTexts.split)).classes;
  const trained = new Map(sides.map(({ name, train }) => [name, new Set(train)]));
  return Array.from(samples, ({ label }, i) => !trained.get(classes[label]!)?.has(samples.key(i)));
}

/** The path without links; the place itself if it is in a file or on the hub. */
const realPlace = (place: string): string => (existsSync(place) ? realpathSync(place) : absolute(place));
