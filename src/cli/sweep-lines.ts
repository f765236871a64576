/** Shows a sweep of learning rates: progress, then a curve and a suggestion; as a file, a chart. */
import pc from 'picocolors';
import { type ChartMark, lineChart, type Point } from '../charts/charts.ts';
import { curve } from '../output/curve.ts';
import type { SuggestionEvent, SweepEvent } from '../train/events.ts';
import type { Output } from './output.ts';

export function showSweep({ step, steps, learningRate, smoothed }: SweepEvent, output: Output): void {
  output.progress(
    step / steps,
    `step ${step}`,
    `learning rate ${rateText(learningRate)}`,
    `loss ${smoothed.toFixed(3)}`,
  );
}

export function showSuggestion(event: SuggestionEvent, output: Output): void {
  const { suggested } = event;
  const mark = suggested === undefined ? {} : { mark: suggested };
  output.line(`Smoothed loss by learning rate\n${curve({ points: shown(event), ...mark, width: output.width })}\n`);
  output.line(describe(event));
}

function describe({ suggested, lowest = 0, usual }: SuggestionEvent): string {
  if (suggested === undefined) {
    return 'The loss falls at none of these learning rates, so none can be suggested. Check the images and their classes.';
  }
  const range =
    lowest > suggested ? ` The loss is lowest at ${rateText(lowest)}; good rates are mostly in between.` : '';
  return [
    `Suggested: ${pc.bold(`--lr ${rateText(suggested)}`)}, in the middle of the longest fall of the loss.${range}`,
    `Without --lr, these options have ${rateText(usual)}.`,
  ].join('\n');
}

/** The chart as SVG, with marks at the rates that the description names. */
export const sweepChart = (event: SuggestionEvent): Promise<string> => {
  const points = shown(event);
  const { suggested, lowest, usual } = event;
  const marks = [
    ...markAt(points, suggested, 'suggested'),
    ...markAt(points, lowest, 'lowest loss'),
    ...markAt(points, usual, 'default'),
  ];
  return lineChart({
    title: 'Smoothed loss by learning rate',
    series: [{ name: 'loss', color: 1, points }],
    x: 'learning rate',
    logarithmic: { x: true },
    labels: false,
    alone: { y: 'loss' },
    marks,
  });
};

/** A mark at the point of the next higher rate; none outside the curve. */
function markAt(points: readonly Point[], rate: number | undefined, name: string): ChartMark[] {
  if (rate === undefined || points.length === 0 || rate < points[0]!.x) return [];
  const next = points.find(({ x }) => x >= rate * (1 - 1e-9));
  return next ? [{ x: rate, y: next.y, label: `${name}: ${rateText(rate)}` }] : [];
}

/** Without the steep rise at the end, which would make everything else flat. */
const shown = ({ curve }: SuggestionEvent) =>
  curve.slice(0, Math.max(1, curve.length - 5)).map(({ learningRate, smoothed }) => ({ x: learningRate, y: smoothed }));

/** With two digits: `0.0012`, `1e-7`. */
const rateText = (rate: number): string => `${Number(rate.toPrecision(2))}`;
