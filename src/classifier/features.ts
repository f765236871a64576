/**
 * Computes feature maps of a model's stages. For each combination of stages, a session with these outputs is opened when
 * first needed, and kept.
 */
import type { Session } from '#platform';
import { type Stage, stageGraph } from '../model/stages.ts';
import type { SavedModel } from '../saved/model.ts';
import { type Tensor, tensor } from '../tensor.ts';
import { checkFinite } from './finite.ts';
import { type ClassifierOptions, openGraph } from './open.ts';

/** The features of one image by stage: a map [C, H, W], or the vector [F] of `pooled` or [K] of `logits`. */
export type Features = ReadonlyMap<Stage, Tensor<'float32'>>;

interface StageSession {
  readonly session: Session;
  readonly outputs: ReadonlyMap<Stage, string>;
}

export class StageSessions {
  readonly #read: () => Promise<SavedModel>;
  readonly #options: ClassifierOptions;
  readonly #open = new Map<string, Promise<StageSession>>();

  /** @param read reads the model when stages are first needed. */
  constructor(read: () => Promise<SavedModel>, options: ClassifierOptions) {
    this.#read = read;
    this.#options = options;
  }

  /**
   * Returns the stages of each prepared image.
   *
   * @param images [N, C, H, W].
   * @throws UsageError naming a stage that the model does not have, or if a feature is NaN or infinite; FormatError if the
   *   model's file was changed.
   */
  async run(images: Tensor<'float32'>, stages: readonly Stage[]): Promise<Features[]> {
    const { session, outputs } = await this.#sessionFor(stages);
    const results = await session.run(new Map([[session.inputNames[0]!, images]]), [...new Set(outputs.values())]);
    for (const map of results.values()) checkFinite('The features', map as Tensor<'float32'>, images);
    return Array.from({ length: images.dims[0]! }, (_, n) => {
      const entries = [...outputs].map(([stage, name]) => [stage, imageOf(results.get(name)!, n)] as const);
      return new Map(entries);
    });
  }

  async dispose(): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(open.map(async (each) => (await each.catch(() => undefined))?.session.dispose()));
  }

  #sessionFor(stages: readonly Stage[]): Promise<StageSession> {
    const key = [...new Set(stages)].sort().join();
    const known = this.#open.get(key);
    if (known) return known;
    const opened = this.#openFor(stages);
    this.#open.set(key, opened);
    opened.catch(() => this.#open.delete(key));
    return opened;
  }

  async #openFor(stages: readonly Stage[]): Promise<StageSession> {
    const model = await this.#read();
    const { graph, outputs } = stageGraph(model.graph, stages);
    return { session: await openGraph(graph, this.#options), outputs };
  }
}

/** Image n of a batch: [N, …] → […]. */
function imageOf({ dims, data }: Tensor, n: number): Tensor<'float32'> {
  const length = data.length / dims[0]!;
  return tensor('float32', dims.slice(1), (data as Float32Array).slice(n * length, (n + 1) * length));
}
