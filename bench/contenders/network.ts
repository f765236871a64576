/** This package: training steps, or inference as in `Classifier`. Started by `children.ts`. */
import { resnext, variant } from 'resnext';
import { cost } from 'resnext/graph';
import { readSafetensorsFile } from 'resnext/weights';
import { serve, type Task, version } from './serve.ts';
import { inference, training, type WorkSettings } from './work.ts';

interface Settings extends WorkSettings {
  readonly task: 'train' | 'infer';
  readonly network: string;
  /** Number of classes. Default: the variant's. */
  readonly classes?: number;
  /** A safetensors file for inference, whose logits are then reported. */
  readonly weights?: string;
  /** Steps per measurement, which is their mean. Default: 1. */
  readonly steps?: number;
  /** Untimed steps before those. */
  readonly before?: number;
}

await serve(async (settings: Settings): Promise<Task> => {
  const { network, classes, weights, steps = 1, before = 0 } = settings;
  const model = resnext({ ...variant(network), ...(classes !== undefined && { classes }) });
  const saved = weights === undefined ? undefined : (await readSafetensorsFile(weights)).tensors;
  const { once, logits } =
    settings.task === 'train' ? await training(model, settings) : await inference(model, settings, saved);
  const step = async () => {
    for (let i = 0; i < before; i++) await once();
    const began = performance.now();
    for (let i = 0; i < steps; i++) await once();
    return (performance.now() - began) / steps;
  };
  const facts = { parameters: cost(model.graph).parameters, versions: version('onnxruntime-node') };
  return { facts: { ...facts, ...(logits && { logits }) }, step };
});
