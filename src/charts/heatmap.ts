/**
 * A confusion matrix as SVG: one row per true class, one column per predicted class. The opacity of a cell is its share
 * of the row. Correct predictions are on the diagonal, in a color of their own. Empty cells are not drawn, so a
 * thousand classes need no more cells than there are images.
 */
import { escapeHtml } from '../page.ts';

/** How to draw a matrix, depending on the number of classes. */
interface Scale {
  /** Size of a cell in pixels. */
  readonly cell: number;
  readonly font: number;
  readonly labels: boolean;
  readonly counts: boolean;
}

function scaleFor(classes: number): Scale {
  if (classes <= 12) return { cell: 44, font: 13, labels: true, counts: true };
  if (classes <= 30) return { cell: 28, font: 11, labels: true, counts: true };
  if (classes <= 80) {
    const cell = Math.max(13, Math.floor(900 / classes));
    return { cell, font: 11, labels: true, counts: false };
  }
  return { cell: Math.max(1, 900 / classes), font: 12, labels: false, counts: false };
}

/** Longer labels are shortened beside the matrix. */
const maxLabelLength = 18;
const shortened = (label: string): string =>
  label.length > maxLabelLength ? `${label.slice(0, maxLabelLength - 1)}…` : label;

/**
 * @param confusion rows of counts.
 * @param labels names of the classes, in order.
 * @example confusionMatrix(evaluation.confusion, classifier.description.classes)
 */
export function confusionMatrix(confusion: readonly Uint32Array[], labels: readonly string[]): string {
  const scale = scaleFor(labels.length);
  const { cell, font } = scale;
  const widest = Math.max(...labels.map((label) => shortened(label).length));
  const margin = 24 + (scale.labels ? Math.ceil(widest * font * 0.62) : 0); // room for the labels and the axis title
  const side = cell * labels.length;
  const size = margin + side + 8;
  const cells = confusion.map((row, t) => cellsOf(row, t, labels, scale)).join('');
  const names = scale.labels ? axisLabels(labels, scale, side) : '';
  const least = scale.labels ? ` style="min-width: ${Math.round(0.85 * size)}px"` : ''; // keeps text legible
  return `<svg class="matrix"${least} viewBox="0 0 ${size} ${size}" width="${size}" height="${size}" role="img" aria-label="Confusion matrix">
<text class="axis" x="${margin + side / 2}" y="12" text-anchor="middle">predicted class</text>
<text class="axis" transform="translate(12 ${margin + side / 2}) rotate(-90)" text-anchor="middle">true class</text>
<g transform="translate(${margin} ${margin})" font-size="${font}">
<rect class="frame" width="${side}" height="${side}"/>
${names}${cells}</g>
</svg>`;
}

function cellsOf(row: Uint32Array, t: number, labels: readonly string[], { cell, font, counts }: Scale): string {
  const total = row.reduce((a, b) => a + b, 0);
  const drawn: string[] = [];
  for (const [p, count] of row.entries()) {
    if (count === 0) continue;
    const share = count / total;
    const kind = p === t ? 'correct' : 'wrong';
    const outcome = p === t ? 'correct' : `predicted as ${labels[p]}`;
    const opacity = Math.min(1, 0.08 + 0.92 * (p === t ? share : Math.sqrt(share))).toFixed(2); // keeps small counts visible
    const title = `<title>${escapeHtml(`${labels[t]}: ${count} of ${total} ${outcome}`)}</title>`;
    const side = round(Math.max(2, cell)); // keeps small cells visible
    const place = `x="${round(p * cell)}" y="${round(t * cell)}" width="${side}" height="${side}"`;
    drawn.push(`<rect class="${kind}" ${place} fill-opacity="${opacity}">${title}</rect>`);
    if (!counts) continue;
    const at = `x="${(p + 0.5) * cell}" y="${(t + 0.5) * cell + font * 0.36}"`;
    drawn.push(`<text class="count${Number(opacity) > 0.55 ? ' strong' : ''}" ${at}>${count}</text>`);
  }
  return drawn.length > 0 ? `${drawn.join('')}\n` : '';
}

function axisLabels(labels: readonly string[], { cell, font }: Scale, side: number): string {
  const lines = labels.map((label, k) => {
    const middle = (k + 0.5) * cell;
    const text = escapeHtml(shortened(label));
    const row = `<text x="-5" y="${round(middle + font * 0.36)}" text-anchor="end">${text}</text>`;
    const column = `<text transform="translate(${round(middle + font * 0.36)} -5) rotate(-90)">${text}</text>`;
    const grid = k === 0 ? '' : `<path class="grid" d="M0 ${k * cell}H${side}M${k * cell} 0V${side}"/>`;
    return `${row}${column}${grid}`;
  });
  return `${lines.join('\n')}\n`;
}

const round = (value: number): number => Math.round(value * 100) / 100;

/** The CSS rules of what is in the matrix. */
export const matrixColors = `.matrix text { fill: currentColor; }
.matrix .axis { font-size: 13px; opacity: 0.7; }
.matrix .frame { fill: none; stroke: color-mix(in srgb, currentColor 30%, transparent); }
.matrix .grid { stroke: color-mix(in srgb, currentColor 10%, transparent); stroke-width: 0.5; }
.matrix .correct { fill: light-dark(#1f6fb2, #2f7fc6); }
.matrix .wrong { fill: light-dark(#d3541f, #ff8a4f); }
.matrix .count { text-anchor: middle; pointer-events: none; }
.matrix .strong { fill: #fff; }
`;

/** The CSS rules of the matrix in a page. */
export const matrixStyle = `.matrix { max-width: 100%; height: auto; font-family: inherit; }
${matrixColors}`;
