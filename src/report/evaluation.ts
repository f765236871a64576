/** An evaluation as an HTML page: its figures, the classes, the confusion matrix, and misclassified images. */

import type { Evaluation } from '../classifier/evaluation.ts';
import { mostConfused, weakestFirst } from '../metrics/confusion.ts';
import { escapeHtml, page, wide } from '../page.ts';
import { confusionMatrix, matrixStyle } from './heatmap.ts';

/** A misclassified image. */
export interface Mistake {
  readonly path: string;
  /** Indices into the list of classes. */
  readonly label: number;
  readonly predicted: number;
  /** The probability that the model gave to the predicted class. */
  readonly probability: number;
}

export interface ShownMistake extends Mistake {
  /** A thumbnail of the image as a `data:` URL. */
  readonly thumbnail: string;
}

export interface ReportOptions {
  /** The model and the folder of images, for the heading. */
  readonly model: string;
  readonly folder: string;
  /** More lines below the heading, such as the test-time augmentation. */
  readonly notes?: readonly string[];
  /** Images to show for the most confused pairs. */
  readonly mistakes?: readonly ShownMistake[];
}

/** Number of pairs of classes on the page, and of images for each. */
const shownPairs = 12;
const shownImages = 6;

/**
 * Picks the mistakes to show: for each of the most confused pairs of classes, those with the highest probability.
 *
 * @example const chosen = chooseMistakes(evaluation, mistakes);
 */
export function chooseMistakes<T extends Mistake>(evaluation: Evaluation, mistakes: readonly T[]): T[] {
  return mostConfused(evaluation.confusion, shownPairs).flatMap(({ label, predicted }) => {
    const own = mistakes.filter((each) => each.label === label && each.predicted === predicted);
    return own.sort((a, b) => b.probability - a.probability).slice(0, shownImages);
  });
}

/**
 * The report as one self-contained page.
 *
 * @example await writeFile('report.html', evaluationReport(evaluation, { model: 'runs/flowers', folder: 'flowers/val' }));
 */
export function evaluationReport(evaluation: Evaluation, options: ReportOptions): string {
  const { model, folder, notes = [], mistakes = [] } = options;
  const labels = evaluation.scores.map(({ label }) => label);
  const about = [`${model} on ${folder}`, ...notes].map((line) => `<p class="about">${escapeHtml(line)}</p>`);
  const parts = [
    '<h1>Evaluation</h1>',
    ...about,
    figures(evaluation),
    '<div class="beside"><section>',
    '<h2>Confusion matrix</h2>',
    '<p>Each row is a true class, each column a predicted class.<br>Color shows the share of the row.</p>',
    wide(confusionMatrix(evaluation.confusion, labels), 'Confusion matrix'),
    '</section><section>',
    '<h2>Classes</h2>',
    `<p>Weakest first${withoutImages(evaluation)}.<br>Recall is the top-1 accuracy of the class.</p>`,
    classTable(evaluation),
    '</section></div>',
    ...pairs(evaluation, labels, mistakes),
  ];
  return page(`${model} on ${folder}`, parts, style + matrixStyle);
}

function figures({ images, top1, top5, balancedAccuracy, macroF1, loss, scores }: Evaluation): string {
  const items = [
    [`${top1.toFixed(2)} %`, 'top-1'],
    ...(scores.length > 5 ? [[`${top5.toFixed(2)} %`, 'top-5']] : []),
    [`${balancedAccuracy.toFixed(2)} %`, 'balanced accuracy'],
    [`${macroF1.toFixed(2)} %`, 'macro F1'],
    [loss.toFixed(4), 'loss'],
    [images.toLocaleString('en'), 'images'],
    [scores.length.toLocaleString('en'), 'classes'],
  ];
  return `<dl>${items.map(([value, name]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join('')}</dl>`;
}

function pairs(evaluation: Evaluation, labels: readonly string[], mistakes: readonly ShownMistake[]): string[] {
  const found = mostConfused(evaluation.confusion, shownPairs);
  if (found.length === 0) return [];
  const rows = found.map(({ label, predicted, images }) => {
    const own = mistakes.filter((each) => each.label === label && each.predicted === predicted);
    const names = `<b>${escapeHtml(labels[label]!)}</b> predicted as <b>${escapeHtml(labels[predicted]!)}</b>`;
    return `<section><p>${names}: ${images} of ${evaluation.scores[label]!.images}</p>${own.map(figure).join('')}</section>`;
  });
  return ['<h2>Most confused</h2>', `<div class="pairs">${rows.join('\n')}</div>`];
}

const figure = ({ path, probability, thumbnail }: ShownMistake): string =>
  `<figure><img src="${thumbnail}" alt="${escapeHtml(path)}" title="${escapeHtml(path)}"><figcaption>${(100 * probability).toFixed(0)} %</figcaption></figure>`;

function classTable({ scores }: Evaluation): string {
  const head = '<th>class</th><th class="number">images</th><th>recall</th><th>precision</th><th>F1</th>';
  const bar = (value: number) =>
    `<td><div class="bar"><i style="width:${value.toFixed(1)}%"></i><span>${value.toFixed(1)} %</span></div></td>`;
  const rows = weakestFirst(scores).map(({ label, images, recall, precision, f1 }) => {
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

const style = `.about { margin: 0; opacity: 0.75; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.5rem, 10rem)); gap: 0.75rem 1rem; margin: 1.25rem 0; }
dl div { display: flex; flex-direction: column-reverse; justify-content: flex-end; }
dt { opacity: 0.75; font-size: 0.9rem; }
dd { margin: 0; font-size: 1.6rem; line-height: 1.3; font-weight: 600; font-variant-numeric: tabular-nums; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); gap: 0.75rem 2rem; }
.pairs p { margin: 0 0 0.25rem; }
figure { display: inline-block; margin: 0 0.4rem 0 0; text-align: center; font-size: 0.75rem; }
figure img { display: block; height: 3rem; min-width: 2rem; max-width: 6rem; object-fit: contain; border-radius: 3px; }
.bar { position: relative; width: 7rem; }
.bar i { position: absolute; inset: 0.1rem auto 0.1rem 0; border-radius: 2px; background: light-dark(#1f6fb233, #3f8fd64d); }
.bar span { position: relative; padding-left: 0.4rem; }
@media (max-width: 40rem) {
  .bar { width: 3.75rem; }
  .classes th, .classes td { padding-right: 0.5rem; }
}
`;
