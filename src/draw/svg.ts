/** Writes a scene as SVG text: one style sheet, plain shapes, and a title and description for screen readers. */
import type { FieldsOf } from '../arguments.ts';
import { oneOf } from '../options.ts';
import { type Box, type Disc, extent, type Point, type Scene, type Shape, type Text, type Wire } from './scene.ts';
import { hueCount, styleSheet, type Theme, themes } from './theme.ts';

/** How a drawing looks. */
export interface DrawingOptions {
  /** `auto` follows the reader's light or dark setting. */
  readonly theme?: Theme;
}

/** `DrawingOptions` with their checks. */
export const drawingFields: FieldsOf<DrawingOptions> = { theme: oneOf(themes, { doc: 'colors' }) };

export interface Caption {
  readonly title: string;
  readonly description: string;
}

const margin = 20;
const headLength = 7;
const headWidth = 6;
const cornerRadius = 9;

export function toSvg(scene: Scene, { title, description }: Caption, { theme = 'auto' }: DrawingOptions = {}): string {
  const { left, top, right, bottom } = extent(scene);
  const [x, y] = [Math.floor(left - margin), Math.floor(top - margin)];
  const [width, height] = [Math.ceil(right + margin) - x, Math.ceil(bottom + margin) - y];
  const root = `resnext-drawing-${theme}`;
  const used = [...new Set(scene.flatMap(({ hue }) => (hue === undefined ? [] : hue % hueCount)))].sort(
    (a, b) => a - b,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="${root}" role="img" viewBox="${x} ${y} ${width} ${height}" width="${width}" height="${height}">`,
    `<title>${escaped(title)}</title>`,
    `<desc>${escaped(description)}</desc>`,
    `<style>\n${styleSheet(theme, root, used)}\n</style>`,
    `<rect class="paper" x="${x}" y="${y}" width="${width}" height="${height}"/>`,
    ...scene.map(element),
    '</svg>\n',
  ].join('\n');
}

function element(shape: Shape): string {
  switch (shape.kind) {
    case 'box':
      return boxElement(shape);
    case 'wire':
      return wireElement(shape);
    case 'disc':
      return discElement(shape);
    case 'text':
      return textElement(shape);
  }
}

const radii: { readonly [R in Box['role']]: number } = {
  layer: 3,
  bar: 3,
  tag: 8,
  cell: 2,
  channel: 2,
  segment: 0,
  lane: 8,
};

const classes = (names: string, hue: number | undefined): string =>
  `class="${names}${hue === undefined ? '' : ` h${hue % hueCount}`}"`;

function boxElement({ role, x, y, width, height, hue }: Box): string {
  const place = `x="${n(x)}" y="${n(y)}" width="${n(width)}" height="${n(height)}"`;
  return `<rect ${classes(role, hue)} ${place}${radii[role] > 0 ? ` rx="${radii[role]}"` : ''}/>`;
}

function discElement({ role, x, y, radius, hue }: Disc): string {
  const circle = `<circle ${classes(role === 'dot' ? 'dot' : 'join', hue)} cx="${n(x)}" cy="${n(y)}" r="${n(radius)}"/>`;
  if (role === 'dot') return circle;
  const [reach, turn] = [0.55 * radius, role === '×' ? Math.PI / 4 : 0];
  const strokes = [turn, turn + Math.PI / 2].map((angle) => {
    const [dx, dy] = [reach * Math.cos(angle), reach * Math.sin(angle)];
    return `M${at({ x: x - dx, y: y - dy })}L${at({ x: x + dx, y: y + dy })}`;
  });
  return `${circle}\n<path class="sign" d="${strokes.join('')}"/>`;
}

function textElement({ role, x, y, text, size, anchor, hue }: Text): string {
  const place = `x="${n(x)}" y="${n(y + 0.36 * size)}" font-size="${size}" text-anchor="${anchor}"`;
  return `<text ${classes(role, hue)} ${place}>${escaped(text)}</text>`;
}

function wireElement({ points, shape, role, arrow, hue }: Wire): string {
  const path = (drawn: readonly Point[]) =>
    `<path ${classes(role === 'flow' ? 'wire' : `wire ${role}`, hue)} d="${shapes[shape](drawn)}"/>`;
  if (!arrow) return path(points);
  const [before, tip] = points.slice(-2) as [Point, Point];
  const back = toward(tip, before, headLength);
  const shortened = [...points.slice(0, -1), toward(tip, before, headLength - 1)];
  const side = {
    x: ((tip.y - back.y) / headLength) * (headWidth / 2),
    y: ((back.x - tip.x) / headLength) * (headWidth / 2),
  };
  const corners = [tip, { x: back.x + side.x, y: back.y + side.y }, { x: back.x - side.x, y: back.y - side.y }];
  return `${path(shortened)}\n<path ${classes('head', hue)} d="M${corners.map(at).join('L')}Z"/>`;
}

const shapes: { readonly [S in Wire['shape']]: (points: readonly Point[]) => string } = {
  line: (points) => `M${points.map(at).join('L')}`,
  curve: ([start, ...others]) => `M${at(start!)}C${others.map(at).join(' ')}`,
  elbow: (points) => {
    const corners = points.slice(1, -1).map((corner, i) => {
      const [before, after] = [points[i]!, points[i + 2]!];
      const radius = Math.min(cornerRadius, distance(before, corner) / 2, distance(corner, after) / 2);
      return `L${at(toward(corner, before, radius))}Q${at(corner)} ${at(toward(corner, after, radius))}`;
    });
    return `M${at(points[0]!)}${corners.join('')}L${at(points.at(-1)!)}`;
  },
};

const distance = (a: Point, b: Point): number => Math.hypot(b.x - a.x, b.y - a.y);

/** The point at distance `length` from `from` in the direction of `to`. */
function toward(from: Point, to: Point, length: number): Point {
  const share = length / (distance(from, to) || 1);
  return { x: from.x + share * (to.x - from.x), y: from.y + share * (to.y - from.y) };
}

const at = ({ x, y }: Point): string => `${n(x)},${n(y)}`;
/** A number with at most two decimals, in as few characters as possible. */
const n = (value: number): string => String(Math.round(value * 100) / 100 || 0);

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text: string): string => text.replace(/[&<>"]/g, (char) => entities[char]!);
