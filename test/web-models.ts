/** Small models for the tests of the page: random, but sure of themselves, so that a wrong picture is told from a right one. */
import { initialWeights, resnext, saveModel } from 'resnext';
import { cifarPreprocessing } from 'resnext/data';
import { cifar10Classes } from 'resnext/weights';

/** Writes a run with two stages of four groups, for pictures of 32 x 32, into a folder. */
export async function saveSureModel(folder: string): Promise<void> {
  const model = resnext({
    depths: [1, 1],
    cardinality: 4,
    baseWidth: 16,
    width: 16,
    classes: 10,
    inputSize: 32,
    stem: 'cifar',
    zeroInitLast: false,
  });
  const weights = initialWeights(model, 1);
  const { data } = weights.get('fc.weight')!;
  for (let i = 0; i < data.length; i++) data[i] = 24 * Number(data[i]);
  const { config } = model;
  const description = {
    variant: 'small',
    config,
    classes: cifar10Classes,
    preprocessing: cifarPreprocessing,
    metrics: {},
  };
  await saveModel(folder, description, weights);
}
