/**
 * Draws grouped convolution channel by channel: n_in input channels and n_out filters in g groups. Each filter has
 * n_in/g channels, each group has n_out/g filters, and groups never share channels. A lane is one group. If there is
 * too much to draw, the middle is omitted.
 */

import { checkOptions, type FieldsOf } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import { either, whole } from '../options.ts';
import { box, elide, ellipsis, line, type Point, type Shape, text, textWidth } from './scene.ts';
import { type DrawingOptions, drawingFields, toSvg } from './svg.ts';

/** The convolution to draw. */
export interface GroupedConvolutionOptions extends DrawingOptions {
  /** n_in. Defaults to 8. */
  readonly input?: number;
  /** n_out. Defaults to 4. */
  readonly output?: number;
  /** g, which divides both. Defaults to 4. */
  readonly groups?: number;
  /** Height and width of a filter. Defaults to 3. */
  readonly kernel?: number;
}

interface Convolution {
  readonly input: number;
  readonly output: number;
  readonly groups: number;
  readonly kernel: number;
}

/**
 * Draws which channels each filter sees.
 *
 * @throws UsageError if the groups do not divide the channels.
 * @example drawGroupedConvolution({ input: 128, output: 128, groups: 32 })
 */
export function drawGroupedConvolution(options: GroupedConvolutionOptions = {}): string {
  checkOptions(fields, options);
  const { input = 8, output = 4, groups = 4, kernel = 3, ...drawing } = options;
  const convolution = { input, output, groups, kernel };
  check(convolution);
  const title = titleOf(convolution);
  const description =
    `Each of ${plural(groups, 'group')} has ${plural(input / groups, 'input channel')} and ` +
    `${plural(output / groups, 'filter')}, which ${output === groups ? 'makes' : 'make'} ` +
    `${plural(output / groups, 'output channel')}. Groups do not share channels.`;
  return toSvg(layoutGrouped(convolution), { title, description }, drawing);
}

const size = whole({ from: 1, doc: 'a number of channels, groups or taps' });

const fields: FieldsOf<GroupedConvolutionOptions> = {
  ...drawingFields,
  input: size,
  output: size,
  groups: size,
  kernel: size,
};

function check(convolution: Convolution): void {
  const { input, output, groups } = convolution;
  for (const [name, channels] of Object.entries({ input, output })) {
    if (channels % groups === 0) continue;
    const both = divisors(input).filter((divisor) => output % divisor === 0);
    const choices = both.length > 12 ? `${both.slice(0, 11).join(', ')}, … ${both.at(-1)}` : either(both);
    throw new UsageError(`${groups} groups do not divide ${channels} ${name} channels; expected ${choices}.`);
  }
}

const divisors = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0);

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

function titleOf({ input, groups }: Convolution): string {
  const seen = groups === 1 && input > 1 ? `all ${input}` : String(input / groups);
  return `${plural(input, 'channel')} in, ${plural(groups, 'group')}: each filter sees ${seen}`;
}

const cell = 26;
const pitch = 31;
const small = 24;
const laneGap = 8;
const lanePadding = 10;
/** How many to draw before the middle is omitted. A single group has room for more channels. */
const maxDrawn = { groups: 4, channels: 4, alone: 8 };
const wireRoom = 84;

/** Positions and widths of the columns of the drawing. */
interface Columns {
  readonly input: number;
  readonly filters: number;
  readonly filterWidth: number;
  readonly output: number;
  readonly right: number;
}

export function layoutGrouped(convolution: Convolution): Shape[] {
  const { groups } = convolution;
  const columns = columnsFor(convolution);
  const shapes: Shape[] = [];
  let y = 66;
  for (const group of elide(groups, maxDrawn.groups)) {
    if (group === undefined) {
      const centers = [columns.input + cell / 2, columns.filters + columns.filterWidth / 2, columns.output + cell / 2];
      for (const x of centers) shapes.push(...ellipsis({ x, y: y + 14 }, 'down'));
      y += 28 + laneGap;
      continue;
    }
    const height = laneHeight(convolution);
    shapes.push(...lane(convolution, columns, group, y));
    y += height + laneGap;
  }
  return [...headings(convolution, columns), ...shapes, footnote(convolution, y + 14)];
}

function columnsFor({ input, output, groups }: Convolution): Columns {
  const label = textWidth(`group ${groups}`, 12) + 2 * lanePadding;
  const [inputHead, filterHead, outputHead] = headingTexts({ input, output, groups }).map((value) =>
    textWidth(value, 12),
  );
  const filterWidth = rows(input / groups, groups).length * small;
  const half = (head: number | undefined, own: number) => Math.max(head!, own) / 2;
  const inputCenter = Math.max(label + cell / 2 + 6, half(inputHead, cell));
  const room = (a: number, b: number, least: number) => Math.max(a + b + 16, least);
  const filterCenter =
    inputCenter + room(half(inputHead, cell), half(filterHead, filterWidth), cell / 2 + wireRoom + filterWidth / 2);
  const outputCenter =
    filterCenter + room(half(filterHead, filterWidth), half(outputHead, cell), filterWidth / 2 + 48 + cell / 2);
  return {
    input: inputCenter - cell / 2,
    filters: filterCenter - filterWidth / 2,
    filterWidth,
    output: outputCenter - cell / 2,
    right: outputCenter + half(outputHead, cell + 2 * lanePadding),
  };
}

const headingTexts = ({ input, output, groups }: Omit<Convolution, 'kernel'>): string[] => [
  plural(input, 'input channel'),
  `${plural(output, 'filter')} of ${plural(input / groups, 'channel')}`,
  plural(output, 'output channel'),
];

function headings(convolution: Convolution, { input, filters, filterWidth, output, right }: Columns): Shape[] {
  const centers = [input + cell / 2, filters + filterWidth / 2, output + cell / 2];
  const heads = headingTexts(convolution).map((value, i) =>
    text(value, { x: centers[i]!, y: 46 }, { size: 12, role: 'faint' }),
  );
  return [text(titleOf(convolution), { x: right / 2, y: 10 }, { size: 15, role: 'strong' }), ...heads];
}

/** The number of weights, and how many there would be without groups. */
function footnote({ input, output, groups, kernel }: Convolution, y: number): Shape {
  const whole = output * input * kernel ** 2;
  const number = (value: number) => value.toLocaleString('en');
  const own = `${output} × ${input / groups} × ${kernel} × ${kernel} = ${number(whole / groups)} weights`;
  const other = groups === 1 ? '' : `; a single group would need ${number(whole)}`;
  return text(own + other, { x: 0, y }, { size: 12, role: 'faint', anchor: 'start' });
}

/** The channels or filters of one group to draw. */
const rows = (count: number, groups: number): (number | undefined)[] =>
  groups === 1 && count <= maxDrawn.alone ? elide(count, maxDrawn.alone) : elide(count, maxDrawn.channels);

function laneHeight({ input, output, groups }: Convolution): number {
  const count = Math.max(rows(input / groups, groups).length, rows(output / groups, groups).length);
  return count * pitch - (pitch - cell) + 2 * lanePadding;
}

/** One group: its channels, its filters, its outputs, and the wires between them. */
function lane(convolution: Convolution, columns: Columns, group: number, top: number): Shape[] {
  const { input, output, groups } = convolution;
  const height = laneHeight(convolution);
  const middle = top + height / 2;
  const channels = spread(rows(input / groups, groups), middle);
  const filters = spread(rows(output / groups, groups), middle);
  const shapes: Shape[] = [
    box('lane', 0, top, columns.right, height, group),
    text(`group ${group + 1}`, { x: lanePadding, y: middle }, { size: 12, anchor: 'start', hue: group }),
  ];
  for (const { y: from, index } of channels) {
    if (index === undefined) continue;
    for (const { y: to, index: filter } of filters) {
      if (filter !== undefined)
        shapes.push(connection({ x: columns.input + cell, y: from }, { x: columns.filters, y: to }, group));
    }
  }
  for (const { y, index } of channels) {
    shapes.push(
      ...channel({ x: columns.input, y }, index === undefined ? undefined : (group * input) / groups + index, group),
    );
  }
  for (const { y, index } of filters) {
    shapes.push(
      ...channel({ x: columns.output, y }, index === undefined ? undefined : (group * output) / groups + index, group),
    );
    if (index === undefined) shapes.push(...ellipsis({ x: columns.filters + columns.filterWidth / 2, y }, 'down'));
    else shapes.push(...filter(convolution, columns, y, group));
  }
  return shapes;
}

/** Places rows around a middle line. */
const spread = (indices: readonly (number | undefined)[], middle: number): { y: number; index: number | undefined }[] =>
  indices.map((index, i) => ({ index, y: middle + (i - (indices.length - 1) / 2) * pitch }));

/** A channel as a square with its number, counted from 1. */
function channel({ x, y }: Point, index: number | undefined, hue: number): Shape[] {
  if (index === undefined) return ellipsis({ x: x + cell / 2, y }, 'down');
  const label = String(index + 1);
  const size = label.length > 3 ? 9 : 11;
  return [box('channel', x, y - cell / 2, cell, cell, hue), text(label, { x: x + cell / 2, y }, { size })];
}

/** A filter as a row of kernels, one per channel that it sees, and the wire to its output. */
function filter({ input, groups, kernel }: Convolution, columns: Columns, y: number, hue: number): Shape[] {
  const shapes: Shape[] = [];
  rows(input / groups, groups).forEach((index, i) => {
    const x = columns.filters + i * small;
    if (index === undefined) shapes.push(...ellipsis({ x: x + small / 2, y }, 'across'));
    else shapes.push(...kernelCell({ x: x + 1.5, y: y - (small - 3) / 2 }, small - 3, kernel, hue));
  });
  const from = { x: columns.filters + columns.filterWidth, y };
  return [...shapes, line([from, { x: columns.output, y }], { arrow: true, hue })];
}

/** A kernel's weights as a grid, as long as the lines are far enough apart. */
function kernelCell({ x, y }: Point, size: number, kernel: number, hue: number): Shape[] {
  const lines = kernel > 7 ? [] : Array.from({ length: kernel - 1 }, (_, i) => ((i + 1) * size) / kernel);
  return [
    box('channel', x, y, size, size, hue),
    ...lines.flatMap((at) => [
      line(
        [
          { x: x + at, y },
          { x: x + at, y: y + size },
        ],
        { role: 'rule', hue },
      ),
      line(
        [
          { x, y: y + at },
          { x: x + size, y: y + at },
        ],
        { role: 'rule', hue },
      ),
    ]),
  ];
}

function connection(from: Point, to: Point, hue: number): Shape {
  if (from.y === to.y) return line([from, to], { role: 'thin', arrow: true, hue });
  const bend = 0.45 * (to.x - from.x);
  const points = [from, { x: from.x + bend, y: from.y }, { x: to.x - bend, y: to.y }, to];
  return line(points, { shape: 'curve', role: 'thin', arrow: true, hue });
}
