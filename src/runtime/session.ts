/**
 * A graph opened in ONNX Runtime. `run` takes and gives tensors; `bind` fixes the arrays that a graph reads and writes,
 * for loops that run the same graph many times.
 */
import type * as Ort from 'onnxruntime-common';
import { UsageError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { encodeOnnx } from '../onnx/write.ts';
import type { Tensor } from '../tensor.ts';
import { loadRuntime } from './ort-node.ts';

export interface SessionOptions {
  /** Threads within one operator, from 1; by default as many as there are cores. */
  readonly threads?: number;
  /** Execution providers in order of preference; ['cpu'] by default. */
  readonly providers?: readonly string[];
  /** How much ONNX Runtime rewrites the graph before it runs it; 'all' unless given. */
  readonly optimization?: 'disabled' | 'basic' | 'extended' | 'all';
  /**
   * A folder that is there, into which ONNX Runtime writes the graph as it rewrote it, `optimizedFile` with its weights
   * beside it. Opened again with the optimization 'disabled', it is ready sooner; it is for machines like this one only.
   */
  readonly saveTo?: string;
}

/** A graph that runs on fixed arrays. */
export interface BoundSession {
  /** Each call of the returned function reads the inputs and writes the outputs where they are. */
  bind(inputs: ReadonlyMap<string, Tensor>, outputs: ReadonlyMap<string, Tensor>): () => Promise<void>;
  dispose(): Promise<void>;
}

/** What the file of a graph that ONNX Runtime has rewritten is called, and that of its weights. */
export const optimizedFile = 'model.onnx';
export const optimizedWeights = 'model.onnx.data';

export class Session implements BoundSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly #ort: typeof Ort;
  readonly #session: Ort.InferenceSession;

  private constructor(ort: typeof Ort, session: Ort.InferenceSession) {
    this.#ort = ort;
    this.#session = session;
    this.inputNames = session.inputNames;
    this.outputNames = session.outputNames;
  }

  /**
   * Opens a graph, the bytes of an ONNX file, or the file at a path.
   *
   * @throws UsageError for threads that are no whole number from 1; else with ONNX Runtime's reason, led by the node's
   *   name where it gives one.
   * @example const session = await Session.open(model.graph, { threads: 2 });
   */
  static async open(model: Graph | Uint8Array | string, options: SessionOptions = {}): Promise<Session> {
    checkThreads(options);
    const ort = await loadRuntime();
    const settings: Ort.InferenceSession.SessionOptions = {
      executionProviders: [...(options.providers ?? ['cpu'])],
      enableMemPattern: false, // with it a training step is no faster and takes half as much memory again
      graphOptimizationLevel: options.optimization ?? 'all',
      ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
      ...(options.saveTo === undefined ? {} : saving(options.saveTo)),
    };
    return withNodeName(async () => {
      if (typeof model === 'string') return new Session(ort, await ort.InferenceSession.create(model, settings));
      if (model instanceof Uint8Array) return new Session(ort, await ort.InferenceSession.create(model, settings));
      return new Session(ort, await ort.InferenceSession.create(...encoded(model, settings)));
    });
  }

  /**
   * Runs the graph once.
   *
   * @param feeds every graph input by name.
   * @param fetches the outputs to compute, all by default.
   * @throws UsageError when an input is missing or does not fit, led by the name of the node that found out.
   */
  async run(
    feeds: ReadonlyMap<string, Tensor>,
    fetches: readonly string[] = this.outputNames,
  ): Promise<Map<string, Tensor>> {
    const results = await withNodeName(() => this.#session.run(this.#toOrt(feeds), [...fetches]));
    return new Map(fetches.map((name) => [name, fromOrt(results[name]!)]));
  }

  /**
   * Fixes the arrays of all inputs and outputs. Each call of the returned function reads the inputs where they are and
   * writes the outputs where they are; nothing is copied in JavaScript.
   */
  bind(inputs: ReadonlyMap<string, Tensor>, outputs: ReadonlyMap<string, Tensor>): () => Promise<void> {
    for (const name of outputs.keys()) {
      if (!this.outputNames.includes(name)) throw new UsageError(`The graph has no output "${name}".`);
    }
    const feeds = this.#toOrt(inputs);
    const fetches = this.#toOrt(outputs);
    return () => withNodeName(async () => void (await this.#session.run(feeds, fetches)));
  }

  /** Frees what the runtime holds. The session cannot be used afterwards. */
  async dispose(): Promise<void> {
    await this.#session.release();
  }

  #toOrt(tensors: ReadonlyMap<string, Tensor>): Record<string, Ort.Tensor> {
    const entries = [...tensors].map(([name, { dtype, data, dims }]) => {
      if (dtype === 'bfloat16') throw new UsageError(`"${name}" is bfloat16, which ONNX Runtime does not take here.`);
      return [name, new this.#ort.Tensor(dtype, data, dims)] as const;
    });
    return Object.fromEntries(entries);
  }
}

/** Throws a UsageError for threads that ONNX Runtime would refuse, or wait for without an end. */
export function checkThreads({ threads }: SessionOptions): void {
  if (threads === undefined || (Number.isInteger(threads) && threads >= 1)) return;
  throw new UsageError(`threads = ${threads} should be a whole number of at least 1.`);
}

/** The weights go to a file of their own, which ONNX Runtime maps into memory instead of reading it. */
const saving = (folder: string): Ort.InferenceSession.SessionOptions => ({
  optimizedModelFilePath: `${folder}/${optimizedFile}`,
  extra: {
    session: {
      optimized_model_external_initializers_file_name: optimizedWeights,
      optimized_model_external_initializers_min_size_in_bytes: '1024',
    },
  },
});

/** The graph's bytes and, beside them, its weights: each where it lies, so that nothing is copied before ONNX Runtime does. */
function encoded(graph: Graph, settings: Ort.InferenceSession.SessionOptions): [Uint8Array, typeof settings] {
  const location = 'weights';
  const { model, data } = encodeOnnx(graph, { location, apart: true });
  if (data.length === 0) return [model, settings];
  return [model, { ...settings, externalData: data.map((bytes, i) => ({ path: `${location}.${i}`, data: bytes })) }];
}

function fromOrt({ type, dims, data }: Ort.Tensor): Tensor {
  return { dtype: type, dims, data } as unknown as Tensor;
}

async function withNodeName<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw error instanceof UsageError ? error : named(error as Error);
  }
}

/** ONNX Runtime's complaint, led by the node that it is about. */
export function named(error: Error): UsageError {
  const { message } = error;
  const found = /running (\S+) node\. Name:'([^']*)' Status Message: (.*)/s.exec(message);
  if (found) return new UsageError(`${found[1]} "${found[2]}": ${reason(found[3]!)}`, { cause: error });
  return new UsageError(`ONNX Runtime: ${message.trim()}`, { cause: error });
}

/** Without the place in ONNX Runtime's source and the condition that failed there. */
const reason = (status: string): string => status.replace(/^\/\S+:\d+ .* was false\. /s, '').trim();
