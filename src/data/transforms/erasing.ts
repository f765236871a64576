/** Steps on normalized values, after `normalize`. */

import { between, logBetween, roundToEven } from './draw.ts';
import { probability, range } from './fields.ts';
import { type Planes, tensorStep } from './row.ts';

export const erasing = {
  /**
   * With this probability, sets a region of random area (`scale`, a fraction) and aspect (`ratio`, height / width) to 0,
   * the mean color after `normalize`. If ten draws give no region smaller than the image, the image stays unchanged.
   * Reference: Zhong et al., "Random Erasing Data Augmentation" (2017), algorithm 1.
   */
  'random-erasing': tensorStep({
    options: { probability, scale: range('share of the area'), ratio: range('height / width') },
    deterministic: false,
    apply: (planes, step, random) => {
      if (random.float() >= step.probability) return;
      for (let attempt = 0; attempt < 10; attempt++) {
        const area = planes.height * planes.width * between(random, step.scale);
        const aspect = logBetween(random, step.ratio);
        const [height, width] = [roundToEven(Math.sqrt(area * aspect)), roundToEven(Math.sqrt(area / aspect))];
        if (height >= planes.height || width >= planes.width) continue;
        const top = random.int(0, planes.height - height + 1);
        erase(planes, top, random.int(0, planes.width - width + 1), height, width);
        return;
      }
    },
  }),
};

function erase({ channels, height, width, data }: Planes, top: number, left: number, h: number, w: number): void {
  for (let c = 0; c < channels; c++) {
    for (let y = top; y < top + h; y++) {
      const start = (c * height + y) * width + left;
      data.fill(0, start, start + w);
    }
  }
}
