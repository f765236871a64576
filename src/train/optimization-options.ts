/**
 * The options of a run's optimization: the loss, the optimizer, the learning rate over time, what keeps a network from learning
 * its images by heart, and the average of its weights. Defaults depend on options before them in the table.
 */
import type { Stem } from '../model/config.ts';
import { stems } from '../model/stems.ts';
import { variant } from '../model/variants.ts';
import { flag, oneOf, real, whole } from '../options.ts';
import { lossNames } from '../step/losses.ts';
import {
  type OptimizerName,
  optimizerNames,
  optimizerSettings,
  optimizers,
  perOptimizer,
  rateScale,
} from '../step/optimizers.ts';
import { scheduleFields } from '../step/schedule.ts';
import { replicas } from '../step/shares.ts';
import { targetOptions } from './data-options.ts';

export interface RateFactors {
  readonly batch: number;
  readonly optimizer: OptimizerName;
  readonly variant: string;
  /** Stem of the model to start from, if any. */
  readonly stem?: Stem;
  readonly reference?: Reference;
}

/** What a recipe has for one batch and one size, and is scaled to those of the run. */
export interface Reference {
  readonly rate?: { readonly learningRate: number; readonly batch: number };
  /** A learning rate that was left out because the run has another optimizer. */
  readonly unused?: { readonly learningRate: number; readonly optimizer: OptimizerName };
  readonly sizes?: { readonly input: number; readonly trainSize?: readonly number[]; readonly resize?: number };
}

export const optimizationOptions = {
  batch: whole({
    from: 1,
    default: 32,
    flag: '--batch <n>',
    usual: '32, or all images if there are fewer',
    group: 'Optimization',
    doc: 'images per step; an epoch skips its last batch if it is not full',
  }),
  loss: oneOf(lossNames, {
    default: 'cross-entropy',
    kept: true,
    flag: '--loss <name>',
    group: 'Optimization',
    doc: 'loss to minimize',
  }),
  optimizer: oneOf(optimizerNames, {
    default: 'sgd',
    kept: true,
    flag: '--optimizer <name>',
    group: 'Optimization',
    doc: 'optimizer',
  }),
  learningRate: real({
    above: 0,
    defaultOf: ({ batch, optimizer, stem, variant: name, reference }: RateFactors) => {
      const { rate } = reference ?? {};
      if (rate) return rate.learningRate * rateScale(optimizer, batch / rate.batch);
      const { referenceBatch } = stems[stem ?? variant(name).stem ?? 'imagenet'];
      return optimizers[optimizer].usual.learningRate * rateScale(optimizer, batch / referenceBatch);
    },
    flag: '--lr, --learning-rate <rate>',
    usual:
      '0.1 × r for sgd, 0.001 × √r for adamw and rmsprop, 0.002 × √r for lamb, where r is batch / 256, or batch / 128 with a cifar stem',
    group: 'Optimization',
    doc: 'peak learning rate',
  }),
  backboneLearningRate: real({
    above: 0,
    flag: '--backbone-lr, --backbone-learning-rate <rate>',
    usual: 'a tenth of the learning rate',
    group: 'Optimization',
    doc: 'learning rate of everything but the classifier, when starting from a pretrained model',
  }),
  ...optimizerSettings,
  accumulate: whole({
    from: 1,
    default: 1,
    flag: '--accumulate <n>',
    group: 'Optimization',
    doc: 'parts of a batch that a step computes one after the other, to save memory',
  }),
  replicas: whole({
    ...replicas,
    from: 0,
    default: 0,
    usual: '0, which measures at the start of a run how many are fastest, where replicas get 32 images or more',
  }),
  clipNorm: real({
    from: 0,
    default: 0,
    flag: '--clip-norm <n>',
    usual: '0, which clips nothing',
    group: 'Optimization',
    doc: 'norm to which all gradients together are clipped',
  }),
  ...scheduleFields,
  weightDecay: real({
    from: 0,
    defaultOf: ({ optimizer }: RateFactors) => optimizers[optimizer].usual.weightDecay,
    flag: '--weight-decay <d>',
    usual: perOptimizer((name) => optimizers[name].usual.weightDecay),
    group: 'Regularization',
    doc: 'weight decay',
  }),
  normWeightDecay: real({
    from: 0,
    defaultOf: ({ optimizer }: RateFactors) => optimizers[optimizer].usual.normWeightDecay,
    flag: '--norm-weight-decay <d>',
    usual: perOptimizer((name) => optimizers[name].usual.normWeightDecay),
    group: 'Regularization',
    doc: 'weight decay of biases and normalization parameters',
  }),
  dropPath: real({
    from: 0,
    below: 1,
    default: 0,
    flag: '--drop-path <rate>',
    group: 'Regularization',
    doc: 'share of images that skip the last residual block; earlier blocks are skipped less often (stochastic depth)',
  }),
  dropout: real({
    from: 0,
    below: 1,
    default: 0,
    flag: '--dropout <rate>',
    group: 'Regularization',
    doc: 'share of the features before the classifier that are set to zero',
  }),
  labelSmoothing: real({
    from: 0,
    below: 1,
    default: 0,
    flag: '--label-smoothing <s>',
    group: 'Regularization',
    doc: 'share of the target probability spread evenly over all classes',
  }),
  ...targetOptions,
  averageDecay: real({
    from: 0,
    below: 1,
    default: 0,
    flag: '--average-decay <d>',
    usual: '0, which keeps none',
    group: 'Averaging',
    doc: 'decay of an exponential moving average of the weights, which is validated and saved in their place',
  }),
  averageEvery: whole({
    from: 1,
    default: 1,
    flag: '--average-every <steps>',
    group: 'Averaging',
    doc: 'steps from one update of the average to the next',
  }),
  averageWarmup: flag({
    default: false,
    flag: '--average-warmup',
    group: 'Averaging',
    doc: 'let the decay of the average rise from 0, as in timm',
  }),
};
