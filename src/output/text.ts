/** Formats tables, large numbers and durations. */
import { printable } from '../errors.ts';

/** Formats rows of cells as aligned columns, two spaces apart. Numbers are right-aligned, and names are `printable`. */
export function table(cells: readonly (readonly (string | number)[])[]): string {
  const rows = cells.map((row) => row.map((cell) => printable(String(cell))));
  const widths = rows[0]!.map((_, c) => Math.max(...rows.map((row) => (row[c] ?? '').length)));
  const numeric = rows[0]!.map((_, c) => rows.slice(1).every((row) => /^[\d., %kGMe+–-]*$/.test(row[c] ?? '')));
  const aligned = (text: string, c: number) => (numeric[c] ? text.padStart(widths[c]!) : text.padEnd(widths[c]!));
  return rows.map((row) => row.map(aligned).join('  ').trimEnd()).join('\n');
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
