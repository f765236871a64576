/** The learning curves of a run or of several, as charts. */

import { type ChartMark, lineChart, type Series } from '../charts/charts.ts';
import type { ChartColor } from '../charts/palette.ts';
import { escapeHtml } from '../page.ts';
import type { EpochLine } from './run-details.ts';

/** A value of each epoch; undefined where there is none. */
export type Pick = (line: EpochLine) => number | undefined;

export const series = (
  name: string,
  color: ChartColor,
  lines: readonly EpochLine[],
  pick: Pick,
  dashed = false,
): Series => ({
  name,
  color,
  dashed,
  points: lines.flatMap((line) => {
    const y = pick(line);
    return y === undefined ? [] : [{ x: line.epoch, y }];
  }),
});

interface Curve {
  readonly title: string;
  readonly series: readonly Series[];
  readonly unit?: string;
  readonly mark?: ChartMark;
  readonly labels?: boolean;
  readonly fromZero?: boolean;
  readonly cut?: boolean;
  /** HTML below the chart. */
  readonly below?: string;
}

/** A chart with its heading; empty if there is nothing to draw. */
export async function curve({ series, below = '', ...chart }: Curve): Promise<string> {
  const drawn = series.filter(({ points }) => points.length > 0);
  if (drawn.length === 0) return '';
  const svg = await lineChart({ ...chart, series: drawn, x: 'epoch' });
  return `<section><h3>${escapeHtml(chart.title)}</h3>${svg}${below}</section>`;
}

/**
 * @param note HTML below the chart of the loss.
 * @param uneven whether classes differ much in size, so that means over classes say more than top-1.
 * @returns a chart for the loss, one for top-1, and one for the learning rate.
 */
export async function learningCurves(
  lines: readonly EpochLine[],
  best: EpochLine | undefined,
  uneven: boolean,
  note = '',
): Promise<string[]> {
  const mark = (pick: Pick) => {
    const y = best && pick(best);
    return y === undefined ? {} : { mark: { x: best!.epoch, y, label: `best: epoch ${best!.epoch}` } };
  };
  const both = (name: 'loss' | 'top1') => [
    series('training', 0, lines, (line) => line[name]),
    series('validation', 1, lines, (line) => line.validation?.[name]),
    series('raw weights', 2, lines, (line) => line.rawValidation?.[name], true),
  ];
  const means = [
    series('balanced', 1, lines, (line) => line.validation?.balancedAccuracy),
    series('macro F1', 2, lines, (line) => line.validation?.macroF1),
  ];
  return Promise.all([
    curve({ title: 'Loss', cut: true, series: both('loss'), ...mark((line) => line.validation?.loss), below: note }),
    curve({ title: 'Top-1 accuracy', unit: ' %', series: both('top1'), ...mark((line) => line.validation?.top1) }),
    uneven
      ? curve({
          ...{ title: 'Balanced accuracy and macro F1', unit: ' %', series: means },
          ...mark((line) => line.validation?.balancedAccuracy),
        })
      : '',
    curve({
      ...{ title: 'Learning rate', labels: false, fromZero: true },
      series: [series('learning rate', 1, lines, (line) => line.learningRate)],
    }),
  ]);
}
