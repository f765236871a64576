/** The formats of per-image results: text, JSON, JSON lines and CSV. */
import type { Prediction } from '../classifier/predictions.ts';
import { printable, UsageError } from '../errors.ts';
import { csvRow } from './csv.ts';
import { byEnding, endingOf } from './endings.ts';
import { table } from './text.ts';

export const resultFormats = ['text', 'json', 'jsonl', 'csv'] as const;
export type ResultFormat = (typeof resultFormats)[number];

export type Result =
  | { readonly image: string; readonly predictions: readonly Prediction[] }
  | { readonly image: string; readonly error: string };

const formatsByEnding: Readonly<Record<string, ResultFormat>> = {
  '.txt': 'text',
  '.json': 'json',
  '.jsonl': 'jsonl',
  '.csv': 'csv',
  '': 'text',
};

/**
 * The requested format, or else that of the file's ending, or else text.
 *
 * @throws UsageError if --json contradicts one of them, or nothing but an unknown ending tells the format.
 */
export function resultFormat(options: { json?: boolean; format?: ResultFormat; output?: string }): ResultFormat {
  const { json = false, format, output } = options;
  if (!json) return format ?? byEnding(output ?? '', formatsByEnding, 'Rename it, or choose the format with --format.');
  if (format !== undefined && format !== 'json') {
    throw new UsageError(`--json is short for --format json, but --format is ${format}. Remove one of them.`);
  }
  const ending = endingOf(output ?? '');
  const written = formatsByEnding[ending];
  if (format === undefined && (written === 'jsonl' || written === 'csv')) {
    throw new UsageError(
      `--json is short for --format json, but "${output}" ends in ${ending}. Remove --json, or name a file that ends in .json.`,
    );
  }
  return 'json';
}

/** How results are written: what comes before all, a row per image, and what comes after all. */
export interface Layout {
  readonly start: string;
  row(result: Result, place: number): string;
  readonly end: string;
}

export interface LayoutOptions {
  /** The number of classes that are listed; one takes no line of its own. */
  readonly top: number;
  /** The probability to mention in text for an image without predictions. */
  readonly threshold: number;
}

export const layouts: { readonly [F in ResultFormat]: (options: LayoutOptions) => Layout } = {
  text: (options) => ({ start: '', row: (result) => textOf(result, options), end: '' }),
  json: () => ({ start: '[', row: jsonOf, end: '\n]\n' }),
  jsonl: () => ({ start: '', row: (result) => `${JSON.stringify(result)}\n`, end: '' }),
  csv: () => ({ start: 'image,rank,label,probability,error\n', row: csvOf, end: '' }),
};

/** Images that cannot be read are left out of text: each has been reported. */
function textOf(result: Result, { top, threshold }: LayoutOptions): string {
  if ('error' in result) return '';
  const image = printable(result.image);
  const rows = result.predictions.map(({ label, probability }) => [`${(100 * probability).toFixed(1)} %`, label]);
  const none = `no class reaches ${Number((100 * threshold).toPrecision(12))} %`;
  const text = rows.length > 0 ? table(rows) : none;
  return top === 1 ? `${image}  ${text}\n` : `${image}\n${text.replace(/^/gm, '  ')}\n`;
}

const jsonOf = (result: Result, place: number): string =>
  `${place > 0 ? ',' : ''}\n${JSON.stringify(result, null, 2).replace(/^/gm, '  ')}`;

/** One row per class, or a row with only the image if there is none. */
function csvOf(result: Result): string {
  if ('error' in result) return `${csvRow([result.image, '', '', '', result.error])}\n`;
  if (result.predictions.length === 0) return `${csvRow([result.image, '', '', '', ''])}\n`;
  const rows = result.predictions.map(({ label, probability }, k) => {
    return `${csvRow([result.image, k + 1, label, Number(probability.toPrecision(6)), ''])}\n`;
  });
  return rows.join('');
}
