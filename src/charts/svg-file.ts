/**
 * A chart as a file of its own, such as a picture in a README. There it inherits nothing, so it brings its background and its
 * colors, light or dark as the reader's system is. Colors are written out for both, since viewers that are no browsers know
 * no `light-dark()`.
 */
import { matrixColors } from './heatmap.ts';
import { chartColors } from './palette.ts';

/** Room around the chart. */
const margin = 12;

const page = `:root { --paper: light-dark(#ffffff, #0d1117); color: light-dark(#1c2128, #e6eaf0); font-family: system-ui, sans-serif; font-variant-numeric: tabular-nums; }
.paper { fill: var(--paper); }
`;

/**
 * @param svg a chart or a confusion matrix.
 * @example await writeFile('curve.svg', svgFile(await lineChart({ … })));
 */
export function svgFile(svg: string): string {
  const [width, height] = ['width', 'height'].map((name) => sizeIn(svg, name) + 2 * margin);
  const style = page + chartColors + matrixColors;
  const label = svg.match(/ aria-label="[^"]*"/)?.[0] ?? '';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${-margin} ${-margin} ${width} ${height}" width="${width}" height="${height}" role="img"${label}>
<style>
${colored(style, 'light')}@media (prefers-color-scheme: dark) {
${colored(style, 'dark')}}
</style>
<rect class="paper" x="${-margin}" y="${-margin}" width="${width}" height="${height}" rx="6"/>
${svg}
</svg>
`;
}

const sizeIn = (svg: string, name: string): number =>
  Number(svg.match(new RegExp(`^<svg[^>]* ${name}="([\\d.]+)"`))?.[1]);

const colored = (style: string, theme: 'light' | 'dark'): string =>
  style.replace(/light-dark\((#\w+), (#\w+)\)/g, theme === 'light' ? '$1' : '$2');
