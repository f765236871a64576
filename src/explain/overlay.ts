/**
 * An explanation's map as heat over its picture. The picture keeps its aspect. The network saw only the center, so the rest
 * is gray and dimmed and has no heat. The more heat, the less is seen of the picture below it, which is paled for contrast.
 */
import type { Image } from '#platform/images';
import { checkArgument, hasAll, kind } from '../arguments.ts';
import { checkPixels, pixelsKind, toRgb } from '../data/pixels.ts';
import type { Preprocessing } from '../data/presets.ts';
import { resample } from '../data/resize.ts';
import { isTensor, type Tensor } from '../tensor.ts';
import { inferno } from './colors.ts';

/** Limits of the longer side of an overlay, in pixels: smaller pictures are enlarged, so that their heat can be seen. */
const [minSide, maxSide] = [448, 1280];

/** How much of the hottest pixel is heat, and of a picture's colors is kept below. */
const [strongest, saturation] = [0.75, 0.3];
/** The light outside of what the network saw. */
const dimmed = 0.4;

const mapKind = kind(
  'a map [h, w], as of explain()',
  (value) => isTensor(value) && (value as Tensor).dims.length === 2,
);
const croppingKind = kind('a preprocessing', (value) => hasAll(value, 'size', 'resize'));

/**
 * Draws a map over the picture that it is of.
 *
 * @param image the whole picture, as decoded.
 * @param map [h, w], as from `explain`. The largest number becomes the hottest, and numbers below zero are cold.
 * @param preprocessing of the model, which tells what part of the picture it saw.
 * @returns RGB pixels in the picture's aspect, whose longer side has 448 to 1280 pixels.
 * @throws FormatError if the picture is incomplete.
 * @example
 * const { map } = await classifier.explain(picture);
 * const { data, width, height } = drawExplanation(picture, map, classifier.description.preprocessing);
 */
export function drawExplanation(
  image: Image,
  map: Tensor<'float32'>,
  preprocessing: Pick<Preprocessing, 'size' | 'resize'>,
): Image {
  checkArgument('image', image, pixelsKind);
  checkArgument('map', map, mapKind);
  checkArgument('preprocessing', preprocessing, croppingKind);
  checkPixels(image);
  const longer = Math.max(image.width, image.height);
  const scale = Math.min(maxSide, Math.max(minSide, longer)) / longer;
  const [width, height] = [image.width, image.height].map((side) => Math.max(1, Math.round(side * scale)));
  const { data } = resample(toRgb(image), width!, height!, 'bicubic');
  const seen = Math.max(1, Math.round((Math.min(width!, height!) * preprocessing.size) / preprocessing.resize));
  const heat = resample(grayOf(map), seen, seen, 'bicubic').data;
  const [left, top] = [Math.round((width! - seen) / 2), Math.round((height! - seen) / 2)];
  for (let y = 0, at = 0; y < height!; y++) {
    for (let x = 0; x < width!; x++, at += 3) {
      const [u, v] = [x - left, y - top];
      const isSeen = u >= 0 && u < seen && v >= 0 && v < seen;
      if (isSeen) heatPixel(data, at, heat[v * seen + u]!);
      else dimPixel(data, at);
    }
  }
  return { width: width!, height: height!, channels: 3, data };
}

/** [h, w], from nothing to the largest number as 0 to 255. */
function grayOf({ dims, data }: Tensor<'float32'>): Image {
  const largest = data.reduce((a, b) => Math.max(a, b), 0);
  const gray = Uint8Array.from(data, (value) => (largest > 0 ? Math.round((255 * Math.max(0, value)) / largest) : 0));
  return { width: dims[1]!, height: dims[0]!, channels: 1, data: gray };
}

const lumaAt = (data: Uint8Array, at: number): number =>
  0.299 * data[at]! + 0.587 * data[at + 1]! + 0.114 * data[at + 2]!;

function heatPixel(data: Uint8Array, at: number, heat: number): void {
  const luma = lumaAt(data, at);
  const share = (strongest * heat) / 255;
  for (let c = 0; c < 3; c++) {
    const below = luma + saturation * (data[at + c]! - luma);
    data[at + c] = below + share * (inferno[3 * heat + c]! - below);
  }
}

function dimPixel(data: Uint8Array, at: number): void {
  data.fill(dimmed * lumaAt(data, at), at, at + 3);
}
