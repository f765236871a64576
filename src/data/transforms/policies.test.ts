/** Policies against torchvision's own (golden/augment.py), and against timm's numbers for its magnitudes. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { images } from '../../../test/golden-images.ts';
import { UsageError } from '../../errors.ts';
import { brightness, contrast, hue, saturation } from '../enhance.ts';
import { type Random, sampleRandom } from '../random.ts';
import { applyTransforms } from './apply.ts';
import { atBin, type Limits, usualLimits, wideLimits } from './magnitudes.ts';
import type { OperationName } from './operations.ts';
import { outputDims } from './plan.ts';
import type { Transform } from './table.ts';
import { drawTimm } from './timm-rand-augment.ts';

type Space = Record<OperationName, [magnitudes: number[], signed: boolean]>;
interface Golden {
  policies: Record<string, [draws: number[], sha: string][]>;
  spaces: Record<'rand' | 'auto' | 'wide', [Space, Space]>;
}

const golden = JSON.parse(readFileSync(new URL('../golden/augment.json', import.meta.url), 'utf8')) as Golden;
const bytes: Transform = { kind: 'normalize', mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] };
const black = { interpolation: 'nearest', fill: [0, 0, 0] } as const;

/** Random numbers that were drawn before, as fractions of their ranges. */
function repeated(draws: readonly number[]): Random {
  const left = [...draws];
  const next = () => {
    const draw = left.shift();
    if (draw === undefined) throw new Error('More numbers are drawn than by torchvision.');
    return draw;
  };
  return { float: next, int: (lo, hi) => lo + Math.floor(next() * (hi - lo)) };
}

/** Bytes [H, W, C] of the result. */
function run(step: Transform, random: Random, image = images.slopes!): Uint8Array {
  const planes = applyTransforms([step, bytes], image, random); // [C, H, W]
  const plane = image.width * image.height;
  return Uint8Array.from({ length: 3 * plane }, (_, i) => Math.round(planes[(i % 3) * plane + Math.floor(i / 3)]!));
}

const randAugment = { kind: 'rand-augment', operations: 2, magnitude: 9, bins: 31, ...black } as const;
const policies: Record<string, Transform> = {
  'rand-augment': randAugment,
  bilinear: { ...randAugment, magnitude: 20, interpolation: 'bilinear', fill: [124, 116, 104] },
  'trivial-augment': { kind: 'trivial-augment', bins: 31, ...black },
  imagenet: { kind: 'auto-augment', policy: 'imagenet', ...black },
  cifar10: { kind: 'auto-augment', policy: 'cifar10', ...black },
};

it.each(Object.keys(golden.policies))('%s equals torchvision with the same draws', (name) => {
  const results = golden.policies[name]!.map(([draws]) =>
    createHash('sha256')
      .update(run(policies[name]!, repeated(draws)))
      .digest('hex')
      .slice(0, 32),
  );
  expect(new Set(results).size).toBeGreaterThan(20);
  expect(results).toEqual(golden.policies[name]!.map(([, sha]) => sha));
});

describe("magnitudes are torchvision's", () => {
  const frames = [
    { width: 24, height: 17 },
    { width: 331, height: 224 },
  ];
  const toValue = (name: string, magnitude: number) => {
    if (name.startsWith('Translate')) return Math.trunc(magnitude);
    return ['Brightness', 'Color', 'Contrast', 'Sharpness'].includes(name) ? 1 + magnitude : magnitude;
  };
  const spaces: [keyof Golden['spaces'], Limits][] = [
    ['rand', usualLimits],
    ['auto', usualLimits],
    ['wide', wideLimits],
  ];

  it.each(spaces)('%s', (key, limits) => {
    for (const [i, space] of golden.spaces[key].entries()) {
      for (const [name, [magnitudes]] of Object.entries(space) as [OperationName, [number[], boolean]][]) {
        const values = magnitudes.map((_, bin) => atBin(name, bin, magnitudes.length, false, limits, frames[i]!).value);
        const expected = magnitudes.map((magnitude) => toValue(name, magnitude));
        if (name.startsWith('Shear'))
          for (const [j, value] of values.entries()) expect(value).toBeCloseTo(expected[j]!, 14);
        else expect(values, name).toEqual(expected);
      }
    }
  });
});

describe('timm', () => {
  /** The numbers of each operation in many draws, rounded. */
  function drawn(policy: string): Map<string, Set<number>> {
    const values = new Map<string, Set<number>>();
    for (let i = 0; i < 400; i++) {
      for (const { name, value } of drawTimm(policy, { width: 100, height: 200 }, sampleRandom(1, 0, i))) {
        values.set(name, (values.get(name) ?? new Set()).add(Number(value.toFixed(9)) + 0));
      }
    }
    return values;
  }
  const sorted = (values: Map<string, Set<number>>) =>
    Object.fromEntries([...values].map(([name, set]) => [name, [...set].sort((a, b) => a - b)]));
  const shared = {
    AutoContrast: [0],
    Equalize: [0],
    Invert: [0],
    Rotate: [-27, 27],
    SolarizeAdd: [99],
    ShearX: [-0.27, 0.27],
    ShearY: [-0.27, 0.27],
    TranslateX: [-40.5, 40.5],
    TranslateY: [-81, 81],
  };
  const four = (values: number[]) => ({ Color: values, Contrast: values, Brightness: values, Sharpness: values });

  it('has its numbers at magnitude 9', () => {
    expect(sorted(drawn('rand-m9'))).toEqual({ ...shared, ...four([1.72]), Posterize: [3], Solarize: [230] });
    expect(sorted(drawn('rand-m9-inc1'))).toEqual({ ...shared, ...four([0.19, 1.81]), Posterize: [1], Solarize: [26] });
  });

  it('draws n operations, each with probability p, 0.5 unless given', () => {
    const counts = (policy: string) =>
      Array.from({ length: 2000 }, (_, i) => drawTimm(policy, images.noise!, sampleRandom(2, 0, i)).length);
    expect(new Set(counts('rand-n3-p1'))).toEqual(new Set([3]));
    const mean = counts('rand-m9').reduce((sum, count) => sum + count) / 2000;
    expect(Math.abs(mean - 1)).toBeLessThan(0.06); // of 2; four standard deviations
  });

  it('varies magnitudes by mstd, within 0 and mmax, whose usual value is 10', () => {
    const angles = (policy: string) => [...drawn(policy).get('Rotate')!].map((angle) => Math.abs(angle) / 3);
    const near = angles('rand-m5-mstd0.5');
    expect(near.length).toBeGreaterThan(20);
    const mean = near.reduce((sum, m) => sum + m) / near.length;
    const deviation = Math.sqrt(near.reduce((sum, m) => sum + (m - mean) ** 2, 0) / near.length);
    expect(Math.abs(mean - 5)).toBeLessThan(0.3);
    expect(Math.abs(deviation - 0.5)).toBeLessThan(0.2);
    expect(Math.max(...angles('rand-m9-mstd3'))).toBe(10);
    expect(Math.max(...angles('rand-m14-mmax15'))).toBe(14);
    const even = angles('rand-m8-mstd101');
    expect([Math.min(...even) < 1, Math.max(...even) > 7, Math.max(...even) <= 8]).toEqual([true, true, true]);
  });

  /** The share of each operation among n = 1 draws, and the numbers that it gets. */
  const frequencies = (policy: string) => {
    const found = new Map<string, number>();
    for (let i = 0; i < 4000; i++) {
      for (const { name } of drawTimm(policy, images.noise!, sampleRandom(5, 0, i))) {
        found.set(name, (found.get(name) ?? 0) + 1 / 4000);
      }
    }
    return found;
  };

  it.each([
    ['rand-n1-p1-w0', { Rotate: 0.3, ShearX: 0.2, TranslateY: 0.1, Color: 0.025, Equalize: 0.005, Invert: 0 }],
    ['rand-n1-p1-tweights', { Rotate: 3 / 10.1, ShearX: 2 / 10.1, TranslateY: 1 / 10.1, Invert: 0.05 / 10.1 }],
    ['rand-n1-p1-t3aw', { Solarize: 6 / 33, Color: 7 / 33, GaussianBlur: 6 / 33, Rotate: 3 / 33, TranslateX: 0 }],
    ['3a', { Solarize: 1 / 3, Color: 1 / 3, GaussianBlur: 1 / 3, Rotate: 0 }],
  ])('%s draws operations by their weights', (policy, expected) => {
    const found = frequencies(policy);
    expect([...found.values()].reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 6);
    for (const [name, share] of Object.entries(expected)) {
      const tolerance = 4.5 * Math.sqrt((share * (1 - share)) / 4000); // standard deviations
      expect(Math.abs((found.get(name) ?? 0) - share), name).toBeLessThanOrEqual(tolerance);
    }
  });

  it('draws different operations with weights, whose magnitudes increase, and those of 3-Augment', () => {
    for (let i = 0; i < 300; i++) {
      const names = drawTimm('rand-n3-p1-tweights', images.noise!, sampleRandom(2, 0, i)).map(({ name }) => name);
      expect(new Set(names).size).toBe(3);
    }
    expect(sorted(drawn('rand-m9-n9-p1-tweights'))).toMatchObject({
      Posterize: [1],
      Solarize: [26],
      Color: [0.19, 1.81],
    });
    expect(sorted(drawn('rand-m9-n9-p1-w0'))).toMatchObject({ Solarize: [230], Color: [1.72] });
    expect(sorted(drawn('rand-m9-p1-t3aw')).GaussianBlur).toEqual([1.81]);
    const three = sorted(drawn('3a'));
    expect(three).toMatchObject({ Solarize: [128], Color: [0] });
    const radii = three.GaussianBlur!;
    expect([radii.length > 50, radii[0]! >= 0.1, radii[0]! < 0.3, radii.at(-1)! > 1.8, radii.at(-1)! <= 2]).toEqual(
      Array(5).fill(true),
    );
  });

  it('refuses names that are not its own', () => {
    for (const policy of [
      'rand9',
      'augmix-m3',
      'rand-m9-x3',
      'rand-n0',
      'rand-p2',
      'rand-m9.5',
      'rand-m9-',
      'rand-wt',
      'rand-3a',
      '3a-m5',
      'rand-n14-w0',
      'constructor',
      'constructor-n1-p1-mmax10',
      'rand-toString',
    ]) {
      const step = { kind: 'timm-rand-augment', policy, interpolation: 'random', fill: [0, 0, 0] } as const;
      const crop: Transform = { kind: 'center-crop', size: 4 };
      expect(() => outputDims([crop, step, bytes])).toThrow(UsageError);
      expect(() => outputDims([crop, step, bytes])).toThrow(
        `transforms[1].policy (timm-rand-augment) is "${policy}", but expected a policy of timm such as rand-m9-n2-mstd0.5-inc1.`,
      );
    }
  });
});

describe('options that contradict the images', () => {
  const crop: Transform = { kind: 'center-crop', size: 4 };

  it.each([
    [[crop, { ...randAugment, magnitude: 31 }, bytes], 'magnitude is 31, but has to be less than bins, 31.'],
    [[crop, { ...randAugment, fill: [0] }, bytes], 'fill has 1 values, but the images have 3 channels.'],
    [
      [{ kind: 'grayscale' }, crop, { ...bytes, mean: [0], std: [1] }, { kind: 'lighting', deviation: 0.1, std: [1] }],
      'works on color images, but these are grayscale.',
    ],
  ] as [Transform[], string][])('%#', (steps, message) => {
    expect(() => outputDims(steps)).toThrow(message);
  });
});

describe('color-jitter', () => {
  const image = images.slopes!;
  const jitter = { kind: 'color-jitter', brightness: 0.4, contrast: 0, saturation: 0.2, hue: 0 } as const;

  it('draws each factor, then the order, and leaves out strengths of 0', () => {
    // 0.75 of 0.6 … 1.4 is 1.2, 0.5 of 0.8 … 1.2 is 1; the second goes first
    expect(run(jitter, repeated([0.75, 0.9, 0.25, 0.1]))).toEqual(brightness(saturation(image, 0.9), 1.2).data);
    expect(run(jitter, repeated([0.75, 0.1, 0.25, 0.9]))).toEqual(saturation(brightness(image, 1.2), 0.9).data);
  });

  it('has no factors below 0, and turns the hue either way', () => {
    const strong = { ...jitter, brightness: 0, contrast: 2, saturation: 0, hue: 0.1 };
    expect(run(strong, repeated([0, 0, 0.75, 0.5]))).toEqual(hue(contrast(image, 0), 0.05).data);
  });
});

describe('lighting', () => {
  it('moves all pixels of a channel by the same, with the covariance of the colors of ImageNet', () => {
    const std = [0.5, 1, 2];
    const step: Transform = { kind: 'lighting', deviation: 0.1, std };
    const normalize: Transform = { kind: 'normalize', mean: [0, 0, 0], std };
    const image = images.tiny!;
    const before = applyTransforms([normalize], image, sampleRandom(0, 0, 0)); // [3, 1, 2]
    const count = 4000;
    const sums = [0, 0, 0];
    let most = 0; // difference within a channel
    for (let i = 0; i < count; i++) {
      const after = applyTransforms([normalize, step], image, sampleRandom(1, 0, i));
      const moved = after.map((value, j) => (value - before[j]!) * std[Math.floor(j / 2)]!);
      for (let c = 0; c < 3; c++) most = Math.max(most, Math.abs(moved[2 * c]! - moved[2 * c + 1]!));
      sums[0]! += moved[0]! ** 2;
      sums[1]! += moved[0]! * moved[2]!;
      sums[2]! += moved[0]! * moved[4]!;
    }
    expect(most).toBeLessThan(1e-6);
    // Σ v v' λ² · 0.01, of the three components
    const expected = [0.0001542, 0.0001559, 0.0001549];
    for (const [i, sum] of sums.entries()) expect(Math.abs(sum / count / expected[i]! - 1)).toBeLessThan(0.1);
  });
});

describe('random-erasing', () => {
  const step = {
    kind: 'random-erasing',
    probability: 1,
    scale: [0.1, 0.1],
    ratio: [1, 1],
    mode: 'const',
    maxCount: 1,
  } as const;
  const ones: Transform = { kind: 'normalize', mean: [-1, -1, -1], std: [1, 1, 1] }; // no value becomes 0
  const image = images.square!; // 20 × 20
  const before = applyTransforms([ones], image, sampleRandom(0, 0, 0));
  const erased = (options: Partial<Transform<'random-erasing'>>, seed: number) => {
    const after = applyTransforms([ones, { ...step, ...options }], image, sampleRandom(seed, 0, 0));
    return [...after.keys()].filter((i) => after[i] !== before[i]).map((i) => after[i]!);
  };

  it('makes a region 0, one color or noise', () => {
    expect(new Set(erased({}, 1))).toEqual(new Set([0]));
    expect(erased({}, 1)).toHaveLength(3 * 36); // round(√40) = 6
    expect(new Set(erased({ mode: 'rand' }, 1)).size).toBe(3);
    const noise = Array.from({ length: 100 }, (_, seed) => erased({ mode: 'pixel' }, seed)).flat();
    expect(noise).toHaveLength(100 * 3 * 36);
    expect(new Set(noise.slice(0, 108)).size).toBe(108);
    const mean = noise.reduce((sum, value) => sum + value) / noise.length;
    const variance = noise.reduce((sum, value) => sum + value ** 2, 0) / noise.length;
    expect(Math.abs(mean)).toBeLessThan(0.04);
    expect(Math.abs(variance - 1)).toBeLessThan(0.06);
  });

  it('shares the area among several regions', () => {
    const areas = Array.from({ length: 60 }, (_, seed) => erased({ maxCount: 3 }, seed).length / 3);
    expect(areas).toContain(36); // one of 6 × 6
    expect(areas).toContain(2 * 16); // two of round(√20) = 4
    expect(areas).toContain(3 * 16); // three of round(√13.3) = 4
    expect(Math.max(...areas)).toBe(48);
  });
});
