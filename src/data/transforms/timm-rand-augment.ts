/**
 * timm's RandAugment and 3-Augment. Policies are named by a string of sections: `rand-m9-n2-mstd0.5-inc1` is magnitude 9 of
 * 10, two operations, a normal deviation of 0.5 of the magnitude in each image, and ranges in which a larger magnitude
 * always changes more. `p` is the probability of each operation, `mmax` the largest magnitude. `w0`, `tweights` and `t3aw`
 * are sets of operations with weights, of which an image gets different ones. `3a` is one of solarize, gray and blur.
 * Reference: timm.data.auto_augment; Touvron et al., "DeiT III" (2022), for 3-Augment.
 */
import type { Random } from '../random.ts';
import { between, normals } from './draw.ts';
import type { Applied, OperationName } from './operations.ts';

interface TimmPolicy {
  /** The set of operations to choose from, without replacement; by default all of `usual`, with replacement. */
  readonly set?: keyof typeof sets;
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

/** An example, for errors and help. */
export const timmPolicyExample = 'rand-m9-n2-mstd0.5-inc1';

export const isTimmPolicy = (value: unknown): value is string =>
  typeof value === 'string' && parse(value) !== undefined;

/** The first part of the name of a policy that makes it one that does not exist; undefined for other names. */
export function wrongPart(name: string): string | undefined {
  const [first = '', ...sections] = name.split('-');
  if (first !== 'rand' && first !== '3a') return undefined;
  return sections.find((_, i) => parse([first, ...sections.slice(0, i + 1)].join('-')) === undefined);
}

/** The policy of a name, or undefined. */
function parse(name: string): TimmPolicy | undefined {
  const [first, ...sections] = name.split('-');
  let policy = first === 'rand' ? defaults : first === '3a' ? threeAugment : undefined;
  for (const each of sections) {
    const more = policy && parseSection(each, first === '3a');
    policy = more && { ...policy!, ...more };
  }
  if (!policy) return undefined;
  const { n, p, mmax, set } = policy;
  const most = set === undefined ? maxOperations : Object.keys(sets[set]).length;
  return n >= 1 && n <= most && p <= 1 && mmax > 0 ? policy : undefined;
}

const isChosenSet = (text: string): text is Exclude<keyof typeof sets, '3a'> =>
  text !== '3a' && Object.hasOwn(sets, text);

function parseSection(text: string, isFixed: boolean): Partial<TimmPolicy> | undefined {
  if (!isFixed && isChosenSet(text)) return { set: text, ...(text !== 'w0' && { inc: true }) }; // timm's other sets are so
  const [, key, digits] = section.exec(text) ?? [];
  if (key === undefined || digits === undefined || (isFixed && key !== 'mstd')) return undefined;
  const value = Number(digits);
  if (!Number.isInteger(value) && key !== 'p' && key !== 'mstd') return undefined;
  return { [key]: key === 'inc' ? true : value }; // inc0 is on too, as in timm
}

interface Ranges {
  readonly inc: boolean;
  readonly width: number;
  readonly height: number;
  /** Negates half of the numbers. */
  either(value: number): number;
  uniform(from: number, to: number): number;
}

/** @param share of the range, 1 for a magnitude of 10. */
type Value = (share: number, ranges: Ranges) => number;

const none: Value = () => 0;
const factor: Value = (share, { inc, either }) => (inc ? Math.max(0.1, 1 + either(share * 0.9)) : share * 1.8 + 0.1);
const shear: Value = (share, { either }) => either(share * 0.3);

/** The operations of RandAugment in timm's order, each with the number that a magnitude gives it. */
const usual = {
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

const values = {
  ...usual,
  Desaturate: (share) => 1 - (0.5 + share * 0.5),
  GaussianBlur: (share) => 0.1 + share * 1.9,
  GaussianBlurRand: (share, { uniform }) => uniform(0.1, 2 * share),
} satisfies Readonly<Record<string, Value>>;

type Name = keyof typeof values;
const names = Object.keys(usual) as readonly Name[];

/** The operation of each name. */
const operationOf: { readonly [N in Name]: OperationName } = {
  ...(Object.fromEntries(names.map((name) => [name, name])) as { readonly [N in keyof typeof usual]: N }),
  Desaturate: 'Color',
  GaussianBlur: 'GaussianBlur',
  GaussianBlurRand: 'GaussianBlur',
};

/** Weights, not scaled to a sum of 1. */
const sets = {
  w0: {
    ...{ Rotate: 0.3, ShearX: 0.2, ShearY: 0.2, TranslateX: 0.1, TranslateY: 0.1 },
    ...{ Color: 0.025, Sharpness: 0.025, AutoContrast: 0.025 },
    ...{ Solarize: 0.005, SolarizeAdd: 0.005, Contrast: 0.005, Brightness: 0.005, Equalize: 0.005 },
  },
  tweights: {
    ...{ Rotate: 3, ShearX: 2, ShearY: 2, TranslateX: 1, TranslateY: 1 },
    ...{ Color: 0.25, Sharpness: 0.25, AutoContrast: 0.25 },
    ...{ Solarize: 0.05, SolarizeAdd: 0.05, Contrast: 0.05, Brightness: 0.05, Equalize: 0.05 },
    ...{ Posterize: 0.05, Invert: 0.05 },
  },
  t3aw: {
    ...{ Solarize: 6, Desaturate: 6, GaussianBlur: 6, Rotate: 3, ShearX: 2, ShearY: 2 },
    ...{ Posterize: 1, AutoContrast: 1, Color: 1, Sharpness: 1, Contrast: 1, Brightness: 1, Equalize: 1, Invert: 1 },
  },
  '3a': { Solarize: 1, Desaturate: 1, GaussianBlurRand: 1 },
} satisfies Readonly<Record<string, { readonly [N in Name]?: number }>>;

/** 3-Augment: one operation in every image, each with a magnitude of its own. */
const threeAugment: TimmPolicy = { ...defaults, set: '3a', n: 1, p: 1 };
const ownMagnitudes: { readonly [N in Name]?: number } = { Solarize: 5, Desaturate: 10, GaussianBlurRand: 10 };

/** Draws the operations of the policy for an image. */
export function drawTimm(name: string, image: Omit<Ranges, 'inc' | 'either' | 'uniform'>, random: Random): Applied[] {
  const policy = parse(name) ?? defaults;
  const ranges: Ranges = {
    inc: policy.inc,
    width: image.width,
    height: image.height,
    either: (value) => (random.float() > 0.5 ? -value : value),
    uniform: (from, to) => between(random, [from, to]),
  };
  return drawNames(policy, random).flatMap((operation) => {
    if (policy.p < 1 && random.float() > policy.p) return [];
    const value: Value = values[operation];
    const m = policy.set === '3a' ? ownMagnitudes[operation]! : policy.m;
    const drawn = value(drawMagnitude({ ...policy, m }, random) / 10, ranges);
    return [{ name: operationOf[operation], value: drawn }];
  });
}

/** With weights, without replacement. */
function drawNames({ n, set }: TimmPolicy, random: Random): Name[] {
  if (set === undefined) return Array.from({ length: n }, () => names[random.int(0, names.length)]!);
  const left = Object.entries(sets[set]) as [Name, number][];
  return Array.from({ length: n }, () => {
    let place = random.float() * left.reduce((sum, [, weight]) => sum + weight, 0);
    let chosen = 0;
    while (chosen < left.length - 1 && place >= left[chosen]![1]) place -= left[chosen++]![1];
    return left.splice(chosen, 1)[0]![0];
  });
}

function drawMagnitude({ m, mstd, mmax }: TimmPolicy, random: Random): number {
  const drawn = mstd > 100 ? m * random.float() : mstd > 0 ? m + normals(random, 1, mstd)[0]! : m;
  return Math.max(0, Math.min(drawn, mmax));
}
