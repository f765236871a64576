/**
 * Images as text. A cell of a terminal is about twice as high as wide, so the character ▀ shows two square pixels: its own
 * color is the upper one, and the background the lower one.
 */
import type { Image } from '#platform/images';
import { resize } from '../data/resize.ts';
import type { Colors } from './terminal.ts';

type Pixel = readonly [red: number, green: number, blue: number];

const csi = '\u001b[';
const reset = `${csi}0m`;

/**
 * Draws an image at the left of a box: as large as fits, but no larger than it is.
 *
 * @param columns width of the box in cells.
 * @param rows its height in cells, each of two pixels.
 * @returns lines of `columns` cells, at most `rows` of them. Each ends in the terminal's own colors.
 * @example halfBlocks(await decode('rose.jpg'), 32, 16, 'full').join('\n')
 */
export function halfBlocks(image: Image, columns: number, rows: number, colors: Exclude<Colors, 'none'>): string[] {
  const scale = Math.min(1, columns / image.width, (2 * rows) / image.height);
  const [width, height] = [image.width, image.height].map((size) => Math.max(1, Math.round(size * scale))) as [
    number,
    number,
  ];
  const small = resize(image, width, height, 'bicubic');
  const color = colors === 'full' ? fullColor : paletteColor;
  return Array.from({ length: Math.ceil(height / 2) }, (_, row) => {
    const cells = Array.from({ length: width }, (_, x) => {
      const lower = 2 * row + 1 < height ? color(pixelAt(small, x, 2 * row + 1)) : undefined;
      return [color(pixelAt(small, x, 2 * row)), lower] as const;
    });
    return `${lineOf(cells)}${' '.repeat(columns - width)}`;
  });
}

function pixelAt({ width, channels, data }: Image, x: number, y: number): Pixel {
  const at = (y * width + x) * channels;
  return channels === 1 ? [data[at]!, data[at]!, data[at]!] : [data[at]!, data[at + 1]!, data[at + 2]!];
}

/** Sets colors only where they change. Below an image with an odd number of rows, the terminal's own background shows. */
function lineOf(cells: readonly (readonly [upper: string, lower: string | undefined])[]): string {
  let text = '';
  let [lastUpper, lastLower]: (string | undefined)[] = [];
  for (const [upper, lower] of cells) {
    const changes = [
      ...(upper === lastUpper ? [] : [`38;${upper}`]),
      ...(lower === lastLower || lower === undefined ? [] : [`48;${lower}`]),
    ];
    text += `${changes.length > 0 ? `${csi}${changes.join(';')}m` : ''}▀`;
    [lastUpper, lastLower] = [upper, lower];
  }
  return text + reset;
}

const fullColor = (pixel: Pixel): string => `2;${pixel.join(';')}`;

/** The palette has a cube of 6 x 6 x 6 colors from 16 on, and 24 grays from 232 on. */
const cubeLevels = [0, 95, 135, 175, 215, 255];
const grayLevels = Array.from({ length: 24 }, (_, k) => 8 + 10 * k);

/** The nearer of the nearest color in the cube and the nearest gray. */
function paletteColor(pixel: Pixel): string {
  const [red, green, blue] = pixel.map((value) => nearest(cubeLevels, value)) as [number, number, number];
  const cube = [red, green, blue].map((index) => cubeLevels[index]!);
  const gray = nearest(grayLevels, (pixel[0] + pixel[1] + pixel[2]) / 3);
  const isGray =
    distance(
      pixel,
      pixel.map(() => grayLevels[gray]!),
    ) < distance(pixel, cube);
  return `5;${isGray ? 232 + gray : 16 + 36 * red + 6 * green + blue}`;
}

const nearest = (levels: readonly number[], value: number): number => {
  const distances = levels.map((level) => Math.abs(level - value));
  return distances.indexOf(Math.min(...distances));
};

const distance = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0);
