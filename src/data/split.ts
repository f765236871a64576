/**
 * Decides which images of a class are held out for validation. Chance decides for each image by itself: SHA-256 of
 * `{seed}/{class}/{path}` as a fraction of its range is below the share to hold out. So it does not matter which other
 * images there are, in what order, or on which machine. Where that would leave a class without images to train on or to
 * validate on, the closest image changes sides. For cross-validation, the same draws put the images of a class in an order,
 * which is dealt to folds.
 */
import { hash } from 'node:crypto';
import { sep } from 'node:path';
import { indicesByLabel, type SampleList, select } from './samples.ts';

/**
 * The images to hold out of one class.
 *
 * @param names their paths in the class folder, as `portablePath` returns them.
 */
export type HoldOut = (names: readonly string[], className: string, label: number) => ReadonlySet<string>;

/** A path in a class folder, the same on every machine: with slashes, and accents composed. */
export const portablePath = (path: string): string => path.split(sep).join('/').normalize('NFC');

/** Holds out about this share of each class: at least one image, but never all of them. */
export const byChance =
  (share: number, seed: number): HoldOut =>
  (names, className) => {
    if (share === 0 || names.length < 2) return new Set();
    const draws = drawn(names, seed, className);
    const below = draws.filter(({ draw }) => draw < share).length;
    const count = Math.min(Math.max(1, below), names.length - 1);
    return new Set(draws.slice(0, count).map(({ name }) => name));
  };

/** Images with their draws, in order. */
const drawn = (names: readonly string[], seed: number, className: string) =>
  names.map((name) => ({ name, draw: drawFor(seed, className, name) })).sort((a, b) => a.draw - b.draw);

/** A number from 0 to 1 for an image, uniform over seeds, classes and names. */
function drawFor(seed: number, className: string, name: string): number {
  const text = `${seed}/${className.normalize('NFC')}/${name}`;
  return hash('sha256', text, 'buffer').readUIntBE(0, 6) / 2 ** 48;
}

/** The two sides of a list, each in its order. */
export function splitBy(
  holdOut: HoldOut,
  samples: SampleList,
  classes: readonly string[],
): { train: SampleList; validation: SampleList } {
  const held = new Uint8Array(samples.length);
  let count = 0;
  for (const [label, indices] of indicesByLabel(samples, classes.length).entries()) {
    const names = Array.from(indices, (index) => samples.key(index));
    const own = holdOut(names, classes[label]!, label);
    for (const [i, name] of names.entries()) {
      if (!own.has(name)) continue;
      held[indices[i]!] = 1;
      count++;
    }
  }
  const sides = [new Uint32Array(samples.length - count), new Uint32Array(count)] as const;
  const filled = [0, 0];
  for (const [index, side] of held.entries()) sides[side]![filled[side]!++] = index;
  return { train: select(samples, sides[0]), validation: select(samples, sides[1]) };
}

/**
 * Holds out one of several folds of each class. The images of a class are dealt to the folds in the order of their draws,
 * so that the folds are of equal size, but for one image, and each image is in one of them. A class of one image is never
 * held out.
 *
 * @param fold counted from 1.
 */
export const byFold =
  (fold: number, folds: number, seed: number): HoldOut =>
  (names, className, label) => {
    if (names.length < 2) return new Set();
    const isIn = (place: number) => (place + label) % folds === fold - 1; // so that small classes begin at different folds
    const held = drawn(names, seed, className).filter((_, place) => isIn(place));
    return new Set(held.map(({ name }) => name));
  };
