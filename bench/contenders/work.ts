/** A training step, and inference as in `Classifier`: the same code in Node and in a page. */
import { initialWeights, type Model, setWeights, type Weights } from 'resnext';
import { lowerInference, Session, tensor, thisMachine } from 'resnext/graph';
import { Trainer } from 'resnext/train';
import { images } from './images.ts';

export interface WorkSettings {
  readonly batch: number;
  readonly threads: number;
  /** Parameter groups to freeze. */
  readonly freeze?: readonly string[];
}

export interface Work {
  readonly once: () => Promise<void>;
  readonly logits?: readonly number[];
}

export async function training(model: Model, { batch, threads, freeze = [] }: WorkSettings): Promise<Work> {
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

/** @param weights if given, logits are reported. */
export async function inference(model: Model, { batch, threads }: WorkSettings, weights?: Weights): Promise<Work> {
  setWeights(model, weights ?? initialWeights(model, 1));
  const { block } = await thisMachine();
  const { graph } = lowerInference(model.graph, { block });
  const session = await Session.open(graph, { threads });
  const { inputChannels, inputSize } = model.config;
  const dims = [batch, inputChannels, ...inputSize];
  const feeds = new Map([['input', tensor('float32', dims, images(dims))]]);
  const once = async () => void (await session.run(feeds));
  if (weights === undefined) return { once };
  const results = await session.run(feeds);
  return { once, logits: Array.from(results.get(session.outputNames[0]!)!.data as Float32Array) };
}
