/** The pictures in the card of a shipped model: the learning curve, and the confusion matrix of classes or groups of them. */
import type { Evaluation } from 'resnext';
import { lineChart } from '../../src/charts/charts.ts';
import { confusionMatrix } from '../../src/charts/heatmap.ts';
import { svgFile } from '../../src/charts/svg-file.ts';
import { series } from '../../src/report/curves.ts';
import { bestOf, type EpochLine } from '../../src/report/run-details.ts';

export async function curvePicture(name: string, lines: readonly EpochLine[]): Promise<string> {
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
        series('test', 1, lines, (line) => line.validation?.top1),
      ],
      ...(y !== undefined && { mark: { x: best!.epoch, y, label: `best: epoch ${best!.epoch}` } }),
    }),
  );
}

/** @param groups names of classes by the name of their group, separated by spaces. Default: every class is its own. */
export function confusionPicture({ scores, confusion }: Evaluation, groups?: Readonly<Record<string, string>>): string {
  const labels = scores.map(({ label }) => label);
  if (!groups) return svgFile(confusionMatrix(confusion, labels));
  const names = Object.keys(groups);
  const groupOf = labels.map((label) => names.findIndex((name) => groups[name]!.split(' ').includes(label)));
  const missing = labels.find((_, k) => groupOf[k]! < 0);
  if (missing !== undefined) throw new Error(`The class "${missing}" is in no group. Add it in bench/models/about.ts.`);
  const rows = names.map(() => new Uint32Array(names.length));
  for (const [t, row] of confusion.entries()) {
    for (const [p, count] of row.entries()) rows[groupOf[t]!]![groupOf[p]!]! += count;
  }
  return svgFile(confusionMatrix(rows, names));
}
