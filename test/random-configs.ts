/** Random small ResNeXts for property tests. */

import fc from 'fast-check';
import { branchWidth, type ResNeXtConfig, resolveConfig } from '../src/model/config.ts';
import { stems } from '../src/model/stems.ts';

/** Every option except the form, small enough for the interpreter, without combinations that are invalid. */
export const smallConfig: fc.Arbitrary<Omit<ResNeXtConfig, 'form'>> = fc
  .record({
    depths: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: 1, maxLength: 3 }),
    cardinality: fc.integer({ min: 1, max: 4 }),
    baseWidth: fc.integer({ min: 16, max: 48 }),
    width: fc.integer({ min: 4, max: 6 }),
    stem: fc.constantFrom('imagenet' as const, 'deep' as const, 'tiered' as const, 'cifar' as const, 'cifar' as const),
    stemWidth: fc.integer({ min: 4, max: 7 }),
    stemPool: fc.constantFrom('max' as const, 'max-ceil' as const, 'average' as const),
    shortcut: fc.constantFrom('A' as const, 'B' as const, 'C' as const, 'D' as const),
    shortcutKernel: fc.constantFrom(1 as const, 3 as const),
    attention: fc.constantFrom('none' as const, 'se' as const, 'eca' as const),
    antialias: fc.boolean(),
    halvedSplit: fc.boolean(),
    classes: fc.integer({ min: 0, max: 5 }),
    inputChannels: fc.integer({ min: 1, max: 3 }),
    size: fc.tuple(fc.integer({ min: 1, max: 11 }), fc.integer({ min: 1, max: 11 })),
    dilated: fc.nat(2),
    zeroInitLast: fc.boolean(),
  })
  .map(({ size, dilated, ...drawn }) => {
    const { stem, shortcut, depths, width } = drawn;
    const stemPool = stem === 'cifar' ? 'max' : drawn.stemPool;
    const shortcutKernel = shortcut === 'B' || shortcut === 'C' ? drawn.shortcutKernel : 1;
    const halvedSplit =
      depths.every((_, s) => branchWidth(width * 2 ** s, drawn.baseWidth) % 2 === 0) && drawn.halvedSplit;
    const [height, across] = size.map((side) => (stemPool === 'max' ? side : Math.max(3, side))) as [number, number];
    const outputStride = stems[stem].stride * 2 ** Math.max(0, depths.length - 1 - dilated);
    const options = { ...drawn, stemPool, shortcutKernel, halvedSplit } as const;
    return resolveConfig({ ...options, outputStride, inputSize: [height, across] });
  });
