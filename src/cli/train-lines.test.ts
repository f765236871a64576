/** What a run prints: the figure that chooses the best epoch, its epoch, and what an average is worth. */
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import type { EndEvent, EpochEvent, StartEvent } from '../train/events.ts';
import { trainListener } from './train-lines.ts';

const validation = { loss: 1.234, top1: 55, top5: 90, balancedAccuracy: 44, macroF1: 33 };

/** The lines after the start. */
function linesOf(
  trainPerClass: readonly number[],
  bestBy: EpochEvent['bestBy'],
  more: Partial<EpochEvent> = {},
): string[] {
  const lines: string[] = [];
  const output = { json: false, width: 80, line: (text: string) => lines.push(text), note: () => {} };
  const show = trainListener(output as unknown as Parameters<typeof trainListener>[0]);
  const sizes = {
    parameters: 1000,
    macs: 1000,
    trained: 1000,
    train: 50,
    validation: 10,
    batch: 8,
    epochs: 30,
    epoch: 0,
  };
  show({
    event: 'start',
    ...sizes,
    variant: 'v',
    frozen: [],
    classes: ['a', 'b'],
    trainPerClass,
    bestBy,
  } as unknown as StartEvent);
  const scores = { loss: 1.5, top1: 60, validation, learningRate: 0.1, seconds: 725, corrupt: 0, best: true, bestBy };
  show({ event: 'epoch', epoch: 6, epochs: 30, ...scores, ...more } as EpochEvent);
  const end = { out: 'runs/x', interrupted: false, epochs: 30, endedEarly: false, bestBy, bestEpoch: 6 };
  show({ event: 'end', ...end, best: validation[bestBy!] } as EndEvent);
  return lines.slice(1).join('\n').split('\n').map(stripVTControlCharacters);
}

test.each([
  [[25, 25], 'top1', 'top-1 55.0 %', 'top-1 55.00 %'],
  [[25, 25], 'loss', 'val loss 1.234', 'loss 1.2340'],
  [[25, 25], 'macroF1', 'F1 33.0 %', 'macro F1 33.00 %'],
  [[45, 5], 'top1', 'val top-1 55.0', 'top-1 55.00 %'],
  [[45, 5], 'loss', 'val loss 1.234', 'loss 1.2340'],
  [[45, 5], 'balancedAccuracy', 'balanced 44.0', 'balanced accuracy 44.00 %'],
] as const)('of classes with %j images, the best by %s', (perClass, bestBy, shown, ended) => {
  const lines = linesOf(perClass, bestBy);
  const line = lines.find((text) => text.startsWith('epoch'))!;
  expect(line).toContain(`  ${shown}  `);
  expect(line.length).toBeLessThanOrEqual(80);
  expect(lines.join('\n')).toContain(`Done: best ${ended} in epoch 6`);
});

test('the average and the weights themselves are compared at the end', () => {
  const lines = linesOf([25, 25], 'top1', { rawValidation: { ...validation, top1: 50 } });
  expect(lines.at(-1)).toBe(
    'It is the average of the weights, with top-1 55.00 %. The weights themselves have 50.00 % and are in runs/x/raw.',
  );
});
