import { expect, it } from 'vitest';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import { verify } from './verify.ts';

it('refuses a number of runs that is not whole', async () => {
  const model = resnext({
    depths: [1],
    stem: 'cifar',
    width: 16,
    cardinality: 2,
    baseWidth: 16,
    inputSize: 8,
    classes: 2,
  });
  await expect(verify(model.config, initialWeights(model, 1), { runs: 0.5 })).rejects.toThrow(
    'runs is 0.5, but expected',
  );
});
