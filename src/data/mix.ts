/**
 * Mixup and CutMix, between the loader and the trainer: each image of a batch is mixed with another one, and its target as
 * much. Reference: Zhang et al., "mixup" (2017); Yun et al., "CutMix" (2019).
 *
 *   mixup   x ← λ·x + (1 − λ)·partner,         y ← λ·y + (1 − λ)·partner's
 *   CutMix  a box of x ← the box of partner,   λ = 1 − area of the box / area of the image
 *
 * Partner and box are torchvision's: the partner is the image before (the first one's is the last), λ is Beta(α, α) for the
 * whole batch, and the box has the sides ⌊√(1 − λ)·side / 2⌋ on either side of a pixel, cut at the border. timm's partner
 * is the image at the same place from the end; which one it is makes no difference in a shuffled batch, but the image before
 * works for an odd number of them. Where images come several times in a row, the partner is as many places before, and so
 * always another image.
 *
 * Whatever is linear in the target, such as label smoothing, may come before or after mixing.
 */
import type { Random } from './random.ts';

/** A batch, which is changed in place. */
export interface Mixable {
  readonly dims: readonly [batch: number, channels: number, height: number, width: number];
  readonly images: Float32Array; // [B, C, H, W]
  readonly targets: Float32Array; // [B, K]
}

/** The parameter α of each; 0 for none. */
export interface MixOptions {
  readonly mixup: number;
  readonly cutmix: number;
}

/** The region that CutMix takes from the partner: from the first row and column to before the last. */
export interface Box {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** How to mix a batch: the share of its own image, and with CutMix the box that is the partner's. */
export interface Mix {
  readonly own: number;
  readonly box?: Box;
}

/**
 * Draws how to mix a batch. If both are on, each is chosen for half of the batches.
 *
 * @returns undefined if both are off.
 */
export function drawMix(
  { mixup, cutmix }: MixOptions,
  [, , height, width]: Mixable['dims'],
  random: Random,
): Mix | undefined {
  if (mixup === 0 && cutmix === 0) return undefined;
  const isCutMix = cutmix > 0 && (mixup === 0 || random.float() < 0.5);
  const own = beta(isCutMix ? cutmix : mixup, random);
  if (!isCutMix) return { own };
  return cutMixOf(own, [random.int(0, width), random.int(0, height)], height, width);
}

/** CutMix with a box about a pixel that has, if it is not cut, 1 − `own` of the area. */
export function cutMixOf(
  own: number,
  [x, y]: readonly [x: number, y: number],
  height: number,
  width: number,
): Required<Mix> {
  const half = (side: number) => Math.trunc(0.5 * Math.sqrt(1 - own) * side);
  const [halfHeight, halfWidth] = [half(height), half(width)];
  const box = {
    top: Math.max(0, y - halfHeight),
    bottom: Math.min(height, y + halfHeight),
    left: Math.max(0, x - halfWidth),
    right: Math.min(width, x + halfWidth),
  };
  return { box, own: 1 - ((box.bottom - box.top) * (box.right - box.left)) / (height * width) };
}

/** Mixes each image of the batch, and its target, with the one `distance` before it. */
export function applyMix({ dims, images, targets }: Mixable, { own, box }: Mix, distance = 1): void {
  const [batch] = dims;
  blend(targets, batch, distance, own);
  if (box) paste(images, dims, distance, box);
  else blend(images, batch, distance, own);
}

/** Replaces a box of each image by its partner's. */
function paste(
  images: Float32Array,
  [batch, channels, height, width]: Mixable['dims'],
  distance: number,
  box: Box,
): void {
  eachWithPartner(images, batch, distance, (image, partner) => {
    for (let c = 0; c < channels; c++) {
      for (let y = box.top; y < box.bottom; y++) {
        const row = (c * height + y) * width;
        image.set(partner.subarray(row + box.left, row + box.right), row + box.left);
      }
    }
  });
}

/** Every row of [B, …] ← own · row + (1 − own) · the row before. */
function blend(values: Float32Array, batch: number, distance: number, own: number): void {
  eachWithPartner(values, batch, distance, (row, partner) => {
    for (let i = 0; i < row.length; i++) row[i] = own * row[i]! + (1 - own) * partner[i]!;
  });
}

/** Calls `change` with every row of [B, …] and what the row `distance` before it was, counted around the batch. */
function eachWithPartner(
  values: Float32Array,
  batch: number,
  distance: number,
  change: (row: Float32Array, partner: Float32Array) => void,
): void {
  const length = values.length / batch;
  const shift = distance % batch;
  const row = (n: number) => values.subarray(n * length, (n + 1) * length);
  const last = values.slice((batch - shift) * length); // they change before they are partners
  for (let n = batch - 1; n >= 0; n--) {
    change(row(n), n >= shift ? row(n - shift) : last.subarray(n * length, (n + 1) * length));
  }
}

/** The class with the largest share of each target [B, K]: the image's own, unless the partner has more. */
export function dominatingLabels(targets: Float32Array, batch: number): Int32Array {
  const classes = targets.length / batch;
  return Int32Array.from({ length: batch }, (_, n) => {
    const row = targets.subarray(n * classes, (n + 1) * classes);
    return row.indexOf(row.reduce((most, share) => Math.max(most, share)));
  });
}

/**
 * A number of the distribution Beta(α, α), as the share of one of two numbers of the distribution Gamma(α). They are kept as
 * logarithms, since for a small α both may be too small for a number.
 */
export function beta(alpha: number, random: Random): number {
  const [a, b] = [logGamma(alpha, random), logGamma(alpha, random)];
  return 1 / (1 + Math.exp(b - a));
}

/** The logarithm of a number of the distribution Gamma(α). Reference: Marsaglia and Tsang, "A simple method" (2000). */
function logGamma(alpha: number, random: Random): number {
  if (alpha < 1) return logGamma(alpha + 1, random) + Math.log(1 - random.float()) / alpha;
  const d = alpha - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(random);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - random.float()) < (x * x) / 2 + d - d * v + d * Math.log(v)) return Math.log(d * v);
  }
}

const normal = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random.float())) * Math.cos(2 * Math.PI * random.float());
