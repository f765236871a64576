/**
 * The learning rate over time, which is set before each step.
 *
 *   constant  base
 *   step      base · 0.1 for each milestone passed, at 1/2 and 3/4 of the epochs (paper, section 5.3)
 *   cosine    base · (1 + cos(π·t)) / 2, where t is the share of training that is done
 *
 * During the first `warmup` epochs, a factor that rises linearly from 0.01 to 1 is applied.
 */
export type Schedule = 'constant' | 'step' | 'cosine';

export interface ScheduleOptions {
  readonly schedule: Schedule;
  readonly learningRate: number;
  readonly epochs: number;
  /** In epochs. */
  readonly warmup: number;
}

/** @param time epochs done, including a fraction for the current one: 0 at the start, `epochs` at the end. */
export function learningRateAt({ schedule, learningRate, epochs, warmup }: ScheduleOptions, time: number): number {
  const rise = time < warmup ? 0.01 + 0.99 * (time / warmup) : 1;
  return learningRate * rise * decay[schedule](time / epochs);
}

const milestones = [0.5, 0.75];

const decay: { readonly [S in Schedule]: (share: number) => number } = {
  constant: () => 1,
  step: (share) => 0.1 ** milestones.filter((milestone) => share >= milestone).length,
  cosine: (share) => (1 + Math.cos(Math.PI * share)) / 2,
};

export const schedules: readonly Schedule[] = Object.keys(decay) as Schedule[];
