/**
 * The colors of charts as custom properties of CSS, in light and dark, and the rules that a page with charts needs.
 */

/** A color of the palette: 0 is muted, for what is compared against; 1 to 8 are distinct. */
export type ChartColor = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

/** The colors in light and dark; the defaults are those of light. */
const palette = [
  ['#66707c', '#9aa5b4'],
  ['#1f6fb2', '#5aa9ea'],
  ['#c04c16', '#ff9a5c'],
  ['#2a7f4f', '#5cc48c'],
  ['#7a4fb5', '#b998f2'],
  ['#8f6400', '#dfb449'],
  ['#b02f78', '#f284ba'],
  ['#12a0ac', '#4fd6d3'],
  ['#30363d', '#e0e5ec'],
] as const;

/** The CSS value of a color. */
export const color = (index: ChartColor): string => `var(--series-${index}, ${palette[index][0]})`;

const properties = palette.map(([light, dark], index) => `--series-${index}: light-dark(${light}, ${dark});`);

/** The CSS rule with the colors of charts. */
export const chartColors = `:root { ${properties.join(' ')} }
`;

/** The CSS rules of charts in a page. */
export const chartStyle = `${chartColors}.chart { display: block; width: 100%; max-width: 27.5rem; height: auto; overflow: visible; font-variant-numeric: tabular-nums; }
.chart text { white-space: pre; }
.chart .band > :hover { fill-opacity: 0.07; }
`;
