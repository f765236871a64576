/** A model for bulk work: images are decoded in worker threads, and the network runs outside of the main thread. */
import type { BoundBatches } from '../batcher/bound-batches.ts';
import { type OpenStages, openStages } from '../batcher/networks.ts';
import type { Features } from '../classifier/features.ts';
import { checkFinite } from '../classifier/finite.ts';
import { classNames, labeled } from '../classifier/labels.ts';
import { factsOf } from '../classifier/open.ts';
import { readerOf } from '../classifier/open-file.ts';
import { type Outcome, outcomesOf } from '../classifier/outcomes.ts';
import type { NamedImage } from '../data/image-source.ts';
import { Loader } from '../data/loader.ts';
import { WorkerPool } from '../data/pool.ts';
import { evaluationTransforms } from '../data/presets.ts';
import type { LabeledImage } from '../data/samples.ts';
import type { Transforms } from '../data/transforms/table.ts';
import { UsageError } from '../errors.ts';
import { resolveModel } from '../hub/resolve.ts';
import { stageGraph } from '../model/stages.ts';
import type { ModelDescription } from '../saved/description.ts';
import { modelFile } from '../saved/files.ts';
import { elements, type Tensor, tensor } from '../tensor.ts';
import { version } from '../version.ts';
import { openingOf, type Settings, stagesOf } from './settings.ts';
import { sha256 } from './sha256.ts';

/** How a task uses the machine. */
export interface Machine {
  readonly threads?: number | undefined;
  readonly workers?: number | undefined;
  /** Images per batch. */
  readonly batch: number;
}

/** The file of a task's model, after a check that it is the one that the task was planned with. */
async function fileOf({ model, weights, version: planned }: Settings): Promise<string> {
  if (planned !== version()) {
    throw new UsageError(
      `The task was planned by version ${planned} of this package, but this is ${version()}. Install the same version everywhere.`,
    );
  }
  const { path } = await resolveModel(model);
  if ((await sha256(modelFile(path))) === weights) return path;
  throw new UsageError(`The model "${model}" is not the one that the task was planned with. Put the same file there.`);
}

/**
 * Checks that a model can do what the settings ask for, without opening it.
 *
 * @returns sentences for the user on the model.
 * @throws UsageError if it has no classes or lacks a stage.
 */
export async function checkModel(settings: Settings): Promise<readonly string[]> {
  const opening = openingOf(settings);
  const saved = await readerOf(await fileOf(settings), opening)();
  const { description, notes } = factsOf(saved);
  if (settings.task === 'classify') classNames(labeled(description, opening.labels));
  stageGraph(saved.graph, stagesOf(settings));
  return notes;
}

interface Opened extends OpenStages {
  readonly description: ModelDescription;
  readonly notes: readonly string[];
}

export class BulkModel {
  readonly description: ModelDescription;
  /** Sentences for the user on the model. */
  readonly notes: readonly string[];
  readonly #network: BoundBatches;
  readonly #outputs: OpenStages['outputs'];
  readonly #length: number; // C · H · W
  readonly #transforms: Transforms;
  readonly #pool: WorkerPool;
  readonly #batch: number;

  private constructor({ network, outputs, image, description, notes }: Opened, pool: WorkerPool, batch: number) {
    this.description = description;
    this.notes = notes;
    this.#network = network;
    this.#outputs = outputs;
    this.#length = elements(image);
    this.#transforms = evaluationTransforms(description.preprocessing);
    this.#pool = pool;
    this.#batch = batch;
  }

  /** @throws UsageError if the model or this package is another than the task was planned with. */
  static async open(settings: Settings, { threads, workers, batch }: Machine): Promise<BulkModel> {
    const opening = { ...openingOf(settings), ...(threads !== undefined && { threads }) };
    const saved = await readerOf(await fileOf(settings), opening)();
    const { description, notes } = factsOf(saved);
    const stages = await openStages(saved, stagesOf(settings), { opening, maxBatch: batch });
    const pool = new WorkerPool({ workers, maxMegapixels: settings.maxMegapixels });
    return new BulkModel({ ...stages, description: labeled(description, opening.labels), notes }, pool, batch);
  }

  /** The stages of each image, or the error if it cannot be read, in the order of the images. */
  run(images: readonly (NamedImage | LabeledImage)[]): AsyncGenerator<Outcome<Features>, void, undefined> {
    const loader = new Loader({ pool: this.#pool, prefetch: 2, cache: 0 });
    const reading = { loader, transforms: this.#transforms, batchSize: this.#batch };
    return outcomesOf(images, reading, (prepared) => this.#runBatch(prepared));
  }

  async dispose(): Promise<void> {
    await Promise.all([this.#network.dispose(), this.#pool.close()]);
  }

  async #runBatch(images: Tensor<'float32'>): Promise<Features[]> {
    const inputs = Array.from({ length: images.dims[0]! }, (_, n) => [
      images.data.subarray(n * this.#length, (n + 1) * this.#length),
    ]);
    const results = await this.#network.run(inputs);
    return results.map((outputs) => {
      const stages = [...this.#outputs].map(([stage, { name, dims }]) => {
        const values = tensor('float32', dims, outputs.get(name)!);
        checkFinite(stage === 'logits' ? 'The logits' : 'The features', values, images);
        return [stage, values] as const;
      });
      return new Map(stages);
    });
  }
}
