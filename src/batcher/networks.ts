/** A model's graphs, opened for batches: logits and features in one, and one for each way to explain, when first needed. */
import type { ExplainOptions } from '../classifier/explain.ts';
import { checkFinite } from '../classifier/finite.ts';
import { type ClassifierOptions, openBoundGraph } from '../classifier/open.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { inferShapes, sizes } from '../graph/shapes.ts';
import { type Stage, stageGraph, stageNames } from '../model/stages.ts';
import type { SavedModel } from '../saved/model.ts';
import { elements, type Tensor, tensor } from '../tensor.ts';
import { BoundBatches, type Outputs, type Port } from './bound-batches.ts';
import { Gatherer, type Gathering } from './gatherer.ts';
import type { BatchReport } from './options.ts';

/** What a network computes for one image. */
export interface Computed {
  /** [K]; undefined if the model has no classes. */
  readonly logits: Float32Array | undefined;
  /** [F], the pooled features. */
  readonly features: Float32Array;
}

/** An image for a network: [C, H, W]. `onCopied` is called when it may be written to again. */
export interface Input {
  readonly pixels: Float32Array;
  onCopied?(): void;
}

export interface NetworksOptions extends Gathering {
  readonly opening: ClassifierOptions;
  onBatch(report: BatchReport): void;
}

interface Explaining {
  readonly stage: Stage;
  readonly dims: readonly number[]; // [h, w]
  readonly network: BoundBatches;
  readonly gatherer: Gatherer<readonly Float32Array[], Outputs>;
}

export class Networks {
  /** F, the length of the features. */
  readonly featureCount: number;
  readonly #main: BoundBatches;
  readonly #gatherer: Gatherer<Input, Computed>;
  readonly #explaining = new Map<string, Promise<Explaining>>();
  readonly #read: () => Promise<SavedModel>;
  readonly #options: NetworksOptions;
  readonly #image: readonly [number, number, number]; // [C, H, W]

  private constructor(opened: Opened, read: () => Promise<SavedModel>, options: NetworksOptions) {
    this.featureCount = opened.featureCount;
    this.#main = opened.network;
    this.#image = opened.image;
    this.#read = read;
    this.#options = options;
    this.#gatherer = new Gatherer((inputs, waited) => this.#runMain(inputs, waited, opened), options);
  }

  /**
   * Opens a model, and runs it once, so that its first images take no longer than others.
   *
   * @param read reads the model again for each further graph.
   * @throws the errors of `openBound`.
   */
  static async open(model: SavedModel, read: () => Promise<SavedModel>, options: NetworksOptions): Promise<Networks> {
    const opened = await openMain(model, options);
    await opened.network.run([[new Float32Array(opened.image.reduce((product, dim) => product * dim))]]);
    return new Networks(opened, read, options);
  }

  /** @throws UsageError if the results are NaN or infinite. */
  async run(input: Input, signal?: AbortSignal): Promise<Computed> {
    const computed = await this.#gatherer.submit(input, signal);
    for (const [what, data] of [
      ['The features', computed.features],
      ['The logits', computed.logits],
    ] as const) {
      if (data) checkFinite(what, vector(data), vector(input.pixels));
    }
    return computed;
  }

  /**
   * The map [h, w] of a class for one image.
   *
   * @throws UsageError if the model has no such stage, or the map is NaN or infinite.
   */
  async explain(
    pixels: Float32Array,
    target: { readonly index: number; readonly classes: number },
    { stage, method = 'grad-cam' }: ExplainOptions,
    signal?: AbortSignal,
  ): Promise<{ readonly map: Tensor<'float32'>; readonly stage: Stage }> {
    const explaining = await this.#explainingFor(method, stage, target.classes);
    const oneHot = new Float32Array(target.classes);
    oneHot[target.index] = 1;
    const outputs = await explaining.gatherer.submit([pixels, oneHot], signal);
    const [data] = outputs.values();
    const map = tensor('float32', explaining.dims, data!);
    checkFinite('The numbers of the map', map, vector(pixels));
    return { map, stage: explaining.stage };
  }

  async dispose(): Promise<void> {
    const explaining = [...this.#explaining.values()];
    const close = async (each: Promise<Explaining>) => (await each.catch(() => undefined))?.network.dispose();
    await Promise.all([this.#main.dispose(), ...explaining.map(close)]);
  }

  async #runMain(inputs: readonly Input[], waited: number, { network, names }: Opened): Promise<Computed[]> {
    const start = performance.now();
    const running = network.run(inputs.map(({ pixels }) => [pixels]));
    for (const { onCopied } of inputs) onCopied?.();
    const results = await running;
    this.#options.onBatch({ task: 'classify', images: inputs.length, waited, took: performance.now() - start });
    return results.map((outputs) => ({
      logits: names.logits === undefined ? undefined : outputs.get(names.logits),
      features: outputs.get(names.features)!,
    }));
  }

  #explainingFor(method: 'grad-cam' | 'cam', stage: Stage | undefined, classes: number): Promise<Explaining> {
    const key = `${method} ${stage}`;
    const known = this.#explaining.get(key);
    if (known) return known;
    const opened = this.#openExplaining(method, stage, classes);
    this.#explaining.set(key, opened);
    opened.catch(() => this.#explaining.delete(key));
    return opened;
  }

  async #openExplaining(method: 'grad-cam' | 'cam', chosen: Stage | undefined, classes: number): Promise<Explaining> {
    const [model, { explanationGraph }] = await Promise.all([this.#read(), import('../explain/graph.ts')]);
    const { graph, stage } = explanationGraph(model.graph, { method, stage: chosen, image: this.#image });
    const [image, target] = graph.inputs as [Value, Value];
    const map = graph.outputs[0]!;
    const dims = sizes(map); // [h, w]
    const inputs: Port[] = [
      { name: image.name, dims: this.#image },
      { name: target.name, dims: [classes] },
    ];
    const session = await openBoundGraph(graph, this.#options.opening);
    const network = new BoundBatches(session, { inputs, outputs: [{ name: map.name, dims, isSingle: true }] }, 1);
    const run = async (items: readonly (readonly Float32Array[])[], waited: number) => {
      const start = performance.now();
      const results = await network.run(items);
      this.#options.onBatch({ task: 'explain', images: 1, waited, took: performance.now() - start });
      return results;
    };
    return { stage, dims, network, gatherer: new Gatherer(run, { ...this.#options, maxBatch: 1 }) };
  }
}

interface Opened {
  readonly network: BoundBatches;
  readonly names: { readonly logits: string | undefined; readonly features: string };
  readonly featureCount: number;
  readonly image: readonly [number, number, number];
}

async function openMain(model: SavedModel, { opening, maxBatch }: NetworksOptions): Promise<Opened> {
  const hasLogits = stageNames(model.graph).includes('logits');
  const { network, image, outputs } = await openStages(model, hasLogits ? ['pooled', 'logits'] : ['pooled'], {
    opening,
    maxBatch,
  });
  const { name: features, dims } = outputs.get('pooled')!;
  const names = { logits: outputs.get('logits')?.name, features };
  return { network, names, featureCount: elements(dims), image };
}

/** A network whose outputs are stages, for batches of one input. */
export interface OpenStages {
  readonly network: BoundBatches;
  /** [C, H, W] */
  readonly image: readonly [number, number, number];
  /** For each stage, the name of its output and the dimensions for one image. */
  readonly outputs: ReadonlyMap<Stage, Port>;
}

/**
 * Opens a model to compute these stages.
 *
 * @throws UsageError naming a stage that the model does not have; the errors of `openBound`.
 */
export async function openStages(
  model: SavedModel,
  stages: readonly Stage[],
  { opening, maxBatch }: Pick<NetworksOptions, 'opening' | 'maxBatch'>,
): Promise<OpenStages> {
  const { inputChannels, inputSize } = model.description.config;
  const image = [inputChannels, ...inputSize] as const;
  const { graph, outputs } = stageGraph(model.graph, stages);
  const dims = outputDims(graph, image);
  const port = (name: string): Port => ({ name, dims: dims.get(name)! });
  const ports = {
    inputs: [{ name: graph.inputs[0]!.name, dims: image }],
    outputs: [...new Set(outputs.values())].map(port),
  };
  const network = new BoundBatches(await openBoundGraph(graph, opening), ports, maxBatch);
  return { network, image, outputs: new Map([...outputs].map(([stage, name]) => [stage, port(name)])) };
}

/** The dimensions of a graph's outputs for one image [C, H, W], without that of the batch. */
function outputDims(source: Graph, image: readonly number[]): ReadonlyMap<string, readonly number[]> {
  const { graph } = source.clone();
  graph.inputs[0]!.dims = [1, ...image];
  inferShapes(graph);
  return new Map(graph.outputs.map((value) => [value.name, sizes(value).slice(1)]));
}

const vector = (data: Float32Array): Tensor<'float32'> => tensor('float32', [data.length], data);
