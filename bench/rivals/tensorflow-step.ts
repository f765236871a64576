/**
 * A small ResNeXt in TensorFlow.js, on its CPU backend, plain JavaScript: its WebAssembly backend has no gradient of a
 * convolution by its weight. It has no grouped convolution: there is a convolution per group, and a Concat.
 * The step keeps no running statistics, which is a little less work.
 */
import type { Settings, Step } from './network.ts';
import { forward, initial, type Operations, oneHot, parameterDims, randomImages } from './network.ts';

interface Tensor {
  dispose(): void;
  data(): Promise<Float32Array>;
}

type Variable = Tensor & { readonly name: string };

/** What of TensorFlow.js is used here; it need not be installed for this file to be checked. */
export interface TensorFlow {
  setBackend(name: string): Promise<boolean>;
  tensor(data: Float32Array, dims: readonly number[]): Tensor;
  add(a: Tensor, b: Tensor): Tensor;
  mul(a: Tensor, b: number): Tensor;
  relu(x: Tensor): Tensor;
  mean(x: Tensor, axes: number[]): Tensor;
  matMul(a: Tensor, b: Tensor): Tensor;
  transpose(x: Tensor, axes: number[]): Tensor;
  variable(initial: Tensor): Variable;
  split(x: Tensor, parts: number, axis: number): Tensor[];
  concat(parts: Tensor[], axis: number): Tensor;
  conv2d(x: Tensor, w: Tensor, stride: number, pad: number): Tensor;
  moments(x: Tensor, axes: number[]): { mean: Tensor; variance: Tensor };
  batchNorm(x: Tensor, mean: Tensor, variance: Tensor, shift: Tensor, scale: Tensor, epsilon: number): Tensor;
  tidy<T>(use: () => T): T;
  variableGrads(loss: () => Tensor): { value: Tensor; grads: Record<string, Tensor> };
  readonly losses: { softmaxCrossEntropy(targets: Tensor, logits: Tensor): Tensor };
  readonly train: {
    momentum(
      rate: number,
      momentum: number,
      nesterov: boolean,
    ): { applyGradients(grads: Record<string, Tensor>): void };
  };
}

/** Images are [N, H, W, C] here. */
const operations = (tf: TensorFlow): Operations<Tensor> => ({
  conv(x, weight, { kernel, stride, groups }) {
    const pad = (kernel - 1) / 2;
    const filters = tf.transpose(weight, [2, 3, 1, 0]); // [height, width, in per group, out]
    if (groups === 1) return tf.conv2d(x, filters, stride, pad);
    const [slices, parts] = [tf.split(x, groups, 3), tf.split(filters, groups, 3)];
    return tf.concat(
      slices.map((slice, g) => tf.conv2d(slice, parts[g]!, stride, pad)),
      3,
    );
  },
  norm(x, scale, shift) {
    const { mean, variance } = tf.moments(x, [0, 1, 2]);
    return tf.batchNorm(x, mean, variance, shift, scale, 1e-5);
  },
  relu: (x) => tf.relu(x),
  add: (a, b) => tf.add(a, b),
  classify: (x, weight, bias) => tf.add(tf.matMul(tf.mean(x, [1, 2]), weight), bias),
  twice: (x) => [x, x],
});

export async function tensorFlowStep(tf: TensorFlow, settings: Settings): Promise<Step> {
  const { config, batch } = settings;
  await tf.setBackend('cpu');
  const ops = operations(tf);
  const parameters = parameterDims(config).map((dims, i) => tf.variable(tf.tensor(initial(dims, i), dims)));
  const images = tf.tensor(randomImages(settings), [batch, ...config.inputSize, config.inputChannels]);
  const targets = tf.tensor(oneHot(settings), [batch, config.classes]);
  const optimizer = tf.train.momentum(0.01, 0.9, true);
  const loss = (): Tensor => {
    let next = 0;
    return tf.losses.softmaxCrossEntropy(
      targets,
      forward(ops, images, () => parameters[next++]!, config),
    );
  };
  const step = (): Tensor =>
    tf.tidy(() => {
      const { value, grads } = tf.variableGrads(loss);
      const decayed = parameters.map((p) => [p.name, tf.add(grads[p.name]!, tf.mul(p, 5e-4))] as const);
      optimizer.applyGradients(Object.fromEntries(decayed));
      return value;
    });
  return async () => {
    const value = step();
    const [number] = await value.data();
    value.dispose();
    if (!Number.isFinite(number)) throw new Error(`the loss became ${number}`);
  };
}
