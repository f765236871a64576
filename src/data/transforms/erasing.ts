/** Random erasing, on normalized values. */

import { oneOf, whole } from '../../options.ts';
import type { Region } from '../pixels.ts';
import type { Random } from '../random.ts';
import { between, logBetween, normals, roundToEven } from './draw.ts';
import { probability, range } from './fields.ts';
import { type Planes, tensorStep } from './row.ts';

/** timm's modes. `const` with one region is torchvision's default, and `pixel` its value "random". */
export const erasingModes = ['const', 'rand', 'pixel'] as const;
type Mode = (typeof erasingModes)[number];

export const erasing = {
  /**
   * With this probability, erases one to `maxCount` regions of random area (`scale`, a fraction for all of them) and aspect
   * (`ratio`, height / width). `mode` is what they become: `const`, 0, the mean color after `normalize`; `rand`, one normal
   * random color; or `pixel`, a normal random number for each value. If ten draws give no region smaller than the image, it
   * is left out. Reference: Zhong et al., "Random Erasing Data Augmentation" (2017), algorithm 1; timm.data.random_erasing.
   */
  'random-erasing': tensorStep({
    options: {
      probability,
      scale: range('share of the area'),
      ratio: range('height / width'),
      mode: oneOf(erasingModes, { doc: 'what regions become' }),
      maxCount: whole({ from: 1, to: 100, doc: 'most regions' }),
    },
    deterministic: false,
    apply: (planes, step, random) => {
      if (random.float() >= step.probability) return;
      const count = step.maxCount === 1 ? 1 : random.int(1, step.maxCount + 1);
      for (let i = 0; i < count; i++) eraseOne(planes, step, (planes.height * planes.width) / count, random);
    },
  }),
};

interface Regions {
  readonly scale: readonly [number, number];
  readonly ratio: readonly [number, number];
  readonly mode: Mode;
}

function eraseOne(planes: Planes, { scale, ratio, mode }: Regions, whole: number, random: Random): void {
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = whole * between(random, scale);
    const aspect = logBetween(random, ratio);
    const [height, width] = [roundToEven(Math.sqrt(area * aspect)), roundToEven(Math.sqrt(area / aspect))];
    if (height >= planes.height || width >= planes.width) continue;
    const top = random.int(0, planes.height - height + 1);
    const left = random.int(0, planes.width - width + 1);
    for (let c = 0; c < planes.channels; c++) {
      fillRegion(planes, c, { top, left, width, height }, valuesOf(mode, height * width, random));
    }
    return;
  }
}

/** The values of one channel of a region, or the one for all of it. */
const valuesOf = (mode: Mode, length: number, random: Random): Float32Array =>
  mode === 'const' ? new Float32Array(1) : normals(random, mode === 'rand' ? 1 : length, 1);

function fillRegion({ height, width, data }: Planes, c: number, region: Region, values: Float32Array): void {
  for (let y = 0; y < region.height; y++) {
    const start = (c * height + region.top + y) * width + region.left;
    if (values.length === 1) data.fill(values[0]!, start, start + region.width);
    else data.set(values.subarray(y * region.width, (y + 1) * region.width), start);
  }
}
