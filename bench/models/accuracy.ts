/**
 * What a shipped model gets right: measured, and as its folder records it in `accuracy.json`. The figures of the card, of
 * `npm run evaluate:default` and of `test/shipped-accuracy.test.ts` are all these.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Evaluation, load } from 'resnext';
import { openLabeledImages } from 'resnext/data';

/** Numbers of images, and the mean cross-entropy. */
export interface Accuracy {
  readonly images: number;
  readonly correct: number;
  /** Images whose class is among the five most likely. */
  readonly correctInFive: number;
  readonly loss: number;
}

/** The contents of `accuracy.json`. */
export interface Recorded {
  /** On all test or validation images of its dataset. */
  readonly test: Accuracy;
  /** On those in `test/samples`. */
  readonly sample: Accuracy;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

export const modelFolder = (name: string): string => join(root, 'models', name);
export const samplePath = (name: string): string => join(root, 'test/samples', `${name}.tar.gz`);

/** @throws Error if the model is not there. */
export function readRecorded(name: string): Recorded {
  const file = join(modelFolder(name), 'accuracy.json');
  if (!existsSync(file)) throw new Error(`There is no "${file}". Make it with npm run models.`);
  return JSON.parse(readFileSync(file, 'utf8')) as Recorded;
}

/** Evaluates a model on a dataset. Prints the progress where somebody looks on. */
export async function evaluate(model: string, data: string): Promise<Evaluation> {
  const classifier = await load(model);
  try {
    const { samples } = await openLabeledImages(data, classifier.description.classes);
    const onProgress = (done: number, total: number) => {
      if (process.stderr.isTTY) process.stderr.write(done === total ? '\r\u001b[K' : `\r${done} of ${total} images`);
    };
    return await classifier.evaluate(samples, { corrupt: 'throw', onProgress });
  } finally {
    await classifier.dispose();
  }
}

export function accuracyOf({ images, top1, top5, loss }: Evaluation): Accuracy {
  const count = (percent: number) => Math.round((percent * images) / 100);
  return { images, correct: count(top1), correctInFive: count(top5), loss };
}

/**
 * How many images another machine may get right or wrong instead: its ONNX Runtime adds in another order, so logits that are
 * nearly equal may change places.
 */
export const tolerance = (images: number): number => Math.max(2, Math.ceil(images / 1000));

/** Whether a measurement confirms what is recorded of the same images. */
export const confirms = (measured: Accuracy, recorded: Accuracy): boolean =>
  Math.abs(measured.correct - recorded.correct) <= tolerance(recorded.images);
