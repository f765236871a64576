/** Transforms on images whose pixels tell where they come from: x in red, y in green, 200 in blue. */

import { describe, expect, it } from 'vitest';
import type { Image } from '#platform/images';
import { FormatError, UsageError } from '../../errors.ts';
import { augmentationNames, trainTransforms } from '../augmentations.ts';
import { sharpness } from '../enhance.ts';
import { cifarPreprocessing, evaluationTransforms, imagenetPreprocessing, preprocessingFor } from '../presets.ts';
import { type Random, sampleRandom } from '../random.ts';
import { applyTransforms } from './apply.ts';
import { outputDims } from './plan.ts';
import type { Transform } from './table.ts';

function coordinates(width: number, height: number): Image {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) data.set([i % width, Math.floor(i / width), 200], i * 3);
  return { width, height, channels: 3, data };
}

/** Leaves bytes as they are, up to the rounding of a division by 255 and back. */
const identity: Transform = { kind: 'normalize', mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] };

/** A generator that returns what it is told: fractions for float, and the same fractions of the range for int. */
function scripted(...values: number[]): Random {
  const next = () => values.shift() ?? 0;
  return { float: next, int: (lo, hi) => lo + Math.floor(next() * (hi - lo)) };
}

/** Where a middle row's and a middle column's pixels come from: x from red, y from green, -1 for padding (no blue). */
function origin(steps: Transform[], image: Image, size: number, random = scripted()): { x: number[]; y: number[] } {
  const planes = applyTransforms([...steps, identity], image, random).map(Math.round);
  const at = (c: number, y: number, x: number) =>
    planes[2 * size * size + y * size + x] ? planes[(c * size + y) * size + x]! : -1;
  const [column, row] = [Math.floor(size / 2), Math.floor((size - 1) / 2)];
  const line = Array.from({ length: size }, (_, i) => i);
  return { x: line.map((x) => at(0, row, x)), y: line.map((y) => at(1, y, column)) };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

describe('center-crop', () => {
  const crop = (width: number, height: number, size: number) =>
    origin([{ kind: 'center-crop', size }], coordinates(width, height), size);

  it('rounds half a pixel to even', () => {
    expect(crop(9, 6, 4)).toEqual({ x: range(2, 6), y: range(1, 5) }); // 2.5 → 2
    expect(crop(7, 11, 4)).toEqual({ x: range(2, 6), y: range(4, 8) }); // 1.5 → 2, 3.5 → 4
  });

  it('pads a smaller image with zeros, the odd one behind', () => {
    expect(crop(2, 6, 5)).toEqual({ x: [-1, 0, 1, -1, -1], y: range(0, 5) }); // 0.5 → 0
    expect(crop(3, 3, 4)).toEqual({ x: [0, 1, 2, -1], y: [0, 1, 2, -1] });
  });

  it('leaves an image of its size alone', () => expect(crop(4, 4, 4)).toEqual({ x: range(0, 4), y: range(0, 4) }));
});

describe('random-sharpness', () => {
  const image = coordinates(9, 9);
  image.data[4 * 27 + 4 * 3] = 250;
  const planes = (source: Image, steps: Transform[], ...numbers: number[]) =>
    applyTransforms([...steps, identity], source, scripted(...numbers));
  const half: Transform = { kind: 'random-sharpness', probability: 0.5, factor: [1, 3] };

  it('sharpens by a factor of the range', () => {
    expect(planes(image, [half], 0.4, 0.25)).toEqual(planes(sharpness(image, 1.5), []));
    expect(planes(image, [half], 0.4, 0.25)).not.toEqual(planes(image, []));
  });

  it('leaves the other images alone', () => expect(planes(image, [half], 0.6)).toEqual(planes(image, [])));
});

describe('resize', () => {
  const dims = (width: number, height: number, size: number) => {
    const length = applyTransforms(
      [{ kind: 'resize', size, interpolation: 'nearest' }, identity],
      coordinates(width, height),
      scripted(),
    ).length;
    return length / 3 / size;
  };

  it("rounds the longer side down, as torchvision's int(size * long / short)", () => {
    expect(dims(500, 375, 256)).toBe(341);
    expect(dims(375, 500, 256)).toBe(341);
    expect(dims(47, 31, 32)).toBe(48);
    expect(dims(640, 427, 232)).toBe(347);
  });

  it('refuses an image that would become too large', () => {
    const narrow = coordinates(1, 16_000);
    expect(() =>
      applyTransforms([{ kind: 'resize', size: 256, interpolation: 'box' }, identity], narrow, scripted()),
    ).toThrow(FormatError);
  });
});

describe('pad-and-crop', () => {
  const crop = (...at: number[]) =>
    origin([{ kind: 'pad-and-crop', size: 6, padding: 2 }], coordinates(6, 6), 6, scripted(...at));

  it('shifts by up to the padding either way, over zeros', () => {
    expect(crop(0, 0)).toEqual({ x: [-1, -1, 0, 1, 2, 3], y: [-1, -1, 0, 1, 2, 3] });
    expect(crop(0.5, 0.99)).toEqual({ x: [2, 3, 4, 5, -1, -1], y: range(0, 6) });
  });

  it('centers an image that is too small', () => {
    const image = coordinates(2, 1);
    expect(origin([{ kind: 'pad-and-crop', size: 6, padding: 1 }], image, 6)).toEqual({
      x: [-1, -1, 0, 1, -1, -1],
      y: [-1, -1, 0, -1, -1, -1],
    });
    expect(origin([{ kind: 'pad-and-crop', size: 3, padding: 0 }], image, 3).x).toEqual([0, 1, -1]);
  });
});

describe('flip', () => {
  it('mirrors below its probability', () => {
    const flip = (draw: number) => origin([{ kind: 'flip', probability: 0.5 }], coordinates(5, 5), 5, scripted(draw));
    expect(flip(0.49).x).toEqual([4, 3, 2, 1, 0]);
    expect(flip(0.5).x).toEqual(range(0, 5));
  });
});

describe('random-resized-crop', () => {
  const step = {
    kind: 'random-resized-crop',
    size: 4,
    scale: [0.08, 1],
    ratio: [3 / 4, 4 / 3],
    interpolation: 'nearest',
  } as const;
  const draw = (image: Image, ...values: number[]) => origin([step], image, 4, scripted(...values));

  it('takes the drawn area, aspect, top and left', () => {
    // area 0.08 + 0.1848 · 0.92 = 0.25 of 64 = 16, aspect 1: 4 × 4, at 1 of 5 rows and 3 of 5 columns
    expect(draw(coordinates(8, 8), 0.17 / 0.92, 0.5, 0.2, 0.6)).toEqual({ x: range(3, 7), y: range(1, 5) });
  });

  it('falls back to the middle after ten tries that do not fit', () => {
    // the whole area at aspect 1 of a 32 × 4 image is 11 × 11: too high. In the middle: 4 high, 4 · 4/3 → 5 wide
    const tries = Array.from({ length: 10 }, () => [1, 0.5]).flat();
    expect(draw(coordinates(32, 4), ...tries)).toEqual({ x: [13, 14, 16, 17], y: range(0, 4) });
    expect(draw(coordinates(4, 32), ...tries)).toEqual({ x: range(0, 4), y: [13, 14, 16, 17] });
  });

  it('stays inside the image, in the ranges asked for', () => {
    const image = coordinates(40, 30);
    for (let i = 0; i < 300; i++) {
      const { x, y } = origin([step], image, 4, sampleRandom(1, 0, i));
      expect(Math.min(...x, ...y)).toBeGreaterThanOrEqual(0);
      const area = ((x[3]! - x[0]!) / 0.75) * ((y[3]! - y[0]!) / 0.75); // centers of pixels 0 and 3 are 3/4 apart
      expect(area).toBeGreaterThan(0.04 * 1200);
      expect(area).toBeLessThan(1.2 * 1200);
    }
  });
});

describe('normalize', () => {
  const image: Image = { width: 2, height: 1, channels: 3, data: Uint8Array.of(0, 77, 255, 128, 0, 1) };
  const normalize: Transform = { kind: 'normalize', mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

  it("gives torchvision's float32 values, channel by channel", () => {
    const [r0, r1, g0, , b0, b1] = applyTransforms([normalize], image, scripted());
    expect([r0, r1, g0, b0, b1]).toEqual([
      -2.1179039478302, 0.07406462728977203, -0.6876749992370605, 2.640000104904175, -1.7870151996612549,
    ]);
  });

  it('writes where it is told', () => {
    const place = new Float32Array(8);
    expect(applyTransforms([normalize], image, scripted(), place.subarray(1, 7))).toEqual(
      applyTransforms([normalize], image, scripted()),
    );
    expect([place[0], place[7]]).toEqual([0, 0]);
    expect(() => applyTransforms([normalize], image, scripted(), place)).toThrow(
      /6 values \[3, 1, 2\], but `out` has 8/,
    );
  });

  it('makes one channel after grayscale', () => {
    const one: Transform = { kind: 'normalize', mean: [0], std: [1 / 255] };
    expect([...applyTransforms([{ kind: 'grayscale' }, one], image, scripted())].map(Math.round)).toEqual([74, 38]);
    expect(() => applyTransforms([one], image, scripted())).toThrow(
      /1 mean values, but the image has 3 channels\. .*"grayscale"/,
    );
  });

  it('is required', () => expect(() => applyTransforms([], image, scripted())).toThrow(/no step of kind "normalize"/));
});

describe('outputDims', () => {
  const refusal = (transforms: readonly unknown[]) => {
    const check = () => outputDims(transforms as Transform[]);
    expect(check).toThrow(UsageError);
    return expect(check);
  };

  it('is known from the options', () => {
    expect(outputDims(evaluationTransforms(imagenetPreprocessing))).toEqual([3, 224, 224]);
    expect(
      outputDims(trainTransforms(preprocessingFor({ images: 'small', size: 28, channels: 1 }), 'pad-and-crop')),
    ).toEqual([1, 28, 28]);
  });

  it('refuses options that cannot be used, by name', () => {
    const last = { kind: 'normalize', mean: [0, 0, 0], std: [1, 1, 1] };
    const sized = { kind: 'center-crop', size: 4 };
    refusal([sized]).toThrow(/no step of kind "normalize"/);
    refusal([{ kind: 'resize', size: 4, interpolation: 'box' }, last]).toThrow(
      /images of different sizes\. Add a crop at the end/,
    );
    refusal([{ kind: 'center-crop', size: 0 }, last]).toThrow(
      'transforms[0].size (center-crop) is 0, but expected a whole number of at least 1.',
    );
    refusal([sized, { kind: 'flip', probability: 2 }, last]).toThrow('transforms[1].probability (flip) is 2');
    refusal([{ kind: 'pad-and-crop', size: 4, padding: -1 }, last]).toThrow(/padding \(pad-and-crop\) is -1/);
    refusal([{ kind: 'random-resized-crop', size: 4, scale: [1, 0.5], ratio: [1, 1] }, last]).toThrow(
      /scale \(random-resized-crop\) is \[1,0.5\]/,
    );
    refusal([{ kind: 'random-resized-crop', size: 4, scale: [0.5, 1], ratio: [0, 1] }, last]).toThrow(
      /ratio \(random-resized-crop\) is \[0,1\]/,
    );
    refusal([sized, { ...last, std: [1, 0, 1] }]).toThrow(
      /std \(normalize\) is \[1,0,1\], but expected a non-empty list of numbers above 0/,
    );
    refusal([sized, { ...last, std: [1] }]).toThrow(/std has 1 values, but mean has 3/);
    refusal([last, sized, last]).toThrow(/transforms\[1\] \(center-crop\) is after "normalize"/);
    refusal([sized, { kind: 'grayscale' }, last]).toThrow(/mean has 3 values, but the images have 1 channels/);
  });
});

describe('presets', () => {
  it('are JSON', () => {
    const transforms = trainTransforms(imagenetPreprocessing, 'random-resized-crop');
    expect(JSON.parse(JSON.stringify(transforms))).toEqual(transforms);
    expect(transforms.map(({ kind }) => kind)).toEqual(['random-resized-crop', 'flip', 'normalize']);
  });

  it('add a policy to the crop for small or large images', () => {
    const kinds = (...args: Parameters<typeof trainTransforms>) => trainTransforms(...args).map(({ kind }) => kind);
    const large = ['random-resized-crop', 'flip', 'trivial-augment', 'normalize'];
    const small = ['resize', 'center-crop', 'pad-and-crop', 'flip', 'trivial-augment', 'normalize'];
    expect(kinds(imagenetPreprocessing, 'trivial-augment')).toEqual(large);
    expect(kinds(cifarPreprocessing, 'trivial-augment')).toEqual(small);
    expect(kinds(cifarPreprocessing, 'trivial-augment', 'large')).toEqual(large);
    expect(kinds(imagenetPreprocessing, 'color-jitter').slice(-2)).toEqual(['normalize', 'lighting']);
    expect(trainTransforms(imagenetPreprocessing, 'timm-rand-augment')[2]).toMatchObject({ fill: [124, 116, 104] });
  });

  it('vary images otherwise, in the order crop, mirror, rotate, policy, sharpen, blur, normalize, erase', () => {
    const all = {
      flip: 0.3,
      verticalFlip: 0.1,
      rotation: 9,
      sharpen: 0.4,
      blur: 0.2,
      cropScale: [0.5, 1],
      erasing: 0.25,
    } as const;
    const steps = trainTransforms(imagenetPreprocessing, {
      ...all,
      augmentation: 'rand-m7-n2-w0',
      erasingMode: 'pixel',
    });
    expect(steps).toMatchObject([
      { kind: 'random-resized-crop', scale: [0.5, 1] },
      { kind: 'flip', probability: 0.3 },
      { kind: 'vertical-flip', probability: 0.1 },
      { kind: 'random-rotation', degrees: 9 },
      { kind: 'timm-rand-augment', policy: 'rand-m7-n2-w0', fill: [124, 116, 104] },
      { kind: 'random-sharpness', probability: 0.4, factor: [1, 3] },
      { kind: 'gaussian-blur', probability: 0.2 },
      { kind: 'normalize' },
      { kind: 'random-erasing', probability: 0.25, mode: 'pixel', maxCount: 1 },
    ]);
    expect(outputDims(steps)).toEqual([3, 224, 224]);
    const digits = trainTransforms(cifarPreprocessing, { flip: 0 });
    expect(digits.map(({ kind }) => kind)).toEqual(['resize', 'center-crop', 'pad-and-crop', 'normalize']);
    expect(trainTransforms(cifarPreprocessing, {})).toEqual(trainTransforms(cifarPreprocessing, 'pad-and-crop'));
  });

  it('refuse what they do not know', () => {
    const refusal = (options: object) => expect(() => trainTransforms(cifarPreprocessing, options));
    refusal({ flips: 0 }).toThrow('There is no option "flips". Did you mean flip?');
    refusal({ erasing: 2 }).toThrow('erasing is 2, but expected a number from 0 to 1.');
    refusal({ augmentation: 'rand-q' }).toThrow(
      /^augmentation is "rand-q", but expected pad-and-crop, .*, or a policy of/,
    );
  });

  it.each(augmentationNames)('%s is JSON for color and grayscale', (augmentation) => {
    const whole = { flip: 0.5, verticalFlip: 1, rotation: 9, sharpen: 1, blur: 1, erasing: 1, erasingCount: 2 };
    for (const [images, channels] of [
      ['small', 3],
      ['large', 3],
      ['small', 1],
      ['large', 1],
    ] as const) {
      const transforms = trainTransforms(preprocessingFor({ images, size: 28, channels }), augmentation, images);
      expect(outputDims(transforms)).toEqual([channels, 28, 28]);
      expect(JSON.parse(JSON.stringify(transforms))).toEqual(transforms);
      applyTransforms(transforms, coordinates(40, 30), sampleRandom(1, 0, 0));
      const preprocessing = preprocessingFor({ images, size: 28, channels });
      const varied = trainTransforms(preprocessing, { ...whole, augmentation }, images);
      expect(applyTransforms(varied, coordinates(40, 30), sampleRandom(1, 0, 0))).toHaveLength(channels * 28 * 28);
    }
  });

  it('scale the usual sizes', () => {
    expect(preprocessingFor({ images: 'large', size: 160 })).toMatchObject({ size: 160, resize: 183, channels: 3 });
    expect(preprocessingFor({ images: 'small', size: 64 })).toMatchObject({
      size: 64,
      resize: 64,
      mean: cifarPreprocessing.mean,
    });
    const { mean, std } = preprocessingFor({ images: 'large', size: 224, channels: 1 });
    expect([mean.length, mean[0]?.toFixed(3), std.length, std[0]?.toFixed(3)]).toEqual([1, '0.459', 1, '0.226']);
  });

  it('give evaluation the same image every time, and training another in every epoch', () => {
    const image = coordinates(50, 40);
    const view = (epoch: number) =>
      applyTransforms(trainTransforms(cifarPreprocessing, 'pad-and-crop'), image, sampleRandom(1, epoch, 0));
    expect(view(0)).toEqual(view(0));
    expect(view(0)).not.toEqual(view(1));
    const test = evaluationTransforms(cifarPreprocessing);
    expect(applyTransforms(test, image, sampleRandom(1, 0, 0))).toEqual(
      applyTransforms(test, image, sampleRandom(2, 5, 3)),
    );
  });
});
