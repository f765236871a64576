/** Every row of the table keeps what it promises, on seeded random images and options. */
import { describe, expect, it } from 'vitest';
import type { Image } from '#platform/images';
import { UsageError } from '../../errors.ts';
import type { Kind } from '../../options.ts';
import { affineInterpolations } from '../affine.ts';
import { type Random, sampleRandom } from '../random.ts';
import { interpolations } from '../resize.ts';
import { applyTransforms } from './apply.ts';
import { outputDims, sizeAfter, splitTransforms } from './plan.ts';
import type { Planes, Size } from './row.ts';
import { rowOf, type Transform, type TransformKind, type Transforms, transforms } from './table.ts';

/** A random step of each kind. */
const arbitrary: { readonly [K in TransformKind]: (random: Random, channels: 1 | 3) => Transform<K> } = {
  resize: (random) => ({ kind: 'resize', size: random.int(1, 20), interpolation: choose(random, interpolations) }),
  'center-crop': (random) => ({ kind: 'center-crop', size: random.int(1, 20) }),
  'random-resized-crop': (random) => ({
    kind: 'random-resized-crop',
    size: random.int(1, 20),
    scale: rising(random),
    ratio: rising(random),
    interpolation: choose(random, interpolations),
  }),
  'pad-and-crop': (random) => ({ kind: 'pad-and-crop', size: random.int(1, 20), padding: random.int(0, 8) }),
  flip: () => ({ kind: 'flip', probability: 0.5 }),
  'vertical-flip': () => ({ kind: 'vertical-flip', probability: 0.5 }),
  'random-rotation': (random, channels) => ({ kind: 'random-rotation', degrees: 90, ...frame(random, channels) }),
  'color-jitter': (random) => ({
    kind: 'color-jitter',
    brightness: random.float(),
    contrast: random.float(),
    saturation: 2 * random.float(),
    hue: 0.5 * random.float(),
  }),
  'random-sharpness': () => ({ kind: 'random-sharpness', probability: 0.5, factor: [1, 3] }),
  'gaussian-blur': () => ({ kind: 'gaussian-blur', probability: 0.5, sigma: [0.1, 2] }),
  lighting: (random, channels) => ({
    kind: 'lighting',
    deviation: 0.1,
    std: lengthOf(channels, () => random.float() + 0.1),
  }),
  'rand-augment': (random, channels) => ({
    kind: 'rand-augment',
    operations: random.int(1, 4),
    magnitude: random.int(0, 31),
    bins: 31,
    ...frame(random, channels),
  }),
  'timm-rand-augment': (random, channels) => ({
    kind: 'timm-rand-augment',
    policy: choose(random, ['rand-m9-n3-mstd0.5-inc1', 'rand-m12-mmax15-p0.8', 'rand-mstd101', 'rand']),
    ...frame(random, channels),
    interpolation: 'random',
  }),
  'trivial-augment': (random, channels) => ({ kind: 'trivial-augment', bins: 31, ...frame(random, channels) }),
  'auto-augment': (random, channels) => ({
    kind: 'auto-augment',
    policy: choose(random, ['imagenet', 'cifar10'] as const),
    ...frame(random, channels),
  }),
  grayscale: () => ({ kind: 'grayscale' }),
  'multi-crop': (random) => ({
    kind: 'multi-crop',
    views: choose(random, ['flip', 'ten-crop'] as const),
    size: random.int(1, 20),
  }),
  normalize: (random, channels) => ({
    kind: 'normalize',
    mean: lengthOf(channels, () => random.float()),
    std: lengthOf(channels, () => random.float() + 0.1),
  }),
  'random-erasing': (random) => ({
    kind: 'random-erasing',
    probability: 0.5,
    scale: [0.02, 0.1 + 0.5 * random.float()],
    ratio: rising(random),
    mode: choose(random, ['const', 'rand', 'pixel'] as const),
    maxCount: random.int(1, 4),
  }),
};

const kinds = Object.keys(transforms) as TransformKind[];

const lengthOf = <T>(length: number, item: () => T): T[] => Array.from({ length }, item);

const frame = (random: Random, channels: 1 | 3) => ({
  interpolation: choose(random, affineInterpolations),
  fill: lengthOf(channels, () => random.int(0, 256)),
});

const choose = <T>(random: Random, items: readonly T[]): T => items[random.int(0, items.length)]!;

function rising(random: Random): [number, number] {
  const low = 0.1 + random.float();
  return [low, low + random.float()];
}

function randomImage(random: Random, channels: 1 | 3): Image {
  const [width, height] = [random.int(1, 24), random.int(1, 24)];
  return {
    width,
    height,
    channels,
    data: Uint8Array.from({ length: width * height * channels }, () => random.int(0, 256)),
  };
}

/** Runs one step: `images` and their bytes for steps on images, otherwise float32 values. */
function run(
  step: Transform,
  image: Image,
  random: Random,
): { readonly images?: readonly Image[]; readonly values: number[] } {
  const row = rowOf(step);
  if (row.from === 'image' && row.to === 'image') {
    const images = [row.apply(image, step, random)].flat();
    return { images, values: images.flatMap(({ data }) => [...data]) };
  }
  const planes: Planes = { ...image, data: Float32Array.from(image.data) };
  if (row.from === 'tensor') row.apply(planes, step, random);
  else row.apply(image, step, planes.data);
  return { values: [...planes.data] };
}

const counted = (random: Random): { readonly random: Random; count: number } => {
  const result = {
    count: 0,
    random: {
      float: () => {
        result.count++;
        return random.float();
      },
      int: (lo: number, hi: number) => {
        result.count++;
        return random.int(lo, hi);
      },
    },
  };
  return result;
};

const repeat = (kind: TransformKind, test: (step: Transform, image: Image, seed: number) => void): void => {
  for (let seed = 0; seed < 60; seed++) {
    const random = sampleRandom(7, 0, seed);
    const channels = choose(random, [1, 3] as const);
    test(arbitrary[kind](random, channels), randomImage(random, channels), seed);
  }
};

describe.each(kinds)('%s', (kind) => {
  it('is JSON whose options pass their checks', () => {
    repeat(kind, (step) => {
      expect(JSON.parse(JSON.stringify(step))).toEqual(step);
      expect(Object.keys(step).sort()).toEqual(['kind', ...Object.keys(rowOf(step).options)].sort());
      for (const [option, { accepts }] of Object.entries<Kind<unknown>>(rowOf(step).options)) {
        expect(accepts(Object.entries(step).find(([name]) => name === option)?.[1]), option).toBe(true);
      }
    });
  });

  it.each(Object.keys(transforms[kind].options))('refuses a wrong %s by name', (option) => {
    const step = arbitrary[kind](sampleRandom(7, 0, 0), 3);
    for (const wrong of [undefined, null, Number.NaN, -1, 'wrong', {}, []]) {
      const steps = placed({ ...step, [option]: wrong } as Transform);
      expect(() => outputDims(steps)).toThrow(UsageError);
      const named = `transforms[${steps.findIndex((each) => each.kind === kind)}].${option} (${kind}) is ${wrong === undefined ? 'required: expected ' : ''}`;
      expect(() => outputDims(steps)).toThrow(named);
    }
  });

  it('leaves the size that it says, and its input as it was', () => {
    repeat(kind, (step, image, seed) => {
      const before: Size = {
        views: 1,
        channels: image.channels,
        size: image.width === image.height ? image.width : undefined,
      };
      const copy = image.data.slice();
      const { images, values } = run(step, image, sampleRandom(8, 0, seed));
      const after = rowOf(step).sizeAfter(before, step);
      expect(image.data).toEqual(copy);
      if (!images) return expect([after, values.length]).toEqual([before, copy.length]);
      expect(images).toHaveLength(after.views);
      for (const { width, height, channels, data } of images) {
        expect([channels, data.length]).toEqual([after.channels, width * height * channels]);
        if (after.size !== undefined) expect([width, height]).toEqual([after.size, after.size]);
      }
    });
  });

  it('is deterministic or random, as it says', () => {
    let [draws, differences] = [0, 0];
    repeat(kind, (step, image, seed) => {
      const random = counted(sampleRandom(8, 0, seed));
      const { values } = run(step, image, random.random);
      expect(run(step, image, sampleRandom(8, 0, seed)).values).toEqual(values);
      draws += random.count;
      if (run(step, image, sampleRandom(9, 0, seed)).values.join() !== values.join()) differences++;
    });
    if (transforms[kind].deterministic) expect([draws, differences]).toEqual([0, 0]);
    else expect(Math.min(draws, differences)).toBeGreaterThan(0);
  });
});

const identity: Transform = { kind: 'normalize', mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] };

/** Steps around one, such that only its options may be wrong. */
function placed(step: Transform): Transforms {
  const crop: Transform = { kind: 'center-crop', size: 4 };
  if (step.kind === 'normalize') return [crop, step];
  return transforms[step.kind].from === 'tensor' ? [crop, identity, step] : [step, crop, identity];
}

describe('a list of steps', () => {
  const crop: Transform = { kind: 'center-crop', size: 6 };
  const flip: Transform = { kind: 'flip', probability: 0.5 };
  const ten: Transform = { kind: 'multi-crop', views: 'ten-crop', size: 4 };
  const erase: Transform = {
    kind: 'random-erasing',
    probability: 1,
    scale: [0.2, 0.2],
    ratio: [1, 1],
    mode: 'const',
    maxCount: 1,
  };

  it('is cut before the first step that is random, makes several images or normalizes', () => {
    expect(splitTransforms([crop, flip, identity])).toEqual({ prefix: [crop], rest: [flip, identity] });
    expect(splitTransforms([crop, ten, identity])).toEqual({ prefix: [crop], rest: [ten, identity] });
    expect(splitTransforms([crop, identity, erase])).toEqual({ prefix: [crop], rest: [identity, erase] });
    expect(splitTransforms([flip, crop, identity])).toEqual({ prefix: [], rest: [flip, crop, identity] });
  });

  it('may go on after normalize, on each view, in the place it was given', () => {
    const ones: Transform = { kind: 'normalize', mean: [-1, -1, -1], std: [1, 1, 1] }; // nothing becomes 0
    const image = randomImage(sampleRandom(1, 0, 0), 3);
    const steps: Transforms = [ten, ones, erase];
    const place = new Float32Array(10 * 3 * 4 * 4);
    expect(outputDims(steps)).toEqual([30, 4, 4]);
    expect(applyTransforms(steps, image, sampleRandom(1, 0, 0), place)).toBe(place);
    const whole = applyTransforms([ten, ones], image, sampleRandom(1, 0, 0));
    const regions = new Set<string>();
    for (let view = 0; view < 10; view++) {
      const values = place.subarray(view * 48, (view + 1) * 48); // [3, 4, 4]
      const zeros = [...values.keys()].filter((i) => values[i] === 0);
      expect(zeros).toHaveLength(3 * 4); // round(√(0.2 · 16)) = 2, squared, in each channel
      expect(zeros.slice(4).map((i) => i - 16)).toEqual(zeros.slice(0, 8));
      regions.add(zeros.join());
      for (const i of values.keys()) if (values[i] !== 0) expect(values[i]).toBe(whole[view * 48 + i]);
    }
    expect(regions.size).toBeGreaterThan(1);
  });

  it('multiplies views', () => {
    const twice: Transform = { kind: 'multi-crop', views: 'flip', size: 5 };
    expect(sizeAfter([twice, ten])).toEqual({ views: 20, channels: 3, size: 4 });
  });

  it('refuses unknown kinds and steps in the wrong place', () => {
    const refusal = (steps: readonly unknown[]) => expect(() => outputDims(steps as Transforms));
    refusal([{ kind: 'blur' }, identity]).toThrow(/^transforms\[0\]\.kind is "blur", but expected one of resize, /);
    refusal([erase, identity]).toThrow(
      'transforms[0] (random-erasing) is before "normalize", but works on normalized values. Move it after "normalize".',
    );
    refusal([identity, crop]).toThrow(
      'transforms[1] (center-crop) is after "normalize", but works on images. Move it before "normalize".',
    );
    refusal([identity, identity]).toThrow(/^transforms\[1\] \(normalize\) is after "normalize"/);
  });
});
