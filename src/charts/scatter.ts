/**
 * Things by two of their figures as static SVG: a circle for each, with its name beside it. The area of a circle is
 * proportional to a third figure.
 */
import type { Markish } from '@observablehq/plot';
import { axisStyle, domainOf, draw, font, gridStyle, headingOf, legendOf, type PlotModule } from './draw.ts';
import { type ChartColor, color } from './palette.ts';
import { labelWidth, numberText, tickValues } from './text.ts';

export interface ScatterChart {
  /** Says what the chart shows. */
  readonly title: string;
  /** What x and y are, beside their axes. */
  readonly x: string;
  readonly y: string;
  /** After each number of y: ` %`. */
  readonly unit?: string;
  /** Whether x is logarithmic; false unless given. */
  readonly logarithmic?: boolean;
  readonly series: readonly ScatterSeries[];
}

export interface ScatterSeries {
  readonly name: string;
  readonly color: ChartColor;
  readonly points: readonly ScatterPoint[];
}

export interface ScatterPoint {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  /** What the area is proportional to. */
  readonly size: number;
}

const [width, height] = [640, 420] as const;
/** Radius of the largest circle, and the smallest radius. */
const radii = [22, 2.5] as const;
const labelFont = 11;

/** A circle in pixels of the frame. */
interface Circle extends ScatterPoint {
  readonly color: ChartColor;
  readonly left: number;
  readonly top: number;
  readonly radius: number;
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/**
 * A circle for each point.
 *
 * @returns SVG.
 * @example await scatterChart({ title: 'Models', x: 'ms', y: 'top-1', series: [{ name: 'a', color: 1, points: [{ name: 'm', x: 3, y: 77, size: 100 }] }] })
 */
export async function scatterChart(chart: ScatterChart): Promise<string> {
  const { title, x, y, unit = '', logarithmic = false, series } = chart;
  const points = series.flatMap((each) => each.points);
  const yDomain = domainOf(points.map((point) => point.y));
  const xDomain = spanOf(points, logarithmic);
  const yTicks = tickValues(yDomain, 6);
  const xTicks = logarithmic ? decades(xDomain) : tickValues(xDomain, 6);
  const marginLeft = 12 + Math.max(0, ...yTicks.map((tick) => labelWidth(numberText(tick) + unit, font)));
  const margins = { marginTop: 44 + (series.length > 1 ? 16 : 0), marginBottom: 38, marginLeft, marginRight: 12 };
  const circles = circlesOf(chart, xDomain, yDomain, margins);
  const scales = { x: { domain: xDomain, ...(logarithmic && { type: 'log' as const }) }, y: { domain: yDomain } };
  const inner = { left: 0, top: 0, right: width - marginLeft - 12, bottom: height - margins.marginTop - 38 };
  return draw(`${title}. ${summaryOf(chart)}`, title, { width, height, ...margins, ...scales }, (Plot) => [
    Plot.gridY({ ...gridStyle, ticks: yTicks }),
    Plot.axisY({ ...axisStyle, ticks: yTicks, tickFormat: (tick: number) => numberText(tick) + unit, label: null }),
    Plot.axisX({
      ...{ ...axisStyle, ticks: xTicks, tickFormat: numberText },
      ...{ label: x, labelAnchor: 'center', labelArrow: 'none', labelOffset: 34 },
    }),
    ...headingOf(Plot, title, y, margins.marginTop),
    ...(series.length > 1 ? legendOf(Plot, series) : []),
    ...circles.map((circle) =>
      Plot.dot([circle], {
        ...{ x: 'x', y: 'y', r: circle.radius, fill: color(circle.color), fillOpacity: 0.35 },
        ...{ stroke: color(circle.color), strokeWidth: 1.2, title: () => textOf(circle, chart) },
      }),
    ),
    ...labelsOf(Plot, circles, inner),
  ]);
}

/** With room for circles at both ends. */
function spanOf(points: readonly ScatterPoint[], logarithmic: boolean): [number, number] {
  const xs = points.map((point) => point.x);
  if (xs.length === 0) return logarithmic ? [1, 10] : [0, 1];
  const [low, high] = [Math.min(...xs), Math.max(...xs)];
  if (logarithmic) return [low / 1.5, high * 1.5];
  const margin = 0.08 * (high - low) || 1;
  return [low - margin, high + margin];
}

/** 1, 2 and 5 times the powers of ten in a range. */
function decades([low, high]: readonly [number, number]): number[] {
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    ticks.push(...[1, 2, 5].map((factor) => Number((factor * 10 ** power).toPrecision(1))));
  }
  return ticks.filter((tick) => tick >= low && tick <= high);
}

/** Largest first, so that none hides a smaller one. */
function circlesOf(
  { series, logarithmic = false }: ScatterChart,
  [x1, x2]: readonly [number, number],
  [y1, y2]: readonly [number, number],
  margins: { readonly marginTop: number; readonly marginLeft: number },
): Circle[] {
  const place = logarithmic ? Math.log : (x: number) => x;
  const largest = Math.max(...series.flatMap(({ points }) => points.map(({ size }) => size)), 0);
  const [across, down] = [width - margins.marginLeft - 12, height - margins.marginTop - 38];
  return series
    .flatMap(({ color, points }) =>
      points.map((point) => ({
        ...{ ...point, color },
        left: (across * (place(point.x) - place(x1))) / (place(x2) - place(x1)),
        top: down * (1 - (point.y - y1) / (y2 - y1)),
        radius: Math.max(radii[1], radii[0] * Math.sqrt(point.size / (largest || 1))),
      })),
    )
    .sort((a, b) => b.radius - a.radius);
}

/** The names, each on the side of its circle where it covers least of other names and circles. */
function labelsOf(Plot: PlotModule, circles: readonly Circle[], inner: Box): Markish[] {
  const placed: Box[] = circles.map(({ left, top, radius }) => {
    const r = Math.min(radius, 14); // names may lie on the rim of a large circle
    return { left: left - r, top: top - r, right: left + r, bottom: top + r };
  });
  return circles.map((circle) => {
    const choices = boxesOf(circle).map((choice) => ({ ...choice, cost: costOf(choice.box, placed, inner) }));
    const best = choices.reduce((a, b) => (b.cost < a.cost ? b : a));
    placed.push(best.box);
    const { textAnchor, dx, dy } = best;
    return Plot.text([circle], { x: 'x', y: 'y', text: 'name', textAnchor, dx, dy, fontSize: labelFont });
  });
}

/** Right, left, above and below. */
function boxesOf({ name, left, top, radius }: Circle) {
  const [wide, gap] = [labelWidth(name, labelFont), radius + 4];
  const at = (textAnchor: 'start' | 'middle' | 'end', dx: number, dy: number) => {
    const from = left + dx - { start: 0, middle: wide / 2, end: wide }[textAnchor];
    const box: Box = { left: from, top: top + dy - 7, right: from + wide, bottom: top + dy + 7 };
    return { textAnchor, dx, dy, box };
  };
  const [above, below] = [-gap - 5, gap + 6];
  return [
    ...[at('start', gap, 0), at('end', -gap, 0), at('middle', 0, above), at('middle', 0, below)],
    ...[at('start', gap, above), at('start', gap, below), at('end', -gap, above), at('end', -gap, below)],
  ];
}

const overlap = (a: Box, b: Box): number =>
  Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) *
  Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));

/** The area that a name covers of others, and with a higher price, that lies outside the frame. */
function costOf(box: Box, placed: readonly Box[], inner: Box): number {
  const area = (box.right - box.left) * (box.bottom - box.top);
  return placed.reduce((sum, other) => sum + overlap(box, other), 3 * (area - overlap(box, inner)));
}

const textOf = ({ name, x, y }: ScatterPoint, chart: ScatterChart): string =>
  `${name}\n${chart.x} ${numberText(x)}\n${chart.y} ${numberText(y)}${chart.unit ?? ''}`;

/** The chart in a sentence. */
const summaryOf = (chart: ScatterChart): string =>
  `${chart.series.flatMap(({ points }) => points.map((point) => textOf(point, chart).split('\n').join(', '))).join('; ')}.`;
