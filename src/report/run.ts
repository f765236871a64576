/** The report of a run in a folder: reads its files, evaluates its best model on its validation images, and makes the page. */
import { basename, resolve } from 'node:path';
import { callback, checkArgument, checkOptions, type FieldsOf, path } from '../arguments.ts';
import { load } from '../classifier/load.ts';
import { maxMegapixels } from '../data/budget.ts';
import { FormatError, UsageError } from '../errors.ts';
import { flag, maxThreads, text, whole } from '../options.ts';
import { readRunText } from '../train/run-folder.ts';
import { validationImages } from '../train/validation-images.ts';
import { count } from './figures.ts';
import { measure, shownMistakes } from './measure.ts';
import { type EpochLine, epochsIn } from './run-details.ts';
import { type RunPage, runPage } from './run-page.ts';

export interface ReportRunOptions {
  /** Whether to evaluate the best model, for the confusion matrix, calibration and mistakes. Default: true. */
  readonly evaluate?: boolean;
  /** Where the run's dataset is now, if elsewhere. */
  readonly data?: string;
  /** Images to run at a time. Default: 64. */
  readonly batchSize?: number;
  /** Threads that compute, and threads that read images. Default: all cores, at most 8 of them for reading. */
  readonly threads?: number;
  readonly workers?: number;
  readonly onProgress?: (done: number, total: number) => void;
}

const fields: FieldsOf<ReportRunOptions> = {
  evaluate: flag({ doc: 'evaluate the best model' }),
  data: text({ expected: 'a dataset', doc: 'where the dataset is' }),
  batchSize: whole({ from: 1, doc: 'images to run at a time' }),
  threads: whole({ from: 1, to: maxThreads, doc: 'threads that compute' }),
  workers: whole({ from: 0, to: maxThreads, doc: 'threads that read images' }),
  onProgress: callback('called with the images done and all of them'),
};

/**
 * A run as one self-contained HTML page: learning curves, an evaluation of its best model on its validation images, and how
 * it was made. If the model or its images are gone, the page says so, and has the rest.
 *
 * @param run the folder of a run, finished or not.
 * @throws UsageError if there is no run.
 * @example await writeFile('report.html', await reportRun('runs/flowers'));
 */
export async function reportRun(run: string, options: ReportRunOptions = {}): Promise<string> {
  checkArgument('run', run, path);
  checkOptions(fields, options);
  const { name, lines, record } = readRun(run);
  const { evaluation, notes } = await evaluateRun(run, options);
  return runPage({ name, lines, record, ...(evaluation && { evaluation }), notes });
}

/** What the files of a run say. */
export interface RunFiles {
  /** The name of its folder. */
  readonly name: string;
  readonly lines: readonly EpochLine[];
  /** The JSON of `run.json`; undefined in a run of an earlier version. */
  readonly record: unknown;
}

/** @throws UsageError if the folder does not contain a run. */
export function readRun(run: string): RunFiles {
  const [metrics, record] = [readRunText(run, 'metrics'), readRunText(run, 'record')];
  if (metrics === undefined && record === undefined) {
    throw new UsageError(`There is no training run in "${run}". Name the folder that a run was started with.`);
  }
  return { name: basename(resolve(run)), lines: epochsIn(metrics ?? ''), record: recordIn(record) };
}

function recordIn(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined; // a page without it is better than none
  }
}

/** The evaluation of a run's best model, and sentences on what is missing. */
export async function evaluateRun(
  run: string,
  options: ReportRunOptions = {},
): Promise<Required<Pick<RunPage, 'notes'>> & Pick<RunPage, 'evaluation'>> {
  if (options.evaluate === false) return { notes: [] };
  try {
    return await evaluated(run, options);
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof FormatError)) throw error;
    return { notes: [`The model was not evaluated. ${error.message}`] };
  }
}

async function evaluated(run: string, { data, batchSize, threads, workers, onProgress }: ReportRunOptions) {
  const { samples, missing } = await validationImages(run, data);
  const classifier = await load(run, { ...(threads && { threads }), ...(workers !== undefined && { workers }) });
  try {
    const reading = { ...(batchSize && { batchSize }), ...(onProgress && { onProgress }) };
    const measured = await measure(classifier, samples, reading);
    const mistakes = await shownMistakes(measured, samples, maxMegapixels.default, classifier);
    const unread = measured.corrupt.length;
    const are = (number: number) => (number === 1 ? 'is' : 'are');
    return {
      evaluation: { result: measured.result, mistakes },
      notes: [
        ...(missing > 0 ? [`${count(missing, 'validation image')} ${are(missing)} no longer there.`] : []),
        ...(unread > 0 ? [`${count(unread, 'validation image')} could not be read.`] : []),
      ],
    };
  } finally {
    await classifier.dispose();
  }
}
