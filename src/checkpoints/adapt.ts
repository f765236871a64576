/**
 * Adapts weights to a different network: a stem for other input channels, and a head for other classes. The stem's
 * response to an image with identical channels does not change. For one channel, its filters are summed; otherwise,
 * going from m to n channels, they are repeated cyclically and scaled by m/n, as in timm.
 *
 * A head with one output z, trained with binary cross-entropy, gets a first output that is always 0: the softmax of (0, z)
 * is (1 − σ(z), σ(z)), so the sigmoid of z stays the probability of the second class.
 */
import { initialWeights } from '../model/init.ts';
import type { Model } from '../model/resnext.ts';
import { concatTensors, elements, type Tensor, tensor } from '../tensor.ts';

/**
 * Adapts the first convolution's weight [K, m, h, w] to n input channels: [K, n, h, w].
 *
 * @example adaptStem(weights.get('conv1.weight'), 1) // [64, 3, 7, 7] → [64, 1, 7, 7]
 */
export function adaptStem(weight: Tensor<'float32'>, channels: number): Tensor<'float32'> {
  const [filters, given, ...kernel] = weight.dims as [number, number, ...number[]];
  const area = elements(kernel);
  const adapted = tensor('float32', [filters, channels, ...kernel]); // [K, n, h, w]
  const scale = channels === 1 ? 1 : given / channels;
  const pairs = channels === 1 ? given : channels;
  for (let k = 0; k < filters; k++) {
    for (let c = 0; c < pairs; c++) {
      const from = (k * given + (c % given)) * area;
      const to = (k * channels + (c % channels)) * area;
      for (let i = 0; i < area; i++) adapted.data[to + i]! += scale * weight.data[from + i]!;
    }
  }
  return adapted;
}

/** The head's weight [1, F] or bias [1] of a single output as that of two classes: [2, F] or [2], first zeros. */
export const forTwoClasses = (single: Tensor<'float32'>): Tensor<'float32'> =>
  concatTensors([tensor('float32', single.dims), single], 0) as Tensor<'float32'>;

/**
 * The seeded initial weights of a model's head: `fc.weight` [K, 4n] and `fc.bias` [K]; empty without classes.
 *
 * @example initialHead(resnext({ classes: 5 }), 1).get('fc.weight') // [5, 2048]
 */
export function initialHead(model: Model, seed: number): Map<string, Tensor> {
  const parameters = model.parameters.filter(({ source }) => source.name.startsWith('fc.'));
  return initialWeights({ ...model, parameters }, seed);
}
