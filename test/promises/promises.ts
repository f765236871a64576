/**
 * What the package promises wherever it runs, as functions of the package: each computes numbers that have to be the
 * same on every platform and execution provider, up to its tolerance. `promises.test.ts` holds Node and Chromium to them.
 */
import type { Package } from './everything.ts';
/** How sessions are opened: what the platform leaves open. */
export interface Settings {
  readonly providers?: readonly string[];
  readonly threads?: number;
  readonly wasmPaths?: string;
}

export interface Pledge {
  /** The largest ‖a − b‖ / ‖a‖ between two platforms. */
  readonly tolerance: number;
  readonly compute: (resnext: Package, settings: Settings) => Promise<readonly number[]>;
}

export const pledges = {
  'the logits of a network': { tolerance: 1e-5, compute: logits },
  'the probabilities of a classifier': { tolerance: 1e-5, compute: probabilities },
  'the feature maps of a stage': { tolerance: 1e-5, compute: features },
  'the verification of a network': { tolerance: 0, compute: verification },
  'the losses of ten training steps': { tolerance: 1e-4, compute: losses(10) },
  'the losses of three training steps': { tolerance: 1e-4, compute: losses(3) },
} as const satisfies Readonly<Record<string, Pledge>>;

export type Pledged = keyof typeof pledges;

/** ‖a − b‖ / ‖a‖ */
export function distance(a: readonly number[], b: readonly number[]): number {
  const norm = (values: readonly number[]) => Math.hypot(...values);
  return a.length === b.length ? norm(a.map((value, i) => value - b[i]!)) / norm(a) : Number.POSITIVE_INFINITY;
}

const classes = ['ant', 'bee', 'cat', 'dog'];

/** A network of two blocks for images of 16 x 16, with the weights that it starts from. */
export function network({ resnext, initialWeights, setWeights, preprocessingFor }: Package) {
  const stem = 'cifar';
  const model = resnext({ depths: [1, 1], cardinality: 2, baseWidth: 8, width: 16, stem, classes: 4, inputSize: 16 });
  const weights = initialWeights(model, 1);
  setWeights(model, weights);
  const description = {
    variant: 'resnext8_2x8d_w16',
    config: model.config,
    classes,
    preprocessing: preprocessingFor({ images: 'small', size: 16 }),
    metrics: {},
  };
  return { model, weights, saved: { description, graph: model.graph, weights } };
}

/** Normalized images without a pattern: [N, 3, 16, 16]. */
export function images({ tensor }: Package, count: number) {
  const x = tensor('float32', [count, 3, 16, 16]);
  for (let i = 0; i < x.data.length; i++) x.data[i] = Math.sin(i * i);
  return x;
}

async function logits(resnext: Package, settings: Settings): Promise<number[]> {
  const session = await resnext.Session.open(network(resnext).model.graph, settings);
  const results = await session.run(new Map([['input', images(resnext, 3)]]));
  await session.dispose();
  return Array.from(results.get('logits')!.data, Number);
}

async function probabilities(resnext: Package, settings: Settings): Promise<number[]> {
  const classifier = await resnext.Classifier.open(network(resnext).saved, settings);
  const [predictions] = await classifier.classify([images(resnext, 1)]);
  await classifier.dispose();
  return classes.map((name) => predictions!.find(({ label }) => label === name)!.probability);
}

async function features(resnext: Package, settings: Settings): Promise<number[]> {
  const classifier = await resnext.Classifier.open(network(resnext).saved, settings);
  const maps = await classifier.features(images(resnext, 1), { stages: ['layer1'] });
  await classifier.dispose();
  return [...maps.get('layer1')!.data];
}

/** Whether the forms are equivalent, and what each costs. */
async function verification(resnext: Package, settings: Settings): Promise<number[]> {
  const { model, weights } = network(resnext);
  const { equivalent, forms } = await resnext.verify(model.config, weights, { ...settings, runs: 1 });
  return [Number(equivalent), ...forms.flatMap(({ parameters, macs }) => [parameters, macs])];
}

function losses(steps: number): Pledge['compute'] {
  return async (resnext, settings) => {
    const trainer = await openTrainer(resnext, settings);
    const losses: number[] = [];
    for (let i = 0; i < steps; i++) {
      await trainer.step(0.02);
      losses.push(trainer.loss[0]!);
    }
    await trainer.dispose();
    return losses;
  };
}

async function openTrainer(resnext: Package, settings: Settings) {
  const { model, weights } = network(resnext);
  const batch = 4;
  const optimizer = { name: 'sgd', momentum: 0.9, nesterov: true } as const;
  const step = { batch, optimizer, decayOf: () => 1e-4, lowering: 'standard' } as const;
  const trainer = await resnext.Trainer.open(model, weights, { ...step, ...settings });
  trainer.images.set(images(resnext, batch).data);
  for (let n = 0; n < batch; n++) trainer.targets[n * classes.length + n] = 1;
  return trainer;
}
