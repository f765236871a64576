/** Draws explanations over their pictures, in a thread of its own, since that takes longer than the network. */
import { openDecoder, openImage } from '#platform/images';
import type { Preprocessing } from '../data/presets.ts';
import { drawExplanation } from '../explain/overlay.ts';
import { encodeImage } from '../platform/node/render.ts';
import { tensor } from '../tensor.ts';

/** Plain data. */
export interface DrawJob {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly maxMegapixels: number;
  /** [h, w]. */
  readonly map: { readonly dims: readonly number[]; readonly data: Float32Array };
  readonly preprocessing: Preprocessing;
}

/** The bytes of a PNG file. */
export async function draw({ name, bytes, maxMegapixels, map, preprocessing }: DrawJob): Promise<Uint8Array> {
  await openDecoder({ oneThread: true });
  const image = await (await openImage(bytes, name, maxMegapixels)).decode();
  return encodeImage(drawExplanation(image, tensor('float32', map.dims, map.data), preprocessing), 'png');
}
