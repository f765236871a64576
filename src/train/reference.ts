/** The sizes of a recipe, which are for one size of the input, at that of a run. */
import type { Stem } from '../model/config.ts';
import { stems } from '../model/stems.ts';
import { variant } from '../model/variants.ts';
import type { Reference } from './optimization-options.ts';
import type { TrainOptions } from './options.ts';

/** What matters of the model that a run starts from. Its variant may have any name. */
export interface Source {
  readonly stem: Stem;
  /** Height and width of its input. */
  readonly size: number;
}

/**
 * Options with the sizes of a recipe, in proportion to the input. Small images have only those that are for their own size:
 * they are padded and cropped, which leaves objects as large as they are in validation.
 *
 * @param source absent for a new network.
 */
export function withSizes(options: TrainOptions, { sizes }: Reference, source?: Source): TrainOptions {
  if (!sizes || options.linearProbe) return options;
  const { stem, size: usual } = source ?? inputOf(options.variant);
  const size = options.size || usual;
  if (stems[stem].images === 'small' && size !== sizes.input) return options;
  const scaled = (length: number) => Math.round((length * size) / sizes.input);
  return {
    ...options,
    ...(sizes.trainSize && { trainSize: sizes.trainSize.map(scaled) }),
    ...(sizes.resize && { resize: scaled(sizes.resize) }),
  };
}

function inputOf(name: string): Source {
  const { stem = 'imagenet', inputSize } = variant(name);
  return { stem, size: typeof inputSize === 'number' ? inputSize : stems[stem].inputSize };
}
