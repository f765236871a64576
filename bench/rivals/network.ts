/** A ResNeXt in form C with a CIFAR stem and projection shortcuts, written once for any framework's operations. */
export interface Config {
  readonly depths: readonly number[];
  readonly cardinality: number;
  readonly baseWidth: number;
  readonly width: number;
  readonly classes: number;
  readonly inputChannels: number;
  readonly inputSize: readonly [number, number];
}

export interface Settings {
  readonly config: Config;
  readonly batch: number;
}

/** A training step, after which the new state is computed. */
export type Step = () => Promise<undefined>;

/** The layers of the network; weights have PyTorch's axes: [out, in per group, height, width]. */
export interface Operations<T> {
  /** Padded so that stride 1 keeps the size. */
  conv(x: T, weight: T, options: { kernel: number; stride: number; groups: number }): T;
  /** With the batch's own statistics. */
  norm(x: T, scale: T, shift: T): T;
  relu(x: T): T;
  add(a: T, b: T): T;
  /** The mean over height and width, times the weight [features, classes], plus the bias. */
  classify(x: T, weight: T, bias: T): T;
  /** The same value, to be used twice. */
  twice(x: T): [T, T];
}

type Parameter<T> = (dims: readonly number[]) => T;

/** The logits of images; `parameter` is asked for every parameter in turn, by its dimensions. */
export function forward<T>(ops: Operations<T>, x: T, parameter: Parameter<T>, config: Config): T {
  const { depths, cardinality, baseWidth, width, classes, inputChannels } = config;
  const unit = (x: T, inputs: number, outputs: number, kernel = 1, stride = 1, groups = 1): T => {
    const weight = parameter([outputs, inputs / groups, kernel, kernel]);
    return ops.norm(ops.conv(x, weight, { kernel, stride, groups }), parameter([outputs]), parameter([outputs]));
  };
  let y = ops.relu(unit(x, inputChannels, width, 3));
  let channels = width;
  for (const [stage, depth] of depths.entries()) {
    const features = width * 2 ** stage;
    const inner = cardinality * Math.floor((features * baseWidth) / 64);
    for (let block = 0; block < depth; block++) {
      const stride = stage > 0 && block === 0 ? 2 : 1;
      const [left, right] = ops.twice(y);
      const split = ops.relu(unit(left, channels, inner));
      const transformed = ops.relu(unit(split, inner, inner, 3, stride, cardinality));
      const merged = unit(transformed, inner, 4 * features);
      const shortcut = channels === 4 * features ? right : unit(right, channels, 4 * features, 1, stride);
      y = ops.relu(ops.add(merged, shortcut));
      channels = 4 * features;
    }
  }
  return ops.classify(y, parameter([channels, classes]), parameter([classes]));
}

/** The dimensions of every parameter, in the order in which `forward` asks for them. */
export function parameterDims(config: Config): (readonly number[])[] {
  const dims: (readonly number[])[] = [];
  const nothing = { conv: ignore, norm: ignore, relu: ignore, add: ignore, classify: ignore, twice };
  forward<undefined>(nothing, undefined, (one) => void dims.push(one), config);
  return dims;
}

const ignore = (): undefined => undefined;
const twice = (): [undefined, undefined] => [undefined, undefined];

const size = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

export const parameterCount = (config: Config): number => parameterDims(config).reduce((sum, d) => sum + size(d), 0);

/** A start: normalization scales of 1, and otherwise uniform numbers of a sensible size. */
export function initial(dims: readonly number[], index: number): Float32Array {
  const scale = Math.sqrt(3 / size(dims.slice(1)));
  const isScale = dims.length === 1 && index % 3 === 1; // weight, scale, shift, weight, …
  return new Float32Array(size(dims)).map(() =>
    isScale ? 1 : dims.length === 1 ? 0 : scale * (2 * Math.random() - 1),
  );
}

export const randomImages = ({ config: { inputChannels, inputSize }, batch }: Settings): Float32Array =>
  new Float32Array(batch * inputChannels * inputSize[0] * inputSize[1]).map(() => 2 * Math.random() - 1);

export function oneHot({ config: { classes }, batch }: Settings): Float32Array {
  return new Float32Array(batch * classes).map((_, i) => (i % classes === Math.floor(i / classes) % classes ? 1 : 0));
}
