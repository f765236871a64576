/** The drawing between the forms: the same rectangles at every moment, where the argument says they are. */
import { describe, expect, test } from 'vitest';
import { type Box, type Frame, frameAt, geometryOf, type Row, stops } from './layout.ts';

const shape = { cardinality: 32, splitWidth: 4, branchWidth: 4, input: 256, output: 256 };
const geometry = geometryOf(shape, 680);

const inRow = ({ boxes }: Frame, row: Row): Box[] => boxes.filter((box) => box.row === row);
const right = ({ x, width }: Box): number => x + width;

/** Whether each box begins where the one before ends, to within the seam between filters. */
const areTogether = (boxes: readonly Box[]): boolean =>
  boxes.slice(1).every((box, i) => Math.abs(box.x - right(boxes[i]!)) < 1.1);

describe('between the forms', () => {
  test.each(stops)('at %d, the same rectangles are there, inside of the drawing', (time) => {
    const { boxes } = frameAt(geometry, time);
    expect(boxes.map(({ key }) => key)).toEqual(frameAt(geometry, 0).boxes.map(({ key }) => key));
    expect(boxes).toHaveLength(2 + 5 * 32);
    for (const box of boxes) {
      expect(box.x).toBeGreaterThanOrEqual(geometry.left);
      expect(right(box)).toBeLessThanOrEqual(geometry.right);
      expect(box.y + box.height).toBeLessThanOrEqual(geometry.height);
    }
  });

  test('rows come together one after the other', () => {
    const together = (time: number) => {
      const frame = frameAt(geometry, time);
      return (['merge', 'map2', 'transform', 'map1', 'split'] as const).filter((row) => areTogether(inRow(frame, row)));
    };
    expect(stops.map(together)).toEqual([
      [],
      ['merge', 'map2'],
      ['merge', 'map2'],
      ['merge', 'map2', 'transform', 'map1'],
      ['merge', 'map2', 'transform', 'map1', 'split'],
    ]);
  });

  test('in form C, the 3x3 filters are the diagonal of the square', () => {
    const frame = frameAt(geometry, 2);
    const { x, y, width, height, opacity } = frame.square;
    expect(opacity).toBe(1);
    for (const [i, box] of inRow(frame, 'transform').entries()) {
      expect(box.x).toBeCloseTo(x + (i * width) / 32, 6);
      expect(box.y).toBeCloseTo(y + (i * height) / 32, 6);
    }
  });

  test('the sum is gone when its addition is part of the product', () => {
    expect(stops.map((time) => frameAt(geometry, time).sum.opacity)).toEqual([1, 1, 0, 0, 0]);
  });
});

test.each([
  { cardinality: 1, splitWidth: 64, branchWidth: 64, input: 256, output: 256 },
  { cardinality: 64, splitWidth: 2, branchWidth: 4, input: 128, output: 256 },
  { cardinality: 4, splitWidth: 2, branchWidth: 2, input: 8, output: 8 },
  { cardinality: 32, splitWidth: 48, branchWidth: 48, input: 256, output: 256 },
])('fits a phone: %o', (narrow) => {
  const { left, right: edge, height } = geometryOf(narrow, 358);
  for (const time of stops) {
    for (const box of frameAt(geometryOf(narrow, 358), time).boxes) {
      expect(box.x).toBeGreaterThanOrEqual(left - 0.001);
      expect(right(box)).toBeLessThanOrEqual(edge + 0.001);
      expect(box.y + box.height).toBeLessThanOrEqual(height);
    }
  }
});
