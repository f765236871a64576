/**
 * The learning rate over time, which is set before each step. At t of E epochs, a fraction included, it is:
 *
 *   constant    base
 *   step        base · decayFactor for each `decayEvery` epochs, or at 1/2 and 3/4 of the run (paper, section 5.3)
 *   multi-step  base · decayFactor for each of `milestones` that t has reached
 *   cosine      min + (base − min) · (1 + cos(π·t/E)) / 2
 *   one-cycle   from base/25 to base, then to base/250,000 (Smith and Topin, 2018), in cosines as in PyTorch
 *
 * During the first `warmup` epochs, a factor that rises linearly from `warmupFactor` to 1 is applied. The schedule runs
 * from the start nevertheless, as timm's does, or with `warmupPrefix` over the remaining epochs, as torchvision's.
 */
import { flag, list, type OptionsOf, oneOf, real, type Table } from '../options.ts';

export type Schedule = 'constant' | 'step' | 'multi-step' | 'cosine' | 'one-cycle';

/** Names of the settings that only some schedules have. */
type Setting = 'milestones' | 'decayEvery' | 'decayFactor' | 'minLearningRate';

interface ScheduleRow {
  readonly settings: readonly Setting[];
  /** The factor on the learning rate at a time in epochs, counted from where the schedule begins. */
  factor(options: ScheduleOptions, time: number, epochs: number): number;
}

/** The share of a run without `decayEvery` after which the learning rate decays. */
const usualMilestones = [0.5, 0.75];

export const schedules: { readonly [S in Schedule]: ScheduleRow } = {
  constant: { settings: [], factor: () => 1 },
  step: {
    settings: ['decayEvery', 'decayFactor'],
    factor({ decayEvery, decayFactor }, time, epochs) {
      if (decayEvery > 0) return decayFactor ** Math.floor(time / decayEvery);
      return decayFactor ** countReached(usualMilestones, time / epochs);
    },
  },
  'multi-step': {
    settings: ['milestones', 'decayFactor'],
    factor: ({ milestones, decayFactor }, time) => decayFactor ** countReached(milestones, time),
  },
  cosine: {
    settings: ['minLearningRate'],
    factor({ minLearningRate, learningRate }, time, epochs) {
      const least = minLearningRate / learningRate;
      return least + (1 - least) * cosine(time / epochs);
    },
  },
  'one-cycle': {
    settings: [],
    factor: ({ stepsPerEpoch }, time, epochs) =>
      oneCycle(Math.round(time * stepsPerEpoch), Math.round(epochs * stepsPerEpoch)),
  },
};

export const scheduleNames = Object.keys(schedules) as readonly Schedule[];

const countReached = (milestones: readonly number[], time: number): number =>
  milestones.filter((milestone) => time >= milestone).length;

/** From 1 to 0. */
const cosine = (share: number): number => (1 + Math.cos(Math.PI * share)) / 2;

const initial = 1 / 25;
const final = initial / 1e4;
const rising = 0.3;

/** Step `k` of `steps`, counted from 0. The first 30 % rise to 1. */
function oneCycle(k: number, steps: number): number {
  const peak = rising * steps - 1;
  if (k <= peak) return 1 + (initial - 1) * cosine(k / peak);
  return final + (1 - final) * cosine(Math.min(1, (k - peak) / (steps - 1 - peak)));
}

const group = 'Schedule';

/** The options of schedules. */
export const scheduleFields = {
  schedule: oneOf(scheduleNames, {
    default: 'cosine',
    flag: '--schedule <name>',
    group,
    doc: 'learning rate over time',
  }),
  milestones: list(real({ above: 0, doc: 'a number of epochs' }), {
    default: [],
    flag: '--milestones <epochs>',
    group,
    doc: 'epochs after which the learning rate decays, separated by commas (multi-step)',
  }),
  decayEvery: real({
    from: 0,
    default: 0,
    flag: '--decay-every <epochs>',
    usual: '0, which is after 1/2 and 3/4 of the epochs',
    group,
    doc: 'epochs from one decay of the learning rate to the next (step)',
  }),
  decayFactor: real({
    above: 0,
    to: 1,
    default: 0.1,
    flag: '--decay-factor <f>',
    group,
    doc: 'factor of each decay of the learning rate (step, multi-step)',
  }),
  minLearningRate: real({
    from: 0,
    default: 0,
    flag: '--min-lr, --min-learning-rate <rate>',
    group,
    doc: 'learning rate at the end (cosine)',
  }),
  warmup: real({
    from: 0,
    default: 0,
    flag: '--warmup <epochs>',
    group,
    doc: 'epochs over which the learning rate rises to its peak',
  }),
  warmupFactor: real({
    from: 0,
    to: 1,
    default: 0.01,
    flag: '--warmup-factor <f>',
    group,
    doc: 'factor on the learning rate at the start of the warm-up',
  }),
  warmupPrefix: flag({
    default: false,
    flag: '--warmup-prefix',
    group,
    doc: 'begin the schedule after the warm-up instead of with it',
  }),
} satisfies Table;

export interface ScheduleOptions extends OptionsOf<typeof scheduleFields> {
  readonly learningRate: number;
  readonly epochs: number;
  readonly stepsPerEpoch: number;
}

/** @param time epochs done, including a fraction for the current one: 0 at the start, `epochs` at the end. */
export function learningRateAt(options: ScheduleOptions, time: number): number {
  const { schedule, learningRate, epochs, warmup, warmupFactor, warmupPrefix } = options;
  const rise = time < warmup ? warmupFactor + (1 - warmupFactor) * (time / warmup) : 1;
  const start = warmupPrefix ? warmup : 0;
  return learningRate * rise * schedules[schedule].factor(options, Math.max(0, time - start), epochs - start);
}

/** The epochs before a stepwise schedule decays for the first time; 0 for any other. */
export function firstDecay(options: Omit<ScheduleOptions, 'stepsPerEpoch'>): number {
  const { schedule, epochs, decayEvery, milestones, warmup, warmupPrefix } = options;
  const start = warmupPrefix ? warmup : 0;
  if (schedule === 'multi-step') return start + Math.min(...milestones);
  if (schedule !== 'step') return 0;
  return start + (decayEvery || usualMilestones[0]! * (epochs - start));
}
