/** A batch as its consumer gets it, made of the memory that jobs filled and the failures that they report. */
import { FormatError } from '../errors.ts';
import type { Failure } from './job.ts';

/**
 * The first `count` of the B places are images; the rest, which only an incomplete batch has, are zeros with label and
 * index -1. The arrays are overwritten when the next batch is taken. Whatever works across a batch, such as mixing its
 * images, comes between this and the trainer.
 */
export interface Batch {
  /** Its place in the epoch, from 0. */
  readonly number: number;
  readonly count: number;
  readonly dims: readonly [number, number, number, number]; // [B, C, H, W]
  readonly images: Float32Array; // [B, C, H, W]
  readonly labels: Int32Array; // [B]; -1 for samples without one
  /** Places in `samples`. */
  readonly indices: Int32Array; // [B]
}

export type BatchArrays = Omit<Batch, 'number' | 'count'>;

/** What becomes of an image that cannot be used; see `EpochOptions.corrupt`. */
export type Corrupt = 'replace' | 'skip' | 'throw';

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
 * Copies a filled batch to where the consumer reads it, each failure replaced, left out or thrown; returns the count.
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

/** For each place of the batch, the position of the image that goes there. */
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
