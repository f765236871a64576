/** This package at work on random pictures: training steps, or inference. Started by `children.ts`. */
import { readFileSync } from 'node:fs';
import {
  cost,
  initialWeights,
  type Model,
  optimizeGraph,
  resnext,
  Session,
  setWeights,
  Trainer,
  tensor,
  variant,
} from 'resnext';
import { serve, type Task } from './serve.ts';

interface Settings {
  readonly task: 'train' | 'infer';
  readonly net: string;
  readonly batch: number;
  readonly threads: number;
  /** Another number of classes than the variant's own. */
  readonly classes?: number;
  /** Steps per answer, whose mean is given; 1 unless given. */
  readonly steps?: number;
  /** Steps before those, which are not timed. */
  readonly before?: number;
}

await serve(async (settings: Settings): Promise<Task> => {
  const { net, classes, steps = 1, before = 0 } = settings;
  const model = resnext({ ...variant(net), ...(classes !== undefined && { classes }) });
  const once = settings.task === 'train' ? await training(model, settings) : await inference(model, settings);
  const step = async () => {
    for (let i = 0; i < before; i++) await once();
    const began = performance.now();
    for (let i = 0; i < steps; i++) await once();
    return (performance.now() - began) / steps;
  };
  return { facts: { parameters: cost(model.graph).parameters, versions: versions() }, step };
});

async function training(model: Model, { batch, threads }: Settings): Promise<() => Promise<void>> {
  const options = { batch, threads, momentum: 0.9, nesterov: true, weightDecay: 5e-4 };
  const trainer = await Trainer.open(model, initialWeights(model, 1), options);
  fillRandom(trainer.images);
  const { classes } = model.config;
  for (let n = 0; n < batch; n++) trainer.targets[n * classes + (n % classes)] = 1;
  return async () => {
    await trainer.step(0.01);
    if (!Number.isFinite(trainer.loss[0])) throw new Error(`the loss became ${trainer.loss[0]}`);
  };
}

async function inference(model: Model, { batch, threads }: Settings): Promise<() => Promise<void>> {
  setWeights(model, initialWeights(model, 1));
  const { graph } = optimizeGraph(model.graph);
  const session = await Session.open(graph, { threads });
  const { inputChannels, inputSize } = model.config;
  const images = tensor('float32', [batch, inputChannels, ...inputSize]);
  fillRandom(images.data);
  const feeds = new Map([[graph.inputs[0]!.name, images]]);
  return async () => void (await session.run(feeds));
}

function fillRandom(data: Float32Array): void {
  for (let i = 0; i < data.length; i++) data[i] = 2 * Math.random() - 1;
}

function versions(): Record<string, string> {
  const file = new URL('package.json', import.meta.resolve('onnxruntime-node/package.json'));
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return { node: process.versions.node, 'onnxruntime-node': version };
}
