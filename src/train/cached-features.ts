/**
 * The data of a linear probe, which trains only the classifier on features of the frozen network. The features are
 * computed once, from images preprocessed as for evaluation, so an epoch takes very little time. A resumed run recomputes
 * them.
 *
 * A feature takes 4 bytes: 2,048 features of 100,000 images take 800 MB.
 */

import { Session, type SessionOptions, thisMachine } from '#platform';
import { softmax } from '../classifier/predictions.ts';
import { type Batch, countBatches, Loader } from '../data/loader.ts';
import { orderOf } from '../data/order.ts';
import { evaluationTransforms } from '../data/presets.ts';
import type { LabeledList } from '../data/samples.ts';
import { UsageError } from '../errors.ts';
import { Builder } from '../graph/builder.ts';
import { lowerInference } from '../lower/inference.ts';
import { Accuracy } from '../metrics/accuracy.ts';
import { argmax, Confusion } from '../metrics/confusion.ts';
import { Layers } from '../model/layers.ts';
import { type Model, resnext } from '../model/resnext.ts';
import { setWeights, type Weights } from '../model/weights.ts';
import type { ModelDescription } from '../saved/description.ts';
import { head } from '../step/parameter-groups.ts';
import { tensor } from '../tensor.ts';
import type { FeaturesEvent, TrainHooks } from './events.ts';
import type { TrainOptions } from './options.ts';
import { type TrainingBatch, withTargets } from './targets.ts';
import type { OnCorrupt, OnPrediction, Samples, Score, TrainingData } from './training-data.ts';

/** The features of N images, [N, F], and their labels. */
interface Labeled {
  readonly features: Float32Array;
  readonly labels: Int32Array;
}

/** Images per run of the network. */
const imagesAtATime = 64;
/** Features per run of the classifier in validation. */
const rowsAtATime = 1024;

const settingsOf = ({ threads, providers }: TrainOptions): SessionOptions => ({ threads, providers });

export class CachedFeatures implements TrainingData {
  readonly model: Model;
  readonly freeze: readonly string[] = [];
  readonly stepsPerEpoch: number;
  readonly hasValidation: boolean;
  readonly #options: TrainOptions;
  readonly #network: Weights;
  readonly #train: Labeled;
  readonly #validation: Labeled;
  /** Whether all validation images could be read, so that their features are in the order of the images. */
  readonly #isComplete: boolean;

  private constructor(
    options: TrainOptions,
    model: Model,
    network: Weights,
    train: Labeled,
    validation: Labeled,
    isComplete: boolean,
  ) {
    this.#isComplete = isComplete;
    this.model = model;
    this.stepsPerEpoch = countBatches(train.labels.length, options.batch, true);
    this.hasValidation = validation.labels.length > 0;
    this.#options = options;
    this.#network = network;
    this.#train = train;
    this.#validation = validation;
  }

  /**
   * Computes the features of all images.
   *
   * @throws UsageError if fewer images than a batch can be read; FormatError for the first that cannot be read, with
   *   `strict`.
   */
  static async open(
    options: TrainOptions,
    folder: Samples,
    { config, preprocessing }: ModelDescription,
    weights: Weights,
    { onEvent = () => {}, signal }: TrainHooks,
  ): Promise<CachedFeatures> {
    const network = resnext({ ...config, classes: 0 });
    setWeights(network, weights);
    const width = network.graph.outputs[0]!.dims![1] as number;
    const { block } = await thisMachine();
    const session = await Session.open(lowerInference(network.graph, { block }).graph, settingsOf(options));
    const loader = new Loader({ workers: options.workers, maxMegapixels: options.maxMegapixels, cache: 0 }); // reads each image once
    const total = folder.train.length + folder.validation.length;
    const counter = new Counter(total, onEvent);
    const transforms = evaluationTransforms(preprocessing);
    const corrupt = options.strict ? 'throw' : 'skip';
    const onCorrupt = (path: string, message: string) => options.strict || onEvent({ event: 'corrupt', path, message });
    const compute = async (samples: LabeledList): Promise<Labeled> => {
      if (samples.length === 0) return { features: new Float32Array(), labels: new Int32Array() };
      const batchSize = Math.min(imagesAtATime, samples.length);
      const batches = loader.batches({ samples, transforms, batchSize, corrupt, onCorrupt });
      return featuresOf(session, batches, samples.length, width, counter, signal);
    };
    try {
      const [train, validation] = [await compute(folder.train), await compute(folder.validation)];
      if (!signal?.aborted) checkCount(train.labels.length, options.batch);
      const isComplete = validation.labels.length === folder.validation.length;
      return new CachedFeatures(options, headModel(config, width), weights, train, validation, isComplete);
    } finally {
      await session.dispose();
      await loader.close();
    }
  }

  batches(epoch: number, startBatch: number): AsyncIterable<TrainingBatch> {
    return withTargets(this.#rows(epoch, startBatch), this.model.config.classes, this.#options);
  }

  async *#rows(epoch: number, startBatch: number): AsyncGenerator<Pick<Batch, 'images' | 'labels'>> {
    const { batch, seed, sampling } = this.#options;
    const { features, labels } = this.#train;
    const width = features.length / labels.length;
    const balanced = sampling === 'balanced';
    const order = orderOf(labels.length, (row) => labels[row]!, { seed, epoch, shuffle: true, balanced, repeats: 1 });
    const images = new Float32Array(batch * width);
    for (let number = startBatch; number < this.stepsPerEpoch; number++) {
      const rows = order.subarray(number * batch, (number + 1) * batch);
      rows.forEach((row, n) => {
        images.set(features.subarray(row * width, (row + 1) * width), n * width);
      });
      yield { images, labels: Int32Array.from(rows, (row) => labels[row]!) };
    }
  }

  async validate(weights: Weights, _: OnCorrupt, onPrediction: OnPrediction = () => {}): Promise<Score | undefined> {
    const { features, labels } = this.#validation;
    if (!this.hasValidation) return undefined;
    setWeights(this.model, weights);
    const session = await Session.open(this.model.graph, settingsOf(this.#options));
    const width = features.length / labels.length;
    const { classes } = this.model.config;
    const [accuracy, confusion] = [new Accuracy(classes), new Confusion(classes)];
    try {
      for (let first = 0; first < labels.length; first += rowsAtATime) {
        const part = labels.subarray(first, first + rowsAtATime);
        const rows = features.subarray(first * width, (first + part.length) * width);
        const results = await session.run(new Map([['input', tensor('float32', [part.length, width], rows)]]));
        const logits = results.get('logits')!.data as Float32Array;
        accuracy.add(logits, part);
        confusion.addAll(logits, part);
        if (this.#isComplete) predict(logits, classes, first, onPrediction);
      }
    } finally {
      await session.dispose();
    }
    return { loss: accuracy.loss, top1: accuracy.top1, top5: accuracy.top5, ...confusion.means() };
  }

  allWeights(weights: Weights): Weights {
    return new Map([...this.#network, ...weights]);
  }

  async close(): Promise<void> {}
}

/** Throws a UsageError where the images that can be read are fewer than a batch. */
function checkCount(images: number, batch: number): void {
  if (images === 0) throw new UsageError('None of the training images can be read. Replace them.');
  if (images >= batch) return;
  throw new UsageError(
    `batch is ${batch}, but only ${images} training images can be read. Choose a smaller batch, such as ${images}.`,
  );
}

/** Calls back for each row of logits [N, K]. */
function predict(logits: Float32Array, classes: number, first: number, onPrediction: OnPrediction): void {
  for (let n = 0; n < logits.length / classes; n++) {
    const probabilities = softmax(logits.subarray(n * classes, (n + 1) * classes));
    const predicted = argmax(probabilities);
    onPrediction(first + n, predicted, probabilities[predicted]!);
  }
}

/** The classifier by itself: `input` [N, F] → `logits` [N, K]. */
function headModel(config: Model['config'], width: number): Model {
  const layers = new Layers(new Builder('classifier'));
  const x = layers.builder.input('input', ['N', width]);
  layers.builder.output(layers.linear(head, x, config.classes), 'logits');
  return { config, graph: layers.builder.graph, parameters: layers.parameters };
}

async function featuresOf(
  session: Session,
  batches: AsyncIterable<Batch>,
  total: number,
  width: number,
  counter: Counter,
  signal: AbortSignal | undefined,
): Promise<Labeled> {
  const [features, labels] = [new Float32Array(total * width), new Int32Array(total)];
  let done = 0;
  for await (const { images, labels: known, count, dims } of batches) {
    const [, ...image] = dims;
    const pixels = images.subarray(0, (images.length / dims[0]) * count);
    const results = await session.run(new Map([['input', tensor('float32', [count, ...image], pixels)]]));
    features.set(results.get('features')!.data as Float32Array, done * width);
    labels.set(known.subarray(0, count), done);
    done += count;
    counter.add(count);
    if (signal?.aborted) break;
  }
  return { features: features.subarray(0, done * width), labels: labels.subarray(0, done) };
}

/** Counts images and reports progress. */
class Counter {
  readonly #total: number;
  readonly #onProgress: (event: FeaturesEvent) => void;
  readonly #began = performance.now();
  #done = 0;

  constructor(total: number, onProgress: (event: FeaturesEvent) => void) {
    this.#total = total;
    this.#onProgress = onProgress;
  }

  add(count: number): void {
    this.#done += count;
    const imagesPerSecond = (1000 * this.#done) / (performance.now() - this.#began);
    const secondsLeft = (this.#total - this.#done) / imagesPerSecond;
    this.#onProgress({ event: 'features', done: this.#done, total: this.#total, imagesPerSecond, secondsLeft });
  }
}
