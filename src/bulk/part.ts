/**
 * Which part of a task's shards a process takes, where nothing hands them out: `3/16` is the third of 16 parts. Slurm and
 * Kubernetes tell each of their processes its number in environment variables.
 */
import { UsageError } from '../errors.ts';
import { text } from '../options.ts';

/** Part `number` of `of`, counted from 1. */
export interface Part {
  readonly number: number;
  readonly of: number;
}

export const wholeTask: Part = { number: 1, of: 1 };

type Environment = Readonly<Record<string, string | undefined>>;

const pattern = /^(?:([1-9]\d{0,8})\/([1-9]\d{0,8})|slurm|kubernetes\/([1-9]\d{0,8}))$/;

const isPart = (typed: string): boolean => {
  const found = pattern.exec(typed);
  return found !== null && (found[1] === undefined || Number(found[1]) <= Number(found[2]));
};

/** The option. */
export const part = {
  ...text({
    flag: '--shard <part>',
    usual: 'all',
    group: 'Work',
    doc: 'part of the shards to process: K/N counts from 1; slurm takes the task of an array, or else of a step; kubernetes/N the index of a job of N',
  }),
  expected: 'K/N with K from 1 to N, slurm, or kubernetes/N',
  accepts: (value: unknown): value is string => typeof value === 'string' && isPart(value),
};

/**
 * The part that was typed.
 *
 * @throws UsageError if it comes from variables that are not set.
 * @example partOf('3/16', process.env) // { number: 3, of: 16 }
 */
export function partOf(typed: string, environment: Environment): Part {
  const [, number, of, completions] = pattern.exec(typed)!;
  if (number !== undefined) return { number: Number(number), of: Number(of) };
  const found =
    completions === undefined
      ? (slurmArray(environment) ?? slurmStep(environment))
      : fromZero(numberIn(environment, 'JOB_COMPLETION_INDEX'), Number(completions));
  if (found) return found;
  const [names, what] =
    completions === undefined
      ? ['SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT, or SLURM_PROCID and SLURM_NTASKS, are', 'with sbatch --array']
      : [
          `JOB_COMPLETION_INDEX is not from 0 to ${Number(completions) - 1} or`,
          'as a Job with completionMode: Indexed',
        ];
  throw new UsageError(`--shard is ${typed}, but ${names} not set. Start it ${what}, or name the part as K/N.`);
}

/** An array has any first index, and by its step may leave out some. */
function slurmArray(environment: Environment): Part | undefined {
  const [id, least, count, step = 1] = ['ID', 'MIN', 'COUNT', 'STEP'].map((name) =>
    numberIn(environment, `SLURM_ARRAY_TASK_${name}`),
  );
  if (id === undefined || least === undefined || count === undefined) return undefined;
  return fromZero((id - least) / step, count);
}

const slurmStep = (environment: Environment): Part | undefined =>
  fromZero(numberIn(environment, 'SLURM_PROCID'), numberIn(environment, 'SLURM_NTASKS'));

const fromZero = (index: number | undefined, of: number | undefined): Part | undefined =>
  index !== undefined && of !== undefined && Number.isInteger(index) && index >= 0 && index < of
    ? { number: index + 1, of }
    : undefined;

function numberIn(environment: Environment, name: string): number | undefined {
  const typed = environment[name];
  return typed !== undefined && /^\d{1,9}$/.test(typed) ? Number(typed) : undefined;
}

/** Whether a shard is in a part. Neighbors are in different parts, so that all end at about the same time. */
export const isInPart = (shard: number, { number, of }: Part): boolean => shard % of === number - 1;
