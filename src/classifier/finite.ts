/** Refuses outputs that are not numbers, which would be ranked, counted and saved like any other. */
import { UsageError } from '../errors.ts';
import { firstNonFinite, type Tensor } from '../tensor.ts';

/** An output that is NaN or infinite, of a model whose weights are to blame. */
export class NotFiniteError extends UsageError {
  readonly value: number;

  constructor(what: string, value: number) {
    super(
      `${what} are ${value}, so the model's weights are broken; training may have diverged. Use an earlier checkpoint.`,
    );
    this.value = value;
  }
}

/**
 * @param what the output, in the plural: `The logits`.
 * @param images the prepared images that it was computed from.
 * @throws UsageError if an element is NaN or infinite because the images are; NotFiniteError if the model is to blame.
 */
export function checkFinite(what: string, output: Tensor<'float32'>, images: Tensor<'float32'>): void {
  const wrong = firstNonFinite(output);
  if (wrong === undefined) return;
  const given = firstNonFinite(images);
  if (given !== undefined) {
    throw new UsageError(`A prepared image contains ${given}, but expected finite numbers. Prepare it again.`);
  }
  throw new NotFiniteError(what, wrong);
}
