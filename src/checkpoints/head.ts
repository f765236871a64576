/**
 * The classifier of a network whose layout has no name for it: the one linear layer on its features, whatever it is
 * called, with batch normalizations N₁ before it and N₂ after it, and with or without a bias. Together they are linear:
 *
 *     N₂(W N₁(x) + b) = (s₂ W s₁) x + s₂ (W t₁ + b) + t₂,  N(x) = s x + t,  s = γ / √(σ² + ε),  t = β − μ s
 *
 * Dropout and flattening have no tensors, and neither have activations, so two linear layers are a head of several
 * layers, which a ResNeXt does not have.
 */
import { type Tensor, tensor } from '../tensor.ts';
import { checkFinite, floatTensor, type StoredTensor } from '../weights/state-dict.ts';

/** A linear classifier, by the names of its tensors in the file. */
export interface Head {
  /** [K, F], or a convolution [K, F, 1, 1]. */
  readonly weight: string;
  readonly classes: number;
  /** [K]. Without one, it is 0. */
  readonly bias?: string;
  /** Paths of batch normalizations of F and K channels, such as `1.2.`. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

type Shapes = ReadonlyMap<string, { readonly dims: readonly number[] }>;

/**
 * Looks for the head under a network's prefix, then around it.
 *
 * @param left names of tensors that are not the network's, in the order of the file.
 * @param features the number F of its features.
 * @returns the head; or, of a head of other layers, the name of a tensor; or undefined if there is nothing like a head.
 */
export function findHead(
  tensors: Shapes,
  left: readonly string[],
  prefix: string,
  features: number,
): Head | string | undefined {
  for (const root of rootsOf(prefix)) {
    const under = new Map(left.flatMap((name) => (name.startsWith(root) ? [[name, tensors.get(name)!.dims]] : [])));
    const found = headIn(under, features);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A prefix, and those around it: `a.b.`, `a.` and ``. */
function rootsOf(prefix: string): string[] {
  const parts = prefix.split(/(?<=\.)/);
  return Array.from({ length: parts.length + 1 }, (_, i) => parts.slice(0, parts.length - i).join(''));
}

type Dims = ReadonlyMap<string, readonly number[]>;

function headIn(dims: Dims, features: number): Head | string | undefined {
  const names = [...dims.keys()];
  const columns = (name: string) => (isMatrix(dims.get(name)!) ? dims.get(name)![1] : undefined);
  const [weight, ...others] = names.filter((name) => columns(name) === features);
  if (weight === undefined) return undefined;
  const classes = dims.get(weight)![0]!;
  const isFollowed = names.some((name) => name !== weight && columns(name) === classes);
  if (others.length > 0 || isFollowed) return weight;
  const paths = [...new Set(names.map(pathOf))];
  const place = paths.indexOf(pathOf(weight));
  const [earlier, later] = [paths.slice(0, place), paths.slice(place + 1)];
  const other = earlier.find((path) => isOtherNorm(dims, path, features));
  if (other !== undefined) return `${other}weight`;
  const bias = `${pathOf(weight)}bias`;
  return {
    weight,
    classes,
    ...(isVector(dims, bias, classes) && { bias }),
    before: earlier.filter((path) => isBatchNorm(dims, path, features)),
    after: later.filter((path) => isBatchNorm(dims, path, classes)),
  };
}

const isMatrix = (dims: readonly number[]): boolean =>
  dims.length === 2 || (dims.length === 4 && dims[2] === 1 && dims[3] === 1);

const isVector = (dims: Dims, name: string, size: number): boolean => `${dims.get(name)}` === `${size}`;

const isBatchNorm = (dims: Dims, path: string, channels: number): boolean =>
  ['running_mean', 'running_var'].every((name) => isVector(dims, path + name, channels));

/** A normalization over the features of one image is not linear. */
const isOtherNorm = (dims: Dims, path: string, channels: number): boolean =>
  ['weight', 'bias'].every((name) => isVector(dims, path + name, channels)) && !isBatchNorm(dims, path, channels);

const pathOf = (name: string): string => name.slice(0, name.lastIndexOf('.') + 1);

/** PyTorch's default. */
const epsilon = 1e-5;

type Stored = ReadonlyMap<string, StoredTensor>;

/** The names of a head's tensors in the file. */
export function headNames(tensors: ReadonlyMap<string, unknown>, { weight, bias, before, after }: Head): string[] {
  const norms = [...before, ...after].flatMap((path) => normFields.map((field) => path + field));
  return [weight, ...(bias === undefined ? [] : [bias]), ...norms.filter((name) => tensors.has(name))];
}

const normFields = ['weight', 'bias', 'running_mean', 'running_var'];

/** The weight [K, F] and bias [K] of the one linear layer that a head is. */
export function headWeights(
  tensors: Stored,
  head: Head,
  source: string,
): { weight: Tensor<'float32'>; bias: Tensor<'float32'> } {
  const read = (name: string) => floatTensor(tensors.get(name)!, { name, source }).data;
  const weight = Float64Array.from(read(head.weight)); // [K, F]
  /** A batch normalization as x ↦ scale · x + shift. It may have no weight and bias. */
  const batchNorm = (path: string, channels: number) => {
    const vector = (field: string, usual: number) =>
      tensors.has(path + field) ? read(path + field) : new Float32Array(channels).fill(usual);
    const [gamma, beta] = [vector('weight', 1), vector('bias', 0)];
    const [mean, variance] = [vector('running_mean', 0), vector('running_var', 1)];
    const scale = Float64Array.from(gamma, (value, c) => value / Math.sqrt(Math.max(0, variance[c]!) + epsilon));
    return { scale, shift: Float64Array.from(beta, (value, c) => value - mean[c]! * scale[c]!) };
  };
  const { classes } = head;
  const features = weight.length / classes;
  const bias = new Float64Array(classes);
  if (head.bias !== undefined) bias.set(read(head.bias));
  for (const path of [...head.before].reverse()) {
    const { scale, shift } = batchNorm(path, features); // [F]
    for (let k = 0; k < classes; k++) {
      for (let f = 0; f < features; f++) {
        bias[k]! += weight[k * features + f]! * shift[f]!;
        weight[k * features + f]! *= scale[f]!;
      }
    }
  }
  for (const path of head.after) {
    const { scale, shift } = batchNorm(path, classes); // [K]
    for (let k = 0; k < classes; k++) {
      bias[k] = bias[k]! * scale[k]! + shift[k]!;
      for (let f = 0; f < features; f++) weight[k * features + f]! *= scale[k]!;
    }
  }
  const whole = (values: Float64Array, ...dims: number[]) => {
    const merged = tensor('float32', dims, Float32Array.from(values));
    checkFinite(merged, head.weight, source);
    return merged;
  };
  return { weight: whole(weight, classes, features), bias: whole(bias, classes) };
}

/** Sentences for the user on what was assumed about a head. */
export function headNotes(head: Head | string | undefined): string[] {
  if (head === undefined) return [];
  if (typeof head === 'string') {
    return [`Dropped the head, which has several layers ("${head}" and others): the network outputs features.`];
  }
  const norms = [...head.before, ...head.after].map((path) => `"${path.slice(0, -1)}"`);
  if (norms.length === 0) return [];
  const merged = `Merged the batch normalization ${norms.join(' and ')} into the classifier "${pathOf(head.weight).slice(0, -1)}"`;
  return [`${merged}, assuming an epsilon of 1e-5 and no activation between them.`];
}
