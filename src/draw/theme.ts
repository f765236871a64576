/**
 * Colors. Each is stated for light and for dark and written out where it is used: viewers of SVG that know neither CSS
 * variables nor media queries (librsvg, Inkscape, LaTeX's converters) still get the light ones.
 */

export type Theme = 'auto' | 'light' | 'dark';
export const themes: readonly Theme[] = ['auto', 'light', 'dark'];

/** A hue's line and its paler ground. */
interface Hue {
  readonly line: string;
  readonly ground: string;
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
  box: { line: '#6b7482', ground: '#f6f7f9' },
  hues: [
    { line: '#2f6db5', ground: '#e6f0fb' },
    { line: '#c2690c', ground: '#fdefdf' },
    { line: '#2c8a57', ground: '#e3f5ea' },
    { line: '#b8406a', ground: '#fce8ef' },
    { line: '#7152ad', ground: '#f0eafb' },
    { line: '#1c8592', ground: '#e0f4f6' },
    { line: '#8a6420', ground: '#f7efdd' },
    { line: '#a3457f', ground: '#f9e7f3' },
  ],
};

const dark: Palette = {
  paper: '#0d1117',
  ink: '#e6eaf0',
  faint: '#98a2b0',
  wire: '#a9b3c1',
  box: { line: '#7d8795', ground: '#1a2029' },
  hues: [
    { line: '#6ba6ea', ground: '#152a44' },
    { line: '#eda04f', ground: '#3a2711' },
    { line: '#5fc48b', ground: '#12321f' },
    { line: '#ef7fa4', ground: '#3d1a28' },
    { line: '#ab8eea', ground: '#281f42' },
    { line: '#54c0cd', ground: '#0f3136' },
    { line: '#cda352', ground: '#33280f' },
    { line: '#de86bd', ground: '#391c30' },
  ],
};

export const hueCount = light.hues.length;

/** Lines and type, which no theme changes. */
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

/** The style sheet of one drawing, for the hues that it uses. Every rule is confined to the drawing's own class. */
export function styleSheet(theme: Theme, root: string, used: readonly number[]): string {
  const rules = [...shared, ...colors(theme === 'dark' ? dark : light, used)];
  const text = rules.map((rule) => confined(root, rule)).join('\n');
  if (theme !== 'auto') return text;
  const night = colors(dark, used).map((rule) => confined(root, rule));
  return `${text}\n@media (prefers-color-scheme:dark){\n${night.join('\n')}\n}`;
}

/** `.a,.b{…}` → `.root .a,.root .b{…}` */
function confined(root: string, rule: string): string {
  const at = rule.indexOf('{');
  const selectors = rule.slice(0, at).split(',');
  return selectors.map((selector) => `.${root} ${selector}`).join(',') + rule.slice(at);
}

function colors({ paper, ink, faint, wire, box, hues }: Palette, used: readonly number[]): string[] {
  return [
    `.paper{fill:${paper}}`,
    `text{fill:${ink}}`,
    `.faint{fill:${faint}}`,
    `.layer,.bar,.cell{fill:${box.ground};stroke:${box.line}}`,
    `.tag,.channel{fill:${paper};stroke:${box.line}}`,
    `.join{fill:${paper};stroke:${wire}}`,
    `.lane{fill:${box.ground};stroke:none}`,
    `.segment{fill:${box.line}}`,
    `.wire{stroke:${wire}}`,
    `.head,.dot{fill:${wire}}`,
    `.sign{stroke:${wire};stroke-width:1.25}`,
    ...used.flatMap((hue) => {
      const { line, ground } = hues[hue]!;
      return [
        `.layer.h${hue},.cell.h${hue}{fill:${ground};stroke:${line}}`,
        `.lane.h${hue}{fill:${ground}}`,
        `.channel.h${hue}{stroke:${line}}`,
        `.segment.h${hue},.head.h${hue},.dot.h${hue},text.h${hue}{fill:${line}}`,
        `.wire.h${hue}{stroke:${line}}`,
      ];
    }),
  ];
}
