/** Steps that change an image's channels. */
import { grayscale } from '../pixels.ts';
import { imageStep } from './row.ts';

export const channels = {
  /** Converts RGB to one channel, the luma as in Pillow. */
  grayscale: imageStep({
    options: {},
    deterministic: true,
    sizeAfter: (before) => ({ ...before, channels: 1 }),
    apply: (image) => grayscale(image),
  }),
};
