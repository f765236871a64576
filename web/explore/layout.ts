/**
 * The drawing of a block as a function of time: form A at 0, B at 1, C at 2. A convolution is a rectangle, a map a bar.
 * Sideways are the channels between the two 1x1 convolutions, branch after branch; a 1x1 has the channels of the input or
 * output from top to bottom. The three forms are the same rectangles, moved: none appears or vanishes.
 *
 *   0   to 0.5   the maps before the last 1x1, and its filters, slide together
 *   0.5 to 1     the addition of the branches becomes part of one product
 *   1   to 1.5   the maps before the 3x3 slide together, and its filters move to the diagonal of one matrix
 *   1.5 to 2     the filters of the first 1x1 slide together
 *
 * No layout library: the positions are the argument.
 */

/** What the layout needs to know of a block. */
export interface Shape {
  readonly cardinality: number;
  readonly splitWidth: number;
  readonly branchWidth: number;
  readonly input: number;
  readonly output: number;
}

/** From top to bottom. */
export const rows = ['input', 'split', 'map1', 'transform', 'map2', 'merge', 'output'] as const;
export type Row = (typeof rows)[number];

/** A rectangle of filters or a bar of channels. */
export interface Box {
  readonly key: string;
  readonly row: Row;
  /** The branch it belongs to; undefined for the input and the output. */
  readonly branch: number | undefined;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** What a wire connects. */
export type Span = 'trunk' | 'in' | 'to map1' | 'to 3x3' | 'to map2' | 'out' | 'sum';

export interface Wire {
  readonly key: string;
  readonly span: Span;
  /** The branch it belongs to; undefined for one that carries all of them. */
  readonly branch: number | undefined;
  /** An SVG path. */
  readonly path: string;
  readonly opacity: number;
}

export interface Frame {
  readonly boxes: readonly Box[];
  readonly wires: readonly Wire[];
  /** The addition of the branches. */
  readonly sum: { readonly x: number; readonly y: number; readonly opacity: number };
  /** The outline of the grouped convolution. */
  readonly square: {
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
    readonly opacity: number;
  };
}

/** Lengths that do not change with time, in pixels. */
export interface Geometry {
  readonly shape: Shape;
  readonly width: number;
  readonly height: number;
  /** The middle of the drawing, without labels and shortcut. */
  readonly center: number;
  /** Left of it are the labels, if they have a column of their own. */
  readonly left: number;
  readonly right: number;
  /** Of a channel, sideways. */
  readonly channel: number;
  /** Distance of two branches that are apart. */
  readonly pitch: number;
  readonly tops: Readonly<Record<Row, number>>;
  readonly heights: Readonly<Record<Row, number>>;
  /** Where branches and the shortcut are added. */
  readonly sumTop: number;
  readonly addTop: number;
  /** Where the wires from the input part: below the label of the first row, if that is above its row. */
  readonly partTop: number;
}

const labelColumn = 142;
const shortcutColumn = 36;
const bar = 7;
/** Widths from which labels have a column. */
const wide = 560;

/** @param width of the whole drawing, in pixels. */
export function geometryOf(shape: Shape, width: number): Geometry {
  const { cardinality, splitWidth, branchWidth, input, output } = shape;
  const hasColumn = width >= wide;
  const left = hasColumn ? labelColumn : 4;
  const right = width - shortcutColumn;
  const room = right - left;
  const middle = cardinality * Math.max(splitWidth, branchWidth);
  const channel = Math.min(room / Math.max(input, output), ((cardinality > 1 ? 0.62 : 1) * room) / middle, 24);
  const joined = middle * channel;
  const spread = cardinality > 1 ? Math.min(room, Math.max(2 * joined, joined + 3 * cardinality)) : joined;
  const tall = Math.min(hasColumn ? 104 : 78, 13 * Math.max(input, output));
  const square = Math.min(cardinality * branchWidth * channel, hasColumn ? 250 : 200);
  const label = hasColumn ? 0 : 22; // space for the label of a row above it
  const heights = { input: bar, split: tall, map1: bar, transform: square, map2: bar, merge: tall, output: bar };
  const tops = {} as Record<Row, number>;
  let y = 8 + label;
  const place = (row: Row, gap: number) => {
    y += gap;
    tops[row] = y;
    y += heights[row];
  };
  place('input', 0);
  place('split', hasColumn ? 44 : 62);
  place('map1', 26);
  place('transform', 14 + label);
  place('map2', 14 + label);
  place('merge', 5);
  const sumTop = y + 46;
  const addTop = sumTop + 40;
  y = addTop + 10;
  place('output', 22);
  const center = (left + right) / 2;
  const partTop = tops.input + heights.input + (hasColumn ? 0 : 16);
  return {
    shape,
    width,
    height: y + 8,
    center,
    left,
    right,
    channel,
    pitch: spread / cardinality,
    tops,
    heights,
    sumTop,
    addTop,
    partTop,
  };
}

/** Moments at which the drawing rests: the forms at 0, 1 and 2, and the middle of each way. */
export const stops = [0, 0.5, 1, 1.5, 2] as const;

/** From 0 to 1, slow at both ends. */
const ease = (u: number): number => u * u * (3 - 2 * u);
const clamp = (u: number): number => Math.min(1, Math.max(0, u));

/** How far a movement has come that lasts from `start` for half a unit of time. */
const during = (time: number, start: number): number => clamp((time - start) / 0.5);

/** Inner branches move first; the outer ones follow within this share of the movement. */
const stagger = 0.2;

/** The drawing at a time from 0 to 2. */
export function frameAt(geometry: Geometry, time: number): Frame {
  const { shape, center, channel, pitch, tops, heights } = geometry;
  const { cardinality: count, splitWidth, branchWidth } = shape;
  const progress = {
    merge: during(time, 0),
    sum: ease(during(time, 0.5)),
    transform: during(time, 1),
    split: during(time, 1.5),
  };
  const moved = (u: number, i: number): number => {
    const distance = count > 1 ? Math.abs(i - (count - 1) / 2) / ((count - 1) / 2) : 0;
    return ease(clamp(u * (1 + stagger) - stagger * distance));
  };
  /** The middle of branch i, `u` of the way from apart to together. */
  const middle = (i: number, width: number, u: number): number => {
    const offset = i + 0.5 - count / 2;
    return center + offset * (pitch + (width - pitch) * moved(u, i));
  };

  const widths = { split: splitWidth * channel, branch: branchWidth * channel };
  const blockHeight = heights.transform / count;
  const boxes: Box[] = [wholeBar(geometry, 'input'), wholeBar(geometry, 'output')];
  const wires: Wire[] = [];
  const sumY = geometry.sumTop + (tops.merge + heights.merge - geometry.sumTop) * progress.sum;
  const inputBottom = tops.input + heights.input;

  for (let i = 0; i < count; i++) {
    const add = (row: Row, width: number, x: number, y: number, height: number, seam = 0): Box => {
      const box = { key: `${row}${i}`, row, branch: i, x: x - (width - seam) / 2, y, width: width - seam, height };
      boxes.push(box);
      return box;
    };
    const seam = (width: number, joined: number) => (count > 1 ? Math.min(1, 0.2 * width) * (1 - joined) : 0);
    const splitX = middle(i, widths.split, progress.split);
    const split = add(
      'split',
      widths.split,
      splitX,
      tops.split,
      heights.split,
      seam(widths.split, ease(progress.split)),
    );
    // The maps before the 3x3 lie next to one another once they are concatenated, whatever the filters above them do.
    const map1 = add('map1', widths.split, middle(i, widths.split, progress.transform), tops.map1, bar);
    const rest = tops.transform + (heights.transform - blockHeight) / 2;
    const diagonal = tops.transform + i * blockHeight;
    const transform = add(
      'transform',
      Math.max(widths.split, widths.branch),
      middle(i, Math.max(widths.split, widths.branch), progress.transform),
      rest + (diagonal - rest) * moved(progress.transform, i),
      blockHeight,
    );
    const map2 = add('map2', widths.branch, middle(i, widths.branch, progress.merge), tops.map2, bar);
    const merge = add(
      'merge',
      widths.branch,
      middle(i, widths.branch, progress.merge),
      tops.merge,
      heights.merge,
      seam(widths.branch, progress.sum),
    );

    const own = (span: Span, from: readonly [number, number], to: readonly [number, number], opacity = 1) =>
      wires.push({ key: `${span}${i}`, span, branch: i, path: curve(from, to), opacity });
    own('in', [center, geometry.partTop], top(split), 1 - ease(progress.split));
    own('to map1', bottom(split), top(map1));
    own('to 3x3', bottom(map1), top(transform));
    own('to map2', bottom(transform), top(map2));
    own('out', bottom(merge), [center, sumY], 1 - progress.sum);
  }
  const all = (key: Span, from: number, to: number, opacity: number) =>
    wires.push({ key, span: key, branch: undefined, path: `M${center} ${px(from)}V${px(to)}`, opacity });
  if (geometry.partTop > inputBottom) all('trunk', inputBottom, geometry.partTop, 1);
  all('in', geometry.partTop, tops.split, ease(progress.split));
  all('sum', sumY, geometry.addTop, 1);

  const side = count * Math.max(widths.split, widths.branch);
  return {
    boxes,
    wires,
    sum: { x: center, y: sumY, opacity: 1 - progress.sum },
    square: {
      x: center - side / 2,
      y: tops.transform,
      width: side,
      height: heights.transform,
      opacity: ease(progress.transform),
    },
  };
}

function wholeBar({ shape, center, channel, tops }: Geometry, row: 'input' | 'output'): Box {
  const width = shape[row] * channel;
  return { key: row, row, branch: undefined, x: center - width / 2, y: tops[row], width, height: bar };
}

const top = ({ x, y, width }: Box): readonly [number, number] => [x + width / 2, y];
const bottom = ({ x, y, width, height }: Box): readonly [number, number] => [x + width / 2, y + height];
const px = (length: number): string => `${Math.round(100 * length) / 100}`;

/** A path that leaves and arrives vertically. */
function curve([x0, y0]: readonly [number, number], [x1, y1]: readonly [number, number]): string {
  if (Math.abs(x0 - x1) < 0.1) return `M${px(x0)} ${px(y0)}V${px(y1)}`;
  const half = (y0 + y1) / 2;
  return `M${px(x0)} ${px(y0)}C${px(x0)} ${px(half)} ${px(x1)} ${px(half)} ${px(x1)} ${px(y1)}`;
}
