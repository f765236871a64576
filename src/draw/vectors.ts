/**
 * Why form A equals form B, in numbers: the sum of two dot products is one dot product of the concatenated vectors,
 *
 *   a·x + b·y = (a, b)·(x, y)
 *
 * A pixel of a map is such a vector, with one number per channel, and a 1x1 filter is the vector that multiplies it.
 */
import { checkOptions, type FieldsOf } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import { list, real } from '../options.ts';
import { box, extent, line, type Point, type Shape, text, textWidth } from './scene.ts';
import { type DrawingOptions, drawingFields, toSvg } from './svg.ts';

/** Two data vectors, a and b, and a filter for each, x and y. */
export interface TwoVectorsOptions extends DrawingOptions {
  readonly a?: readonly number[];
  readonly x?: readonly number[];
  readonly b?: readonly number[];
  readonly y?: readonly number[];
}

const numbers = list(real({ doc: 'a number' }), { nonEmpty: true, doc: 'a vector' });
const fields: FieldsOf<TwoVectorsOptions> = { ...drawingFields, a: numbers, x: numbers, b: numbers, y: numbers };

const equation = 'a·x + b·y = (a, b)·(x, y)';

type Vectors = Readonly<Record<'a' | 'x' | 'b' | 'y', readonly number[]>>;

/**
 * Draws both sides of the equation, one above the other, with a curve from each vector to its place below.
 *
 * @throws UsageError if a and x, or b and y, differ in length.
 */
export function drawTwoVectors(options: TwoVectorsOptions = {}): string {
  checkOptions(fields, options);
  const { a = [1, 0, 2, 3], x = [2, 5, 1, 1], b = [4, 1, 0, 2], y = [1, 3, 6, 2], ...drawing } = options;
  check('a', a, 'x', x);
  check('b', b, 'y', y);
  const description =
    `${dot(a, x)} from a and x, and ${dot(b, y)} from b and y, add up to ${dot(a, x) + dot(b, y)}: ` +
    'the dot product of a and b concatenated with x and y concatenated.';
  return toSvg(layoutVectors({ a, x, b, y }), { title: equation, description }, drawing);
}

function check(name: string, data: readonly number[], other: string, filter: readonly number[]): void {
  if (data.length === filter.length && data.length > 0) return;
  throw new UsageError(
    `${name} has length ${data.length} and ${other} has length ${filter.length}, but expected equal lengths of at least 1.`,
  );
}

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

const cellHeight = 26;
const rowY = { names: 46, above: 74, below: 166, joinedNames: 194 };
/** Room for the signs between vectors. */
const room = { times: 26, plus: 44 };
/** Data and the filter that multiplies it share a color. */
const hues = { a: 0, x: 0, b: 1, y: 1 } as const;
const names = ['a', 'x', 'b', 'y'] as const;
type Starts = Readonly<Record<(typeof names)[number], number>>;

export function layoutVectors(vectors: Vectors): Shape[] {
  const cell = Math.max(cellHeight, ...names.flatMap((name) => vectors[name].map(cellWidth)));
  const [first, second] = [vectors.a.length * cell, vectors.b.length * cell];
  const above: Starts = {
    a: 0,
    x: first + room.times,
    b: 2 * first + room.times + room.plus,
    y: 2 * first + second + 2 * room.times + room.plus,
  };
  const end = above.y + second;
  const left = (room.times + room.plus) / 2;
  const right = left + first + second + room.times;
  const below: Starts = { a: left, b: left + first, x: right, y: right + first };
  const outcome = results(vectors, end + 18);
  const shapes: Shape[] = [text(equation, { x: extent(outcome).right / 2, y: 8 }, { size: 15, role: 'strong' })];
  for (const name of names) {
    const half = (vectors[name].length * cell) / 2;
    const [from, to] = [
      { x: above[name] + half, y: rowY.above + cellHeight / 2 },
      { x: below[name] + half, y: rowY.below - cellHeight / 2 },
    ];
    shapes.push(path(from, to, hues[name]));
    shapes.push(text(name, { x: from.x, y: rowY.names }, { role: 'strong', hue: hues[name] }));
    shapes.push(...vector(vectors[name], { x: above[name], y: rowY.above }, cell, hues[name]));
    shapes.push(...vector(vectors[name], { x: below[name], y: rowY.below }, cell, hues[name]));
  }
  const joined = first + second;
  shapes.push(text('(a, b)', { x: left + joined / 2, y: rowY.joinedNames }, { role: 'strong' }));
  shapes.push(text('(x, y)', { x: right + joined / 2, y: rowY.joinedNames }, { role: 'strong' }));
  return [...shapes, ...signs(above, right), ...outcome];
}

const cellWidth = (value: number): number => textWidth(String(value), 12) + 12;

function vector(values: readonly number[], { x, y }: Point, cell: number, hue: number): Shape[] {
  return values.flatMap((value, i) => [
    box('cell', x + i * cell, y - cellHeight / 2, cell, cellHeight, hue),
    text(String(value), { x: x + (i + 0.5) * cell, y }, { size: 12 }),
  ]);
}

/** A curve from a vector to its place in the concatenated vector. */
function path(from: Point, to: Point, hue: number): Shape {
  const bend = 0.5 * (to.y - from.y);
  const points = [from, { x: from.x, y: from.y + bend }, { x: to.x, y: to.y - bend }, to];
  return line(points, { shape: 'curve', arrow: true, hue });
}

function signs(above: Starts, right: number): Shape[] {
  const at = (value: string, end: number, width: number, y: number) =>
    text(value, { x: end - width / 2, y }, { size: 16 });
  return [
    at('·', above.x, room.times, rowY.above),
    at('+', above.b, room.plus, rowY.above),
    at('·', above.y, room.times, rowY.above),
    at('·', right, room.times, rowY.below),
  ];
}

/** The result of each row, and a caption. */
function results({ a, x, b, y }: Vectors, left: number): Shape[] {
  const [first, second] = [dot(a, x), dot(b, y)];
  const say = (value: string, y: number, role: 'plain' | 'faint') =>
    text(value, { x: left, y }, { anchor: 'start', role, size: role === 'faint' ? 12 : 13 });
  return [
    say(`= ${first} + ${second} = ${first + second}`, rowY.above, 'plain'),
    say('the sum of two dot products', rowY.above + 22, 'faint'),
    say(`= ${first + second}`, rowY.below, 'plain'),
    say(`one dot product of ${a.length + b.length} numbers`, rowY.below + 22, 'faint'),
  ];
}
