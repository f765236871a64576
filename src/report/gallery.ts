/** Misclassified images on a page: those with the highest loss, and some of each pair of classes that are often confused. */
import type { Evaluation } from '../classifier/evaluation.ts';
import { mostConfused } from '../metrics/confusion.ts';
import { escapeHtml } from '../page.ts';

/** A misclassified image. */
export interface Mistake {
  /** Its index in the list that was evaluated, and its name. */
  readonly index: number;
  readonly path: string;
  /** Indices into the list of classes. */
  readonly label: number;
  readonly predicted: number;
  /** The probability that the model gave to the predicted class, and the cross-entropy of the image. */
  readonly probability: number;
  readonly loss: number;
}

export interface ShownMistake extends Mistake {
  /** A thumbnail of the image as a `data:` URL, and its width and height. */
  readonly thumbnail: string;
  readonly size: readonly [width: number, height: number];
  /** A second picture, shown beside it: a heat map of the regions that support the predicted class; also a `data:` URL. */
  readonly overlay?: string;
}

/** Numbers of images with the highest loss, of pairs of classes, and of images for each pair. */
const shown = { worst: 24, pairs: 12, perPair: 6 } as const;

/**
 * Picks the mistakes to show: those with the highest loss, and for each of the most confused pairs of classes, those with
 * the highest probability.
 *
 * @example const chosen = chooseMistakes(evaluation, mistakes);
 */
export function chooseMistakes(evaluation: Evaluation, mistakes: readonly Mistake[]): Mistake[] {
  const ofPairs = mostConfused(evaluation.confusion, shown.pairs).flatMap((pair) => ofPair(mistakes, pair));
  return [...new Set([...worstOf(mistakes), ...ofPairs])];
}

/** Those with the highest loss. */
export const worstOf = <M extends Mistake>(mistakes: readonly M[]): M[] =>
  mistakes.toSorted((a, b) => b.loss - a.loss).slice(0, shown.worst);

const ofPair = <M extends Mistake>(mistakes: readonly M[], pair: Pick<Mistake, 'label' | 'predicted'>): M[] =>
  mistakes
    .filter(({ label, predicted }) => label === pair.label && predicted === pair.predicted)
    .sort((a, b) => b.probability - a.probability)
    .slice(0, shown.perPair);

/** Sections of a page. Without images, only the pairs. */
export function gallery(evaluation: Evaluation, mistakes: readonly ShownMistake[]): string[] {
  const labels = evaluation.scores.map(({ label }) => label);
  return [...worst(mistakes, labels), ...pairs(evaluation, labels, mistakes)];
}

function worst(mistakes: readonly ShownMistake[], labels: readonly string[]): string[] {
  if (mistakes.length === 0) return [];
  const cards = worstOf(mistakes).map((mistake) => {
    const { label, predicted, probability, loss } = mistake;
    const line = (kind: string, mark: string, k: number, value: number) =>
      `<span class="${kind}"><b>${mark}</b> <span class="name" title="${escapeHtml(labels[k]!)}">${escapeHtml(labels[k]!)}</span> <span class="share">${percent(value)}</span></span>`;
    const caption = line('as', '✗', predicted, probability) + line('is', '✓', label, Math.exp(-loss));
    return `<figure class="card"><div>${pictures(mistake).join('')}</div><figcaption>${caption}</figcaption></figure>`;
  });
  const explained = mistakes.some(({ overlay }) => overlay !== undefined)
    ? ' The heat maps show the regions that support the predicted class (Grad-CAM).'
    : '';
  return [
    '<section><h2>Worst mistakes</h2>',
    `<p>The images with the highest loss. <b class="wrong">✗</b> is the predicted class, <b class="correct">✓</b> the true one, each with its probability.${explained}</p>`,
    `<div class="cards">${cards.join('\n')}</div></section>`,
  ];
}

function pairs(evaluation: Evaluation, labels: readonly string[], mistakes: readonly ShownMistake[]): string[] {
  const found = mostConfused(evaluation.confusion, shown.pairs);
  if (found.length === 0) return [];
  const rows = found.map((pair) => {
    const { label, predicted, images } = pair;
    const names = `<b>${escapeHtml(labels[label]!)}</b> predicted as <b>${escapeHtml(labels[predicted]!)}</b>`;
    const figures = ofPair(mistakes, pair).map(
      (mistake) =>
        `<figure class="small">${pictures(mistake)[0]}<figcaption>${percent(mistake.probability)}</figcaption></figure>`,
    );
    return `<section><p>${names}: ${images} of ${evaluation.scores[label]!.images}</p>${figures.join('')}</section>`;
  });
  return ['<section><h2>Most confused</h2>', `<div class="pairs">${rows.join('\n')}</div></section>`];
}

/** The thumbnail, and what is laid beside it. Small images keep their pixels when they are enlarged. */
function pictures({ path, thumbnail, size, overlay }: ShownMistake): [thumbnail: string, heat: string] {
  const kind = Math.max(...size) <= 48 ? ' class="pixels"' : '';
  const image = (url: string, alt: string, kind = '') =>
    `<img src="${url}"${kind} width="${size[0]}" height="${size[1]}" alt="${escapeHtml(alt)}" title="${escapeHtml(alt)}">`;
  const heat = overlay === undefined ? '' : image(overlay, `regions of ${path} that support the predicted class`);
  return [image(thumbnail, path, kind), heat];
}

function percent(share: number): string {
  const value = 100 * share;
  return value > 0 && value < 1
    ? `${value < 0.1 ? '<0.1' : value.toFixed(1)} %`.replace('<', '&lt;')
    : `${value.toFixed(0)} %`;
}

export const galleryStyle = `figure { margin: 0; }
figure img { display: block; object-fit: contain; border-radius: 3px; background: color-mix(in srgb, var(--ink) 6%, var(--paper)); }
.pixels { image-rendering: pixelated; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(var(--card, 8.5rem), 100%), 1fr)); gap: 1.25rem 1rem; }
.cards:has(img + img) { --card: 13rem; }
.card div { display: flex; gap: 0.25rem; }
.card img { height: 6rem; width: auto; min-width: 3rem; max-width: 100%; }
.card figcaption { font-size: 0.8125rem; line-height: 1.4; margin-top: 0.35rem; }
.card figcaption > span { display: flex; gap: 0.3rem; max-width: 11rem; }
.card .name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.card .share { opacity: 0.75; white-space: nowrap; font-variant-numeric: tabular-nums; }
.card b { font-weight: 600; }
.as b, b.wrong { color: var(--series-2); }
.is b, b.correct { color: var(--series-1); }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); gap: 1rem 2rem; }
.pairs p { margin: 0 0 0.3rem; }
.small { display: inline-block; margin: 0 0.4rem 0 0; text-align: center; font-size: 0.75rem; vertical-align: top; }
.small img { height: 3rem; width: auto; min-width: 2rem; max-width: 6rem; margin: auto; }
@media (max-width: 40rem) {
  .cards, .cards:has(img + img) { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .cards:has(img + img) img { width: 0; flex: 1 1 0; min-width: 0; height: auto; aspect-ratio: 1; }
}
`;
