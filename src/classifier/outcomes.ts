/**
 * Runs a network on a list of images in batches. The next batch is read while one runs. Each image has an outcome, in the
 * order of the list: a result, or the error if it cannot be read.
 */
import { type ImageSource, imageName, type NamedImage } from '../data/image-source.ts';
import type { Loader } from '../data/loader.ts';
import type { LabeledImage } from '../data/samples.ts';
import { countViews, outputDims } from '../data/transforms/plan.ts';
import type { Transforms } from '../data/transforms/table.ts';
import { FormatError } from '../errors.ts';
import { elements, type Tensor, tensor } from '../tensor.ts';

/** The outcome for one image of a list. */
export type Outcome<T> = { readonly result: T } | { readonly error: FormatError };

/** Runs a batch [N·V, C, H, W] of N images in V views each, and returns N results. */
export type Run<T> = (images: Tensor<'float32'>, views: number) => Promise<T[]>;

interface Reading {
  readonly loader: Loader;
  readonly transforms: Transforms;
  /** Maximum number of views in a batch: V for each image of the list. */
  readonly batchSize: number;
}

/** Number of images in a batch of this many views, at least one. */
export const imagesPerBatch = (batchSize: number, transforms: Transforms): number =>
  Math.max(1, Math.floor(batchSize / countViews(transforms)));

export async function* outcomesOf<T>(
  images: readonly (ImageSource | NamedImage | LabeledImage)[],
  { loader, transforms, batchSize }: Reading,
  run: Run<T>,
): AsyncGenerator<Outcome<T>, void, undefined> {
  if (images.length === 0) return;
  const [planes, height, width] = outputDims(transforms); // planes: V·C
  const views = countViews(transforms);
  const failures = new Map<number, FormatError>();
  const batches = loader.batches({
    samples: images.map(named),
    transforms,
    batchSize: Math.min(images.length, imagesPerBatch(batchSize, transforms)),
    corrupt: 'skip',
    onCorrupt: (_, message, index) => failures.set(index, new FormatError(message)),
  });
  let next = 0;
  for await (const { images: pixels, indices, count } of batches) {
    const dims = [count * views, planes / views, height, width];
    const results = await run(tensor('float32', dims, pixels.subarray(0, elements(dims))), views);
    for (const [n, result] of results.entries()) {
      for (; next < indices[n]!; next++) yield { error: failures.get(next)! };
      yield { result };
      next++;
    }
  }
  for (; next < images.length; next++) yield { error: failures.get(next)! };
}

const named = (image: ImageSource | NamedImage | LabeledImage): NamedImage | LabeledImage =>
  typeof image === 'object' && ('image' in image || 'label' in image) ? image : { name: imageName(image), image };

/** All results, in order. Throws the first error. */
export async function resultsOf<T>(outcomes: AsyncIterable<Outcome<T>>): Promise<T[]> {
  const results: T[] = [];
  for await (const outcome of outcomes) {
    if ('error' in outcome) throw outcome.error;
    results.push(outcome.result);
  }
  return results;
}
