/** A comparison of runs as a self-contained HTML page: their figures, their curves over each other, and their options. */

import { type ChartColor, chartStyle, color } from '../charts/palette.ts';
import { duration, short } from '../output/text.ts';
import { escapeHtml, page, wide } from '../page.ts';
import type { ComparedRun, Comparison, FoldGroup } from './compare.ts';
import { curve, type Pick, series } from './curves.ts';
import { count, figuresStyle, percent } from './figures.ts';
import { optionText } from './run-options.ts';

/** The color of each run; those after the eighth have dashed lines. */
const colorOf = (run: number): ChartColor => ((run % 8) + 1) as ChartColor;

/** @example await writeFile('compare.html', await comparePage(compareRuns(['runs/a', 'runs/b']))); */
export async function comparePage(comparison: Comparison): Promise<string> {
  const { runs, options, folds } = comparison;
  const title = `${count(runs.length, 'run')} compared`;
  const parts = [
    `<h1>${title}</h1>`,
    resultTable(runs),
    ...folds.map(foldLine),
    '<section><h2>Learning curves</h2>',
    `<div class="charts four">${(await curves(comparison)).join('\n')}</div></section>`,
    ...(options.length > 0
      ? [
          '<section><h2>Options</h2>',
          '<p>Those that differ from their defaults. Marked rows differ between runs.</p>',
          optionTable(comparison),
          '</section>',
        ]
      : []),
  ];
  return page(title, parts, chartStyle + figuresStyle + style);
}

function curves({ runs, lines, options }: Comparison): Promise<string[]> {
  const chart = (title: string, pick: Pick, more: { unit?: string; fromZero?: boolean; cut?: boolean }) =>
    curve({
      ...{ title, ...more, labels: false, below: legend(runs) },
      series: runs.map(({ name }, k) => series(name, colorOf(k), lines[k]!, pick, k >= 8)),
    });
  const chosenBy = options.find(({ name, differs }) => name === 'bestBy' && !differs)?.values[0];
  return Promise.all([
    chosenBy === 'macroF1' ? chart('Macro F1', (line) => line.validation?.macroF1, { unit: ' %' }) : '',
    chosenBy === 'balancedAccuracy'
      ? chart('Balanced accuracy', (line) => line.validation?.balancedAccuracy, { unit: ' %' })
      : '',
    chart('Validation loss', (line) => line.validation?.loss, { cut: true }),
    chart('Validation top-1', (line) => line.validation?.top1, { unit: ' %' }),
    chart('Training loss', (line) => line.loss, { cut: true }),
    chart('Learning rate', (line) => line.learningRate, { fromZero: true }),
  ]);
}

const legend = (runs: readonly ComparedRun[]): string =>
  `<p class="legend">${runs.map(({ name }, k) => `<span>${swatch(k)}${escapeHtml(name)}</span>`).join(' ')}</p>`;

interface Column {
  readonly name: string;
  readonly of: (run: ComparedRun) => string | undefined;
  /** The figure, to mark the best: the highest, or the lowest. */
  readonly figure?: readonly [of: (run: ComparedRun) => number | undefined, best: 'highest' | 'lowest'];
}

const columns: readonly Column[] = [
  { name: 'best top-1', of: ({ top1 }) => percent(top1), figure: [({ top1 }) => top1, 'highest'] },
  { name: 'loss', of: ({ loss }) => loss?.toFixed(4), figure: [({ loss }) => loss, 'lowest'] },
  { name: 'macro F1', of: ({ macroF1 }) => percent(macroF1), figure: [({ macroF1 }) => macroF1, 'highest'] },
  { name: 'epochs done', of: ({ epochs }) => `${epochs}` },
  { name: 'best epoch', of: ({ bestEpoch }) => bestEpoch?.toString() },
  { name: 'time', of: ({ seconds }) => duration(seconds) },
  { name: 'parameters', of: ({ parameters }) => (parameters === undefined ? undefined : short(parameters)) },
  { name: 'multiply-adds', of: ({ macs }) => (macs === undefined ? undefined : short(macs)) },
  { name: 'state', of: ({ state }) => state },
];

function resultTable(runs: readonly ComparedRun[]): string {
  const best = columns.map(({ figure }) => {
    const values = figure ? runs.flatMap((run) => figure[0](run) ?? []) : [];
    if (values.length < 2) return undefined;
    return figure![1] === 'highest' ? Math.max(...values) : Math.min(...values);
  });
  const isBest = (run: ComparedRun, c: number) => best[c] !== undefined && columns[c]!.figure![0](run) === best[c];
  const rows = runs.map((run, k) => {
    const cells = columns.map(({ of, name }, c) => {
      const text = escapeHtml(of(run) ?? '–');
      return `<td${name === 'state' ? '' : ' class="number"'}>${isBest(run, c) ? `<b>${text}</b>` : text}</td>`;
    });
    return `<tr><th scope="row">${swatch(k)}${escapeHtml(run.name)}</th>${cells.join('')}</tr>`;
  });
  const head = columns.map(({ name }) => `<th${name === 'state' ? '' : ' class="number"'}>${name}</th>`).join('');
  return wide(`<table><thead><tr><th>run</th>${head}</tr></thead><tbody>${rows.join('\n')}</tbody></table>`, 'Results');
}

const swatch = (k: number): string =>
  `<svg class="swatch" viewBox="0 0 20 8" aria-hidden="true"><path d="M0 4H20" stroke="${color(colorOf(k))}" stroke-width="3"${k >= 8 ? ' stroke-dasharray="5 3"' : ''}/></svg>`;

function foldLine(group: FoldGroup): string {
  const words = escapeHtml(foldsInWords(group))
    .replace(/ (±|%)/g, '\u00a0$1')
    .replace(/± /g, '±\u00a0');
  return `<p><b>${words}</b> (${escapeHtml(group.names.join(', '))})</p>`;
}

/** `5 of 5 folds: top-1 61.20 ± 1.35 %, loss 0.9500 ± 0.0210, …`: means and standard deviations. */
export function foldsInWords({ names, of, figures: { top1, loss, macroF1 } }: FoldGroup): string {
  const parts = [
    ...(top1 ? [`top-1 ${top1.mean.toFixed(2)} ± ${top1.deviation.toFixed(2)} %`] : []),
    ...(loss ? [`loss ${loss.mean.toFixed(4)} ± ${loss.deviation.toFixed(4)}`] : []),
    ...(macroF1 ? [`macro F1 ${macroF1.mean.toFixed(2)} ± ${macroF1.deviation.toFixed(2)} %`] : []),
  ];
  return `${names.length} of ${of} folds: ${parts.join(', ')}`;
}

function optionTable({ runs, options }: Comparison): string {
  const head = runs.map(({ name }, k) => `<th>${swatch(k)}${escapeHtml(name)}</th>`).join('');
  const rows = options.map(({ name, values, differs }) => {
    const cells = values.map((value) => `<td>${escapeHtml(optionText(name, value))}</td>`).join('');
    return `<tr${differs ? ' class="differs"' : ''}><th scope="row">${escapeHtml(name)}</th>${cells}</tr>`;
  });
  return wide(
    `<table><thead><tr><th>option</th>${head}</tr></thead><tbody>${rows.join('\n')}</tbody></table>`,
    'Options',
  );
}

const style = `.legend { display: flex; flex-wrap: wrap; gap: 0 1rem; margin: 0.25rem 0 0; max-width: 27.5rem; font-size: 0.875rem; }
.legend span { overflow-wrap: anywhere; }
h1 { margin-bottom: 1rem; }
.swatch { width: 1.25rem; height: 0.5rem; margin-right: 0.5rem; vertical-align: middle; }
tbody th { font-weight: 400; }
.differs > * { background: color-mix(in srgb, var(--series-2) 14%, transparent); }
.differs th { font-weight: 600; }
.differs > :first-child { padding-left: 0.4rem; box-shadow: inset 3px 0 var(--series-2); }
`;
