/** Suggestions of a learning rate against fastai's rules, computed in Python from the same curves. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Smoothed, type SweepPoint, suggestionsFrom, sweepRate, usualSweep } from './learning-rates.ts';

interface Case {
  readonly losses: readonly (number | null)[];
  readonly steps: number;
  readonly smoothed: number | null;
  readonly valley: number;
  readonly steepest: number;
  readonly minimum: number;
}

const file = new URL('../../test/golden/learning-rates.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { readonly cases: Readonly<Record<string, Case>> };

/** The points of a sweep with these losses; one that is not a number does not end it. */
function pointsOf(losses: readonly (number | null)[]): SweepPoint[] {
  const smoothed = new Smoothed();
  const points: SweepPoint[] = [];
  for (const [step, loss] of losses.entries()) {
    const point = { learningRate: sweepRate(usualSweep, step), loss: loss ?? Number.NaN };
    points.push({ ...point, smoothed: smoothed.add(point.loss) });
    const last = points.at(-1)!.smoothed;
    if (smoothed.isDiverged(last) && !Number.isNaN(last)) break;
  }
  return points;
}

const close = (actual: number, expected: number) => expect(Math.abs(actual / expected - 1)).toBeLessThan(1e-12);

test.each(Object.entries(cases))('%s', (_, { losses, steps, smoothed, ...suggested }) => {
  const points = pointsOf(losses);
  expect(points).toHaveLength(steps);
  if (smoothed !== null) close(points.at(-1)!.smoothed, smoothed);
  const found = suggestionsFrom(points, usualSweep.steps)!;
  for (const name of ['valley', 'steepest'] as const) close(found[name], suggested[name]);
  close(found.tenthOfLowest, suggested.minimum);
  close(found.lowest, 10 * suggested.minimum);
});

test('a loss that only rises suggests nothing, and one that is not a number ends the sweep', () => {
  const rising = pointsOf(Array.from({ length: 100 }, (_, i) => 1 + i / 100));
  expect(suggestionsFrom(rising, usualSweep.steps)).toBeUndefined();
  expect(suggestionsFrom(rising.slice(0, 12), usualSweep.steps)).toBeUndefined();
  const smoothed = new Smoothed();
  smoothed.add(1);
  expect(smoothed.isDiverged(smoothed.add(Number.NaN))).toBe(true);
});
