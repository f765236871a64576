/** Results image by image as text, JSON, JSON lines or CSV: printed as they come, or kept for a file. */
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
  /** Prints or writes what has to wait for the last result. */
  end(): Promise<void>;
}

/** The format that was asked for, else the one that the file's name ends in, else text. */
export function resultFormat(options: { json?: boolean; format?: ResultFormat; output?: string }): ResultFormat {
  if (options.json) return 'json';
  const ending = resultFormats.find((format) => options.output && extname(options.output) === `.${format}`);
  return options.format ?? ending ?? 'text';
}

/** Where results go that are not kept for a file. */
export interface Printer {
  line(text: string): void;
  document(value: unknown): void;
}

/** @param threshold what an image without predictions is told to be below, in text. */
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
  const none = `no class is as likely as ${100 * threshold} %`;
  return `${image}\n${(rows.length > 0 ? table(rows) : none).replace(/^/gm, '  ')}`;
}

/** A row for each class; a row with the image alone where there is none. */
function csvRows(result: Result): string {
  if ('error' in result) return csvRow([result.image, '', '', '', result.error]);
  if (result.predictions.length === 0) return csvRow([result.image, '', '', '', '']);
  const rows = result.predictions.map(({ label, probability }, k) => {
    return csvRow([result.image, k + 1, label, Number(probability.toPrecision(6)), '']);
  });
  return rows.join('\n');
}

/** Quoted where RFC 4180 asks for it. */
const csvRow = (cells: readonly (string | number)[]): string =>
  cells.map((cell) => (/[",\r\n]/.test(`${cell}`) ? `"${`${cell}`.replaceAll('"', '""')}"` : cell)).join(',');
