/** This package: training steps, or inference as in `Classifier`. Started by `children.ts`. */
import { initialWeights, type Model, resnext, setWeights, variant } from 'resnext';
import { cost, lowerInference, Session, tensor, thisMachine } from 'resnext/graph';
import { Trainer } from 'resnext/train';
import { readSafetensorsFile } from 'resnext/weights';
import { images } from './images.ts';
import { serve, type Task, version } from './serve.ts';

interface Settings {
  readonly task: 'train' | 'infer';
  readonly network: string;
  readonly batch: number;
  readonly threads: number;
  /** Number of classes. Default: the variant's. */
  readonly classes?: number;
  /** A safetensors file for inference, whose logits are then reported. */
  readonly weights?: string;
  /** Parameter groups to freeze. */
  readonly freeze?: readonly string[];
  /** Steps per measurement, which is their mean. Default: 1. */
  readonly steps?: number;
  /** Untimed steps before those. */
  readonly before?: number;
}

await serve(async (settings: Settings): Promise<Task> => {
  const { network, classes, steps = 1, before = 0 } = settings;
  const model = resnext({ ...variant(network), ...(classes !== undefined && { classes }) });
  const { once, logits } =
    settings.task === 'train' ? await training(model, settings) : await inference(model, settings);
  const step = async () => {
    for (let i = 0; i < before; i++) await once();
    const began = performance.now();
    for (let i = 0; i < steps; i++) await once();
    return (performance.now() - began) / steps;
  };
  const facts = { parameters: cost(model.graph).parameters, versions: version('onnxruntime-node') };
  return { facts: { ...facts, ...(logits && { logits }) }, step };
});

interface Work {
  readonly once: () => Promise<void>;
  readonly logits?: readonly number[];
}

async function training(model: Model, { batch, threads, freeze = [] }: Settings): Promise<Work> {
  const optimizer = { name: 'sgd', momentum: 0.9, nesterov: true } as const;
  const options = { batch, threads, freeze, optimizer, decayOf: () => 5e-4 };
  const trainer = await Trainer.open(model, initialWeights(model, 1), options);
  const { classes, inputChannels, inputSize } = model.config;
  trainer.images.set(images([batch, inputChannels, ...inputSize]));
  for (let n = 0; n < batch; n++) trainer.targets[n * classes + (n % classes)] = 1;
  const once = async () => {
    await trainer.step(0.01);
    if (!Number.isFinite(trainer.loss[0])) throw new Error(`the loss became ${trainer.loss[0]}`);
  };
  return { once };
}

async function inference(model: Model, { batch, threads, weights }: Settings): Promise<Work> {
  setWeights(model, weights === undefined ? initialWeights(model, 1) : (await readSafetensorsFile(weights)).tensors);
  const { graph } = lowerInference(model.graph, await thisMachine());
  const session = await Session.open(graph, { threads });
  const { inputChannels, inputSize } = model.config;
  const dims = [batch, inputChannels, ...inputSize];
  const feeds = new Map([['input', tensor('float32', dims, images(dims))]]);
  const once = async () => void (await session.run(feeds));
  if (weights === undefined) return { once };
  const results = await session.run(feeds);
  return { once, logits: Array.from(results.get(session.outputNames[0]!)!.data as Float32Array) };
}
