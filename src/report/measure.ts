/**
 * Evaluates a classifier for a report: beside its figures, the prediction for each image, thumbnails of mistakes, and for the
 * worst of them, what spoke for the predicted class.
 */
import { type Image, thumbnail } from '#platform/images';
import type { Classifier } from '../classifier/classifier.ts';
import type { Evaluation } from '../classifier/evaluation.ts';
import type { EvaluateOptions } from '../classifier/inputs.ts';
import { readIfPossible } from '../data/image-source.ts';
import { nameOf, type SampleList } from '../data/samples.ts';
import { drawExplanation } from '../explain/overlay.ts';
import { chooseMistakes, type Mistake, type ShownMistake, worstOf } from './gallery.ts';

export interface Measured {
  readonly result: Evaluation;
  /** The images that cannot be read. */
  readonly corrupt: readonly string[];
  /** The most likely class of each sample, its probability, and the cross-entropy; -1 for those that cannot be read. */
  readonly predicted: Int32Array;
  readonly probabilities: Float32Array;
  readonly losses: Float32Array;
}

export async function measure(
  classifier: Classifier,
  samples: SampleList,
  options: Omit<EvaluateOptions, 'onPrediction'>,
): Promise<Measured> {
  const corrupt: string[] = [];
  const predicted = new Int32Array(samples.length).fill(-1);
  const [probabilities, losses] = [new Float32Array(samples.length), new Float32Array(samples.length)];
  const result = await classifier.evaluate(samples, {
    ...options,
    onCorrupt: (path, message, index) => {
      corrupt.push(path);
      options.onCorrupt?.(path, message, index);
    },
    onPrediction: (index, best, probability, loss) => {
      predicted[index] = best;
      probabilities[index] = probability;
      losses[index] = loss;
    },
  });
  return { result, corrupt, predicted, probabilities, losses };
}

/** Longer side of a thumbnail in pixels. */
const thumbnailSide = 144;

/**
 * The mistakes to show, with thumbnails. Those that can no longer be read are left out.
 *
 * @param classifier explains the worst.
 */
export async function shownMistakes(
  measured: Measured,
  samples: SampleList,
  maxMegapixels: number,
  classifier?: Classifier,
): Promise<ShownMistake[]> {
  const shown: ShownMistake[] = [];
  const mistakes = mistakesOf(measured, samples);
  const worst = new Set(worstOf(mistakes));
  for (const mistake of chooseMistakes(measured.result, mistakes)) {
    const image = await readIfPossible(samples.at(mistake.index)!, maxMegapixels); // one at a time, since each may be large
    if (!image) continue;
    const { width, height } = image;
    const picture = { thumbnail: await thumbnail(image, thumbnailSide), size: [width, height] as const };
    const overlay = classifier && worst.has(mistake) ? await heatOver(image, mistake, classifier) : undefined;
    shown.push({ ...mistake, ...picture, ...(overlay !== undefined && { overlay }) });
  }
  return shown;
}

/** A heat map of the regions that support the predicted class, as a thumbnail. */
async function heatOver(image: Image, { predicted }: Mistake, classifier: Classifier): Promise<string> {
  const { map } = await classifier.explain(image, { class: predicted });
  return thumbnail(drawExplanation(image, map, classifier.description.preprocessing), thumbnailSide);
}

function mistakesOf({ predicted, probabilities, losses }: Measured, samples: SampleList): Mistake[] {
  const mistakes: Mistake[] = [];
  for (const [index, best] of predicted.entries()) {
    const label = samples.label(index);
    if (best < 0 || best === label) continue;
    const path = nameOf(samples.at(index)!);
    mistakes.push({ index, path, label, predicted: best, probability: probabilities[index]!, loss: losses[index]! });
  }
  return mistakes;
}
