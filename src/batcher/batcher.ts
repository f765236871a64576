/**
 * Runs a model for many callers at once. Their images are prepared in worker threads and gathered into batches, and the
 * network runs outside of the main thread, which stays free for other work. The number of images that wait is limited.
 */
import { setMaxListeners } from 'node:events';
import { checkArgument, checkList, checkOptions, type FieldsOf, kind, signalField } from '../arguments.ts';
import { classIndex, type ExplainOptions, type Explanation, explainFields } from '../classifier/explain.ts';
import { type ClassifierInput, checkPrepared, isPrepared } from '../classifier/inputs.ts';
import { classNames, labeled } from '../classifier/labels.ts';
import { type LoadOptions, loadFields, modelName, withModelFile } from '../classifier/load.ts';
import { factsOf, preprocessedAs } from '../classifier/open.ts';
import { readerOf } from '../classifier/open-file.ts';
import type { Outcome } from '../classifier/outcomes.ts';
import {
  type Prediction,
  type PredictionOptions,
  predictionFields,
  predictions,
  softmax,
} from '../classifier/predictions.ts';
import { imageName, type NamedImage, namedImageKind } from '../data/image-source.ts';
import { WorkerPool } from '../data/pool.ts';
import { evaluationTransforms } from '../data/presets.ts';
import { FormatError, UsageError } from '../errors.ts';
import { argmax } from '../metrics/confusion.ts';
import { pick, resolve } from '../options.ts';
import type { ModelDescription } from '../saved/description.ts';
import { type SavedModel, savedModelKind } from '../saved/model.ts';
import { isTensor } from '../tensor.ts';
import { type Computed, Networks } from './networks.ts';
import { type BatchReport, type GatherOptions, gatherFields } from './options.ts';
import { Preparation, type Prepared } from './preparation.ts';
import { QueueFullError } from './queue-full.ts';

/** How a model is opened, and how the images of many callers are gathered into batches. */
export interface BatcherOptions extends Omit<LoadOptions, 'cache'>, GatherOptions {}

/** A bound session makes its own graph, which is not cached. */
const { cache: _, ...openFields } = loadFields;

/** `BatcherOptions` with their checks. */
export const batcherFields: FieldsOf<BatcherOptions> = { ...openFields, ...gatherFields };

/** Options of one call. */
export interface CallOptions {
  /** Ends the call, and rejects with the signal's reason. Images whose batch has not started are left out. */
  readonly signal?: AbortSignal;
}

const callFields: FieldsOf<CallOptions> = { signal: signalField };
const classifyFields = { ...predictionFields, ...callFields };
const explainCallFields = { ...explainFields, ...callFields };

/** An image, an image with a name for errors, or one that is prepared: float32 [1, C, H, W]. */
export type BatcherInput = ClassifierInput | NamedImage;

const inputKind = kind(`${namedImageKind.expected}, or a prepared image`, (value) => {
  return isTensor(value) || namedImageKind.accepts(value);
});

interface Parts {
  readonly description: ModelDescription;
  readonly notes: readonly string[];
  readonly networks: Networks;
  readonly preparation: Preparation;
  /** The pool that ends with the batcher, unless it is shared. */
  readonly pool: WorkerPool | undefined;
  readonly maxQueue: number;
  /** What runs and waits. Shared with the networks. */
  readonly load: Load;
}

/** What a batcher has to do. */
class Load {
  /** Images that are accepted and not answered. */
  waiting = 0;
  /** Of these, images that are not prepared. */
  preparing = 0;
  /** Milliseconds per image in the last batches. */
  #pace = 0;

  note({ images, took }: BatchReport): void {
    const pace = took / images;
    this.#pace = this.#pace === 0 ? pace : 0.8 * this.#pace + 0.2 * pace;
  }

  /** Seconds until what waits now is done, by the pace of the last batches. */
  get seconds(): number {
    return Math.max(1, Math.ceil((this.waiting * this.#pace) / 1000));
  }
}

export class Batcher {
  readonly description: ModelDescription;
  /** Sentences for the user on how external weights were imported, and what a different preprocessing costs. */
  readonly notes: readonly string[];
  readonly #parts: Parts;
  readonly #calls = new Set<Promise<unknown>>();
  #end: Promise<void> | undefined;

  private constructor(parts: Parts) {
    this.description = parts.description;
    this.notes = parts.notes;
    this.#parts = parts;
  }

  /** Opens a model. `createBatcher` checks the arguments, and resolves names. */
  static async open(read: () => Promise<SavedModel>, options: BatcherOptions): Promise<Batcher> {
    const model = await read();
    const facts = factsOf(model);
    const description = labeled(facts.description, options.labels);
    const { maxBatch, maxWait, maxQueue } = resolve(gatherFields, options);
    const load = new Load();
    const onBatch = (report: BatchReport) => {
      load.note(report);
      options.onBatch?.(report);
    };
    const gathering = { maxBatch, maxWait, isMoreComing: () => load.preparing > 0 };
    const networks = await Networks.open(model, read, { ...gathering, onBatch, opening: options });
    const { workers, maxMegapixels } = options;
    const pool = options.pool ?? new WorkerPool({ workers, maxMegapixels });
    const transforms = evaluationTransforms(description.preprocessing);
    const preparation = new Preparation(pool, transforms, 2 * maxBatch + pool.workers);
    const { notes } = facts;
    const own = options.pool ? undefined : pool;
    return new Batcher({ description, notes, networks, preparation, pool: own, maxQueue, load });
  }

  /** F, the length of a feature vector. */
  get featureCount(): number {
    return this.#parts.networks.featureCount;
  }

  /** The number of images that are accepted and not answered. */
  get waiting(): number {
    return this.#parts.load.waiting;
  }

  /**
   * Returns the most likely classes of one image, or of each image of a list, most likely first.
   *
   * @throws QueueFullError if too many images wait; FormatError naming the first image that cannot be read; UsageError if
   *   the model has no classes, or an option is out of range.
   * @example const [best] = await batcher.classify(await request.arrayBuffer(), { top: 3 });
   */
  classify(image: BatcherInput, options?: PredictionOptions & CallOptions): Promise<Prediction[]>;
  classify(images: readonly BatcherInput[], options?: PredictionOptions & CallOptions): Promise<Prediction[][]>;
  async classify(
    images: BatcherInput | readonly BatcherInput[],
    options: PredictionOptions & CallOptions = {},
  ): Promise<Prediction[] | Prediction[][]> {
    checkOptions(classifyFields, options);
    const labels = classNames(this.description);
    const listed = resolve(predictionFields, options);
    const results = await this.#results(images, options);
    const named = results.map(({ logits }) => predictions(logits!, labels, listed));
    return isList(images) ? named : named[0]!;
  }

  /**
   * Returns the pooled feature vector [F] of one image, or of each image of a list. Throws as `classify` does.
   *
   * @example const vector = await batcher.features(bytes);
   */
  features(image: BatcherInput, options?: CallOptions): Promise<Float32Array>;
  features(images: readonly BatcherInput[], options?: CallOptions): Promise<Float32Array[]>;
  async features(
    images: BatcherInput | readonly BatcherInput[],
    options: CallOptions = {},
  ): Promise<Float32Array | Float32Array[]> {
    checkOptions(callFields, options);
    const vectors = (await this.#results(images, options)).map(({ features }) => features);
    return isList(images) ? vectors : vectors[0]!;
  }

  /**
   * Explains a prediction, as `Classifier.explain` does.
   *
   * @returns the class with its probability, and a map [h, w] of the center crop.
   * @throws as `classify`; UsageError naming a class or a stage that the model lacks.
   * @example const { label, map } = await batcher.explain(bytes, { class: 'tulip' });
   */
  async explain(image: BatcherInput, options: ExplainOptions & CallOptions = {}): Promise<Explanation> {
    checkArgument('image', image, inputKind);
    checkOptions(explainCallFields, options);
    const [outcome] = await this.#each([image], options, (prepared) => this.#explain(prepared, options));
    return resultOf(outcome!);
  }

  /** As `explain`, for a list. An image that cannot be read gets the error instead. */
  explainEach(
    images: readonly BatcherInput[],
    options: ExplainOptions & CallOptions = {},
  ): Promise<Outcome<Explanation>[]> {
    checkList('images', images, inputKind);
    checkOptions(explainCallFields, options);
    return this.#each(images, options, (prepared) => this.#explain(prepared, options));
  }

  /**
   * Returns the logits [K] and the features [F] of each image, or the error of an image that cannot be read. Throws as
   * `classify` does otherwise.
   */
  run(images: readonly BatcherInput[], options: CallOptions = {}): Promise<Outcome<Computed>[]> {
    checkList('images', images, inputKind);
    checkOptions(callFields, options);
    return this.#each(images, options, (prepared) => this.#compute(prepared, options.signal));
  }

  /** Waits for the images that were accepted, then frees memory and ends worker threads. Later calls are refused. */
  async close(): Promise<void> {
    this.#end ??= this.#close();
    await this.#end;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#calls);
    const { networks, preparation, pool } = this.#parts;
    preparation.close();
    await Promise.all([networks.dispose(), pool?.close()]);
  }

  async #results(images: BatcherInput | readonly BatcherInput[], { signal }: CallOptions): Promise<Computed[]> {
    const list = isList(images) ? images : [images];
    return (await this.run(list, signal ? { signal } : {})).map(resultOf);
  }

  #compute({ pixels, release }: Prepared, signal?: AbortSignal): Promise<Computed> {
    return this.#parts.networks.run({ pixels, onCopied: release }, signal);
  }

  async #explain({ pixels, release }: Prepared, options: ExplainOptions & CallOptions): Promise<Explanation> {
    const labels = classNames(this.description);
    const { networks } = this.#parts;
    const { signal } = options;
    const own = Float32Array.from(pixels);
    release();
    const probabilities = softmax((await networks.run({ pixels: own }, signal)).logits!);
    const index = options.class === undefined ? argmax(probabilities) : classIndex(options.class, labels);
    const explained = await networks.explain(own, { index, classes: labels.length }, options, signal);
    return { label: labels[index]!, probability: probabilities[index]!, ...explained };
  }

  /** Accepts images, if there is room for all of them, and does something with each. */
  async #each<T>(
    images: readonly BatcherInput[],
    { signal }: CallOptions,
    action: (prepared: Prepared) => Promise<T>,
  ): Promise<Outcome<T>[]> {
    if (this.#end) throw new UsageError('The batcher is closed. Create another one.');
    const { load, maxQueue } = this.#parts;
    if (images.length > maxQueue) {
      throw new UsageError(`There are ${images.length} images, but at most ${maxQueue} (maxQueue) can wait at a time.`);
    }
    if (load.waiting + images.length > maxQueue) throw new QueueFullError(images.length, load.waiting, load.seconds);
    if (signal instanceof EventTarget) setMaxListeners(0, signal); // each image listens to it until it is done
    load.waiting += images.length;
    load.preparing += images.length;
    const each = images.map((image) => this.#one(image, signal, action));
    const settled = Promise.allSettled(each);
    this.#calls.add(settled);
    void settled.then(() => this.#calls.delete(settled));
    return unlessAborted(Promise.all(each), signal);
  }

  async #one<T>(
    image: BatcherInput,
    signal: AbortSignal | undefined,
    action: (prepared: Prepared) => Promise<T>,
  ): Promise<Outcome<T>> {
    const { load } = this.#parts;
    let prepared: Prepared | undefined;
    try {
      try {
        prepared = await this.#prepare(image, signal);
      } finally {
        load.preparing -= 1;
      }
      return { result: await action(prepared) };
    } catch (error) {
      if (error instanceof FormatError) return { error };
      throw error;
    } finally {
      prepared?.release();
      load.waiting -= 1;
    }
  }

  async #prepare(image: BatcherInput, signal: AbortSignal | undefined): Promise<Prepared> {
    if (isNamed(image)) return this.#parts.preparation.prepare(image, signal);
    if (!isPrepared(image)) return this.#parts.preparation.prepare({ name: imageName(image), image }, signal);
    const { inputChannels, inputSize } = this.description.config;
    checkPrepared(image, [inputChannels, ...inputSize], [1]);
    return { pixels: image.data, release: () => {} };
  }
}

/**
 * Opens a model to run images of many callers in batches, as a server does. It has sessions and worker threads of its own, so
 * the model need not be opened otherwise.
 *
 * @param model the name, path or URL of a model, as for `load`; or a model in memory.
 * @param options how it is opened, and how images are gathered.
 * @throws as `load` does.
 * @example
 * const batcher = await createBatcher('runs/flowers', { maxBatch: 16 });
 * app.post('/flower', async (request) => batcher.classify(request.body));
 */
export async function createBatcher(model: string | URL | SavedModel, options: BatcherOptions = {}): Promise<Batcher> {
  checkArgument('model', model, openable);
  checkOptions(batcherFields, options);
  if (isSaved(model)) {
    const prepared = preprocessedAs(model, options);
    return Batcher.open(async () => prepared, options);
  }
  const loading = pick<LoadOptions>(loadFields, options);
  return withModelFile(model, loading, (path) => Batcher.open(readerOf(path, options), options));
}

const openable = kind(`${modelName.expected}, or a model in memory`, (value) => {
  return modelName.accepts(value) || savedModelKind.accepts(value);
});

const isSaved = (model: string | URL | SavedModel): model is SavedModel => savedModelKind.accepts(model);

const isList = (images: BatcherInput | readonly BatcherInput[]): images is readonly BatcherInput[] =>
  Array.isArray(images);

const isNamed = (image: BatcherInput): image is NamedImage => typeof image === 'object' && 'image' in image;

function resultOf<T>(outcome: Outcome<T>): T {
  if ('error' in outcome) throw outcome.error;
  return outcome.result;
}

/** What a promise settles to, or the signal's reason if it aborts first. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  signal.throwIfAborted();
  let abort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort!);
  }
}
