/** Batches for the consumer, assembled from the memory that jobs filled and the failures that they reported. */
import { FormatError } from '../errors.ts';
import type { Failure } from './job.ts';

/**
 * The first `count` of the B rows are images. The rest, which only an incomplete batch has, are zeros with label and index
 * -1. Taking the next batch overwrites the arrays. Steps that mix the images of a batch belong between this and the
 * trainer.
 */
export interface Batch {
  /** Its index in the epoch. */
  readonly number: number;
  readonly count: number;
  readonly dims: readonly [number, number, number, number]; // [B, C, H, W]
  readonly images: Float32Array; // [B, C, H, W]
  readonly labels: Int32Array; // [B]; -1 for samples without a label
  /** Indices in `samples`. */
  readonly indices: Int32Array; // [B]
}

export type BatchArrays = Omit<Batch, 'number' | 'count'>;

/** How to treat an image that cannot be read; see `EpochOptions.corrupt`. */
export const corruptChoices = ['replace', 'skip', 'throw'] as const;
export type Corrupt = (typeof corruptChoices)[number];

/** One sample of a batch. */
export interface Member {
  readonly index: number;
  readonly label: number;
}

export const emptyBatch = (dims: Batch['dims']): BatchArrays => ({
  dims,
  images: new Float32Array(dims.reduce((product, dim) => product * dim)),
  labels: new Int32Array(dims[0]),
  indices: new Int32Array(dims[0]),
});

/**
 * Copies a filled batch to the consumer's arrays, replacing, skipping or throwing each failure. Returns the count.
 *
 * @param filled [B, C, H, W].
 */
export function copyBatch(
  filled: Float32Array,
  members: readonly Member[],
  failures: readonly Failure[],
  { corrupt, number }: { readonly corrupt: Corrupt; readonly number: number },
  { dims, images, labels, indices }: BatchArrays,
): number {
  const sources = sourcesOf(members.length, failures, corrupt, number);
  const count = sources.length;
  const length = filled.length / dims[0]; // C · H · W
  if (failures.length === 0) images.set(filled.subarray(0, count * length));
  for (const [place, source] of sources.entries()) {
    if (failures.length > 0) images.set(filled.subarray(source * length, (source + 1) * length), place * length);
    indices[place] = members[source]!.index;
    labels[place] = members[source]!.label;
  }
  images.fill(0, count * length);
  indices.fill(-1, count);
  labels.fill(-1, count);
  return count;
}

/** The position of the image for each row of the batch. */
function sourcesOf(count: number, failures: readonly Failure[], corrupt: Corrupt, number: number): number[] {
  const positions = Array.from({ length: count }, (_, position) => position);
  const [first] = failures;
  if (!first) return positions;
  if (corrupt === 'throw') throw new FormatError(first.message);
  const failed = new Set(failures.map((failure) => failure.position));
  const readable = positions.filter((position) => !failed.has(position));
  if (corrupt === 'skip') return readable;
  if (readable.length === 0) {
    throw new FormatError(`None of the ${count} images of batch ${number} can be read. The first: ${first.message}`);
  }
  return positions.map((position) => readable.find((other) => other >= position) ?? readable[0]!);
}
