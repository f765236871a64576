/**
 * How many replicas a run has that does not say: as many as a short measurement shows to be fastest. Operators of a small
 * network do not keep several threads busy, so that sessions of fewer threads, side by side, do more. The choice becomes part
 * of the run's recipe, so a resumed run keeps it, and is remembered for this machine.
 */
import { thisMachine } from '#platform';
import { isObject } from '../arguments.ts';
import { readChoice, writeChoice } from '../cache/choices.ts';
import { cacheFolder } from '../cache/folder.ts';
import { cost } from '../graph/cost.ts';
import type { Model } from '../model/resnext.ts';
import type { Weights } from '../model/weights.ts';
import { Trainer, type TrainerOptions } from '../step/trainer.ts';
import { fastestSteps } from './step-time.ts';

export interface Replicas {
  readonly replicas: number;
  /** How many times as fast as one they were measured to be; absent if nothing was measured. */
  readonly speedup?: number;
}

/** Images of each replica from which its batch statistics are as good as those of a whole batch. */
const minImages = 32;
/** Multiply-adds per image up to which a network is small. */
const maxMacs = 1e8;
/** A smaller gain may be noise. */
const minSpeedup = 1.1;
const seconds = 1.5;

const alone: Replicas = { replicas: 1 };

/** The numbers of replicas to measure: powers of two that divide the batch and the threads. */
export function candidatesFor({ batch, threads = 1, accumulate = 1, providers }: TrainerOptions): number[] {
  if (providers?.some((provider) => provider !== 'cpu')) return [];
  const share = batch / accumulate;
  return [2, 4, 8, 16].filter((r) => threads % r === 0 && share % r === 0 && share / r >= minImages);
}

/** The fastest number of replicas of a trainer with these options. */
export async function chooseReplicas(model: Model, weights: Weights, options: TrainerOptions): Promise<Replicas> {
  const candidates = candidatesFor(options);
  if (candidates.length === 0 || cost(model.graph).macs > maxMacs) return alone;
  const folder = cacheFolder();
  const key = { replicas: await thisMachine(), config: model.config, ...dependsOn(options) };
  const known = folder === undefined ? undefined : readChoice(folder, key);
  if (isReplicas(known) && isPlausible(known)) return known;
  const choice = await measure(model, weights, options, candidates);
  if (!choice) return alone;
  if (folder !== undefined) await writeChoice(folder, key, choice);
  return choice;
}

/** What the duration of a step depends on. */
const dependsOn = ({ batch, threads, accumulate, optimizer, freeze, average }: TrainerOptions): object => ({
  ...{ batch, threads, accumulate, freeze },
  optimizer: optimizer.name,
  averages: average !== undefined,
});

const isReplicas = (value: unknown): value is Replicas => isObject(value) && Number.isInteger(value.replicas);

/** Replicas share a machine, so r of them cannot be more than r times as fast as one. */
const isPlausible = ({ replicas, speedup = 1 }: Replicas): boolean => speedup <= replicas;

/** The measured choice; undefined if even a second measurement is disturbed too much to mean anything. */
async function measure(
  model: Model,
  weights: Weights,
  options: TrainerOptions,
  candidates: readonly number[],
): Promise<Replicas | undefined> {
  const counts = [1, ...candidates];
  const trainers: Trainer[] = [];
  try {
    for (const replicas of counts) trainers.push(await Trainer.open(model, weights, { ...options, replicas }));
    const once = async () => choiceFrom(counts, await fastestSteps(trainers, seconds));
    return (await once()) ?? (await once());
  } finally {
    for (const trainer of trainers) await trainer.dispose();
  }
}

/**
 * The fastest number of replicas by the durations of a step.
 *
 * @param counts numbers of replicas, the first of which is 1.
 * @returns undefined if they are faster than can be, since something else slowed a measurement down.
 */
export function choiceFrom(counts: readonly number[], times: readonly number[]): Replicas | undefined {
  const fastest = times.indexOf(Math.min(...times));
  const choice = { replicas: counts[fastest]!, speedup: times[0]! / times[fastest]! };
  if (choice.speedup < minSpeedup) return alone;
  return isPlausible(choice) ? choice : undefined;
}
