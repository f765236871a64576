import { expect, it } from 'vitest';
import { Calibration } from './calibration.ts';

function measured(predictions: readonly (readonly [confidence: number, correct: number])[], bins?: number) {
  const calibration = new Calibration(bins);
  for (const [confidence, correct] of predictions) calibration.add(Math.fround(confidence), correct === 1);
  return calibration.result();
}

it('matches numbers computed by hand', () => {
  const { error, confidence, bins } = measured(
    [
      [0.5, 1], // on an edge, so in [0.5, 1)
      [0.7, 0],
      [0.9, 1],
      [0.3, 1],
      [1, 0], // in a bin of its own
    ],
    2,
  );
  expect(bins.map(({ from, to, count }) => [from, to, count])).toEqual([
    [0, 0.5, 1],
    [0.5, 1, 3],
    [1, 1, 1],
  ]);
  expect(error).toBeCloseTo(0.2 * (1 - 0.3) + 0.6 * (0.7 - 2 / 3) + 0.2 * 1, 6);
  expect(confidence).toBeCloseTo(3.4 / 5, 6);
});

it('matches torchmetrics: bucketize(right=True) over linspace(0, 1, bins + 1), away from edges', () => {
  // biome-ignore format: two lists
  const confidences = [0.758, 0.279, 0.403, 1, 1, 0.21, 0.61, 0.754, 0.57, 0.439, 0.639, 0.525, 0.683, 0.305, 0.464, 0.455, 0.572, 0.498, 0.937, 0.656, 0.314, 0.198, 0.416, 0.284];
  const correct = [1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1, 0, 1, 1, 0, 1, 0];
  const predictions = confidences.map((confidence, i) => [confidence, correct[i]!] as const);
  const result = measured(predictions);
  expect(result.error).toBeCloseTo(0.239958331, 6);
  expect(result.bins.map(({ count }) => count)).toEqual([0, 0, 1, 1, 4, 0, 5, 2, 2, 3, 1, 2, 0, 0, 1, 2]);
  expect(measured(predictions, 5).error).toBeCloseTo(0.136875018, 6);
});

it('has no error without predictions, and ignores those that are not a number', () => {
  expect(measured([[Number.NaN, 1]])).toMatchObject({ error: 0, confidence: 0 });
});
