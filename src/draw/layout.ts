/**
 * Positions every part of a block: data flows down the page, branches are side by side, the shortcut is on the right,
 * as in the paper's Figure 3. The layout follows the structure, so four rules cover every form and any mixture of
 * forms: a layer is a box below the previous one, a tag is a note on the wire, branches are columns, and a join is a ⊕
 * or a bar.
 */

import type { Flow, Layer, Parallel, Part } from './flow.ts';
import {
  type Box,
  box,
  type Disc,
  disc,
  elide,
  ellipsis,
  line,
  type Point,
  type Shape,
  text,
  textWidth,
} from './scene.ts';
import { areAlike, type BlockStructure, type Size } from './structure.ts';

export interface LayoutOptions {
  /** Show batch normalization, activations, biases and map sizes. */
  readonly details: boolean;
}

const fontSize = 13;
const lineHeight = 17;
const padding = { x: 10, y: 8 };
const segmentHeight = 4;
const tagHeight = 16;
const joinRadius = 9;
const columnGap = 22;
const dotsWidth = 74;
/** Distances from one part to the next, where wires fan out or in, and around a tag. */
const gap = { step: 28, fan: 54, tag: 9 };
const maxColumns = 4;
const maxSegments = 32;

/** The end of a wire, to be connected to the next part. */
interface Port extends Point {
  readonly hue?: number | undefined;
  /** Whether wires fan out from here. */
  readonly fans?: boolean;
  /** Half the width of the column above. */
  readonly reach?: number;
  /** Points that the wire has passed on its way here. */
  readonly via?: readonly Point[];
}

interface Context {
  readonly shapes: Shape[];
  /** Color of the current branch. */
  readonly hue?: number | undefined;
  /** Width of the boxes in this column. */
  readonly width?: number;
}

/** Lays out a block. */
export function layoutBlock(structure: BlockStructure, { details }: LayoutOptions): Shape[] {
  const shown = details ? structure : withoutTags(structure);
  const { residual, shortcut, after } = shown;
  const shapes: Shape[] = [text(sizeLabel(structure.input, 'in', details), { x: 0, y: 0 }, { role: 'strong' })];
  const fork: Port = { x: 0, y: shortcut ? 26 : 12 };
  if (shortcut) {
    shapes.push(line([{ x: 0, y: 12 }, fork]), disc('dot', fork, 2.4));
  }
  let port = place({ shapes }, residual, fork, fork.x);
  if (shortcut) port = placeShortcut({ shapes }, shortcut, { fork, end: port, right: flowWidth(residual) / 2 });
  port = place({ shapes }, after, port, 0);
  const bottom = port.y + gap.step;
  shapes.push(line([port, { x: 0, y: bottom }], { arrow: true }));
  shapes.push(text(sizeLabel(structure.output, 'out', details), { x: 0, y: bottom + 12 }, { role: 'strong' }));
  return shapes;
}

function sizeLabel({ channels, map }: Size, way: 'in' | 'out', details: boolean): string {
  return `${channels ?? '?'}-d ${way}${details && map ? `, ${map.join('x')}` : ''}`;
}

function withoutTags(structure: BlockStructure): BlockStructure {
  const plain = (flow: Flow): Part[] =>
    flow.flatMap((part) => {
      if (part.kind === 'tag') return [];
      return part.kind === 'parallel' ? { ...part, branches: part.branches.map(plain) } : part;
    });
  const { residual, shortcut } = structure;
  return { ...structure, residual: plain(residual), shortcut: shortcut && plain(shortcut), after: [] };
}

/** The columns of a parallel part; undefined stands for the omitted ones. Branches that differ are all shown. */
const columnsOf = ({ branches }: Parallel): (number | undefined)[] =>
  elide(branches.length, areAlike(branches) ? maxColumns : branches.length);

function flowWidth(flow: Flow): number {
  return Math.max(0, ...withMergedTags(flow).map(partWidth));
}

function partWidth(part: Part): number {
  if (part.kind === 'layer') return layerWidth(part);
  if (part.kind === 'tag') return tagWidth(part.text);
  return Math.max(columnCenters(part).width, isSign(part.join) ? 0 : barWidth(part.join));
}

const layerWidth = ({ lines, groups }: Layer): number => {
  const width = Math.max(...lines.map((value) => textWidth(value, fontSize))) + 2 * padding.x;
  return Math.max(width, groups > 1 ? 6 * Math.min(groups, maxSegments) : 0);
};
const layerHeight = ({ lines, groups }: Layer): number =>
  lines.length * lineHeight + 2 * padding.y + (groups > 1 ? 2 * segmentHeight : 0);
const tagWidth = (value: string): number => textWidth(value, 10.5) + 14;

const barWidth = (label: string): number => textWidth(label, fontSize) + 2 * padding.x;
const isSign = (join: string): join is '+' | '×' => join === '+' || join === '×';

/** The center of each column, measured from the left edge of the part. */
function columnCenters(part: Parallel): { centers: number[]; width: number } {
  let x = 0;
  const centers = columnsOf(part).map((index) => {
    const width = index === undefined ? dotsWidth : Math.max(flowWidth(part.branches[index]!), 24);
    const center = x + width / 2;
    x += width + (index === undefined ? 0 : columnGap);
    return center;
  });
  return { centers, width: x - columnGap };
}

/** Draws a flow downward from a port and returns the port at its end. */
function place(outer: Context, flow: Flow, from: Port, x: number): Port {
  const context = {
    ...outer,
    width: Math.max(0, ...flow.map((part) => (part.kind === 'layer' ? layerWidth(part) : 0))),
  };
  return withMergedTags(flow).reduce<Port>((port, part) => {
    if (part.kind === 'layer') return placeLayer(context, part, port, x);
    if (part.kind === 'tag') return placeTag(context, part.text, port, x);
    return placeParallel(context, part, port, x);
  }, from);
}

/** Merges tags in sequence, such as `BN` and `ReLU`, into one note. */
function withMergedTags(flow: Flow): Part[] {
  const parts: Part[] = [];
  for (const part of flow) {
    const last = parts.at(-1);
    if (part.kind !== 'tag' || last?.kind !== 'tag') parts.push(part);
    else parts[parts.length - 1] = { kind: 'tag', text: `${last.text}, ${part.text}` };
  }
  return parts;
}

function placeLayer({ shapes, hue, width = 0 }: Context, layer: Layer, from: Port, x: number): Port {
  const height = layerHeight(layer);
  const top = from.y + gapTo(from);
  shapes.push(wireDown(from, { x, y: top }, true), box('layer', x - width / 2, top, width, height, hue));
  if (layer.groups > 1) shapes.push(...segments(layer.groups, { x: x - width / 2, y: top, width, height }));
  const first = top + height / 2 - ((layer.lines.length - 1) * lineHeight) / 2;
  layer.lines.forEach((value, i) => {
    shapes.push(text(value, { x, y: first + i * lineHeight }));
  });
  return { x, y: top + height, hue };
}

/**
 * Strips along the top and bottom edge of a box, one segment per group, to show the channels that it keeps separate.
 */
function segments(groups: number, { x, y, width, height }: Pick<Box, 'x' | 'y' | 'width' | 'height'>): Box[] {
  const count = Math.min(groups, maxSegments);
  const [inner, each] = [x + 3, (width - 6) / count];
  return [y + 3, y + height - 3 - segmentHeight].flatMap((top) =>
    Array.from({ length: count }, (_, i) => {
      const hue = i === count - 1 ? groups - 1 : i;
      return box('segment', inner + i * each + 0.5, top, each - 1, segmentHeight, hue);
    }),
  );
}

function placeTag({ shapes, hue }: Context, value: string, from: Port, x: number): Port {
  const top = from.y + (from.fans ? gap.fan : gap.tag);
  const width = tagWidth(value);
  shapes.push(wireDown(from, { x, y: top }, false), box('tag', x - width / 2, top, width, tagHeight, hue));
  shapes.push(text(value, { x, y: top + tagHeight / 2 }, { size: 10.5, role: 'faint' }));
  return { x, y: top + tagHeight, hue };
}

/** Draws branches side by side from one port, and their join. */
function placeParallel(context: Context, part: Parallel, from: Port, x: number): Port {
  const { branches } = part;
  const columns = columnsOf(part);
  const { centers, width } = columnCenters(part);
  const left = x - width / 2;
  const colored = context.hue === undefined && areAlike(branches);
  const ends: Port[] = [];
  columns.forEach((index, c) => {
    if (index === undefined) return;
    const hue = colored ? index : context.hue;
    const [branch, column] = [branches[index]!, left + centers[c]!];
    const start = { ...from, fans: true };
    const inner = { ...context, hue };
    const end = branch.length > 0 ? place(inner, branch, start, column) : passing(inner, start, column);
    ends.push({ ...end, reach: flowWidth(branch) / 2 });
  });
  const bottom = Math.max(...ends.map(({ y }) => y));
  const dots = columns.indexOf(undefined);
  if (dots >= 0) {
    const middle = { x: left + centers[dots]!, y: (from.y + gap.fan + bottom) / 2 };
    context.shapes.push(...omitted(branches.length, middle));
  }
  for (const end of ends) {
    if (end.y < bottom) context.shapes.push(line([end, { x: end.x, y: bottom }], { hue: end.hue }));
  }
  const straight = ends.map((end) => ({ ...end, y: bottom }));
  if (isSign(part.join)) return placeCircle(context, part.join, straight, { x, y: bottom });
  return placeBar(context, part.join, straight, { x, y: bottom, width: partWidth(part) });
}

/** An empty branch: a wire down its column. */
function passing({ shapes, hue }: Context, from: Port, x: number): Port {
  const end = { x, y: from.y + gapTo(from), hue };
  shapes.push(wireDown(from, end, false));
  return end;
}

/** Stands in for the branches that are not drawn. */
function omitted(count: number, { x, y }: Point): Shape[] {
  return [
    ...ellipsis({ x, y: y - 20 }, 'across'),
    text('total', { x, y: y + 2 }, { size: 12, role: 'faint' }),
    text(`${count} paths`, { x, y: y + 18 }, { size: 12, role: 'faint' }),
  ];
}

/** A circle that wires reach from above, each at its own angle. */
function placeCircle({ shapes, hue }: Context, sign: Disc['role'], ends: readonly Port[], at: Point): Port {
  const center = { x: at.x, y: at.y + gap.fan + joinRadius };
  for (const end of ends) {
    const stub = { x: end.x, y: end.y + 8 };
    const share = joinRadius / Math.hypot(stub.x - center.x, stub.y - center.y);
    const tip = { x: center.x + share * (stub.x - center.x), y: center.y + share * (stub.y - center.y) };
    shapes.push(line([end, stub, tip], { shape: 'elbow', arrow: true, hue: end.hue }));
  }
  shapes.push(disc(sign, center, joinRadius));
  return { x: at.x, y: center.y + joinRadius, hue };
}

/** A bar across all columns, with a strip in the color of each branch that arrives. */
function placeBar({ shapes, hue }: Context, label: string, ends: readonly Port[], at: Point & { width: number }): Port {
  const [left, top, height] = [at.x - at.width / 2, at.y + gap.step, 34];
  const strips = ends.some((end) => end.hue !== undefined) ? segmentHeight : 0;
  shapes.push(box('bar', left, top, at.width, height));
  for (const end of ends) {
    shapes.push(line([end, { x: end.x, y: top }], { arrow: true, hue: end.hue }));
    const reach = (end.reach ?? 0) - 3;
    if (end.hue === undefined || reach <= 0) continue;
    shapes.push(box('segment', end.x - reach, top + 3, 2 * reach, segmentHeight, end.hue));
  }
  shapes.push(text(label, { x: at.x, y: top + (height + strips) / 2 }));
  return { x: at.x, y: top + height, hue };
}

interface Span {
  readonly fork: Port;
  readonly end: Port;
  /** The right edge of the residual branch. */
  readonly right: number;
}

/** Draws the shortcut down the right side into the last sum. */
function placeShortcut({ shapes }: Context, flow: Flow, { fork, end, right }: Span): Port {
  const x = right + 34 + flowWidth(flow) / 2;
  const length = place({ shapes: [] }, flow, fork, x).y - fork.y;
  const center = { x: end.x, y: Math.max(end.y + gap.step, fork.y + length + gap.tag) + joinRadius };
  const tip = { x: center.x + joinRadius, y: center.y };
  shapes.push(line([end, { x: end.x, y: center.y - joinRadius }], { arrow: true, hue: end.hue }));
  if (flow.length === 0) {
    shapes.push(line([fork, { x, y: fork.y }, { x, y: tip.y }, tip], { shape: 'elbow', arrow: true }));
  } else {
    const start = { x, y: fork.y + Math.max(0, (tip.y - fork.y - length) / 2 - 4) };
    const last = place({ shapes }, flow, { ...start, via: [fork, { x, y: fork.y }] }, x);
    shapes.push(line([last, { x, y: tip.y }, tip], { shape: 'elbow', arrow: true }));
  }
  shapes.push(disc('+', center, joinRadius));
  return { x: end.x, y: center.y + joinRadius };
}

/** Vertical room for a wire to the next part: more if it also has to go sideways. */
const gapTo = ({ fans }: Port): number => (fans ? gap.fan : gap.step);

function wireDown(from: Port, to: Point, arrow: boolean): Shape {
  if (from.via) return line([...from.via, to], { shape: 'elbow', arrow, hue: from.hue });
  if (from.x === to.x) return line([from, to], { arrow, hue: from.hue });
  return line([from, { x: to.x, y: to.y - 16 }, to], { shape: 'elbow', arrow, hue: from.hue });
}
