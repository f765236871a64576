/**
 * Results of repeated measurements as static SVG: columns in groups, each with every value as a dot, the mean as a bar, and
 * one standard deviation on both sides of it as a band.
 */
import type { Markish } from '@observablehq/plot';
import {
  axisStyle,
  bandStyle,
  domainOf,
  draw,
  font,
  gridStyle,
  headingOf,
  height,
  legendOf,
  type PlotModule,
} from './draw.ts';
import { type ChartColor, color } from './palette.ts';
import { labelWidth, numberText, tickValues } from './text.ts';

export interface GroupChart {
  /** Says what the chart shows. */
  readonly title: string;
  /** What the values are, above their axis: `top-1`. */
  readonly y: string;
  /** After each number: ` %`. */
  readonly unit?: string;
  /** What the groups are, below them: `cardinality`; nothing unless given. */
  readonly x?: string;
  /** What each group compares; a legend names them if there are several. */
  readonly series: readonly { readonly name: string; readonly color: ChartColor }[];
  readonly groups: readonly Group[];
}

export interface Group {
  /** Up to two short lines, such as `flowers, 64 pixels`. */
  readonly name: string;
  /** The values of each series, in the order of `series`; none where nothing was measured. */
  readonly values: readonly (readonly number[])[];
}

/** A series in a group, with its place on the axis. */
interface Column {
  readonly group: string;
  readonly name: string;
  readonly color: ChartColor;
  readonly x: number;
  readonly values: readonly number[];
  readonly mean: number;
  /** The standard deviation; 0 for a single value. */
  readonly deviation: number;
}

/** The share of a group's width that its columns have. */
const used = 0.76;

/**
 * A column for each series of each group.
 *
 * @returns SVG.
 * @example await groupChart({ title: 'Error', y: 'error', series: [{ name: 'error', color: 1 }], groups: [{ name: '1x', values: [[20.1, 19.8]] }] })
 */
export async function groupChart(chart: GroupChart): Promise<string> {
  const { title, y, unit = '', series, groups } = chart;
  const columns = columnsOf(chart);
  const ends = columns.flatMap(({ values, mean, deviation }) => [...values, mean - deviation, mean + deviation]);
  const domain = domainOf(ends);
  const ticks = tickValues(domain, 5);
  const left = 12 + Math.max(0, ...ticks.map((tick) => labelWidth(numberText(tick) + unit, font)));
  const half = used / series.length / 2;
  const legend = series.length > 1 ? 16 : 0;
  const marginTop = 44 + legend;
  const margins = { marginTop, marginBottom: chart.x === undefined ? 44 : 54, marginLeft: left, marginRight: 12 };
  const size = { height: height + 24 + legend, x: { axis: null, domain: [-0.5, groups.length - 0.5] } };
  return draw(`${title}. ${summaryOf(columns, unit)}`, title, { ...margins, ...size, y: { domain } }, (Plot) => [
    Plot.gridY({ ...gridStyle, ticks }),
    Plot.axisY({ ...axisStyle, ticks, tickFormat: (tick: number) => numberText(tick) + unit, label: null }),
    ...groupNames(Plot, chart),
    ...headingOf(Plot, title, y, marginTop),
    ...(legend > 0 ? legendOf(Plot, series) : []),
    ...columns.flatMap((column) => columnOf(Plot, column, half)),
    Plot.rect(columns, {
      ...{ x1: ({ x }: Column) => x - half, x2: ({ x }: Column) => x + half, y1: domain[0], y2: domain[1] },
      ...{ ...bandStyle, title: (column: Column) => textOf(column, unit) },
    }),
  ]);
}

function columnsOf({ series, groups }: GroupChart): Column[] {
  return groups.flatMap(({ name: group, values }, g) =>
    series.flatMap(({ name, color }, s) => {
      const own = values[s] ?? [];
      if (own.length === 0) return [];
      const x = g + used * ((s + 0.5) / series.length - 0.5);
      const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
      const squares = own.reduce((sum, value) => sum + (value - mean) ** 2, 0);
      const deviation = own.length < 2 ? 0 : Math.sqrt(squares / (own.length - 1));
      return [{ group, name, color, x, values: own, mean, deviation }];
    }),
  );
}

function columnOf(Plot: PlotModule, { x, color: index, values, mean, deviation }: Column, half: number): Markish[] {
  const [x1, x2] = [x - 0.7 * half, x + 0.7 * half];
  const band = deviation > 0 ? [{ x1, x2, y1: mean - deviation, y2: mean + deviation }] : [];
  const place = { x1: 'x1', x2: 'x2', y1: 'y1', y2: 'y2' };
  return [
    Plot.rect(band, { ...place, fill: color(index), fillOpacity: 0.22, rx: 2 }),
    Plot.link([{ x1, x2, y1: mean, y2: mean }], { ...place, stroke: color(index), strokeWidth: 2.5 }),
    Plot.dot(
      values.map((y) => ({ x, y })),
      { x: 'x', y: 'y', r: 3, fill: color(index), stroke: 'var(--paper, #fff)', strokeWidth: 1 },
    ),
  ];
}

/** The names below the groups, and what they are. */
function groupNames(Plot: PlotModule, { groups, x }: GroupChart): Markish[] {
  const names = groups.map(({ name }, place) => ({ name, place }));
  const lineWidth = (400 - 60) / groups.length / font;
  const below = { frameAnchor: 'bottom', lineAnchor: 'top', dy: 8 } as const;
  return [
    Plot.text(names, { ...below, x: 'place', text: 'name', lineWidth, fillOpacity: 0.8 }),
    ...(x === undefined ? [] : [Plot.text([x], { ...below, dy: 32, fillOpacity: 0.8 })]),
  ];
}

const textOf = ({ group, name, values, mean, deviation }: Column, unit: string): string => {
  const spread = values.length < 2 ? '' : ` ± ${numberText(deviation)}`;
  const each = values.map((value) => numberText(value)).join(', ');
  return `${group}, ${name}: ${numberText(mean)}${spread}${unit}\n${each}`;
};

/** The chart in a sentence. */
const summaryOf = (columns: readonly Column[], unit: string): string =>
  `${columns.map((column) => textOf(column, unit).split('\n')[0]).join('; ')}.`;
