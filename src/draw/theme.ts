/**
 * Colors for light and dark. Colors are written out wherever they are used: viewers of SVG without support for CSS
 * variables and media queries (librsvg, Inkscape, LaTeX converters) still get the light ones.
 */

export type Theme = 'auto' | 'light' | 'dark';
export const themes: readonly Theme[] = ['auto', 'light', 'dark'];

/** The stroke of a hue and its paler fill. */
interface Hue {
  readonly line: string;
  readonly fill: string;
}

interface Palette {
  readonly paper: string;
  readonly ink: string;
  readonly faint: string;
  readonly wire: string;
  readonly box: Hue;
  readonly hues: readonly Hue[];
}

const light: Palette = {
  paper: '#ffffff',
  ink: '#1c2128',
  faint: '#5d6673',
  wire: '#4a5361',
  box: { line: '#6b7482', fill: '#f6f7f9' },
  hues: [
    { line: '#2f6db5', fill: '#e6f0fb' },
    { line: '#c2690c', fill: '#fdefdf' },
    { line: '#2c8a57', fill: '#e3f5ea' },
    { line: '#b8406a', fill: '#fce8ef' },
    { line: '#7152ad', fill: '#f0eafb' },
    { line: '#1c8592', fill: '#e0f4f6' },
    { line: '#8a6420', fill: '#f7efdd' },
    { line: '#a3457f', fill: '#f9e7f3' },
  ],
};

const dark: Palette = {
  paper: '#0d1117',
  ink: '#e6eaf0',
  faint: '#98a2b0',
  wire: '#a9b3c1',
  box: { line: '#7d8795', fill: '#1a2029' },
  hues: [
    { line: '#6ba6ea', fill: '#152a44' },
    { line: '#eda04f', fill: '#3a2711' },
    { line: '#5fc48b', fill: '#12321f' },
    { line: '#ef7fa4', fill: '#3d1a28' },
    { line: '#ab8eea', fill: '#281f42' },
    { line: '#54c0cd', fill: '#0f3136' },
    { line: '#cda352', fill: '#33280f' },
    { line: '#de86bd', fill: '#391c30' },
  ],
};

export const hueCount = light.hues.length;

/** Line and font rules shared by all themes. */
const shared = [
  'text{font-family:system-ui,-apple-system,"Segoe UI","Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}',
  '.strong{font-weight:600}',
  '.layer,.bar,.cell,.channel{stroke-width:1.25}',
  '.tag,.lane{stroke-width:.75}',
  '.wire{fill:none;stroke-width:1.25;stroke-linecap:round}',
  '.thin{stroke-width:.9}',
  '.rule{stroke-width:.6}',
  '.join{stroke-width:1.25}',
];

/** The style sheet of one drawing, for the hues that it uses. Every rule is scoped to the drawing's own class. */
export function styleSheet(theme: Theme, root: string, used: readonly number[]): string {
  const rules = [...shared, ...colors(theme === 'dark' ? dark : light, used)];
  const text = rules.map((rule) => scoped(root, rule)).join('\n');
  if (theme !== 'auto') return text;
  const night = colors(dark, used).map((rule) => scoped(root, rule));
  return `${text}\n@media (prefers-color-scheme:dark){\n${night.join('\n')}\n}`;
}

/** `.a,.b{…}` → `.root .a,.root .b{…}` */
function scoped(root: string, rule: string): string {
  const at = rule.indexOf('{');
  const selectors = rule.slice(0, at).split(',');
  return selectors.map((selector) => `.${root} ${selector}`).join(',') + rule.slice(at);
}

function colors({ paper, ink, faint, wire, box, hues }: Palette, used: readonly number[]): string[] {
  return [
    `.paper{fill:${paper}}`,
    `text{fill:${ink}}`,
    `.faint{fill:${faint}}`,
    `.layer,.bar,.cell{fill:${box.fill};stroke:${box.line}}`,
    `.tag,.channel{fill:${paper};stroke:${box.line}}`,
    `.join{fill:${paper};stroke:${wire}}`,
    `.lane{fill:${box.fill};stroke:none}`,
    `.segment{fill:${box.line}}`,
    `.wire{stroke:${wire}}`,
    `.head,.dot{fill:${wire}}`,
    `.sign{stroke:${wire};stroke-width:1.25}`,
    ...used.flatMap((hue) => {
      const { line, fill } = hues[hue]!;
      return [
        `.layer.h${hue},.cell.h${hue}{fill:${fill};stroke:${line}}`,
        `.lane.h${hue}{fill:${fill}}`,
        `.channel.h${hue}{stroke:${line}}`,
        `.segment.h${hue},.head.h${hue},.dot.h${hue},text.h${hue}{fill:${line}}`,
        `.wire.h${hue}{stroke:${line}}`,
      ];
    }),
  ];
}
