/**
 * A table of training runs, made one after the other. If it is interrupted, it continues where it stopped: finished runs are
 * skipped, and the one that was under way is resumed.
 *
 *   FOLDER/NAME/        the run, as `train` makes it; without its checkpoints once it is finished
 *   FOLDER/NAME.json    its options, and once it is finished, its results
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { train } from 'resnext';

export type RunOptions = Omit<Parameters<typeof train>[0], 'out'>;

export interface PlannedRun {
  /** Also the name of its folder. */
  readonly name: string;
  readonly options: RunOptions;
  /** Measures the finished run, by the path of its folder. */
  readonly measure?: (run: string) => Promise<Measured>;
}

export type Measured = Readonly<Record<string, number>>;

export interface FinishedRun {
  readonly name: string;
  readonly epochs: readonly EpochFigures[];
  /** Time of all training steps; less than that in a run that was resumed after its process had been killed. */
  readonly seconds: number;
  readonly measured: Measured;
}

/** In percent, of each epoch. */
export interface EpochFigures {
  readonly trainingTop1: number;
  readonly validationTop1?: number;
}

interface RunFile {
  readonly options: RunOptions;
  readonly finished?: FinishedRun;
}

/** Where runs are made, and who hears of it. */
export interface MakeOptions {
  readonly folder: string;
  readonly say: (line: string) => void;
  /** Ends the current run with a checkpoint, and makes no further ones. */
  readonly signal: AbortSignal;
}

/**
 * Makes the runs that are not finished.
 *
 * @returns whether all are finished now.
 * @throws Error if the folder has a run of the same name with other options.
 */
export async function makeRuns(plans: readonly PlannedRun[], { folder, say, signal }: MakeOptions): Promise<boolean> {
  mkdirSync(folder, { recursive: true });
  for (const plan of plans) checkOptions(folder, plan);
  for (const [i, plan] of plans.entries()) {
    if (readRun(folder, plan)?.finished) continue;
    if (signal.aborted) return false;
    const place = `[${i + 1}/${plans.length}] ${plan.name}`;
    say(place);
    writeRun(folder, plan, { options: plan.options });
    if (await isInterrupted(folder, plan, signal)) return false;
    const finished = await finishedRun(folder, plan);
    writeRun(folder, plan, { options: plan.options, finished });
    rmSync(join(folder, plan.name, 'checkpoints'), { recursive: true, force: true });
    say(`${place}: ${describe(finished)}`);
  }
  return true;
}

/** The results of the runs that are finished. */
export const finishedRuns = (folder: string, plans: readonly PlannedRun[]): FinishedRun[] =>
  plans.flatMap((plan) => readRun(folder, plan)?.finished ?? []);

/** Trains, or goes on training. */
async function isInterrupted(folder: string, { name, options }: PlannedRun, signal: AbortSignal): Promise<boolean> {
  const { resume, train } = await import('resnext');
  const out = join(folder, name);
  const hasBegun = existsSync(join(out, 'checkpoints/last.safetensors'));
  const result = await (hasBegun
    ? resume(out, {}, { signal })
    : train({ ...options, out, overwrite: true }, { signal }));
  return result.interrupted;
}

async function finishedRun(folder: string, { name, measure }: PlannedRun): Promise<FinishedRun> {
  const out = join(folder, name);
  const lines = readFileSync(join(out, 'metrics.jsonl'), 'utf8').trim().split('\n');
  const events = lines.map((line) => JSON.parse(line) as Line);
  return {
    name,
    epochs: events.map(({ top1, validation }) => ({
      trainingTop1: top1,
      ...(validation && { validationTop1: validation.top1 }),
    })),
    seconds: events.reduce((sum, { seconds }) => sum + seconds, 0),
    measured: (await measure?.(out)) ?? {},
  };
}

/** What is read of a line of `metrics.jsonl`. */
interface Line {
  readonly top1: number;
  readonly validation?: { readonly top1: number };
  readonly seconds: number;
}

const describe = ({ epochs, seconds, measured }: FinishedRun): string => {
  const top1 = measured.top1 ?? epochs.at(-1)?.validationTop1;
  const figure = top1 === undefined ? '' : `top-1 ${top1.toFixed(1)} %, `;
  return `${figure}${Math.floor(seconds / 60)}:${`${Math.round(seconds % 60)}`.padStart(2, '0')} of training`;
};

const fileOf = (folder: string, { name }: PlannedRun): string => join(folder, `${name}.json`);

function readRun(folder: string, plan: PlannedRun): RunFile | undefined {
  const path = fileOf(folder, plan);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as RunFile) : undefined;
}

function writeRun(folder: string, plan: PlannedRun, file: RunFile): void {
  const path = fileOf(folder, plan);
  writeFileSync(`${path}.tmp`, `${JSON.stringify(file, null, 2)}\n`);
  renameSync(`${path}.tmp`, path);
}

function checkOptions(folder: string, plan: PlannedRun): void {
  const before = readRun(folder, plan);
  if (!before || JSON.stringify(before.options) === JSON.stringify(plan.options)) return;
  throw new Error(
    `"${fileOf(folder, plan)}" is of a run with other options. Name another folder with --out, or remove that file and the folder beside it.`,
  );
}
