/** Compares training runs: the figures of their best epochs, the options in which they differ, and the means of folds. */
import { resolve } from 'node:path';
import { checkList, path } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import type { Field } from '../options.ts';
import { recipe } from '../train/options.ts';
import { readRun } from './run.ts';
import { bestOf, detailsOf, type EpochLine, type RunDetails, secondsOf } from './run-details.ts';
import { chosenOptions } from './run-options.ts';

/** The figures of a run's best epoch on the validation images, in percent but for the loss. Absent without them. */
export interface RunFigures {
  readonly top1?: number | undefined;
  readonly loss?: number | undefined;
  readonly macroF1?: number | undefined;
  readonly balancedAccuracy?: number | undefined;
}

export interface ComparedRun extends RunFigures {
  /** The name of its folder; its path if another run has the same. */
  readonly name: string;
  readonly folder: string;
  /** `running`, `interrupted`, `finished`, `diverged` or `failed`; absent in a run of an earlier version. */
  readonly state?: string | undefined;
  /** Epochs that were completed, and the best of them, counted from 1. */
  readonly epochs: number;
  readonly bestEpoch?: number | undefined;
  /** Time for training, without validation. */
  readonly seconds: number;
  readonly parameters?: number | undefined;
  readonly macs?: number | undefined;
}

/** An option of the recipe that is not the default in some run. */
export interface ComparedOption {
  readonly name: string;
  /** Of each run; undefined where it is not recorded. */
  readonly values: readonly unknown[];
  /** Whether the runs differ in it. */
  readonly differs: boolean;
}

/** The mean of a figure over folds, and its standard deviation, of n − 1 degrees of freedom. */
export interface Spread {
  readonly mean: number;
  readonly deviation: number;
}

/** Runs that differ in nothing but the fold. */
export interface FoldGroup {
  readonly names: readonly string[];
  /** Into how many folds the images are split. */
  readonly of: number;
  readonly figures: Readonly<Partial<Record<keyof RunFigures, Spread>>>;
}

export interface Comparison {
  readonly runs: readonly ComparedRun[];
  readonly options: readonly ComparedOption[];
  readonly folds: readonly FoldGroup[];
  /** The lines of each run's `metrics.jsonl`. */
  readonly lines: readonly (readonly EpochLine[])[];
}

/**
 * Compares training runs, finished or not.
 *
 * @param runs their folders.
 * @throws UsageError if there are none, or one is not a run.
 * @example const { runs, options } = compareRuns(['runs/a', 'runs/b']);
 */
export function compareRuns(runs: readonly string[]): Comparison {
  checkList('runs', runs, path);
  if (runs.length === 0) throw new UsageError('There are no runs to compare. Name at least one.');
  const read = runs.map((folder) => {
    const { name, lines, record } = readRun(folder);
    return { folder, name, lines, details: detailsOf(record) };
  });
  const isUnique = (name: string) => read.filter((each) => each.name === name).length === 1;
  const named = read.map((each) => ({ ...each, name: isUnique(each.name) ? each.name : each.folder }));
  const compared = named.map(figuresOf);
  const options = named.map(({ details }) => details.options);
  return {
    runs: compared,
    options: comparedOptions(options),
    folds: foldGroups(compared, options),
    lines: named.map(({ lines }) => lines),
  };
}

interface ReadRun {
  readonly folder: string;
  readonly name: string;
  readonly lines: readonly EpochLine[];
  readonly details: RunDetails;
}

function figuresOf({ folder, name, lines, details: { state, network } }: ReadRun): ComparedRun {
  const best = bestOf(lines);
  const { top1, loss, macroF1, balancedAccuracy } = best?.validation ?? {};
  const { parameters, macs } = network ?? {};
  const epochs = { epochs: lines.length, bestEpoch: best?.validation && best.epoch };
  return {
    name,
    folder,
    state,
    top1,
    loss,
    macroF1,
    balancedAccuracy,
    ...epochs,
    seconds: secondsOf(lines),
    parameters,
    macs,
  };
}

type Options = RunDetails['options'];

/** The options that are not the default in some run, in the order of the recipe. */
function comparedOptions(runs: readonly Options[]): ComparedOption[] {
  const chosen = new Set(['data', ...runs.flatMap((options) => chosenOptions(options).map(({ name }) => name))]);
  const table: Readonly<Record<string, Field<unknown>>> = recipe;
  return Object.keys(table).flatMap((name) => {
    if (!chosen.has(name)) return [];
    const values = runs.map((options) => options[name] ?? table[name]!.default);
    const differs = new Set(values.map((value) => JSON.stringify(value))).size > 1;
    return isOfPlace(name) && !differs ? [] : [{ name, values, differs }];
  });
}

/** Whether an option says where a run was made rather than what was chosen. */
const isOfPlace = (name: string): boolean => name === 'data' || name === 'replicas';

/** The groups of runs whose recipes differ in the fold alone. */
function foldGroups(runs: readonly ComparedRun[], options: readonly Options[]): FoldGroup[] {
  const groups = new Map<string, ComparedRun[]>();
  for (const [k, run] of runs.entries()) {
    const { fold, ...rest } = options[k]!;
    if (typeof fold !== 'string' || fold === '') continue;
    const alike = Object.keys(recipe).flatMap((name) => (name === 'fold' ? [] : [[name, rest[name]]]));
    const key = JSON.stringify([fold.split('/')[1], alike]);
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  return [...groups].flatMap(([key, group]) => {
    const folders = new Set(group.map(({ folder }) => resolve(folder)));
    if (folders.size < 2) return [];
    const of = Number((JSON.parse(key) as [string])[0]);
    return [{ names: group.map(({ name }) => name), of, figures: spreads(group) }];
  });
}

const figureNames = ['top1', 'loss', 'macroF1', 'balancedAccuracy'] as const;

const spreads = (group: readonly RunFigures[]): FoldGroup['figures'] =>
  Object.fromEntries(
    figureNames.flatMap((name) => {
      const values = group.flatMap((run) => run[name] ?? []);
      return values.length < 2 ? [] : [[name, spreadOf(values)]];
    }),
  );

/** @param values at least two. */
function spreadOf(values: readonly number[]): Spread {
  const mean = values.reduce((a, b) => a + b) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / (values.length - 1)) };
}
