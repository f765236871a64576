/** Per-image results as text, JSON, JSON lines or CSV, printed as they arrive or collected for a file. */
import { extname } from 'node:path';
import type { Prediction } from '../classifier/predictions.ts';
import { writeFileAtomically } from '../files.ts';
import { table } from './text.ts';

export const resultFormats = ['text', 'json', 'jsonl', 'csv'] as const;
export type ResultFormat = (typeof resultFormats)[number];

export type Result =
  | { readonly image: string; readonly predictions: readonly Prediction[] }
  | { readonly image: string; readonly error: string };

export interface Results {
  add(result: Result): void;
  /** Prints or writes the remaining output after the last result. */
  end(): Promise<void>;
}

/** The requested format, or else that of the file's extension, or else text. */
export function resultFormat(options: { json?: boolean; format?: ResultFormat; output?: string }): ResultFormat {
  if (options.json) return 'json';
  const ending = resultFormats.find((format) => options.output && extname(options.output) === `.${format}`);
  return options.format ?? ending ?? 'text';
}

/** Prints results that are not written to a file. */
export interface Printer {
  line(text: string): void;
  document(value: unknown): void;
}

/** @param threshold the probability to mention in text for an image without predictions. */
export function createResults(
  format: ResultFormat,
  file: string | undefined,
  threshold: number,
  printer: Printer,
): Results {
  const all: Result[] = [];
  const lines: string[] = [];
  const put = (line: string) => {
    if (file === undefined) printer.line(line);
    else lines.push(line);
  };
  if (format === 'csv') put('image,rank,label,probability,error');
  return {
    add: (result) => {
      if (format === 'json') all.push(result);
      else if (format === 'jsonl') put(JSON.stringify(result));
      else if (format === 'csv') put(csvRows(result));
      else if ('predictions' in result) put(textOf(result.image, result.predictions, threshold));
    },
    end: async () => {
      if (file === undefined) return printer.document(all);
      const text = format === 'json' ? JSON.stringify(all, null, 2) : lines.join('\n');
      await writeFileAtomically(file, `${text}\n`);
    },
  };
}

function textOf(image: string, predictions: readonly Prediction[], threshold: number): string {
  const rows = predictions.map(({ label, probability }) => [`${(100 * probability).toFixed(1)} %`, label]);
  const none = `no class reaches ${Number((100 * threshold).toPrecision(12))} %`;
  return `${image}\n${(rows.length > 0 ? table(rows) : none).replace(/^/gm, '  ')}`;
}

/** One row per class, or a row with only the image if there is none. */
function csvRows(result: Result): string {
  if ('error' in result) return csvRow([result.image, '', '', '', result.error]);
  if (result.predictions.length === 0) return csvRow([result.image, '', '', '', '']);
  const rows = result.predictions.map(({ label, probability }, k) => {
    return csvRow([result.image, k + 1, label, Number(probability.toPrecision(6)), '']);
  });
  return rows.join('\n');
}

/** A row of cells, quoted as required by RFC 4180. */
const csvRow = (cells: readonly (string | number)[]): string =>
  cells.map((cell) => (/[",\r\n]/.test(`${cell}`) ? `"${`${cell}`.replaceAll('"', '""')}"` : cell)).join(',');
