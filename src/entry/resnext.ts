/**
 * Build a ResNeXt, convert it between its forms, run it, draw it.
 *
 * @module resnext
 */

export { type BlockDrawingOptions, drawBlock } from '../draw/block.ts';
export type { DrawingOptions } from '../draw/svg.ts';
export type { Theme } from '../draw/theme.ts';
export { FormatError, UsageError } from '../errors.ts';
export {
  type Attention,
  type Form,
  forms,
  type ResNeXtConfig,
  type ResNeXtOptions,
  type Shortcut,
  type Stem,
  type StemPool,
} from '../model/config.ts';
export { initialWeights } from '../model/init.ts';
export { type Model, resnext } from '../model/resnext.ts';
export { stems } from '../model/stems.ts';
export { variantName } from '../model/variant-name.ts';
export { variant, variants } from '../model/variants.ts';
export { setWeights, type Weights } from '../model/weights.ts';
export type { SavedModel } from '../saved/model.ts';
export { type ReadModelOptions, readModel } from '../saved/read.ts';
