/** Steps that change an image's channels. */
import { grayscale } from '../pixels.ts';
import { imageStep } from './row.ts';

export const channels = {
  /** One channel from three, by the luma that Pillow computes. */
  grayscale: imageStep({
    options: {},
    deterministic: true,
    sizeAfter: (before) => ({ ...before, channels: 1 }),
    apply: (image) => grayscale(image),
  }),
};
