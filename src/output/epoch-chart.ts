/**
 * Percentages by epoch as a few lines of text, for a terminal. Curves are made of Braille's characters, whose dots, two
 * beside each other and four above each other, are bits of a code point.
 */

export interface EpochSeries {
  readonly name: string;
  /** Percentages from the first epoch on. */
  readonly values: readonly number[];
  /** Colors the curve and its name. */
  readonly paint: (text: string) => string;
}

interface EpochChart {
  /** Where curves meet, the first one shows. All have the same number of epochs, at least one. */
  readonly series: readonly EpochSeries[];
  /** Columns, with the axis and the names. */
  readonly width: number;
}

const height = 10;
const widest = 60;
const axis = '100 % ┤'.length;

/**
 * A chart with the name and the last value of each curve at its end.
 *
 * @returns lines without the last line break.
 * @example epochChart({ series: [{ name: 'validation', values: [51.5, 78, 84.2], paint: (text) => text }], width: 80 })
 */
export function epochChart({ series, width }: EpochChart): string {
  const names = series.map(({ name, values }) => `${name} ${values.at(-1)!.toFixed(1)} %`);
  const columns = Math.max(10, Math.min(widest, width - axis - 1 - Math.max(...names.map((name) => name.length))));
  const all = series.flatMap(({ values }) => values);
  const low = Math.min(90, 10 * Math.floor(Math.min(...all) / 10));
  const high = Math.max(low + 10, 10 * Math.ceil(Math.max(...all) / 10));
  const heightOf = (value: number) => (value - low) / (high - low);
  const curves = series.map(({ values }) => brailleCurve(values.map(heightOf), columns));
  const endRows = rowsOfNames(series.map(({ values }) => heightOf(values.at(-1)!)));
  const lines = Array.from({ length: height }, (_, row) => {
    const cells = Array.from({ length: columns }, (_, column) => {
      const s = curves.findIndex((curve) => curve[row]![column] !== 0);
      return s < 0 ? ' ' : series[s]!.paint(String.fromCharCode(0x2800 + curves[s]![row]![column]!));
    });
    const tick = row % (height - 1) === 0 ? `${row === 0 ? high : low} %`.padStart(axis - 2) : ' '.repeat(axis - 2);
    const named = endRows.indexOf(row);
    const name = named < 0 ? '' : ` ${series[named]!.paint(names[named]!)}`;
    return `${tick} ${row % (height - 1) === 0 ? '┤' : '│'}${cells.join('')}${name}`.trimEnd();
  });
  const epochs = series[0]!.values.length;
  const below = `${' '.repeat(axis)}${epochs === 1 ? 'epoch 1' : `epoch 1${`${epochs}`.padStart(columns - 7)}`}`;
  return [...lines, `${' '.repeat(axis - 1)}└${'─'.repeat(columns)}`, below].join('\n');
}

/** The bits of the dots of a cell, by row and column. */
const dots = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
];

/** The cells of a curve through points at equal distances, as the sums of their dots. @param heights from 0 to 1. */
function brailleCurve(heights: readonly number[], columns: number): number[][] {
  const cells = Array.from({ length: height }, () => Array.from({ length: columns }, () => 0));
  const [right, bottom] = [2 * columns - 1, 4 * height - 1];
  const dotAt = (x: number) => {
    const place = (x / right) * (heights.length - 1);
    const before = Math.min(Math.floor(place), heights.length - 1);
    const from = heights[before]!;
    const to = heights[before + 1] ?? from;
    return Math.round(bottom * (1 - (from + (place - before) * (to - from))));
  };
  let last = dotAt(0);
  for (let x = 0; x <= right; x++) {
    const y = dotAt(x);
    for (let dot = Math.min(y, last + Math.sign(y - last)); dot <= Math.max(y, last + Math.sign(y - last)); dot++) {
      cells[dot >> 2]![x >> 1]! |= dots[dot & 3]![x & 1]!;
    }
    last = y;
  }
  return cells;
}

/** The rows of names in the order of their values, each next to the end of its curve if the one above leaves it free. */
function rowsOfNames(ends: readonly number[]): number[] {
  const rows = ends.map(() => 0);
  const order = Array.from(ends.keys()).sort((a, b) => ends[b]! - ends[a]!);
  let free = 0;
  for (const [place, s] of order.entries()) {
    const wanted = Math.max(free, Math.round((height - 1) * (1 - ends[s]!)));
    rows[s] = Math.min(wanted, height - (order.length - place));
    free = rows[s]! + 1;
  }
  return rows;
}
