/** A network so small that its steps take no time: one block with two groups, on images of 8 x 8. */
import { resnext } from '../src/model/resnext.ts';

export const smallModel = resnext({
  depths: [1],
  cardinality: 2,
  baseWidth: 32,
  width: 8,
  classes: 2,
  inputSize: 8,
  stem: 'cifar',
});
