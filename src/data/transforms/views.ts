/** Steps that make several views of an image, over which logits are averaged. */
import type { Image } from '#platform/images';
import { oneOf } from '../../options.ts';
import { crop, mirror } from '../pixels.ts';
import { size } from './fields.ts';
import { cropCenter } from './geometry.ts';
import { imageStep } from './row.ts';

interface MultiCrop {
  readonly count: number;
  readonly crops: (image: Image, size: number) => Image[];
}

const multiCrops = {
  flip: {
    count: 2,
    crops: (image, size) => {
      const middle = cropCenter(image, size);
      return [middle, mirror(middle)];
    },
  },
  'ten-crop': {
    count: 10,
    crops: (image, size) => [...fiveCrops(image, size), ...fiveCrops(mirror(image), size)],
  },
} satisfies Readonly<Record<string, MultiCrop>>;

/** The ways to make several views of an image. */
export type MultiCropViews = keyof typeof multiCrops;
export const multiCropViews = Object.keys(multiCrops) as readonly MultiCropViews[];

export const views = {
  /**
   * Makes several views of `size` × `size`. `flip` is the center crop and its mirror image. `ten-crop` is the top left, top
   * right, bottom left, bottom right and center crop, then the same five of the mirrored image.
   */
  'multi-crop': imageStep({
    options: { views: oneOf(multiCropViews, { doc: 'which crops' }), size },
    deterministic: true,
    sizeAfter: (before, { views, size }) => ({ ...before, size, views: before.views * multiCrops[views].count }),
    apply: (image, { views, size }) => multiCrops[views].crops(image, size),
  }),
};

function fiveCrops(image: Image, size: number): Image[] {
  const [right, bottom] = [image.width - size, image.height - size];
  const corners = [0, bottom].flatMap((top) => [0, right].map((left) => ({ left, top, width: size, height: size })));
  return [...corners.map((corner) => crop(image, corner)), cropCenter(image, size)];
}
