import { stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import { halfBlocks } from './half-blocks.ts';

const image = (width: number, height: number, data: readonly number[], channels: 1 | 3 = 3) => ({
  ...{ width, height, channels },
  data: Uint8Array.from(data),
});
const [red, blue, black] = [
  [255, 0, 0],
  [0, 0, 255],
  [0, 0, 0],
];
const esc = '\u001b[';

it('shows two pixels in a cell, and sets colors where they change', () => {
  const flag = image(3, 2, [red!, red!, blue!, black!, black!, black!].flat());
  expect(halfBlocks(flag, 3, 2, 'full')).toEqual([`${esc}38;2;255;0;0;48;2;0;0;0m▀▀${esc}38;2;0;0;255m▀${esc}0m`]);
});

it('leaves the background below a last row without a partner, and fills the box with spaces', () => {
  const column = image(1, 3, [red!, blue!, black!].flat());
  expect(halfBlocks(column, 2, 1.5, 'full')).toEqual([
    `${esc}38;2;255;0;0;48;2;0;0;255m▀${esc}0m `,
    `${esc}38;2;0;0;0m▀${esc}0m `,
  ]);
});

it('shows grayscale', () => {
  expect(halfBlocks(image(1, 2, [7, 200], 1), 1, 1, 'full')).toEqual([`${esc}38;2;7;7;7;48;2;200;200;200m▀${esc}0m`]);
});

it('chooses the nearest of 216 colors and 24 grays', () => {
  const paletteOf = (...pixel: number[]) =>
    /38;5;(\d+)/.exec(halfBlocks(image(1, 2, [...pixel, 0, 0, 0]), 1, 1, 'palette')[0]!)![1];
  expect(paletteOf(255, 0, 0)).toBe('196');
  expect(paletteOf(0, 95, 135)).toBe('24');
  expect(paletteOf(128, 128, 128)).toBe('244'); // exactly the gray 8 + 10 · 12
  expect(paletteOf(255, 255, 255)).toBe('231'); // of the cube, since grays end at 238
});

it.each([
  [64, 64, 16, 16],
  [100, 50, 16, 8],
  [50, 100, 8, 16],
  [1000, 1, 16, 1],
  [10, 6, 10, 6],
])('an image of %i x %i keeps its shape: %i x %i pixels', (width, height, shownWidth, shownHeight) => {
  const lines = halfBlocks(image(width, height, Array(3 * width * height).fill(9)), 16, 8, 'full');
  expect(lines).toHaveLength(Math.ceil(shownHeight / 2));
  for (const line of lines) {
    expect(stripVTControlCharacters(line)).toBe('▀'.repeat(shownWidth) + ' '.repeat(16 - shownWidth));
  }
});
