/**
 * timm's RandAugment. Its policies are named by a string of sections: `rand-m9-n2-mstd0.5-inc1` is magnitude 9 of 10, two
 * operations, a normal deviation of 0.5 of the magnitude in each image, and ranges in which a larger magnitude always changes
 * more. `p` is the probability of each operation, `mmax` the largest magnitude. Reference: timm.data.auto_augment.
 */
import type { Random } from '../random.ts';
import { normals } from './draw.ts';
import type { Applied, OperationName } from './operations.ts';

interface TimmPolicy {
  readonly m: number;
  readonly n: number;
  readonly p: number;
  /** Above 100, magnitudes are uniform between 0 and m. */
  readonly mstd: number;
  readonly mmax: number;
  readonly inc: boolean;
}

const defaults: TimmPolicy = { m: 10, n: 2, p: 0.5, mstd: 0, mmax: 10, inc: false };
const section = /^(mstd|mmax|inc|m|n|p)(\d+(?:\.\d+)?)$/;
const maxOperations = 100;

export const isTimmPolicy = (value: unknown): value is string =>
  typeof value === 'string' && parse(value) !== undefined;

/** The policy of a name, or undefined. */
function parse(name: string): TimmPolicy | undefined {
  const [first, ...sections] = name.split('-');
  if (first !== 'rand') return undefined;
  let policy = defaults;
  for (const each of sections) {
    const [, key, digits] = section.exec(each) ?? [];
    if (key === undefined || digits === undefined) return undefined;
    const value = Number(digits);
    if (!Number.isInteger(value) && key !== 'p' && key !== 'mstd') return undefined;
    policy = { ...policy, [key]: key === 'inc' ? true : value }; // inc0 is on too, as in timm
  }
  const { n, p, mmax } = policy;
  return n >= 1 && n <= maxOperations && p <= 1 && mmax > 0 ? policy : undefined;
}

interface Ranges {
  readonly inc: boolean;
  readonly width: number;
  readonly height: number;
  /** Negates half of the numbers. */
  either(value: number): number;
}

/** @param share of the range, 1 for a magnitude of 10. */
type Value = (share: number, ranges: Ranges) => number;

const none: Value = () => 0;
const factor: Value = (share, { inc, either }) => (inc ? Math.max(0.1, 1 + either(share * 0.9)) : share * 1.8 + 0.1);
const shear: Value = (share, { either }) => either(share * 0.3);

/** The operations in timm's order, each with the number that a magnitude gives it. */
const values = {
  AutoContrast: none,
  Equalize: none,
  Invert: none,
  Rotate: (share, { either }) => either(share * 30),
  Posterize: (share, { inc }) => (inc ? 4 - Math.trunc(share * 4) : Math.trunc(share * 4)),
  Solarize: (share, { inc }) => {
    const threshold = Math.min(256, Math.trunc(share * 256));
    return inc ? 256 - threshold : threshold;
  },
  SolarizeAdd: (share) => Math.min(128, Math.trunc(share * 110)),
  Color: factor,
  Contrast: factor,
  Brightness: factor,
  Sharpness: factor,
  ShearX: shear,
  ShearY: shear,
  TranslateX: (share, { either, width }) => -either(share * 0.45) * width, // timm moves to the left
  TranslateY: (share, { either, height }) => -either(share * 0.45) * height,
} satisfies { readonly [N in OperationName]?: Value };

const names = Object.keys(values) as (keyof typeof values)[];

/** Draws the operations of the policy for an image. */
export function drawTimm(name: string, image: Omit<Ranges, 'inc' | 'either'>, random: Random): Applied[] {
  const policy = parse(name) ?? defaults;
  const ranges: Ranges = {
    inc: policy.inc,
    width: image.width,
    height: image.height,
    either: (value) => (random.float() > 0.5 ? -value : value),
  };
  const chosen = Array.from({ length: policy.n }, () => names[random.int(0, names.length)]!);
  return chosen.flatMap((operation) => {
    if (policy.p < 1 && random.float() > policy.p) return [];
    const value: Value = values[operation];
    return [{ name: operation, value: value(drawMagnitude(policy, random) / 10, ranges) }];
  });
}

function drawMagnitude({ m, mstd, mmax }: TimmPolicy, random: Random): number {
  const drawn = mstd > 100 ? m * random.float() : mstd > 0 ? m + normals(random, 1, mstd)[0]! : m;
  return Math.max(0, Math.min(drawn, mmax));
}
