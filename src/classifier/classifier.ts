/** A model at work: pictures in, classes out. It prepares pictures the way the model was trained and names the results. */
import type { Sample } from '../data/folder.ts';
import { decode, type Image } from '../data/image.ts';
import { type EpochOptions, Loader } from '../data/loader.ts';
import { evaluationTransforms } from '../data/presets.ts';
import { sampleRandom } from '../data/random.ts';
import { applyTransforms, outputDims, type Transforms } from '../data/transforms.ts';
import { UsageError } from '../errors.ts';
import type { Session } from '../runtime/session.ts';
import { tensor } from '../tensor.ts';
import type { ModelDescription } from './description.ts';
import type { SavedModel } from './files.ts';
import { type ClassifierOptions, openModel } from './open.ts';
import { Tally } from './tally.ts';

export interface Prediction {
  readonly label: string;
  /** Between 0 and 1; over all classes they add up to 1. */
  readonly probability: number;
}

export interface Evaluation {
  readonly pictures: number;
  /** Percent of pictures whose class is the likeliest, or among the five likeliest. */
  readonly top1: number;
  readonly top5: number;
  /** Mean cross-entropy. */
  readonly loss: number;
  /** top1 of each class, in percent, by name. */
  readonly classes: Readonly<Record<string, number>>;
}

export interface EvaluateOptions extends Pick<EpochOptions, 'corrupt' | 'onCorrupt'> {
  /** 64 unless given. */
  readonly batchSize?: number;
  /** Made and closed here unless given. */
  readonly loader?: Loader;
  readonly onProgress?: (done: number, total: number) => void;
}

export class Classifier {
  readonly description: ModelDescription;
  readonly #session: Session;
  readonly #output: string;
  readonly #transforms: Transforms;

  private constructor(description: ModelDescription, session: Session) {
    this.description = description;
    this.#session = session;
    this.#output = session.outputNames[0]!;
    this.#transforms = evaluationTransforms(description.preprocessing);
  }

  /**
   * Opens a run folder, a `.safetensors` or an `.onnx` file, or a model in memory. The graph is lowered for this machine
   * (`lowerInference`), and for the next start of a file kept so, unless `cache` is false.
   *
   * @throws UsageError when there is no such file or the model has no classes, FormatError when it is no model.
   * @example
   * const classifier = await Classifier.open('runs/flowers');
   * const [best] = await classifier.classify('rose.jpg');
   */
  static async open(model: string | SavedModel, options: ClassifierOptions = {}): Promise<Classifier> {
    const { description, session } = await openModel(model, options);
    if (description.config.classes === 0) {
      await session.dispose();
      throw new UsageError(
        `The model is a ${description.variant} without classes; open its graph as a Session for features.`,
      );
    }
    return new Classifier(description, session);
  }

  /**
   * The `top` likeliest classes of one picture, a path, the bytes of an image file or decoded pixels; the likeliest first.
   *
   * @throws FormatError naming the picture when it cannot be read.
   */
  async classify(picture: string | Uint8Array | Image, top = 5): Promise<Prediction[]> {
    const image = typeof picture === 'string' || picture instanceof Uint8Array ? await decode(picture) : picture;
    const pixels = applyTransforms(this.#transforms, image, sampleRandom(0, 0, 0)); // [C, H, W]
    const logits = await this.logits(pixels);
    const probabilities = softmax(logits);
    const order = Array.from(probabilities.keys()).sort((a, b) => probabilities[b]! - probabilities[a]!);
    return order.slice(0, top).map((k) => ({ label: this.#label(k), probability: probabilities[k]! }));
  }

  /** Prepared pictures [N, C, H, W] → logits [N, K], both flat. */
  async logits(images: Float32Array): Promise<Float32Array> {
    const dims = outputDims(this.#transforms);
    const count = images.length / (dims[0] * dims[1] * dims[2]);
    const results = await this.#session.run(new Map([['input', tensor('float32', [count, ...dims], images)]]));
    return results.get(this.#output)!.data as Float32Array;
  }

  /**
   * Measures the model on labelled pictures. Those that cannot be read are left out and reported.
   *
   * @throws FormatError for a picture that cannot be read under `corrupt: 'throw'`.
   * @example const { top1 } = await classifier.evaluate((await openClasses('val', classifier.description.classes)).samples);
   */
  async evaluate(samples: readonly Sample[], options: EvaluateOptions = {}): Promise<Evaluation> {
    const loader = options.loader ?? new Loader({ cache: 0 }); // every picture is seen once
    const { batchSize = 64, corrupt = 'skip', onCorrupt = () => {} } = options;
    const tally = new Tally(this.description.classes.length);
    const epoch = {
      samples,
      transforms: this.#transforms,
      batchSize: Math.min(batchSize, samples.length),
      corrupt,
      onCorrupt,
    };
    let done = 0;
    try {
      for await (const { images, labels, count } of loader.batches(epoch)) {
        const pixels = images.subarray(0, (images.length / labels.length) * count);
        tally.add(await this.logits(pixels), labels.subarray(0, count));
        done += count;
        options.onProgress?.(done, samples.length);
      }
    } finally {
      if (!options.loader) await loader.close();
    }
    const perClass = tally.perClass.map((value, k) => [this.#label(k), value] as const);
    return {
      pictures: tally.count,
      top1: tally.top1,
      top5: tally.top5,
      loss: tally.loss,
      classes: Object.fromEntries(perClass),
    };
  }

  /** Frees the session. The classifier cannot be used afterwards. */
  async dispose(): Promise<void> {
    await this.#session.dispose();
  }

  #label(k: number): string {
    return this.description.classes[k] ?? `class ${k}`;
  }
}

function softmax(logits: Float32Array): Float32Array {
  const peak = Math.max(...logits);
  const powers = logits.map((value) => Math.exp(value - peak));
  const total = powers.reduce((sum, value) => sum + value, 0);
  return powers.map((value) => value / total);
}
