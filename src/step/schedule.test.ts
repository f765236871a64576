/** Schedules against PyTorch's schedulers, and the sums of the conventions that PyTorch has no scheduler for. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { resolve } from '../options.ts';
import { learningRateAt, type ScheduleOptions, scheduleFields } from './schedule.ts';

interface Golden {
  readonly epochs: Readonly<Record<string, readonly number[]>>;
  readonly steps: Readonly<Record<string, readonly number[]>>;
}

const file = new URL('../../test/golden/schedules.json', import.meta.url);
const golden = JSON.parse(readFileSync(file, 'utf8')) as Golden;

const options = (given: Partial<ScheduleOptions>): ScheduleOptions => ({
  ...resolve(scheduleFields, given),
  learningRate: 0.4,
  epochs: 12,
  stepsPerEpoch: 7,
  ...given,
});

/** PyTorch computes most rates from the one before, so its rounding adds up. */
function expectClose(rates: readonly number[], expected: readonly number[]): void {
  expect(rates).toHaveLength(expected.length);
  for (const [i, rate] of rates.entries()) expect(Math.abs(rate / expected[i]! - 1), `at ${i}`).toBeLessThan(1e-12);
}

const warm = { warmup: 3, warmupPrefix: true } as const;

test.each<[string, Partial<ScheduleOptions>]>([
  ['step', { schedule: 'step', decayEvery: 5, decayFactor: 0.3 }],
  ['multi-step', { schedule: 'multi-step', milestones: [4, 10], decayFactor: 0.2 }],
  ['cosine', { schedule: 'cosine' }],
  ['cosine to 0.01', { schedule: 'cosine', minLearningRate: 0.01 }],
  ['cosine after a warm-up', { schedule: 'cosine', minLearningRate: 0.01, ...warm }],
  ['step after a warm-up', { schedule: 'step', decayEvery: 5, decayFactor: 0.3, ...warm }],
])('%s as in PyTorch', (name, given) => {
  const rates = golden.epochs[name]!.map((_, epoch) => learningRateAt(options(given), epoch));
  expectClose(rates, golden.epochs[name]!);
});

test.each(Object.entries(golden.steps))('one-cycle over %s steps as in PyTorch', (steps, expected) => {
  const stepsPerEpoch = Number(steps) / 2;
  const given = options({ schedule: 'one-cycle', epochs: 2, stepsPerEpoch });
  const rates = expected.map((_, k) => learningRateAt(given, k / stepsPerEpoch));
  expectClose(rates, expected);
  expect(learningRateAt(given, 2)).toBeCloseTo(0.4 / 250_000, 15); // after the last step
});

test('without decayEvery, step decays at a half and at three quarters', () => {
  const rates = [0, 5.9, 6, 8.9, 9, 12].map((time) => learningRateAt(options({ schedule: 'step' }), time));
  expectClose(rates, [0.4, 0.4, 0.04, 0.04, 0.004, 0.004]);
});

/** timm reads its cosine at the epoch, so after 5 of 300 epochs the rate is 0.99931 of the base. */
test('without a prefix, the cosine begins with the warm-up', () => {
  const given = options({ schedule: 'cosine', epochs: 300, warmup: 5, warmupFactor: 0.5 });
  expect(learningRateAt(given, 5) / 0.4).toBeCloseTo(0.99931, 5);
  expect(learningRateAt(given, 0)).toBe(0.2);
});
