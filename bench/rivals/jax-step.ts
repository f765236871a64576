/**
 * A small ResNeXt in jax-js, on its WebAssembly backend. The step is one jitted function: loss, gradients, SGD. It keeps no
 * running statistics, which is a little less work. An array is used up by the operation that takes it, unless it is passed as
 * `.ref`.
 */
import type { Settings, Step } from './network.ts';
import { forward, initial, type Operations, oneHot, parameterDims, randomImages } from './network.ts';

/** What of jax-js is used here; it need not be installed for this file to be checked. */
interface JaxArray {
  readonly ref: JaxArray;
  add(other: JaxArray | number): JaxArray;
  sub(other: JaxArray | number): JaxArray;
  mul(other: JaxArray | number): JaxArray;
  div(other: JaxArray | number): JaxArray;
  reshape(dims: readonly number[]): JaxArray;
  dispose(): void;
  data(): Promise<Float32Array>;
}

type State = JaxArray[];

export interface Jax {
  init(device: string): Promise<unknown>;
  defaultDevice(device: string): unknown;
  jit<F>(step: F): F;
  valueAndGrad<R extends unknown[]>(f: (p: State, ...rest: R) => JaxArray): (p: State, ...rest: R) => [JaxArray, State];
  readonly lax: {
    convGeneralDilated(
      x: JaxArray,
      w: JaxArray,
      strides: number[],
      pads: [number, number][],
      options: { featureGroupCount: number },
    ): JaxArray;
  };
  readonly nn: { relu(x: JaxArray): JaxArray; logSoftmax(x: JaxArray): JaxArray };
  readonly numpy: {
    array(data: Float32Array): JaxArray;
    mean(x: JaxArray, axes: number[], options?: { keepdims: boolean }): JaxArray;
    sum(x: JaxArray): JaxArray;
    square(x: JaxArray): JaxArray;
    sqrt(x: JaxArray): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
  };
}

const operations = ({ lax, nn, numpy: np }: Jax): Operations<JaxArray> => ({
  conv(x, w, { kernel, stride, groups }) {
    const pad: [number, number] = [(kernel - 1) / 2, (kernel - 1) / 2];
    return lax.convGeneralDilated(x, w, [stride, stride], [pad, pad], { featureGroupCount: groups });
  },
  norm(x, scale, shift) {
    const centered = x.ref.sub(np.mean(x, [0, 2, 3], { keepdims: true })); // [N, C, H, W]
    const variance = np.mean(np.square(centered.ref), [0, 2, 3], { keepdims: true }); // [1, C, 1, 1]
    const normal = centered.div(np.sqrt(variance.add(1e-5)));
    return normal.mul(scale.reshape([1, -1, 1, 1])).add(shift.reshape([1, -1, 1, 1]));
  },
  relu: (x) => nn.relu(x),
  add: (a, b) => a.add(b),
  classify: (x, w, b) => np.matmul(np.mean(x, [2, 3]), w).add(b), // [N, classes]
  twice: (x) => [x.ref, x],
});

export async function jaxStep(jax: Jax, settings: Settings): Promise<Step> {
  const { config, batch } = settings;
  await jax.init('wasm');
  jax.defaultDevice('wasm');
  const { numpy: np } = jax;
  const ops = operations(jax);
  const loss = (parameters: State, images: JaxArray, targets: JaxArray): JaxArray => {
    let next = 0;
    const logits = forward(ops, images, () => parameters[next++]!, config);
    return np.sum(jax.nn.logSoftmax(logits).mul(targets)).mul(-1 / batch);
  };
  const lossAndGradients = jax.valueAndGrad(loss);
  const step = jax.jit((parameters: State, velocity: State, images: JaxArray, targets: JaxArray) => {
    const [value, gradients] = lossAndGradients(
      parameters.map((p) => p.ref),
      images,
      targets,
    );
    const decayed = gradients.map((g, i) => g.add(parameters[i]!.ref.mul(5e-4)));
    const moved = decayed.map((g, i) => velocity[i]!.mul(0.9).add(g.ref));
    const updated = decayed.map((g, i) => parameters[i]!.sub(moved[i]!.ref.mul(0.9).add(g).mul(0.01)));
    return [value, updated, moved] as [JaxArray, State, State];
  });
  let parameters = parameterDims(config).map((dims, i) => np.array(initial(dims, i)).reshape(dims));
  let velocity = parameterDims(config).map((dims) =>
    np.array(new Float32Array(dims.reduce((a, b) => a * b, 1))).reshape(dims),
  );
  const images = np.array(randomImages(settings)).reshape([batch, config.inputChannels, ...config.inputSize]);
  const targets = np.array(oneHot(settings)).reshape([batch, config.classes]);
  return async () => {
    const [value, updated, moved] = step(parameters, velocity, images.ref, targets.ref);
    [parameters, velocity] = [updated, moved];
    for (const p of updated) await p.ref.data();
    const [number] = await value.data();
    if (!Number.isFinite(number)) throw new Error(`the loss became ${number}`);
  };
}
