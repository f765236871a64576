/** `resnext train --show`: the top-1 of a run's epochs, drawn in the terminal. */
import pc from 'picocolors';
import { type EpochSeries, epochChart } from '../output/epoch-chart.ts';
import { epochsIn } from '../report/run-details.ts';
import { readRunText } from '../train/run-folder.ts';
import type { Output } from './output.ts';

/** Draws all epochs of a run, also those before it was resumed; without colors, only one curve. */
export function showRunCurve(run: string, output: Output): void {
  const epochs = epochsIn(readRunText(run, 'metrics') ?? '');
  if (epochs.length === 0) return;
  const trained = { name: 'training', values: epochs.map(({ top1 }) => top1), paint: pc.dim };
  const validated = epochs.flatMap(({ validation }) => validation?.top1 ?? []);
  const hasBoth = validated.length === epochs.length;
  const series: EpochSeries[] = hasBoth ? [{ name: 'validation', values: validated, paint: pc.cyan }] : [];
  if (!hasBoth || pc.isColorSupported) series.push(trained);
  output.drawing(`\nTop-1 by epoch\n${epochChart({ series, width: output.width })}\n`);
}
