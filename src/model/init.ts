/**
 * Initial weights, drawn in form C and therefore the same for every form. Convolutions use He's normal distribution by
 * fan-out, N(0, √(2 / (k·k·n_out))), with the full n_out even for a grouped convolution (paper, section 4; PyTorch's
 * fan_out). Biases in attention start at zero, normalizations as the identity, and the classifier uniform in ±1/√n_in,
 * as in PyTorch's Linear.
 *
 * Each tensor has its own generator, seeded by its name, so adding a layer does not change the other tensors.
 */
import { checkArgument } from '../arguments.ts';
import { whole } from '../options.ts';
import { fillNormal, uniform } from '../random.ts';
import { elements, type Tensor, tensor } from '../tensor.ts';
import type { ResNeXtConfig } from './config.ts';
import { type Model, modelKind } from './resnext.ts';
import { type WeightSpec, weightSpecs } from './weights.ts';

const seedKind = whole({ doc: 'seed' });

/**
 * Seeded initial weights in float32, in form C under torchvision's names.
 *
 * @example setWeights(model, initialWeights(model, 1));
 */
export function initialWeights(model: Model, seed: number): Map<string, Tensor> {
  checkArgument('model', model, modelKind);
  checkArgument('seed', seed, seedKind);
  return new Map(weightSpecs(model).map((spec) => [spec.name, initialTensor(spec, model.config, seed)]));
}

function initialTensor({ name, dims }: WeightSpec, config: ResNeXtConfig, seed: number): Tensor {
  const data = new Float32Array(elements(dims));
  const random = uniform(hash(name, seed));
  if (dims.length > 2) {
    const [filters, , ...kernel] = dims as [number, number, ...number[]];
    fillNormal(data, Math.sqrt(2 / (filters * elements(kernel))), random);
  } else if (name.startsWith('fc.')) {
    const bound = 1 / Math.sqrt(4 * config.width * 2 ** (config.depths.length - 1));
    for (let i = 0; i < data.length; i++) data[i] = bound * (2 * random() - 1);
  } else if (name.endsWith('.running_var') || (name.endsWith('.weight') && !startsAtZero(name, config))) {
    data.fill(1);
  }
  return tensor('float32', dims, data);
}

const startsAtZero = (name: string, { zeroInitLast }: ResNeXtConfig) => zeroInitLast && name.endsWith('.bn3.weight');

/** The seeded FNV-1a hash of the name. */
function hash(name: string, seed: number): number {
  let state = (2166136261 ^ seed) >>> 0;
  for (const character of name) state = Math.imul(state ^ character.codePointAt(0)!, 16777619) >>> 0;
  return state | 0;
}
