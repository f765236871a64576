/**
 * From a decoded image to the network's input: a list of plain, JSON-serializable steps, the last of them `normalize`,
 * which turns bytes [H, W, C] into float32 [C, H, W] by (byte / 255 - mean) / std, rounded as torchvision rounds.
 *
 * The geometry is torchvision's on PIL images, to the pixel: which side is rounded how, where a center crop starts,
 * and how a random crop is drawn. Reference: torchvision.transforms, described here in our own words.
 */

import { FormatError, UsageError } from '../errors.ts';
import type { Image } from './image.ts';
import { crop, grayscale, mirror, type Region } from './pixels.ts';
import type { Random } from './random.ts';
import { type Interpolation, resize } from './resize.ts';

/** A crop of random area (`scale`, a fraction) and aspect (`ratio`, width / height), resized to `size` × `size`. */
export interface RandomResizedCrop {
  readonly kind: 'random-resized-crop';
  readonly size: number;
  readonly scale: readonly [number, number];
  readonly ratio: readonly [number, number];
  readonly interpolation: Interpolation;
}

/** `padding` zeros on each side, then a random window of `size` × `size`. */
export interface PadAndCrop {
  readonly kind: 'pad-and-crop';
  readonly size: number;
  readonly padding: number;
}

/** Mirrors left and right with this probability. */
export interface Flip {
  readonly kind: 'flip';
  readonly probability: number;
}

/** Brings the shorter side to `size`; the longer one follows, rounded down. */
export interface Resize {
  readonly kind: 'resize';
  readonly size: number;
  readonly interpolation: Interpolation;
}

/** The `size` × `size` pixels in the middle, zeros around an image that is smaller. */
export interface CenterCrop {
  readonly kind: 'center-crop';
  readonly size: number;
}

/**
 * Several images from one. `flip` is the `size` × `size` pixels in the middle and their mirror image. `ten-crop` is the
 * top left, top right, bottom left and bottom right corner and the middle, then the same five of the mirrored image.
 */
export interface Several {
  readonly kind: 'several';
  readonly views: 'flip' | 'ten-crop';
  readonly size: number;
}

/** One channel from three. */
export interface Grayscale {
  readonly kind: 'grayscale';
}

/** `mean` and `std` per channel, in units where a byte's range is [0, 1]. */
export interface Normalize {
  readonly kind: 'normalize';
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** The steps that do the same to an image in every epoch. */
export type SteadyStep = Resize | CenterCrop | Grayscale;
/** The steps that make an image from an image. */
export type Step = RandomResizedCrop | PadAndCrop | Flip | SteadyStep;
export type Transform = Step | Several | Normalize;
export type Transforms = readonly Transform[];

/**
 * Runs the steps on one image. Where and what is random comes from `random` alone.
 *
 * @param out where to put the result, when it has a place already.
 * @returns float32 [C, H, W]; where a step makes V images of one, they stand one after the other, [V·C, H, W].
 * @throws UsageError when no step normalizes; FormatError when the image is so narrow that it cannot be resized.
 * @example applyTransforms(evaluationTransforms(imagenetPreprocessing), image, sampleRandom(0, 0, 0)) // [3, 224, 224]
 */
export function applyTransforms(
  transforms: Transforms,
  image: Image,
  random: Random,
  out?: Float32Array,
): Float32Array {
  let current = [image];
  for (const transform of transforms) {
    if (transform.kind === 'normalize') return normalizeAll(current, transform, out);
    if (transform.kind === 'several') current = current.flatMap((each) => several(each, transform));
    else current = current.map((each) => step(each, transform, random));
  }
  throw new UsageError(noNormalize);
}

function normalizeAll(images: readonly Image[], transform: Normalize, out?: Float32Array): Float32Array {
  const [first] = images;
  if (images.length === 1) return normalize(first!, transform, out);
  const length = first!.data.length; // C · H · W, the same for all
  const result = out ?? new Float32Array(images.length * length); // [V·C, H, W]
  for (const [v, image] of images.entries()) {
    normalize(image, transform, result.subarray(v * length, (v + 1) * length));
  }
  return result;
}

function several(image: Image, { views, size }: Several): Image[] {
  const middle = cropCenter(image, size);
  if (views === 'flip') return [middle, mirror(middle)];
  return [...fiveCrops(image, size), ...fiveCrops(mirror(image), size)];
}

function fiveCrops(image: Image, size: number): Image[] {
  const [right, bottom] = [image.width - size, image.height - size];
  const corners = [0, bottom].flatMap((top) => [0, right].map((left) => ({ left, top, width: size, height: size })));
  return [...corners.map((corner) => crop(image, corner)), cropCenter(image, size)];
}

const cropCenter = (image: Image, size: number): Image =>
  crop(image, { ...centered(image, size), width: size, height: size });

const noNormalize = 'transforms has no step of kind "normalize"; put one at the end.';

function step(image: Image, transform: Step, random: Random): Image {
  switch (transform.kind) {
    case 'random-resized-crop':
      return resize(
        image,
        transform.size,
        transform.size,
        transform.interpolation,
        drawRegion(image, transform, random),
      );
    case 'pad-and-crop':
      return padAndCrop(image, transform, random);
    case 'flip':
      return random.float() < transform.probability ? mirror(image) : image;
    default:
      return steadyStep(image, transform);
  }
}

function steadyStep(image: Image, transform: SteadyStep): Image {
  switch (transform.kind) {
    case 'resize':
      return resizeShorterSide(image, transform);
    case 'center-crop':
      return cropCenter(image, transform.size);
    case 'grayscale':
      return grayscale(image);
  }
}

/** The steps before the first random one, and the rest. */
export function splitTransforms(transforms: Transforms): {
  readonly head: readonly SteadyStep[];
  readonly tail: Transforms;
} {
  const length = transforms.findIndex((transform) => !isSteady(transform)); // "normalize" at the latest
  return { head: transforms.slice(0, length).filter(isSteady), tail: transforms.slice(length) };
}

const isSteady = (transform: Transform): transform is SteadyStep =>
  transform.kind === 'resize' || transform.kind === 'center-crop' || transform.kind === 'grayscale';

/** Runs steps that are not random. */
export const applySteady = (steps: readonly SteadyStep[], image: Image): Image => steps.reduce(steadyStep, image);

/** Ten tries at an area and an aspect that fit; then the largest centered region whose aspect is within `ratio`. */
function drawRegion({ width, height }: Image, { scale, ratio }: RandomResizedCrop, random: Random): Region {
  const between = (lo: number, hi: number) => lo + random.float() * (hi - lo);
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * between(...scale);
    const aspect = Math.exp(between(Math.log(ratio[0]), Math.log(ratio[1])));
    const w = roundToEven(Math.sqrt(area * aspect));
    const h = roundToEven(Math.sqrt(area / aspect));
    if (w > 0 && w <= width && h > 0 && h <= height) {
      const top = random.int(0, height - h + 1);
      return { top, left: random.int(0, width - w + 1), width: w, height: h };
    }
  }
  const aspect = width / height;
  const w = aspect > ratio[1] ? Math.max(1, roundToEven(height * ratio[1])) : width;
  const h = aspect < ratio[0] ? Math.max(1, roundToEven(width / ratio[0])) : height;
  return { left: Math.floor((width - w) / 2), top: Math.floor((height - h) / 2), width: w, height: h };
}

/** An image that is too small even with its padding is centered. */
function padAndCrop(image: Image, { size, padding }: PadAndCrop, random: Random): Image {
  const draw = (side: number) => {
    const room = side + 2 * padding - size;
    return (room < 0 ? Math.ceil(room / 2) : random.int(0, room + 1)) - padding;
  };
  const top = draw(image.height);
  return crop(image, { top, left: draw(image.width), width: size, height: size });
}

/** An image of 1 × 16000 pixels is a small file, but not after its shorter side is made 256. */
const maxPixels = 2 ** 26;

function resizeShorterSide(image: Image, { size, interpolation }: Resize): Image {
  const { width, height } = image;
  const longer = Math.trunc((size * Math.max(width, height)) / Math.min(width, height));
  const [w, h] = width <= height ? [size, longer] : [longer, size];
  if (w * h > maxPixels) {
    const become = `with the shorter side at ${size} they would become ${w} × ${h}`;
    throw new FormatError(`The image's ${width} × ${height} pixels are too narrow: ${become}.`);
  }
  return w === width && h === height ? image : resize(image, w, h, interpolation);
}

/** A larger image's odd pixel is rounded to even, a smaller one has the odd zero on its right or below. */
function centered({ width, height }: Image, size: number): { left: number; top: number } {
  const start = (side: number) => (side < size ? -Math.floor((size - side) / 2) : roundToEven((side - size) / 2));
  return { left: start(width), top: start(height) };
}

/** Python's round(): halves go to the even neighbor. */
function roundToEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

function normalize(image: Image, transform: Normalize, out?: Float32Array): Float32Array {
  const { channels, data } = image;
  const plane = image.width * image.height;
  if (transform.mean.length !== channels) {
    const want = `${transform.mean.length} mean values`;
    throw new UsageError(
      `normalize has ${want} for ${channels} channels; give one per channel, or add the step "grayscale".`,
    );
  }
  const result = out ?? new Float32Array(channels * plane); // [C, H, W]
  if (result.length !== data.length) {
    throw new RangeError(
      `The result has ${data.length} values [${channels}, ${image.height}, ${image.width}], but its place ${result.length}.`,
    );
  }
  const table = tableFor(transform);
  for (let c = 0; c < channels; c++) {
    const row = c * 256;
    for (let i = 0, p = c; i < plane; i++, p += channels) result[c * plane + i] = table[row + data[p]!]!;
  }
  return result;
}

const tables = new WeakMap<Normalize, Float32Array>();

/** What each byte becomes in each channel, computed in float32 as torchvision does. */
function tableFor(transform: Normalize): Float32Array {
  const known = tables.get(transform);
  if (known) return known;
  const { mean, std } = transform;
  const table = new Float32Array(mean.length * 256); // [C, 256]
  for (let i = 0; i < table.length; i++) {
    const c = i >> 8;
    table[i] = Math.fround(Math.fround((i & 255) / 255) - Math.fround(mean[c]!)) / Math.fround(std[c]!);
  }
  tables.set(transform, table);
  return table;
}

/**
 * The dimensions [C, H, W] that every image has after these steps, or [V·C, H, W]; checks their options on the way.
 *
 * @throws UsageError naming the first option that cannot be used, or when images would differ in size.
 */
export function outputDims(transforms: Transforms): readonly [number, number, number] {
  const last = transforms.at(-1);
  if (last?.kind !== 'normalize') throw new UsageError(noNormalize);
  for (const [i, transform] of transforms.entries()) {
    checkOptions(transform, `transforms[${i}] (${transform.kind})`, i === transforms.length - 1);
  }
  const { channels, size } = sizeAfter(transforms);
  if (size === undefined) {
    throw new UsageError('transforms leave images of different sizes; end them with a crop, such as "center-crop".');
  }
  if (last.mean.length !== channels) {
    throw new UsageError(
      `transforms: normalize.mean has ${last.mean.length} values for images of ${channels} channels.`,
    );
  }
  return [countViews(transforms) * channels, size, size];
}

/** V, how many images these steps make of one. */
export const countViews = (transforms: Transforms): number =>
  transforms.reduce((count, step) => (step.kind === 'several' ? count * (step.views === 'flip' ? 2 : 10) : count), 1);

/** What every image is after these steps; no `size` where images may still differ in theirs, or are not square. */
export function sizeAfter(transforms: Transforms): { readonly channels: 1 | 3; readonly size: number | undefined } {
  let channels: 1 | 3 = 3;
  let size: number | undefined;
  for (const transform of transforms) {
    if (transform.kind === 'grayscale') channels = 1;
    else if (transform.kind === 'resize') size = undefined;
    else if ('size' in transform) size = transform.size;
  }
  return { channels, size };
}

function checkOptions(transform: Transform, where: string, last: boolean): void {
  const expect = (holds: boolean, option: string, got: unknown, expected: string) => {
    if (!holds) throw new UsageError(`${where}: ${option} is ${JSON.stringify(got)}, but expected ${expected}.`);
  };
  const expectRising = (option: string, [lo, hi]: readonly [number, number]) =>
    expect(positive(lo) && positive(hi) && lo <= hi, option, [lo, hi], 'two positive numbers in rising order');
  const expectInteger = (option: string, got: number, least: number) =>
    expect(Number.isInteger(got) && got >= least, option, got, `an integer from ${least}`);
  if ('size' in transform) expectInteger('size', transform.size, 1);
  switch (transform.kind) {
    case 'random-resized-crop':
      expectRising('scale', transform.scale);
      expectRising('ratio', transform.ratio);
      break;
    case 'pad-and-crop':
      expectInteger('padding', transform.padding, 0);
      break;
    case 'flip': {
      const { probability } = transform;
      expect(probability >= 0 && probability <= 1, 'probability', probability, 'a number from 0 to 1');
      break;
    }
    case 'normalize': {
      const { mean, std } = transform;
      expect(last, 'its place', 'before another step', 'the end');
      expect(mean.length === std.length, 'std', std, `${mean.length} values, as mean`);
      expect(std.every(positive), 'std', std, 'positive numbers');
    }
  }
}

const positive = (value: number): boolean => value > 0 && Number.isFinite(value);
