/** Networks so small that their steps and predictions take no time. */
import { preprocessingFor } from '../src/data/presets.ts';
import { resnext } from '../src/model/resnext.ts';

/** One block with two groups, on images of 8 x 8. */
export const smallModel = resnext({
  depths: [1],
  cardinality: 2,
  baseWidth: 32,
  width: 8,
  classes: 2,
  inputSize: 8,
  stem: 'cifar',
});

/** Two blocks with four groups, on images of 24 x 24 that are cut out of 28 x 28: for photos of `examples/images`. */
export const smallClassifier = resnext({
  depths: [1, 1],
  cardinality: 4,
  baseWidth: 16,
  width: 16,
  classes: 4,
  inputSize: 24,
  stem: 'cifar',
});

export const smallDescription = {
  variant: 'small',
  config: smallClassifier.config,
  classes: ['airplane', 'automobile', 'frog', 'horse'],
  preprocessing: { ...preprocessingFor({ images: 'small', size: 24 }), resize: 28 },
  metrics: {},
};
