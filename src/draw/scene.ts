/**
 * A drawing before it becomes SVG: boxes, wires, discs and lines of text with their positions. Layouts make scenes,
 * `svg.ts` writes them, and tests check that nothing overlaps or is cut off.
 */

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** An index into the palette, which repeats. A shape without one is gray. */
interface Colored {
  readonly hue?: number | undefined;
}

/**
 * layer: a box with text. bar: joins branches. tag: a note on a wire. cell: a number. channel: a cell on a lane. lane:
 * the background of one group. segment: a filled strip that shows which branch channels belong to.
 */
export type BoxRole = 'layer' | 'bar' | 'tag' | 'cell' | 'channel' | 'segment' | 'lane';

export interface Box extends Colored {
  readonly kind: 'box';
  readonly role: BoxRole;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** `line` goes through its points, `elbow` too but with rounded corners, `curve` is a cubic Bézier with four points. */
export interface Wire extends Colored {
  readonly kind: 'wire';
  readonly shape: 'line' | 'elbow' | 'curve';
  /** flow: data. thin: data where there are many wires. rule: a line of a pattern. */
  readonly role: 'flow' | 'thin' | 'rule';
  readonly points: readonly Point[];
  readonly arrow: boolean;
}

/** A circle with the sign of an operation where wires join, or a dot where a wire splits or parts are omitted. */
export interface Disc extends Colored {
  readonly kind: 'disc';
  readonly role: '+' | '×' | 'dot';
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

export interface Text extends Colored {
  readonly kind: 'text';
  readonly text: string;
  readonly x: number;
  /** The vertical center of the line. */
  readonly y: number;
  readonly size: number;
  readonly anchor: 'start' | 'middle' | 'end';
  readonly role: 'plain' | 'strong' | 'faint';
}

export type Shape = Box | Wire | Disc | Text;

/** Shapes in paint order. */
export type Scene = readonly Shape[];

export interface Bounds {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** The bounding box of a shape. A curve stays within the bounds of its points. */
export function boundsOf(shape: Shape): Bounds {
  switch (shape.kind) {
    case 'box':
      return { left: shape.x, top: shape.y, right: shape.x + shape.width, bottom: shape.y + shape.height };
    case 'disc': {
      const { x, y, radius } = shape;
      return { left: x - radius, top: y - radius, right: x + radius, bottom: y + radius };
    }
    case 'wire': {
      const [xs, ys] = [shape.points.map(({ x }) => x), shape.points.map(({ y }) => y)];
      return { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
    }
    case 'text': {
      const width = textWidth(shape.text, shape.size, shape.role === 'strong');
      const left = shape.x - { start: 0, middle: width / 2, end: width }[shape.anchor];
      const half = 0.6 * shape.size;
      return { left, top: shape.y - half, right: left + width, bottom: shape.y + half };
    }
  }
}

/** The bounding box of a scene. */
export function extent(scene: Scene): Bounds {
  const all = scene.map(boundsOf);
  return {
    left: Math.min(...all.map(({ left }) => left)),
    top: Math.min(...all.map(({ top }) => top)),
    right: Math.max(...all.map(({ right }) => right)),
    bottom: Math.max(...all.map(({ bottom }) => bottom)),
  };
}

export const move = (scene: Scene, dx: number, dy: number): Shape[] =>
  scene.map((shape) => {
    if (shape.kind !== 'wire') return { ...shape, x: shape.x + dx, y: shape.y + dy };
    return { ...shape, points: shape.points.map(({ x, y }) => ({ x: x + dx, y: y + dy })) };
  });

/** Widths in ems by kind of character, from the widest of the common sans-serif fonts, so that text always fits. */
const widths: readonly (readonly [pattern: RegExp, em: number])[] = [
  [/[ .,:;'|!ijlI()[\]]/, 0.38],
  [/[frt\-/]/, 0.43],
  [/[mwMW@%=+×·→≤∑]/, 0.9],
  [/[A-Z]/, 0.72],
];
const usualWidth = 0.635;

/** An upper bound for the width of a line of text. */
export function textWidth(text: string, size: number, bold = false): number {
  const ems = [...text].reduce(
    (sum, char) => sum + (widths.find(([pattern]) => pattern.test(char))?.[1] ?? usualWidth),
    0,
  );
  return ems * size * (bold ? 1.08 : 1);
}

export const box = (role: BoxRole, x: number, y: number, width: number, height: number, hue?: number): Box => ({
  ...{ kind: 'box', role, x, y, width, height, hue },
});

export const line = (points: readonly Point[], options: Partial<Omit<Wire, 'kind' | 'points'>> = {}): Wire => ({
  ...{ kind: 'wire', shape: 'line', role: 'flow', arrow: false, points },
  ...options,
});

export const disc = (role: Disc['role'], { x, y }: Point, radius: number, hue?: number): Disc => ({
  ...{ kind: 'disc', role, x, y, radius, hue },
});

export const text = (value: string, { x, y }: Point, options: Partial<Omit<Text, 'kind' | 'text'>> = {}): Text => ({
  ...{ kind: 'text', text: value, x, y, size: 13, anchor: 'middle', role: 'plain' },
  ...options,
});

/** Three dots for omitted parts, side by side or one above the other. */
export const ellipsis = ({ x, y }: Point, direction: 'across' | 'down'): Disc[] =>
  [-1, 0, 1].map((i) =>
    disc('dot', { x: x + (direction === 'across' ? 7 * i : 0), y: y + (direction === 'down' ? 7 * i : 0) }, 1.6),
  );

/** The numbers 0 … count − 1. If there are more than `max`, `undefined` replaces the ones before the last. */
export function elide(count: number, max: number): (number | undefined)[] {
  const all = Array.from({ length: count }, (_, i) => i);
  return count <= max ? all : [...all.slice(0, max - 2), undefined, count - 1];
}
