/** Random small ResNeXts, for properties that hold for all of them. */
import fc from 'fast-check';
import { type ResNeXtConfig, resolveConfig } from '../src/model/config.ts';

/** Anything but the form; small enough for the interpreter. */
export const smallConfig: fc.Arbitrary<Omit<ResNeXtConfig, 'form'>> = fc
  .record({
    depths: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: 1, maxLength: 3 }),
    cardinality: fc.integer({ min: 1, max: 4 }),
    baseWidth: fc.integer({ min: 16, max: 48 }),
    width: fc.integer({ min: 4, max: 6 }),
    stem: fc.constantFrom('imagenet' as const, 'cifar' as const),
    shortcut: fc.constantFrom('A' as const, 'B' as const, 'C' as const, 'D' as const),
    classes: fc.integer({ min: 0, max: 5 }),
    inputChannels: fc.integer({ min: 1, max: 3 }),
    size: fc.tuple(fc.integer({ min: 1, max: 11 }), fc.integer({ min: 1, max: 11 })),
    dilated: fc.nat(2),
    zeroInitLast: fc.boolean(),
  })
  .map(({ size, dilated, ...config }) => {
    const first = config.stem === 'imagenet' ? 4 : 1;
    const outputStride = first * 2 ** Math.max(0, config.depths.length - 1 - dilated);
    return resolveConfig({ ...config, outputStride, inputSize: size });
  });
