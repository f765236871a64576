/**
 * The samples of an epoch, in order. A sample may come several times: drawn with replacement, so that every class is as
 * frequent, or repeated, so that a batch has several augmentations of one image (Hoffer et al., "Augment your batch", 2019;
 * repeated augmentation in timm and torchvision). It is a function of (seed, epoch) and the labels, so an epoch can be
 * resumed in the middle.
 */
import { UsageError } from '../errors.ts';
import { drawRandom, permutation } from './random.ts';

export interface OrderOptions {
  readonly seed: number;
  readonly epoch: number;
  /** Whether to shuffle the samples; otherwise they keep their order. */
  readonly shuffle: boolean;
  /** Whether to draw as many samples with replacement, those of each class with the same probability together. */
  readonly balanced: boolean;
  /** How often in a row each sample comes. As many samples as before in all, so the epoch has fewer different ones. */
  readonly repeats: number;
}

/**
 * The indices of an epoch's samples in order, as many as there are.
 *
 * @param labelOf the class of a sample.
 * @throws UsageError if a sample has no class (-1) but all of them need one.
 */
export function orderOf(count: number, labelOf: (index: number) => number, options: OrderOptions): Uint32Array {
  const { seed, epoch, shuffle, balanced, repeats } = options;
  if (balanced) return repeated(drawBalanced(count, labelOf, seed, epoch), repeats);
  return repeated(shuffle ? permutation(count, seed, epoch) : inOrder(count), repeats);
}

const inOrder = (count: number): Uint32Array => Uint32Array.from({ length: count }, (_, index) => index);

const repeated = (order: Uint32Array, repeats: number): Uint32Array =>
  repeats === 1 ? order : order.map((_, i) => order[Math.floor(i / repeats)]!);

/** N draws with weight 1/n of the class: a class that has samples, then one of them, both uniformly. */
function drawBalanced(count: number, labelOf: (index: number) => number, seed: number, epoch: number): Uint32Array {
  const byLabel: number[][] = [];
  for (let index = 0; index < count; index++) {
    const label = labelOf(index);
    if (label < 0) throw new UsageError(`Balanced samples need labels, but sample ${index} has none. Add it.`);
    byLabel[label] ??= [];
    byLabel[label].push(index);
  }
  const classes = byLabel.filter((members) => members !== undefined);
  const random = drawRandom(seed, epoch);
  return Uint32Array.from({ length: count }, () => {
    const members = classes[random.int(0, classes.length)]!;
    return members[random.int(0, members.length)]!;
  });
}

/** How often each sample of an order came before. */
export function repetitionsOf(order: Uint32Array): Uint32Array {
  const counts = new Uint32Array(order.length);
  return order.map((index) => counts[index]!++);
}
