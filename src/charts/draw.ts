/**
 * How every chart is drawn: by Observable Plot, as static SVG. Colors are custom properties of CSS (`chartStyle`) with
 * defaults for an SVG on its own, and axes have the color of the text around them. Plot, and the DOM that it draws in, take
 * 200 ms to load, so they are loaded when the first chart is drawn.
 */
import type { Markish, PlotOptions } from '@observablehq/plot';
import { type ChartColor, color } from './palette.ts';
import { labelWidth, tickValues } from './text.ts';

const width = 400;
export const height = 240;
export const font = 12;

export type PlotModule = typeof import('@observablehq/plot');

/**
 * Draws a chart.
 *
 * @param label what the chart shows in sentences.
 * @returns SVG.
 */
export async function draw(
  label: string,
  title: string,
  options: PlotOptions,
  marksOf: (Plot: PlotModule) => Markish[],
): Promise<string> {
  const [Plot, { parseHTML }] = await Promise.all([import('@observablehq/plot'), import('linkedom')]);
  const { document } = parseHTML('<html><body></body></html>');
  const style = { fontFamily: 'inherit', fontSize: `${font}px`, background: 'none', color: 'inherit' };
  const size = { width, height, ...options };
  const svg = Plot.plot({ document, className: 'chart', style, ...size, marks: marksOf(Plot) });
  for (const each of Array.from(svg.querySelectorAll('style'))) each.remove(); // a rule for each chart; `chartStyle` has them
  for (const each of Array.from(svg.querySelectorAll('[aria-label]'))) each.removeAttribute('aria-label');
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', label);
  const name = document.createElementNS('http://www.w3.org/2000/svg', 'title');
  name.textContent = title;
  svg.prepend(name);
  return svg.outerHTML.replace(/ (d|transform|[xy][12]?|c[xy]|width|height)="[^"]*"/g, rounded);
}

/** Coordinates with two digits. */
const rounded = (attribute: string): string =>
  attribute.replace(/\d+\.\d{3,}/g, (digits) => `${Number(Number(digits).toFixed(2))}`);

export const gridStyle = { stroke: 'currentColor', strokeOpacity: 0.14 };
export const axisStyle = { tickSize: 0, tickPadding: 7, fillOpacity: 0.8 };
/** Catches the pointer over a whole column. */
export const bandStyle = { className: 'band', fill: 'currentColor', fillOpacity: 0, pointerEvents: 'all' };

/** The title, and the name of y above its axis. */
export const headingOf = (Plot: PlotModule, title: string, y: string, marginTop: number): Markish[] => [
  Plot.text([title], { frameAnchor: 'top-left', textAnchor: 'start', dx: -30, dy: 8 - marginTop, fontWeight: 600 }),
  Plot.text([y], { frameAnchor: 'top-left', textAnchor: 'start', dx: -28, dy: -18, fillOpacity: 0.8 }),
];

interface Named {
  readonly name: string;
  readonly color: ChartColor;
}

/** The names of series in a row below the title, each in its color. */
export function legendOf(Plot: PlotModule, series: readonly Named[]): Markish[] {
  let from = -28;
  return series.map(({ name, color: index }) => {
    const dx = from;
    from += labelWidth(name, font) + 20;
    const place = { frameAnchor: 'top-left', textAnchor: 'start', dx, dy: -34 } as const;
    return Plot.text([name], { ...place, fill: color(index), fontWeight: 600 });
  });
}

/** From one tick to another. */
export function domainOf(values: readonly number[], isLogarithmic = false): [number, number] {
  if (values.length === 0) return isLogarithmic ? [0.1, 1] : [0, 1];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (isLogarithmic) return low === high ? [low / 2, high * 2] : [low, high];
  const margin = low === high ? Math.abs(low) / 10 || 0.5 : 0;
  return widened(widened([low === 0 ? 0 : low - margin, high + margin])); // a wider range may have ticks further apart
}

/** A range that includes the ticks around it. */
function widened([low, high]: readonly [number, number]): [number, number] {
  const ticks = tickValues([low, high], 5);
  const step = (ticks.at(-1)! - ticks[0]!) / Math.max(1, ticks.length - 1) || high - low;
  const round = (count: number) => Number((count * step).toPrecision(12));
  return [round(Math.floor(low / step + 1e-9)), round(Math.ceil(high / step - 1e-9))];
}
