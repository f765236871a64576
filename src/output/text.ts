/** Formats tables, paragraphs, large numbers and durations. */
import { stripVTControlCharacters } from 'node:util';
import { printable } from '../errors.ts';

/**
 * Formats rows of cells as aligned columns, two spaces apart. Numbers are right-aligned, and names are `printable`.
 *
 * @param width if the table is wider, the last column is wrapped, as far as that helps.
 */
export function table(cells: readonly (readonly (string | number)[])[], width = Infinity): string {
  const rows = cells.map((row) => row.map((cell) => printable(String(cell))));
  const widths = rows[0]!.map((_, c) => Math.max(...rows.map((row) => (row[c] ?? '').length)));
  const numeric = rows[0]!.map((_, c) => rows.slice(1).every((row) => /^[\d., %kGMe+–-]*$/.test(row[c] ?? '')));
  const aligned = (text: string, c: number) => (numeric[c] ? text.padStart(widths[c]!) : text.padEnd(widths[c]!));
  const lines = rows.map((row) => row.map(aligned).join('  ').trimEnd());
  if (lines.every((line) => line.length <= width)) return lines.join('\n');
  const indent = widths.slice(0, -1).reduce((sum, own) => sum + own + 2, 0);
  return lines.map((line) => wrap(line, Math.max(width, indent + minWrapped), indent)).join('\n');
}

/** `1 image`, `2 images`. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** The narrowest that a column is wrapped to. */
const minWrapped = 20;

/** Breaks lines that are too long between words. A word that is too long stays whole, and so does anything before `indent`. */
export function wrap(text: string, width: number, indent = 0): string {
  return text
    .split('\n')
    .map((line) => wrapLine(line, width, indent))
    .join('\n');
}

function wrapLine(line: string, width: number, indent: number): string {
  const length = (part: string) => stripVTControlCharacters(part).length;
  if (length(line) <= width) return line;
  const lines = [line.slice(0, indent)];
  for (const word of line.slice(indent).split(/(?<=\S) /)) {
    const last = lines.at(-1)!;
    const isFirst = last.length <= indent;
    if (isFirst) lines[lines.length - 1] = last + word;
    else if (length(last) + 1 + length(word) <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(' '.repeat(indent) + word);
  }
  return lines.join('\n');
}

/** Formats a number: 4.23 G, 33.4 M, 512. */
export function short(value: number): string {
  if (value >= 1e9) return `${(value / 1e9).toFixed(2)} G`;
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  return value >= 1e3 ? `${(value / 1e3).toFixed(1)} k` : String(value);
}

/** Formats a duration: 1:05:09, 12:30, 0:07. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
