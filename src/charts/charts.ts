/**
 * Charts as static SVG: lines, bars and the reliability of confidences. Each is 400 units wide, so that it keeps its size on
 * a phone and several fit side by side on a screen. Values appear under the pointer, without scripts.
 */
import type { Markish, ScaleOptions } from '@observablehq/plot';
import { axisStyle, bandStyle, domainOf, draw, font, gridStyle, headingOf, height, type PlotModule } from './draw.ts';
import { type ChartColor, color } from './palette.ts';
import { apart, labelWidth, numberText, tickValues } from './text.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Series {
  /** What the line shows, in a word or two: `validation`. */
  readonly name: string;
  /** In ascending order of x. Points that are not finite leave a gap. */
  readonly points: readonly Point[];
  readonly color: ChartColor;
  readonly dashed?: boolean;
}

/** A marked place, such as the best epoch. */
export interface ChartMark extends Point {
  /** `best: 58.5 %` */
  readonly label: string;
}

export interface LineChart {
  /** Says what the chart shows, for readers who cannot see it. */
  readonly title: string;
  readonly series: readonly Series[];
  /** What x counts, below the axis: `epoch`. */
  readonly x: string;
  /** After each number of y: ` %`. */
  readonly unit?: string;
  readonly mark?: ChartMark;
  /** Further marks, with their labels below one another. */
  readonly marks?: readonly ChartMark[];
  /** Whether the title and the name of y are drawn, for a chart that stands alone: `loss`. */
  readonly alone?: { readonly y: string };
  /** Scales that are logarithmic; none unless given. */
  readonly logarithmic?: { readonly x?: boolean; readonly y?: boolean };
  /** Whether y begins at 0; false unless given. */
  readonly fromZero?: boolean;
  /** Whether to cut off values of more than ten times those of most points; false unless given. */
  readonly cut?: boolean;
  /** Whether the names of the series are beside their lines; true unless given. Otherwise, the page needs a legend. */
  readonly labels?: boolean;
}

/** A share of the predictions: those with a similar confidence, in the reliability chart. */
export interface ReliabilityBar {
  /** Bounds of the confidence, from 0 to 1. */
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Means, from 0 to 1; not a number if there are none. */
  readonly accuracy: number;
  readonly confidence: number;
}

export interface BarChart {
  readonly title: string;
  readonly bars: readonly { readonly name: string; readonly value: number }[];
  readonly unit?: string;
  /** The end of the scale; the largest value unless given. */
  readonly to?: number;
}

/**
 * A line for each series over a common x.
 *
 * @returns SVG.
 * @example await lineChart({ title: 'Loss', x: 'epoch', series: [{ name: 'training', color: 0, points: [{ x: 1, y: 2.3 }] }] })
 */
export async function lineChart(chart: LineChart): Promise<string> {
  const {
    title,
    series,
    x,
    unit = '',
    mark,
    logarithmic = {},
    fromZero = false,
    cut = false,
    labels = true,
    alone,
  } = chart;
  const marks = [...(mark ? [mark] : []), ...(chart.marks ?? [])];
  const points = series.flatMap((each) => each.points.filter(isFinitePoint));
  const xs = [...new Set(points.map((point) => point.x))].sort((a, b) => a - b);
  const ys = points.map((point) => point.y);
  const top = cut ? usualTop(ys) : Infinity;
  const yDomain = domainOf([...(fromZero ? [0] : []), ...ys.map((y) => Math.min(y, top))], logarithmic.y);
  const ends = labels ? endsOf(series) : [];
  const ticks = logarithmic.y ? 5 : tickValues(yDomain, 5);
  const left = 12 + Math.max(0, ...tickValues(yDomain, 5).map((tick) => labelWidth(numberText(tick) + unit, font)));
  const right = ends.length === 0 ? 12 : 14 + Math.max(...ends.map(({ name }) => labelWidth(name, font)));
  const marginTop = (alone ? 40 : 10) + 14 * marks.length;
  const margins = { marginTop, marginBottom: 38, marginLeft: Math.ceil(left), marginRight: Math.ceil(right) };
  const isWhole = xs.every(Number.isInteger) && !logarithmic.x;
  const xScale: ScaleOptions = logarithmic.x ? { type: 'log' } : { domain: spread(xs[0] ?? 0, xs.at(-1) ?? 1) };
  const yScale: ScaleOptions = { ...(logarithmic.y && { type: 'log' }), domain: yDomain };
  return draw(`${title}. ${summaryOf(chart)}`, title, { ...margins, x: xScale, y: yScale }, (Plot) => [
    Plot.gridY({ ...gridStyle, ticks }),
    Plot.axisY({ ...axisStyle, ticks, tickFormat: (tick: number) => numberText(tick) + unit, label: null }),
    Plot.axisX({
      ...{ ...axisStyle, label: x, labelAnchor: 'center', labelArrow: 'none', labelOffset: 34 },
      ...(isWhole ? { ticks: wholeTicks(xs), tickFormat: (tick: number) => `${tick}` } : { ticks: 5 }),
      ...(logarithmic.x && { tickFormat: numberText }),
    }),
    ...series.flatMap((each) => lineOf(Plot, each, turnOf(each, series), top < Infinity)),
    ...marks.flatMap((each, k) =>
      markOf(Plot, each, { xs, up: 16 + 14 * (marks.length - 1 - k), isLogarithmic: logarithmic.x }),
    ),
    ...(alone ? headingOf(Plot, title, alone.y, marginTop) : []),
    ...endLabels(Plot, ends, {
      domain: yDomain,
      inner: height - marginTop - 38,
      isLogarithmic: logarithmic.y ?? false,
    }),
    ...(xs.length <= maxBands ? [bands(Plot, chart, xs)] : []),
  ]);
}

/**
 * Accuracy by confidence: a bar for each bin up to the accuracy of its predictions, and a diagonal on which they would lie
 * if the confidence were right. Bars are fainter where there are few predictions.
 *
 * @returns SVG.
 */
export async function reliabilityChart(title: string, bins: readonly ReliabilityBar[]): Promise<string> {
  const filled = bins.filter(({ count }) => count > 0);
  const most = Math.max(1, ...filled.map(({ count }) => count));
  const percent = (value: number) => `${(100 * value).toFixed(0)} %`;
  const say = ({ from, to, count, accuracy, confidence }: ReliabilityBar) =>
    `confidence ${percent(from)} to ${percent(to)}: ${count} image${count === 1 ? '' : 's'}\nmean confidence ${(100 * confidence).toFixed(1)} %, accuracy ${(100 * accuracy).toFixed(1)} %`;
  const summary = filled
    .map(({ accuracy, confidence }) => `${percent(confidence)} confident, ${percent(accuracy)} right`)
    .join('; ');
  const bar = { x1: 'from', x2: 'to', y1: 0, y2: 'accuracy', inset: 1, insetBottom: 0 };
  const margins = { marginTop: 12, marginBottom: 38, marginLeft: 48, marginRight: 16, height: 320 };
  const scales = { x: { domain: [0, 1] }, y: { domain: [0, 1] } };
  return draw(`${title}. ${summary}.`, title, { ...margins, ...scales }, (Plot) => [
    Plot.gridY({ ...gridStyle, ticks: 5 }),
    Plot.axisY({ ...axisStyle, ticks: 5, tickFormat: percent, label: null }),
    Plot.axisX({
      ...{ ...axisStyle, ticks: 5, tickFormat: percent, labelOffset: 34 },
      ...{ label: 'confidence', labelAnchor: 'center', labelArrow: 'none' },
    }),
    Plot.rect(filled, { ...bar, fill: 'var(--paper, #fff)' }), // hides the grid
    Plot.rect(filled, {
      ...{ ...bar, fill: color(1) },
      fillOpacity: ({ count }: ReliabilityBar) => 0.25 + 0.6 * Math.sqrt(count / most),
    }),
    Plot.ruleY([0], { stroke: 'currentColor', strokeOpacity: 0.4 }),
    Plot.line([0, 1], { x: (v: number) => v, y: (v: number) => v, stroke: 'currentColor', strokeDasharray: '4 3' }),
    Plot.dot(filled, { x: 'confidence', y: 'accuracy', r: 2.5, fill: 'currentColor' }),
    Plot.rect(filled, { x1: 'from', x2: 'to', y1: 0, y2: 1, ...bandStyle, title: say }),
  ]);
}

/**
 * A horizontal bar for each name, in their order.
 *
 * @returns SVG.
 */
export async function barChart({ title, bars, unit = '', to }: BarChart): Promise<string> {
  const text = (value: number) => numberText(value) + unit;
  const end = to ?? Math.max(0, ...bars.map(({ value }) => value));
  const rows = bars.map(({ name, value }, place) => ({ name, value, place }));
  const left = Math.min(160, 12 + Math.max(0, ...bars.map(({ name }) => labelWidth(name, font))));
  const right = 12 + Math.max(0, ...bars.map(({ value }) => labelWidth(text(value), font)));
  const layout = { marginTop: 4, marginBottom: 4, marginLeft: left, marginRight: right, height: 8 + 24 * bars.length };
  const scales = {
    x: { axis: null, domain: [0, end === 0 ? 1 : end] },
    y: { domain: rows.map(({ place }) => place), padding: 0.25 },
  };
  const summary = bars.map(({ name, value }) => `${name} ${text(value)}`).join(', ');
  return draw(`${title}: ${summary}.`, title, { ...layout, ...scales }, (Plot) => [
    Plot.barX(rows, { y: 'place', x1: 0, x2: 'value', fill: color(1), fillOpacity: 0.75, rx2: 2 }),
    Plot.axisY({
      ...{ tickSize: 0, tickPadding: 8, label: null, textOverflow: 'ellipsis', lineWidth: (left - 10) / font },
      tickFormat: (place: number) => bars[place]!.name,
    }),
    Plot.text(rows, { y: 'place', x: 'value', text: ({ value }) => text(value), textAnchor: 'start', dx: 5 }),
  ]);
}

/** More columns are too narrow to point at. */
const maxBands = 400;

const isFinitePoint = ({ x, y }: Point): boolean => Number.isFinite(x) && Number.isFinite(y);

/** A range that is not empty. A single value is at its end, beside the names of the series. */
const spread = (low: number, high: number): [number, number] => [low === high ? low - 1 : low, high];

/**
 * Where to cut off values that are far above all others, such as a loss before it settled, which would leave no room for
 * the rest; infinite if there are none.
 */
function usualTop(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const high = sorted[Math.floor(0.8 * sorted.length)] ?? 0;
  return high > 0 && sorted.at(-1)! > 10 * high ? 2 * high : Infinity;
}

/** At most eight whole numbers, with the first and the last. */
function wholeTicks(xs: readonly number[]): number[] {
  const [first, last] = [xs[0] ?? 0, xs.at(-1) ?? 0];
  if (last === first) return [last];
  if (last - first < 8) return Array.from({ length: last - first + 1 }, (_, k) => first + k);
  const ticks = tickValues([first, last], 6).filter(Number.isInteger);
  const gap = (ticks[1]! - ticks[0]!) / 2;
  const inner = ticks.filter((tick) => tick - first >= gap && last - tick >= gap);
  return [first, ...inner, last];
}

/** Of series with the same points, which one this is, and how many they are. */
function turnOf({ points }: Series, series: readonly Series[]): Turn {
  const text = JSON.stringify(points);
  const same = series.filter((each) => JSON.stringify(each.points) === text);
  return { turn: same.findIndex((each) => each.points === points), of: same.length };
}

interface Turn {
  readonly turn: number;
  readonly of: number;
}

/** Dashes of a line. Lines that coincide take turns, so that none hides another. */
function dashesOf(
  { dashed = false }: Series,
  { turn, of }: Turn,
): { strokeDasharray?: string; strokeDashoffset?: number } {
  if (of > 1) return { strokeDasharray: `14 ${14 * (of - 1)}`, strokeDashoffset: -14 * turn };
  return dashed ? { strokeDasharray: '5 3' } : {};
}

function lineOf(Plot: PlotModule, series: Series, turn: Turn, isCut: boolean): Markish[] {
  const { points, color: index } = series;
  const cut = isCut && ({ clip: 'frame' } as const);
  const style = { x: 'x', y: 'y', stroke: color(index), strokeWidth: index === 0 ? 1.6 : 2, ...cut };
  const few = points.length <= 12 ? points.filter(isFinitePoint) : [];
  return [
    Plot.line(points, { ...style, ...dashesOf(series, turn), strokeLinejoin: 'round' }),
    Plot.dot(few, { ...cut, x: 'x', y: 'y', r: points.length === 1 ? 3.5 : 2.2, fill: color(index) }),
  ];
}

/** A fine line at the marked place, and its label at the top, on the side where there is room. */
function markOf(Plot: PlotModule, mark: ChartMark, { xs, up, isLogarithmic = false }: MarkPlace): Markish[] {
  const place = isLogarithmic ? Math.log : (x: number) => x;
  const [first, last] = [place(xs[0]!), place(xs.at(-1)!)];
  const share = xs.length < 2 ? 1 : (place(mark.x) - first) / (last - first);
  const textAnchor = share < 0.25 ? 'start' : share > 0.75 ? 'end' : 'middle';
  const ring = { r: 4, fill: 'var(--paper, #fff)', stroke: 'currentColor', strokeWidth: 1.8 };
  return [
    Plot.ruleX([mark.x], { stroke: 'currentColor', strokeOpacity: 0.35, strokeDasharray: '2 3' }),
    Plot.dot([mark], { x: 'x', y: 'y', ...ring }),
    Plot.text([mark], { x: 'x', text: 'label', frameAnchor: 'top', dy: -up, textAnchor, fontWeight: 600 }),
  ];
}

interface MarkPlace {
  readonly xs: readonly number[];
  /** How far the label is above the frame. */
  readonly up: number;
  readonly isLogarithmic: boolean | undefined;
}

interface End extends Point {
  readonly name: string;
  readonly color: ChartColor;
}

const endsOf = (series: readonly Series[]): End[] =>
  series.flatMap(({ name, color, points }) => {
    const last = points.findLast(isFinitePoint);
    return last ? [{ ...last, name, color }] : [];
  });

/** The vertical scale of a chart. */
interface Scale {
  readonly domain: readonly [low: number, high: number];
  /** Height in pixels. */
  readonly inner: number;
  readonly isLogarithmic: boolean;
}

/** The names of the series at the right, each beside the end of its line as far as they do not overlap. */
function endLabels(
  Plot: PlotModule,
  ends: readonly End[],
  { domain: [low, high], inner, isLogarithmic }: Scale,
): Markish[] {
  const place = isLogarithmic ? Math.log : (y: number) => y;
  const tops = ends.map(({ y }) => inner * (1 - (place(y) - place(low)) / (place(high) - place(low))));
  const moved = apart(tops, font + 3, inner);
  return ends.map((end, k) =>
    Plot.text([end], {
      ...{ y: 'y', text: 'name', frameAnchor: 'right', textAnchor: 'start', dx: 8 },
      ...{ dy: moved[k]! - tops[k]!, fill: color(end.color), fontWeight: 600 },
    }),
  );
}

/** Columns, one for each x, that show all values under the pointer. */
function bands(Plot: PlotModule, { series, x, unit = '' }: LineChart, xs: readonly number[]): Markish {
  const columns = xs.map((at, k) => {
    const [before, after] = [xs[k - 1] ?? at, xs[k + 1] ?? at];
    const values = series.flatMap(({ name, points }) => {
      const point = points.find((each) => each.x === at);
      return point && isFinitePoint(point) ? [`${name} ${numberText(point.y)}${unit}`] : [];
    });
    const [x1, x2] = [(at + before) / 2, (at + after) / 2];
    return { x1: x1 === x2 ? at - 1 : x1, x2, title: [`${x} ${numberText(at)}`, ...values].join('\n') };
  });
  return Plot.rectX(columns, { x1: 'x1', x2: 'x2', ...bandStyle, title: 'title' });
}

/** The chart in a sentence. */
function summaryOf({ series, unit = '', mark, marks = [] }: LineChart): string {
  const parts = series.flatMap(({ name, points }) => {
    const [first, last] = [points.find(isFinitePoint), points.findLast(isFinitePoint)];
    if (!first || !last) return [];
    const text = ({ y }: Point) => numberText(y) + unit;
    return [first === last ? `${name} ${text(first)}` : `${name} from ${text(first)} to ${text(last)}`];
  });
  const marked = [...(mark ? [mark] : []), ...marks].map(({ label }) => `; ${label}`).join('');
  return `${parts.join(', ')}${marked}.`;
}
