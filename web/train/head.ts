/** A classifier by itself, trained on features that were computed once: a linear probe. */
import type { Model, Weights } from 'resnext';
import { type Random, sampleRandom } from 'resnext/data';
import { Builder, type Tensor } from 'resnext/graph';
import { type Optimizer, Trainer } from 'resnext/train';

/** Features [N, F] and the classes [N] that they belong to. */
export interface Labeled {
  readonly features: Float32Array;
  readonly labels: Int32Array;
}

export interface HeadOptions {
  /** Of the whole network; its number of classes is that of the classifier. */
  readonly config: Model['config'];
  readonly optimizer: Optimizer;
  readonly classWeights: readonly number[];
  readonly seed: number;
}

/** A classifier after a round of steps. */
export interface Round {
  readonly head: Weights;
  /** Mean loss of the round. */
  readonly loss: number;
  /** Of the features that were held out: [M, K]. */
  readonly logits: Float32Array;
}

export const rounds = 20;
/** Few pictures make few batches, but take as many steps. */
const leastSteps = 10;
const batchSize = 32;

/** @param weights that the classifier starts from, among others. */
export async function* trainHead(
  known: Labeled,
  heldOut: Labeled,
  weights: Weights,
  { config, optimizer, classWeights, seed }: HeadOptions,
): AsyncGenerator<Round> {
  const { classes } = config;
  const count = known.labels.length;
  const width = known.features.length / count;
  const model = headModel(config, width);
  const start = new Map(model.parameters.map(({ value: { name } }) => [name, weights.get(name)!]));
  const batch = Math.min(batchSize, count);
  const trainer = await Trainer.open(model, start, { batch, optimizer, classWeights });
  const rate = 1 / meanSquare(known.features, count); // large features need small steps
  const random = sampleRandom(seed, 0, 0);
  const steps = Math.max(leastSteps, Math.floor(count / batch));
  const labels = new Int32Array(batch);
  let order: number[] = [];
  for (let round = 0; round < rounds; round++) {
    let sum = 0;
    for (let step = 0; step < steps; step++) {
      if (order.length < batch) order = shuffled(count, random);
      for (const [n, row] of order.splice(0, batch).entries()) {
        trainer.images.set(known.features.subarray(row * width, (row + 1) * width), n * width);
        labels[n] = known.labels[row]!;
      }
      trainer.targets.set(smoothedTargets(labels, classes));
      await trainer.step((rate * (1 + Math.cos((Math.PI * round) / rounds))) / 2);
      sum += trainer.loss[0]!;
    }
    const head = trainer.weights;
    yield { head, loss: sum / steps, logits: logitsOf(heldOut.features, head, width, classes) };
  }
  await trainer.dispose();
}

/** Keeps few pictures from being learned by heart, as in the recipe `finetune`. */
const smoothing = 0.1;

/** Classes [N] → probabilities [N, K], of which each class gets a little. */
export function smoothedTargets(labels: Int32Array, classes: number): Float32Array {
  const targets = new Float32Array(labels.length * classes).fill(smoothing / classes);
  for (const [n, label] of labels.entries()) targets[n * classes + label]! += 1 - smoothing;
  return targets;
}

/** `input` [N, F] → `logits` [N, K]. */
function headModel(config: Model['config'], width: number): Model {
  const graph = new Builder('classifier');
  const input = graph.input('input', ['N', width]);
  const weight = graph.parameter('fc.weight', [config.classes, width]);
  const bias = graph.parameter('fc.bias', [config.classes]);
  graph.output(graph.op('Gemm', [input, weight, bias], { transB: 1 }, 'fc'), 'logits');
  const parameters = [weight, bias].map((value) => ({
    value,
    source: { name: value.name, axis: 0, start: 0 },
    trainable: true,
  }));
  return { config, graph: graph.graph, parameters };
}

function logitsOf(features: Float32Array, head: Weights, width: number, classes: number): Float32Array {
  const [weight, bias] = ['fc.weight', 'fc.bias'].map((name) => (head.get(name) as Tensor<'float32'>).data);
  return Float32Array.from({ length: (features.length / width) * classes }, (_, i) => {
    const [row, k] = [Math.floor(i / classes), i % classes];
    let sum = bias![k]!;
    for (let f = 0; f < width; f++) sum += features[row * width + f]! * weight![k * width + f]!;
    return sum;
  });
}

/** The mean squared length of the rows. */
const meanSquare = (features: Float32Array, count: number): number =>
  features.reduce((sum, value) => sum + value * value, 0) / count || 1;

function shuffled(count: number, random: Random): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.int(0, i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
