/** The pictures in the card of a shipped model: the learning curve, and the confusion matrix of classes or groups of them. */
import type { Evaluation } from 'resnext';
import { lineChart } from '../../src/charts/charts.ts';
import { confusionMatrix } from '../../src/charts/heatmap.ts';
import { svgFile } from '../../src/charts/svg-file.ts';
import { series } from '../../src/report/curves.ts';
import { bestOf, type EpochLine } from '../../src/report/run-details.ts';

/** @param evaluated what the second line is of: `test`. */
export async function curvePicture(name: string, lines: readonly EpochLine[], evaluated: string): Promise<string> {
  const best = bestOf(lines);
  const y = best?.validation?.top1;
  return svgFile(
    await lineChart({
      title: `Top-1 accuracy of ${name}`,
      x: 'epoch',
      unit: ' %',
      alone: { y: 'top-1' },
      series: [
        series('training', 0, lines, (line) => line.top1),
        series(evaluated, 1, lines, (line) => line.validation?.top1),
      ],
      ...(y !== undefined && { mark: { x: best!.epoch, y, label: `best: epoch ${best!.epoch}` } }),
    }),
  );
}

/** Names of classes by the name of their group, separated by spaces. */
type Groups = Readonly<Record<string, string>>;

/** @param groups to draw instead of classes. */
export function confusionPicture({ scores, confusion }: Evaluation, groups?: Groups): string {
  const matrix = groups
    ? confusionMatrix(groupedConfusion({ scores, confusion }, groups), Object.keys(groups))
    : confusionMatrix(
        confusion,
        scores.map(({ label }) => label),
      );
  return svgFile(matrix);
}

/** Numbers of images by the group of their class and that of the predicted one. */
export function groupedConfusion({ scores, confusion }: Pick<Evaluation, 'scores' | 'confusion'>, groups: Groups) {
  const groupOf = scores.map(({ label }) => {
    const group = Object.values(groups).findIndex((classes) => classes.split(' ').includes(label));
    if (group < 0) throw new Error(`The class "${label}" is in no group. Add it in bench/models/about.ts.`);
    return group;
  });
  const rows = Object.keys(groups).map((_, __, { length }) => new Uint32Array(length));
  for (const [t, row] of confusion.entries()) {
    for (const [p, count] of row.entries()) rows[groupOf[t]!]![groupOf[p]!]! += count;
  }
  return rows;
}
