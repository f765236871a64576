/** Runs a model on images, which it preprocesses as in training, and returns named classes, features or metrics. */

import type { Session } from '#platform';
import { checkArgument, checkList, checkOptions, kind } from '../arguments.ts';
import { type ImageSource, imageKind, type NamedImage, namedImageKind, readImage } from '../data/image-source.ts';
import { Loader } from '../data/loader.ts';
import { WorkerPool } from '../data/pool.ts';
import { evaluationTransforms, type Views, viewsField } from '../data/presets.ts';
import { sampleRandom } from '../data/random.ts';
import type { LabeledList } from '../data/samples.ts';
import { applyTransforms } from '../data/transforms/apply.ts';
import { countViews, outputDims } from '../data/transforms/plan.ts';
import type { Transforms } from '../data/transforms/table.ts';
import { UsageError } from '../errors.ts';
import { argmax } from '../metrics/confusion.ts';
import type { Stage } from '../model/stages.ts';
import { resolve } from '../options.ts';
import type { ModelDescription } from '../saved/description.ts';
import { withClasses } from '../saved/external.ts';
import { type SavedModel, savedModelKind } from '../saved/model.ts';
import { type ModelSource, modelSourceKind, readModel } from '../saved/read.ts';
import { elements, type Tensor, tensor } from '../tensor.ts';
import { type Evaluation, measure } from './evaluation.ts';
import { classIndex, Explainer, type ExplainOptions, type Explanation, explainFields } from './explain.ts';
import { type Features, StageSessions } from './features.ts';
import { checkFinite } from './finite.ts';
import {
  type BatchOptions,
  batchFields,
  type ClassifierInput,
  type ClassifyOptions,
  checkInputs,
  checkPrepared,
  checkSamples,
  classifyFields,
  type EvaluateOptions,
  evaluateFields,
  type FeatureOptions,
  featureFields,
  isPrepared,
  stacked,
  viewsOf,
} from './inputs.ts';
import { classNames, labeled } from './labels.ts';
import { type ClassifierOptions, classifierFields, type OpenedModel, openModel } from './open.ts';
import { type Outcome, outcomesOf, type Run, resultsOf } from './outcomes.ts';
import {
  averageViews,
  type Prediction,
  type PredictionOptions,
  predictionFields,
  predictions,
  softmax,
} from './predictions.ts';

type ReadOptions = Pick<ClassifyOptions, 'batchSize' | 'views'>;

export class Classifier {
  readonly description: ModelDescription;
  /** Sentences for the user on how external weights were imported, and what a different preprocessing costs. */
  readonly notes: readonly string[];
  readonly #read: () => Promise<SavedModel>;
  readonly #options: ClassifierOptions;
  readonly #session: Session;
  readonly #stages: StageSessions;
  readonly #explainer: Explainer;
  readonly #transforms = new Map<Views, Transforms>();
  readonly #pool: WorkerPool;
  readonly #callingThread: WorkerPool;
  #end: Promise<unknown> | undefined;

  private constructor({ description, notes, session, read }: OpenedModel, options: ClassifierOptions) {
    this.description = description;
    this.notes = notes;
    this.#read = read;
    this.#options = options;
    this.#session = session;
    this.#stages = new StageSessions(read, options);
    this.#explainer = new Explainer(read, options);
    const { workers, maxMegapixels } = options;
    this.#pool = options.pool ?? new WorkerPool({ workers, maxMegapixels });
    this.#callingThread = new WorkerPool({ workers: 0, maxMegapixels: this.#pool.maxMegapixels });
  }

  /**
   * Opens a model in memory, the bytes of its file, or the file at a URL. In Node, `load` opens paths. The graph is lowered
   * for this machine (`lowerInference`).
   *
   * @param model a model, a URL, or the contents of a file that `readModel` reads, as bytes or a Blob.
   * @throws UsageError if a URL cannot be fetched, or the number of labels differs from that of classes; FormatError if
   *   the bytes are not a model.
   * @example
   * const classifier = await Classifier.open('/models/flowers/model.safetensors'); // in a browser
   * const [best] = await classifier.classify('/images/rose.jpg');
   */
  static async open(model: SavedModel | ModelSource, options: ClassifierOptions = {}): Promise<Classifier> {
    checkArgument('model', model, openable);
    checkOptions(classifierFields, options);
    const { key } = options;
    const saved = isSaved(model) ? model : await readModel(model, { lazy: true, ...(key !== undefined && { key }) });
    return Classifier.of(await openModel(saved, options), options);
  }

  /** A classifier for an opened model. `options` are also used for further sessions. */
  static async of(opened: OpenedModel, options: ClassifierOptions): Promise<Classifier> {
    try {
      return new Classifier({ ...opened, description: labeled(opened.description, options.labels) }, options);
    } catch (error) {
      await opened.session.dispose();
      throw error;
    }
  }

  /**
   * Returns the most likely classes of one image, or of each image of a list, most likely first.
   *
   * @throws FormatError naming the first image that cannot be read; UsageError if the model has no classes, an option is
   *   out of range, or an image was prepared for a model of another size.
   * @example
   * const [best] = await classifier.classify('rose.jpg', { views: 'ten-crop' });
   * const all = await classifier.classify(['rose.jpg', 'https://example.org/tulip.jpg'], { top: 3, threshold: 0.1 });
   */
  classify(image: ClassifierInput, options?: ClassifyOptions): Promise<Prediction[]>;
  classify(images: readonly ClassifierInput[], options?: ClassifyOptions): Promise<Prediction[][]>;
  async classify(
    images: ClassifierInput | readonly ClassifierInput[],
    options: ClassifyOptions = {},
  ): Promise<Prediction[] | Prediction[][]> {
    checkInputs(images);
    checkOptions(classifyFields, options);
    const results = await this.#results(listOf(images), options, this.#predict(options));
    return isList(images) ? results : results[0]!;
  }

  /**
   * Yields the most likely classes of each image of a list of any length, in order, as soon as its batch is done. For an
   * image that cannot be read, it yields the error.
   *
   * @throws UsageError if the model has no classes.
   * @example
   * for await (const outcome of classifier.classifyEach(paths)) console.log('error' in outcome ? 'unread' : outcome.result[0]);
   */
  classifyEach(
    images: readonly (ImageSource | NamedImage)[],
    options: ClassifyOptions = {},
  ): AsyncGenerator<Outcome<Prediction[]>, void, undefined> {
    checkList('images', images, namedImageKind);
    checkOptions(classifyFields, options);
    return this.#outcomes(images, options, this.#predict(options));
  }

  /**
   * Returns the pooled feature vector [F] of one image, or of each image of a list, or the feature maps of stages.
   *
   * @returns a vector, or with `stages` the tensors by stage: maps [C, H, W], `pooled` [F], `logits` [K].
   * @throws FormatError naming the first image that cannot be read; UsageError naming a stage that the model does not have.
   * @example
   * const vector = await classifier.features('rose.jpg');
   * const maps = await classifier.features('rose.jpg', { stages: ['layer3', 'layer4'] });
   * maps.get('layer3'); // [1024, 14, 14]
   */
  features(image: ClassifierInput, options: FeatureOptions & { stages: readonly Stage[] }): Promise<Features>;
  features(
    images: readonly ClassifierInput[],
    options: FeatureOptions & { stages: readonly Stage[] },
  ): Promise<Features[]>;
  features(image: ClassifierInput, options?: BatchOptions): Promise<Float32Array>;
  features(images: readonly ClassifierInput[], options?: BatchOptions): Promise<Float32Array[]>;
  async features(
    images: ClassifierInput | readonly ClassifierInput[],
    options: FeatureOptions = {},
  ): Promise<Features | Features[] | Float32Array | Float32Array[]> {
    checkInputs(images);
    checkOptions(featureFields, options);
    const stages = options.stages ?? ['pooled'];
    const maps = await this.#results(listOf(images), options, (images) => this.#stages.run(images, stages));
    const results = options.stages ? maps : maps.map((map) => map.get('pooled')!.data);
    return isList(images) ? (results as Features[] | Float32Array[]) : results[0]!;
  }

  /** As `classifyEach`, but yields the maps of `stages`. */
  featuresEach(
    images: readonly (ImageSource | NamedImage)[],
    options: FeatureOptions & { stages: readonly Stage[] },
  ): AsyncGenerator<Outcome<Features>, void, undefined> {
    checkList('images', images, namedImageKind);
    checkOptions(stagesFields, options);
    return this.#outcomes(images, options, (images) => this.#stages.run(images, options.stages));
  }

  /**
   * Explains a prediction: a map of the regions that support a class. `drawExplanation` draws it over the image.
   *
   * @returns the class with its probability, and a map [h, w] of the center crop.
   * @throws FormatError naming an image that cannot be read; UsageError naming a class or a stage that the model lacks.
   * @example const { label, map } = await classifier.explain('rose.jpg', { class: 'tulip', stage: 'layer3' });
   */
  async explain(image: ClassifierInput, options: ExplainOptions = {}): Promise<Explanation> {
    this.#checkOpen();
    checkInputs([image]);
    checkOptions(explainFields, options);
    const labels = classNames(this.description);
    const { inputChannels, inputSize } = this.description.config;
    const prepared = isPrepared(image) ? image : await this.prepare(image);
    checkPrepared(prepared, [inputChannels, ...inputSize], [1]);
    const probabilities = softmax(await this.#logits(prepared)); // [K]
    const index = options.class === undefined ? argmax(probabilities) : classIndex(options.class, labels);
    const explained = await this.#explainer.map(prepared, { index, classes: labels.length }, options);
    return { label: labels[index]!, probability: probabilities[index]!, ...explained };
  }

  /**
   * Reads an image and resizes, crops and normalizes it for the network. `classify` and `features` accept the result.
   *
   * @returns [V, C, H, W], with V views.
   * @throws FormatError naming the image if it cannot be read.
   */
  async prepare(source: ImageSource, views: Views = 'center', name?: string): Promise<Tensor<'float32'>> {
    checkArgument('source', source, imageKind);
    checkArgument('views', views, viewsField);
    const transforms = this.#transformsFor(views);
    const { maxMegapixels } = this.#pool;
    const image = await readImage(source, name, { maxMegapixels });
    const count = countViews(transforms);
    const [channels, height, width] = outputDims(transforms);
    const pixels = applyTransforms(transforms, image, sampleRandom(0, 0, 0)); // [V·C, H, W]
    return tensor('float32', [count, channels / count, height, width], pixels);
  }

  /**
   * Prepared images [N, C, H, W] → logits [N, K], both flat.
   *
   * @throws UsageError if a logit is NaN or infinite.
   */
  async logits(images: Float32Array): Promise<Float32Array> {
    const dims = outputDims(this.#transformsFor('center'));
    const expected = kind(`a Float32Array of [N, ${dims.join(', ')}]`, (value) => {
      return value instanceof Float32Array && value.length > 0 && value.length % elements(dims) === 0;
    });
    checkArgument('images', images, expected);
    return this.#logits(tensor('float32', [images.length / elements(dims), ...dims], images));
  }

  /** Images [N, C, H, W] of the network's size → logits [N, K], flat. */
  async #logits(input: Tensor<'float32'>): Promise<Float32Array> {
    const output = this.#session.outputNames[0]!;
    const logits = (await this.#session.run(new Map([['input', input]]))).get(output) as Tensor<'float32'>;
    checkFinite('The logits', logits, input);
    return logits.data;
  }

  /**
   * Measures the model on labeled images. Images that cannot be read are reported and skipped.
   *
   * @throws FormatError for an image that cannot be read, with `corrupt: 'throw'`; UsageError if there are no samples, or
   *   the model has no classes.
   * @example const { top1 } = await classifier.evaluate((await openClasses('val', classifier.description.classes)).samples);
   */
  async evaluate(samples: LabeledList, options: EvaluateOptions = {}): Promise<Evaluation> {
    this.#checkOpen();
    checkOptions(evaluateFields, options);
    const labels = classNames(this.description);
    checkSamples(samples, labels.length);
    const transforms = this.#transformsFor(options.views);
    const views = countViews(transforms);
    const logits = async (images: Float32Array) => averageViews(await this.logits(images), views, labels.length);
    const loader = options.loader ?? new Loader({ pool: this.#pool, cache: 0 }); // reads each image once
    return measure(samples, { transforms, labels, logits, loader }, options);
  }

  /**
   * Opens the same network with a new, seeded head for other classes. This classifier does not change.
   *
   * @param classes the names of the classes, or their number.
   * @throws UsageError if there are no classes, or the model is an ONNX file with folded weights.
   */
  async withClasses(classes: readonly string[] | number, seed = 1): Promise<Classifier> {
    const { preprocessing: _, labels: __, ...options } = this.#options; // already applied to the model
    return Classifier.open(withClasses(await this.#read(), classes, seed), options);
  }

  /** Closes the classifier: frees its memory and ends its worker threads. */
  async dispose(): Promise<void> {
    const pool = this.#options.pool ? [] : [this.#pool];
    this.#end ??= Promise.all([
      ...pool.map((own) => own.close()),
      this.#stages.dispose(),
      this.#explainer.dispose(),
      this.#session.dispose(),
    ]);
    await this.#end;
  }

  /** A closed classifier would open sessions and threads that are never closed. */
  #checkOpen(): void {
    if (this.#end) throw new UsageError('The classifier is closed. Open another one.');
  }

  #transformsFor(views: Views = 'center'): Transforms {
    const known = this.#transforms.get(views);
    if (known) return known;
    const transforms = evaluationTransforms(this.description.preprocessing, views);
    this.#transforms.set(views, transforms);
    return transforms;
  }

  #predict(options: PredictionOptions): Run<Prediction[]> {
    const labels = classNames(this.description);
    const listed = resolve(predictionFields, options);
    return async ({ data }, views) => {
      const logits = averageViews(await this.logits(data), views, labels.length); // [N, K]
      return rowsOf(logits, labels.length).map((row) => predictions(row, labels, listed));
    };
  }

  /** Reads images and runs them in batches. Throws for the first that cannot be read. */
  #results<T>(images: readonly ClassifierInput[], options: ReadOptions, run: Run<T>): Promise<T[]> {
    return isPlain(images) ? resultsOf(this.#outcomes(images, options, run)) : this.#runPrepared(images, options, run);
  }

  #outcomes<T>(
    images: readonly (ImageSource | NamedImage)[],
    options: ReadOptions,
    run: Run<T>,
  ): AsyncGenerator<Outcome<T>, void, undefined> {
    this.#checkOpen();
    const here = images.length <= maxImagesHere && !this.#pool.isStarted;
    const loader = new Loader({ pool: here ? this.#callingThread : this.#pool, prefetch: 1, cache: 0 });
    const transforms = this.#transformsFor(options.views);
    return outcomesOf(images, { loader, transforms, batchSize: batchSizeOf(options) }, run);
  }

  /** Runs a list of which some images are already prepared. */
  async #runPrepared<T>(images: readonly ClassifierInput[], options: ReadOptions, run: Run<T>): Promise<T[]> {
    this.#checkOpen();
    const results: T[] = [];
    const size = batchSizeOf(options);
    const { inputChannels, inputSize } = this.description.config;
    const counts = viewsOf(options.views).map((views) => countViews(this.#transformsFor(views)));
    for (const image of images) if (isPrepared(image)) checkPrepared(image, [inputChannels, ...inputSize], counts);
    for (let start = 0; start < images.length; start += size) {
      const batch = images.slice(start, start + size);
      const prepared = await Promise.all(
        batch.map((each) => (isPrepared(each) ? each : this.prepare(each, options.views))),
      );
      results.push(...(await run(stacked(prepared), prepared[0]!.dims[0]!)));
    }
    return results;
  }
}

/** Lists of at most this many images are read in the calling thread, to save the time to start threads. */
const maxImagesHere = 16;

const batchSizeOf = (options: BatchOptions): number => resolve(batchFields, options).batchSize;

const isSaved = (model: SavedModel | ModelSource): model is SavedModel => savedModelKind.accepts(model);

const openable = kind(`a model, or its file: ${modelSourceKind.expected}`, (value) => {
  return savedModelKind.accepts(value) || modelSourceKind.accepts(value);
});

/** `featuresEach` has no default. */
const stagesFields = { ...featureFields, stages: { ...featureFields.stages, required: true as const } };

const isList = (images: ClassifierInput | readonly ClassifierInput[]): images is readonly ClassifierInput[] =>
  Array.isArray(images);

const listOf = (images: ClassifierInput | readonly ClassifierInput[]): readonly ClassifierInput[] =>
  isList(images) ? images : [images];

const isPlain = (images: readonly ClassifierInput[]): images is readonly ImageSource[] => !images.some(isPrepared);

/** [N, K] → N rows of K. */
const rowsOf = (values: Float32Array, length: number): Float32Array[] =>
  Array.from({ length: values.length / length }, (_, n) => values.subarray(n * length, (n + 1) * length));
