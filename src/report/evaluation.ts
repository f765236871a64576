/** An evaluation as an HTML page, or as sections of another: figures, classes, confusion matrix, calibration and mistakes. */

import { reliabilityChart } from '../charts/charts.ts';
import { confusionMatrix, matrixStyle } from '../charts/heatmap.ts';
import { chartStyle } from '../charts/palette.ts';
import type { Evaluation } from '../classifier/evaluation.ts';
import type { CalibrationResult } from '../metrics/calibration.ts';
import { type ClassScore, weakestFirst } from '../metrics/confusion.ts';
import { escapeHtml, page, wide } from '../page.ts';
import { about, figures, figuresStyle, percent, whole } from './figures.ts';
import { gallery, galleryStyle, type ShownMistake } from './gallery.ts';

export interface ReportOptions {
  /** The model and the folder of images, for the heading. */
  readonly model: string;
  readonly folder: string;
  /** More lines below the heading, such as the test-time augmentation. */
  readonly notes?: readonly string[];
  /** Images to show. */
  readonly mistakes?: readonly ShownMistake[];
}

/**
 * The report as one self-contained page.
 *
 * @example await writeFile('report.html', await evaluationReport(evaluation, { model: 'runs/flowers', folder: 'flowers/val' }));
 */
export async function evaluationReport(evaluation: Evaluation, options: ReportOptions): Promise<string> {
  const { model, folder, notes = [], mistakes = [] } = options;
  const { images, top1, top5, balancedAccuracy, macroF1, loss, scores } = evaluation;
  const parts = [
    '<h1>Evaluation</h1>',
    ...about([`${model} on ${folder}`, ...notes]),
    figures([
      [percent(top1), 'top-1'],
      [scores.length > 5 ? percent(top5) : undefined, 'top-5'],
      [percent(balancedAccuracy), 'balanced accuracy'],
      [percent(macroF1), 'macro F1'],
      [loss.toFixed(4), 'loss'],
      [whole(images), 'images'],
      [whole(scores.length), 'classes'],
    ]),
    ...(await evaluationSections(evaluation, mistakes)),
  ];
  return page(`${model} on ${folder}`, parts, evaluationStyle);
}

/** The sections of an evaluation. A page with them needs `evaluationStyle`. */
export async function evaluationSections(
  evaluation: Evaluation,
  mistakes: readonly ShownMistake[] = [],
): Promise<string[]> {
  const labels = evaluation.scores.map(({ label }) => label);
  return [
    '<div class="beside"><section>',
    '<h2>Confusion matrix</h2>',
    '<p>Each row is a true class, each column a predicted class.<br>Color shows the share of the row.</p>',
    wide(confusionMatrix(evaluation.confusion, labels), 'Confusion matrix'),
    '</section><section>',
    '<h2>Classes</h2>',
    `<p>Weakest first${withoutImages(evaluation)}.<br>Recall is the top-1 accuracy of the class.</p>`,
    classTable(evaluation),
    '</section></div>',
    ...(await calibrationSection(evaluation)),
    ...gallery(evaluation, mistakes),
  ];
}

async function calibrationSection({ calibration, top1 }: Evaluation): Promise<string[]> {
  const { error, confidence, bins } = calibration;
  const chart = await reliabilityChart('Accuracy by confidence', shownBins(bins));
  return [
    '<section><h2>Calibration</h2><div class="text-beside"><div>',
    `<p>${inWords(100 * confidence, top1)} The expected calibration error (ECE) is <b>${percent(100 * error)}</b>.</p>`,
    '<p>Each bar is the accuracy of the predictions with a similar confidence, the probability of the predicted class. The dot is at their mean confidence. On the dashed line, predictions are right as often as their confidence says; below it, the model is overconfident. Faint bars have few images.</p>',
    `<p class="about">ECE over ${bins.length - 1} equal bins, closed on the left, and one for a confidence of exactly 1.</p>`,
    `</div>${chart}</div></section>`,
  ];
}

function inWords(confidence: number, accuracy: number): string {
  const difference = confidence - accuracy;
  const judged = Math.abs(difference) < 1 ? 'About right' : difference > 0 ? 'Overconfident' : 'Underconfident';
  return `${judged}: on average, the model is ${confidence.toFixed(1)} % confident, and right in ${accuracy.toFixed(1)} % of cases.`;
}

/** The bins to draw: a confidence of exactly 1 is in the last one, where its bar has a width. */
function shownBins(bins: CalibrationResult['bins']): CalibrationResult['bins'] {
  const [last, one] = bins.slice(-2) as [CalibrationResult['bins'][number], CalibrationResult['bins'][number]];
  const count = last.count + one.count;
  const mean = (key: 'accuracy' | 'confidence') => (last[key] * last.count + one[key] * one.count) / Math.max(1, count);
  return [...bins.slice(0, -2), { ...last, count, accuracy: mean('accuracy'), confidence: mean('confidence') }];
}

/** Of more classes than `maxInTable`, the first are shown, and the others when the reader asks for them. */
const [maxInTable, firstInTable] = [30, 20] as const;

function classTable({ scores }: Evaluation): string {
  const weakest = weakestFirst(scores);
  if (weakest.length <= maxInTable) return tableOf(weakest);
  const [first, others] = [weakest.slice(0, firstInTable), weakest.slice(firstInTable)];
  return `${tableOf(first)}\n<details><summary>The other ${others.length} classes</summary>${tableOf(others)}</details>`;
}

function tableOf(scores: readonly ClassScore[]): string {
  const head = '<th>class</th><th class="number">images</th><th>recall</th><th>precision</th><th>F1</th>';
  const bar = (value: number) =>
    `<td><div class="bar"><i style="width:${value.toFixed(1)}%"></i><span>${value.toFixed(1)} %</span></div></td>`;
  const rows = scores.map(({ label, images, recall, precision, f1 }) => {
    return `<tr><td>${escapeHtml(label)}</td><td class="number">${images}</td>${[recall, precision, f1].map(bar).join('')}</tr>`;
  });
  const table = `<table class="classes"><thead><tr>${head}</tr></thead><tbody>\n${rows.join('\n')}\n</tbody></table>`;
  return wide(table, 'Classes');
}

/** Mentions the classes that the table leaves out. */
function withoutImages({ scores }: Evaluation): string {
  const count = scores.length - weakestFirst(scores).length;
  return count === 0 ? '' : `, without ${count === 1 ? 'the one class' : `the ${count} classes`} that had no images`;
}

/** The CSS rules of all sections. */
export const evaluationStyle = `${chartStyle}${figuresStyle}${matrixStyle}${galleryStyle}
.text-beside { display: flex; flex-wrap: wrap; gap: 0.5rem 4rem; align-items: flex-start; }
.text-beside > div { flex: 1 1 20rem; max-width: 32rem; }
.text-beside > svg { flex: 1 1 20rem; }
.text-beside p:first-child { margin-top: 0; }
summary { cursor: pointer; padding: 0.5rem 0; }
.bar { position: relative; width: 7rem; }
.bar i { position: absolute; inset: 0.1rem auto 0.1rem 0; border-radius: 2px; background: light-dark(#1f6fb233, #3f8fd64d); }
.bar span { position: relative; padding-left: 0.4rem; }
@media (max-width: 40rem) {
  .bar { width: 3.75rem; }
  .classes th, .classes td { padding-right: 0.5rem; }
}
`;
