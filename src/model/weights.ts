/**
 * Weights go between a model and the names and shapes of form C, which is how a trained model's file holds them. A parameter of
 * forms A and B is a slice of a form C tensor along one axis; scattering cuts the slices, gathering puts them together.
 * Both only move numbers, so a round trip gives the same bits.
 */
import { UsageError } from '../errors.ts';
import { concatTensors, readOnce, sliceTensor, type Tensor, tensor } from '../tensor.ts';
import type { Parameter } from './layers.ts';
import type { Model } from './resnext.ts';

export type Weights = ReadonlyMap<string, Tensor>;

/** A tensor of form C: what files call it, its shape, and whether it is trained. */
export interface WeightSpec {
  readonly name: string;
  readonly dims: readonly number[];
  readonly trainable: boolean;
}

/**
 * What a model needs, in form C, in the order of torchvision's state_dict (without `num_batches_tracked`).
 *
 * @example weightSpecs(resnext())[0] // { name: 'conv1.weight', dims: [64, 3, 7, 7], trainable: true }
 */
export function weightSpecs(model: Model): WeightSpec[] {
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
 * Puts weights into the model's graph. Tensors that the model does not need are ignored.
 *
 * @throws UsageError when one is missing or has another shape; the model is left as it was.
 * @example setWeights(model, initialWeights(model, 1));
 */
export function setWeights(model: Model, weights: Weights): void {
  checkWeights(model, weights);
  const parts = scatterWeights(model, weights);
  for (const { value } of model.parameters) value.tensor = parts.get(value.name);
}

/** Throws a UsageError naming the first tensor that is missing or has another shape than the model needs. */
export function checkWeights(model: Model, weights: Weights): void {
  for (const spec of weightSpecs(model)) tensorFor(spec, weights);
}

function tensorFor({ name, dims }: WeightSpec, weights: Weights): Tensor {
  const found = weights.get(name);
  if (!found) throw new UsageError(`The weights have no "${name}", which this model needs as [${dims}].`);
  if (`${found.dims}` === `${dims}`) return found;
  throw new UsageError(`"${name}" is [${found.dims}] in the weights, but this model needs [${dims}].`);
}

/**
 * The slice of its form C tensor for each parameter, by the parameter's name. A whole tensor is passed on, not copied;
 * parameters whose tensor is not among the weights are left out.
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
 * Form C tensors from what `read` gives for each parameter; parameters for which it gives nothing are left out.
 *
 * @example gatherWeights(model, ({ value }) => value.tensor) // the weights that `setWeights` put in
 */
export function gatherWeights(model: Model, read: (parameter: Parameter) => Tensor | undefined): Map<string, Tensor> {
  const parts = new Map<string, { axis: number; tensors: Tensor[] }>();
  for (const parameter of model.parameters) {
    const part = read(parameter);
    if (!part) continue;
    const { name, axis } = parameter.source; // a tensor's slices come in their order
    const known = parts.get(name);
    if (known) known.tensors.push(part);
    else parts.set(name, { axis, tensors: [part] });
  }
  return new Map([...parts].map(([name, { axis, tensors }]) => [name, concatTensors(tensors, axis)]));
}

/**
 * The weights as torchvision's state_dict has them: in its order, each normalization with `num_batches_tracked`, the
 * number of training steps behind its statistics: the weights' own where they have it, else `batchesTracked`.
 *
 * @throws UsageError when a tensor is missing or has another shape.
 * @example await writeSafetensorsFile('resnext.safetensors', stateDict(model, initialWeights(model, 1)));
 */
export function stateDict(model: Model, weights: Weights, batchesTracked = 0): Map<string, Tensor> {
  const tracked = tensor('int64', [], BigInt64Array.of(BigInt(batchesTracked)));
  const entries = weightSpecs(model).flatMap((spec): [string, Tensor][] => {
    const { name } = spec;
    const own: [string, Tensor] = [name, tensorFor(spec, weights)];
    const count = countOf(name);
    return count === undefined ? [own] : [own, [count, weights.get(count) ?? tracked]];
  });
  return new Map(entries);
}

/** What counts the batches behind a running variance; undefined for other tensors. */
const countOf = (name: string): string | undefined =>
  name.endsWith('.running_var') ? name.replace('running_var', 'num_batches_tracked') : undefined;

/** The names of a model's counts of batches, one for each normalization: int64 scalars, which no graph reads. */
export const countNames = (model: Model): string[] => weightSpecs(model).flatMap(({ name }) => countOf(name) ?? []);
