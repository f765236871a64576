/** What a program does with the demo's model, in Node or in a page: it classifies images, and trains the model on them. */
import type { Package } from './everything.ts';

export interface DemoFiles {
  /** The bytes of a file that holds the model. */
  readonly model: Uint8Array;
  readonly images: readonly Uint8Array[];
  /** The class of each image. */
  readonly labels: readonly string[];
}

export interface DemoResult {
  /** Of each image, its classes from the likeliest on. */
  readonly predictions: readonly (readonly { readonly label: string; readonly probability: number }[])[];
  /** Of ten training steps on all images. */
  readonly losses: readonly number[];
  /** The probability of each image's class after these steps. */
  readonly learned: readonly number[];
}

export async function demo(resnext: Package, { model, images, labels }: DemoFiles): Promise<DemoResult> {
  const classifier = await resnext.Classifier.open(model);
  const predictions = await classifier.classify(images);
  const prepared = await Promise.all(images.map((image) => classifier.prepare(image)));
  await classifier.dispose();

  const { description, weights } = await resnext.readModel(model);
  const network = resnext.resnext(description.config);
  const optimizer = { name: 'sgd', momentum: 0.9, nesterov: true } as const;
  const options = { batch: images.length, optimizer, lowering: 'standard' } as const;
  const trainer = await resnext.Trainer.open(network, weights!, options);
  for (const [n, { data }] of prepared.entries()) {
    trainer.images.set(data, n * data.length);
    trainer.targets[n * description.classes.length + description.classes.indexOf(labels[n]!)] = 1;
  }
  const losses: number[] = [];
  for (let step = 0; step < 10; step++) {
    await trainer.step(0.01);
    losses.push(trainer.loss[0]!);
  }
  resnext.setWeights(network, trainer.weights);
  await trainer.dispose();

  const trained = await resnext.Classifier.open({ description, graph: network.graph });
  const after = await trained.classify(images);
  await trained.dispose();
  return { predictions, losses, learned: labels.map((label, n) => probabilityOf(label, after[n]!)) };
}

export const probabilityOf = (label: string, predictions: DemoResult['predictions'][number]): number =>
  predictions.find((prediction) => prediction.label === label)!.probability;
