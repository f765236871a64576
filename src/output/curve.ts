/** A curve as a few lines of text, for a terminal: the second coordinate in steps of a line, the first on a logarithmic scale. */

export interface TextCurve {
  /** In ascending order of x, which is above 0. */
  readonly points: readonly { readonly x: number; readonly y: number }[];
  /** Marked by a column of dots. */
  readonly mark?: number;
  /** Columns, with the axis. */
  readonly width: number;
}

const height = 12;
const left = 9;

/**
 * @returns lines without the last line break.
 * @example curve({ points: [{ x: 1e-3, y: 2.3 }, { x: 1e-2, y: 1.1 }], width: 60 })
 */
export function curve({ points, mark, width }: TextCurve): string {
  const columns = Math.max(10, width - left - 2);
  const [first, last] = [points[0]!.x, points.at(-1)!.x];
  const columnOf = (x: number) => Math.round(((columns - 1) * Math.log(x / first)) / (Math.log(last / first) || 1));
  const ys = points.map(({ y }) => y);
  const [low, high] = [Math.min(...ys), Math.max(...ys)];
  const rowOf = (y: number) => Math.round(((height - 1) * (high - y)) / (high - low || 1));
  const cells = Array.from({ length: height }, () => Array.from({ length: columns }, () => ' '));
  if (mark !== undefined) for (const row of cells) row[columnOf(mark)] = ':';
  for (const { x, y } of points) cells[rowOf(y)]![columnOf(x)] = '*';
  const lines = cells.map((row, r) => {
    const label = r === 0 || r === height - 1 ? numberText(high - (r / (height - 1)) * (high - low)) : '';
    return `${label.padStart(left)} |${row.join('')}`.trimEnd();
  });
  return [...lines, `${' '.repeat(left)} +${'-'.repeat(columns)}`, rateLine(first, last, columns)].join('\n');
}

/** The powers of ten below the axis, as many as fit. */
function rateLine(first: number, last: number, columns: number): string {
  const powers: number[] = [];
  for (let p = Math.ceil(Math.log10(first) - 1e-9); p <= Math.log10(last) + 1e-9; p++) powers.push(p);
  const every = Math.max(1, Math.ceil((powers.length * 8) / columns));
  const line = Array.from({ length: columns + left + 2 }, () => ' ');
  for (const power of powers.filter((_, i) => i % every === 0)) {
    const text = `1e${power}`;
    const middle = ((columns - 1) * (power - Math.log10(first))) / (Math.log10(last / first) || 1);
    const start = Math.min(line.length - text.length, Math.max(0, Math.round(left + 2 + middle - text.length / 2)));
    for (const [i, char] of [...text].entries()) line[start + i] = char;
  }
  return line.join('').trimEnd();
}

const numberText = (value: number): string => `${Number(value.toPrecision(3))}`;
