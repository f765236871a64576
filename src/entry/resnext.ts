/**
 * Build a ResNeXt, convert it between its forms, run it, draw it.
 *
 * @module resnext
 */

export { Classifier } from '../classifier/classifier.ts';
export type { Evaluation } from '../classifier/evaluation.ts';
export type { ExplainOptions, Explanation } from '../classifier/explain.ts';
export type { Features } from '../classifier/features.ts';
export type { ClassifierInput, ClassifyOptions, EvaluateOptions, FeatureOptions } from '../classifier/inputs.ts';
export type { ClassifierOptions } from '../classifier/open.ts';
export type { Outcome } from '../classifier/outcomes.ts';
export type { Prediction } from '../classifier/predictions.ts';
export { type BlockDrawingOptions, drawBlock } from '../draw/block.ts';
export type { DrawingOptions } from '../draw/svg.ts';
export type { Theme } from '../draw/theme.ts';
export { FormatError, UsageError } from '../errors.ts';
export type { ExplainMethod } from '../explain/methods.ts';
export { drawExplanation } from '../explain/overlay.ts';
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
export { float16Weights, setWeights, type Weights } from '../model/weights.ts';
export { convert } from '../saved/convert.ts';
export type { ModelDescription } from '../saved/description.ts';
export { withChannels, withClasses } from '../saved/external.ts';
export type { SavedModel } from '../saved/model.ts';
export { type ModelSource, type ReadModelOptions, readModel } from '../saved/read.ts';
export { type ModelFormat, writeModel } from '../saved/write.ts';
export { type FormResult, type Verification, type VerifyOptions, verify } from '../verify/verify.ts';
