/** The images that a run validated on, to evaluate its model on them later. */
import { join } from 'node:path';
import { type SampleList, select } from '../data/samples.ts';
import { UsageError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { resolve } from '../options.ts';
import { trainOptions } from './options.ts';
import { readRunText, runTexts } from './run-folder.ts';
import { readAsBefore } from './run-images.ts';
import { readSplit } from './split.ts';

export interface ValidationImages {
  /** Those that are still there. Labels refer to the run's classes. */
  readonly samples: SampleList;
  /** How many are not. */
  readonly missing: number;
}

/**
 * @param run the folder of a run.
 * @param data where its dataset is now, if elsewhere.
 * @throws UsageError if the run has no split or no validation images, or the dataset is gone or no longer fits.
 */
export async function validationImages(run: string, data?: string): Promise<ValidationImages> {
  const [splitText, recordText] = [readRunText(run, 'split'), readRunText(run, 'record')];
  if (splitText === undefined || recordText === undefined) {
    throw new UsageError(
      `"${run}" has no ${runTexts[splitText === undefined ? 'split' : 'record']}, which names the run's images.`,
    );
  }
  const split = readSplit(splitText, join(run, runTexts.split));
  const held = new Map(split.classes.map(({ name, validation }) => [name, new Set(validation)]));
  const total = [...held.values()].reduce((sum, { size }) => sum + size, 0);
  if (total === 0) throw new UsageError(`The run in "${run}" had no validation images.`);
  const { options = {} } = parseJson(recordText, join(run, runTexts.record)) as { readonly options?: object };
  const asked = resolve(trainOptions, { ...options, out: run, ...(data !== undefined && { data }) });
  const classes = split.classes.map(({ name }) => name);
  const { validation } = await readAsBefore(asked, { classes }, split);
  const isHeld = (_: unknown, i: number) => held.get(classes[validation.label(i)]!)?.has(validation.key(i)) ?? false;
  const indices = Uint32Array.from({ length: validation.length }, (_, i) => i).filter(isHeld);
  if (indices.length === 0) throw new UsageError(`"${asked.data}" has none of the run's validation images.`);
  return { samples: select(validation, indices), missing: total - indices.length };
}
