/**
 * Moves weights between a model and the names and shapes of form C, in which files store them. In forms A and B, a
 * parameter is a slice of a form C tensor along one axis: scattering cuts tensors into slices, gathering concatenates
 * them. Both only move numbers, so a round trip is bit-exact.
 */
import { checkArgument, map } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import {
  concatTensors,
  firstNonFinite,
  fromNumbers,
  isLazy,
  readOnce,
  sliceTensor,
  type Tensor,
  tensor,
} from '../tensor.ts';
import type { Parameter } from './layers.ts';
import { type Model, modelKind } from './resnext.ts';

/** Tensors by name: those of a network in form C, under torchvision’s names, unless a function says otherwise. */
export type Weights = ReadonlyMap<string, Tensor>;

/** A form C tensor: its name in files, its shape, and whether it is trained. */
export interface WeightSpec {
  readonly name: string;
  readonly dims: readonly number[];
  readonly trainable: boolean;
}

/**
 * The form C tensors of a model, in the order of torchvision's state_dict (without `num_batches_tracked`).
 *
 * @example weightSpecs(resnext())[0] // { name: 'conv1.weight', dims: [64, 3, 7, 7], trainable: true }
 */
export function weightSpecs(model: Model): WeightSpec[] {
  checkArgument('model', model, modelKind);
  const specs = new Map<string, WeightSpec>();
  for (const { value, source, trainable } of model.parameters) {
    const dims = [...(value.dims as number[])];
    dims[source.axis] = source.start + dims[source.axis]!;
    const known = specs.get(source.name);
    if (!known || known.dims[source.axis]! < dims[source.axis]!)
      specs.set(source.name, { name: source.name, dims, trainable });
  }
  return [...specs.values()];
}

/**
 * Sets the weights of a model's graph. Tensors that the model does not have are ignored.
 *
 * @throws UsageError if a tensor is missing or has the wrong shape. The model is then unchanged.
 * @example setWeights(model, initialWeights(model, 1));
 */
export function setWeights(model: Model, weights: Weights): void {
  checkArgument('model', model, modelKind);
  checkArgument('weights', weights, map);
  checkWeights(model, weights);
  const parts = scatterWeights(model, weights);
  for (const { value } of model.parameters) value.tensor = parts.get(value.name);
}

/** Throws a UsageError that names the first tensor that is missing or has the wrong shape. */
export function checkWeights(model: Model, weights: Weights): void {
  for (const spec of weightSpecs(model)) tensorFor(spec, weights);
}

function tensorFor({ name, dims }: WeightSpec, weights: Weights): Tensor {
  const found = weights.get(name);
  if (!found) throw new UsageError(`The weights have no "${name}", but the model needs it as [${dims}].`);
  if (`${found.dims}` === `${dims}`) return found;
  throw new UsageError(`"${name}" is [${found.dims}] in the weights, but the model needs [${dims}].`);
}

/** Throws a UsageError that names the first weight that is NaN or infinite. Lazy ones are checked when they are read. */
export function checkFiniteWeights(weights: Iterable<readonly [name: string, weight: Tensor | undefined]>): void {
  for (const [name, weight] of weights) {
    const wrong = weight?.dtype === 'float32' && !isLazy(weight) ? firstNonFinite(weight) : undefined;
    if (wrong === undefined) continue;
    throw new UsageError(
      `"${name}" contains ${wrong}, so nothing was written; training may have diverged. Use an earlier checkpoint.`,
    );
  }
}

/** The largest finite float16. Half a step above it, rounding gives infinity. */
const [maxFloat16, roundsToInfinity] = [65504, 65520];

/**
 * Weights in float16, which take half of the space in a file: float32 tensors are rounded to nearest, ties to even; tensors of
 * other types, such as counts of batches, stay as they are. Readers of this package turn them into float32 again.
 *
 * @throws UsageError naming a tensor with an element that is NaN or infinite, or becomes so in float16.
 * @example await saveModel('models/flowers', description, float16Weights(weights));
 */
export function float16Weights(weights: Weights): Map<string, Tensor> {
  checkArgument('weights', weights, map);
  return new Map(Array.from(weights, ([name, weight]) => [name, toFloat16(name, readOnce(weight))]));
}

function toFloat16(name: string, weight: Tensor): Tensor {
  if (weight.dtype !== 'float32') return weight;
  checkFiniteWeights([[name, weight]]);
  const large = weight.data.find((value) => Math.abs(value) >= roundsToInfinity);
  if (large === undefined) return fromNumbers('float16', weight.dims, weight.data);
  throw new UsageError(
    `"${name}" contains ${large}, but float16 has no numbers beyond ${maxFloat16}. Keep the weights in float32.`,
  );
}

/**
 * The slice of the form C tensor for each parameter, by the parameter's name. Whole tensors are not copied; parameters
 * whose tensor is not in `weights` are skipped.
 *
 * @example scatterWeights(resnext({ form: 'A' }), weights).get('layer1.0.branches.31.conv2.weight') // [4, 4, 3, 3]
 */
export function scatterWeights(model: Model, weights: Weights): Map<string, Tensor> {
  const parts = new Map<string, Tensor>();
  const read = new Map<string, Tensor>();
  for (const { value, source } of model.parameters) {
    const whole = read.get(source.name) ?? weights.get(source.name);
    if (!whole) continue;
    const size = value.dims![source.axis] as number;
    const isWhole = size === whole.dims[source.axis];
    const known = isWhole ? whole : readOnce(whole);
    if (!isWhole) read.set(source.name, known);
    parts.set(value.name, sliceTensor(known, source.axis, source.start, size));
  }
  return parts;
}

/**
 * Concatenates form C tensors from the result of `read` for each parameter. Parameters without a result are skipped.
 *
 * @example gatherWeights(model, ({ value }) => value.tensor) // the weights set by `setWeights`
 */
export function gatherWeights(model: Model, read: (parameter: Parameter) => Tensor | undefined): Map<string, Tensor> {
  const parts = new Map<string, { axis: number; tensors: Tensor[] }>();
  for (const parameter of model.parameters) {
    const part = read(parameter);
    if (!part) continue;
    const { name, axis } = parameter.source; // slices of a tensor come in order
    const known = parts.get(name);
    if (known) known.tensors.push(part);
    else parts.set(name, { axis, tensors: [part] });
  }
  return new Map([...parts].map(([name, { axis, tensors }]) => [name, concatTensors(tensors, axis)]));
}

/**
 * The weights as a torchvision state_dict: in its order, with `num_batches_tracked` for each normalization, the number
 * of training steps in its statistics, taken from the weights if present and `batchesTracked` otherwise.
 *
 * @throws UsageError if a tensor is missing, has the wrong shape, or has elements that are NaN or infinite.
 * @example await writeSafetensorsFile('resnext.safetensors', stateDict(model, initialWeights(model, 1)));
 */
export function stateDict(model: Model, weights: Weights, batchesTracked = 0): Map<string, Tensor> {
  checkArgument('model', model, modelKind);
  checkArgument('weights', weights, map);
  const tracked = tensor('int64', [], BigInt64Array.of(BigInt(batchesTracked)));
  checkFiniteWeights(weights);
  const entries = weightSpecs(model).flatMap((spec): [string, Tensor][] => {
    const { name } = spec;
    const own: [string, Tensor] = [name, tensorFor(spec, weights)];
    const count = countOf(name);
    return count === undefined ? [own] : [own, [count, weights.get(count) ?? tracked]];
  });
  return new Map(entries);
}

/** The name of the batch count for a running variance; undefined for other tensors. */
const countOf = (name: string): string | undefined =>
  name.endsWith('.running_var') ? name.replace('running_var', 'num_batches_tracked') : undefined;

/** The names of a model's batch counts, one for each normalization: int64 scalars that no graph reads. */
export const countNames = (model: Model): string[] => weightSpecs(model).flatMap(({ name }) => countOf(name) ?? []);
