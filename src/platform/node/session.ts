/** A graph opened in onnxruntime-node. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type * as Ort from 'onnxruntime-common';
import { checkArgument, checkOptions, type FieldsOf } from '../../arguments.ts';
import { UsageError } from '../../errors.ts';
import { Graph } from '../../graph/graph.ts';
import { writeOnnxFile } from '../../onnx/files.ts';
import { encodeOnnx } from '../../onnx/write.ts';
import { text } from '../../options.ts';
import { byteLength, storedElements, type Tensor } from '../../tensor.ts';
import { checkProviders, openableKind, sessionFields, withNodeName } from '../checks.ts';
import type { Session as SessionContract, SessionOptions } from '../contract.ts';
import { Lifetime } from '../lifetime.ts';
import { trimMallocThreshold } from './memory.ts';
import { availableProviders } from './providers.ts';
import { loadRuntime } from './runtime.ts';
import { scratchFolder } from './scratch.ts';

export interface SavingOptions extends SessionOptions {
  /**
   * An existing folder in which ONNX Runtime saves its optimized graph as `optimizedFile`, with the weights next to it.
   * With the optimization 'disabled', that file opens faster. It is only valid on machines like this one.
   */
  readonly saveTo?: string;
}

const savingFields: FieldsOf<SavingOptions> = { ...sessionFields, saveTo: text({ doc: 'folder for the graph' }) };

/** File names of a graph that ONNX Runtime has optimized, and of its weights. */
export const optimizedFile = 'model.onnx';
export const optimizedWeights = 'model.onnx.data';

export class Session implements SessionContract {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly #ort: typeof Ort;
  readonly #session: Ort.InferenceSession;
  readonly #lifetime = new Lifetime();

  private constructor(ort: typeof Ort, session: Ort.InferenceSession) {
    this.#ort = ort;
    this.#session = session;
    this.inputNames = session.inputNames;
    this.outputNames = session.outputNames;
  }

  static async open(model: Graph | Uint8Array | string, options: SavingOptions = {}): Promise<Session> {
    checkArgument('model', model, openableKind);
    checkOptions(savingFields, options);
    if (options.providers) checkProviders(options.providers, await availableProviders());
    const ort = await loadRuntime();
    if (model instanceof Graph && isLarge(model)) {
      return throughFile(model, (file) => Session.open(file, options), options.saveTo);
    }
    const settings = settingsOf(options);
    return withNodeName(async () => new Session(ort, await create(ort, model, settings)));
  }

  async run(
    feeds: ReadonlyMap<string, Tensor>,
    fetches: readonly string[] = this.outputNames,
  ): Promise<Map<string, Tensor>> {
    const results = await this.#run(() => this.#session.run(this.#toOrt(feeds), [...fetches]));
    return new Map(fetches.map((name) => [name, fromOrt(results[name]!)]));
  }

  /** The runtime reads and writes the arrays directly; JavaScript copies nothing. */
  bind(inputs: ReadonlyMap<string, Tensor>, outputs: ReadonlyMap<string, Tensor>): () => Promise<void> {
    this.#lifetime.check();
    for (const name of outputs.keys()) {
      if (!this.outputNames.includes(name)) throw new UsageError(`The graph has no output "${name}".`);
    }
    const feeds = this.#toOrt(inputs);
    const fetches = this.#toOrt(outputs);
    return async () => void (await this.#run(() => this.#session.run(feeds, fetches)));
  }

  dispose(): Promise<void> {
    return this.#lifetime.end(() => this.#session.release());
  }

  /** onnxruntime-node starts a run in a later turn of the event loop; the session must still exist then. */
  #run<T>(action: () => Promise<T>): Promise<T> {
    return this.#lifetime.run(() => withNodeName(async () => action()));
  }

  #toOrt(tensors: ReadonlyMap<string, Tensor>): Record<string, Ort.Tensor> {
    const entries = [...tensors].map(([name, { dtype, data, dims }]) => {
      if (dtype === 'bfloat16') throw new UsageError(`"${name}" is bfloat16, which onnxruntime-node does not support.`);
      return [name, new this.#ort.Tensor(dtype, data, dims)] as const;
    });
    return Object.fromEntries(entries);
  }
}

/**
 * How long a thread without work waits busily before it sleeps. Within a run, the next operator usually has work for it
 * sooner. The default of ONNX Runtime is so long that two processes, or more threads than cores, wait for each other's
 * waiting threads.
 */
export const spinMicroseconds = '50';

type Settings = Ort.InferenceSession.SessionOptions;

const settingsOf = ({ providers = ['cpu'], optimization = 'all', threads, saveTo }: SavingOptions): Settings => ({
  executionProviders: [...providers],
  enableMemPattern: false, // it makes a training step no faster, but takes half as much memory again
  graphOptimizationLevel: optimization,
  ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
  ...(saveTo !== undefined && { optimizedModelFilePath: `${saveTo}/${optimizedFile}` }),
  extra: { session: { intra_op: { spin_duration_us: spinMicroseconds }, ...(saveTo !== undefined && savedWeights) } },
});

/** Saves weights in a separate file, which ONNX Runtime maps into memory instead of reading it. */
const savedWeights = {
  optimized_model_external_initializers_file_name: optimizedWeights,
  optimized_model_external_initializers_min_size_in_bytes: '1024',
};

/** Passes a graph's weights as separate arrays, so that only ONNX Runtime copies them. */
function create(
  ort: typeof Ort,
  model: Graph | Uint8Array | string,
  settings: Settings,
): Promise<Ort.InferenceSession> {
  if (typeof model === 'string') return ort.InferenceSession.create(model, settings);
  if (model instanceof Uint8Array) return ort.InferenceSession.create(model, settings);
  const location = 'weights';
  const { model: bytes, data } = encodeOnnx(model, { location, separateFiles: true });
  const externalData = data.map((chunk, i) => ({ path: `${location}.${i}`, data: chunk }));
  return ort.InferenceSession.create(bytes, data.length === 0 ? settings : { ...settings, externalData });
}

/** Weights of more than this many bytes are passed to ONNX Runtime in a file. */
const large = 2 ** 24;

export const isLarge = ({ initializers }: Graph): boolean =>
  [...initializers].reduce((sum, { tensor }) => sum + (tensor ? byteLength(tensor) : 0), 0) > large;

/**
 * Writes a graph to a file, one tensor at a time, and opens that. ONNX Runtime maps weights in a file into memory, and releases
 * each after reordering it into blocks. Arrays are all copied first, which adds twice the size of the weights to the peak, and
 * keeps the main thread busy for as long.
 */
export async function throughFile<T>(graph: Graph, open: (file: string) => Promise<T>, parent?: string): Promise<T> {
  await trimMallocThreshold();
  const folder = await scratchFolder('lowered', parent);
  try {
    const file = join(folder, optimizedFile);
    await writeOnnxFile(file, graph, { externalAbove: 0 });
    return await open(file);
  } finally {
    await rm(folder, { recursive: true, force: true }).catch(() => {}); // some systems keep files that are still mapped
  }
}

const fromOrt = ({ type, dims, data }: Ort.Tensor): Tensor =>
  ({ dtype: type, dims, data: storedElements(type, data) }) as unknown as Tensor;
