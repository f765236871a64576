/** What of the options follows from the images. */
import { expect, test } from 'vitest';
import { UsageError } from '../errors.ts';
import { fitBatch, resolveTrainOptions, withoutIdle } from './check-options.ts';
import type { GivenOptions } from './options.ts';

const base = { data: 'flowers', out: 'runs/flowers' };
const fitted = (given: Partial<GivenOptions>, images: number) =>
  fitBatch(resolveTrainOptions({ ...base, ...given }), given, images);

test('fewer images than the usual batch are a batch, with a learning rate in proportion', () => {
  expect(fitted({}, 33)).toMatchObject({ batch: 32, learningRate: 0.0125 });
  expect(fitted({}, 32)).toMatchObject({ batch: 32, learningRate: 0.0125 });
  expect(fitted({}, 8)).toMatchObject({ batch: 8, learningRate: 0.003125 });
});

test('a learning rate that was asked for stays', () => {
  expect(fitted({ learningRate: 0.3 }, 8)).toMatchObject({ batch: 8, learningRate: 0.3 });
});

test('a batch that was asked for is not made smaller', () => {
  expect(fitted({ batch: 8 }, 8).batch).toBe(8);
  expect(() => fitted({ batch: 32 }, 8)).toThrow(UsageError);
  expect(() => fitted({ batch: 32 }, 8)).toThrow(
    /batch is 32, but there are only 8 training images\. Choose a smaller batch, such as 8\.$/,
  );
});

test.each<[Partial<GivenOptions>, string]>([
  [{ decayEvery: 30 }, 'decayEvery has no effect without schedule: step. Remove it, or choose that schedule.'],
  [{ schedule: 'multi-step' }, 'needs the epochs of its decays. Add milestones: 30,60,90.'],
  [{ schedule: 'one-cycle', warmup: 1 }, 'warmup has no effect on the schedule one-cycle'],
  [
    { warmup: 5, warmupPrefix: true, epochs: 1 },
    'A warm-up of 5 epochs leaves nothing of 1 epoch for the schedule, which begins after it. Raise epochs, or add warmup: 0.',
  ],
  [
    { optimizer: 'adamw', momentum: 0.8 },
    'momentum has no effect without optimizer: sgd or rmsprop. Remove it, or choose one of those optimizers.',
  ],
  [{ warmupFactor: 0.1 }, 'warmupFactor has no effect without warmup. Remove it, or add warmup: 5.'],
  [{ erasingMode: 'pixel' }, 'erasingMode has no effect without erasing.'],
  [{ mixEpochs: 3 }, 'mixEpochs has no effect without mixup or cutmix. Remove it, or add mixup: 0.2.'],
  [{ averageEvery: 8 }, 'averageEvery has no effect without averageDecay.'],
  [{ minLearningRate: 0.1, learningRate: 0.01 }, 'minLearningRate is above learningRate.'],
])('%j is refused', (given, sentence) => {
  expect(() => resolveTrainOptions({ ...base, ...given })).toThrow(sentence);
});

test('of options for the same purpose, a given one replaces that of a recipe, and two in a recipe are refused', () => {
  const [weights, sampling] = [{ classWeights: 'balanced' }, { sampling: 'balanced' }] as const;
  expect(withoutIdle(weights, { ...base, ...sampling })).toEqual({});
  expect(withoutIdle(sampling, { ...base, ...weights })).toEqual({});
  const both = { ...weights, ...sampling };
  expect(withoutIdle(both, base)).toEqual(both);
  expect(() => resolveTrainOptions({ ...base, ...both })).toThrow('both make rare classes count more');
});
