/**
 * A graph opened in onnxruntime-web. Each session has its own worker: with several threads, the runtime hangs on the
 * page's thread, and WebAssembly memory is only freed when its worker ends.
 */
import { checkArgument } from '../../arguments.ts';
import { UsageError } from '../../errors.ts';
import type { Graph } from '../../graph/graph.ts';
import { encodeOnnx } from '../../onnx/write.ts';
import type { Tensor } from '../../tensor.ts';
import { checkProviders, checkSessionOptions, openableKind, withNodeName } from '../checks.ts';
import type { BoundSession, Session as SessionContract, SessionOptions, WasmPaths } from '../contract.ts';
import { Lifetime } from '../lifetime.ts';
import { availableProviders, thisMachine } from './machine.ts';
import { dataLocation, type NamedTensor, type Opening } from './protocol.ts';
import { WorkerClient } from './worker-client.ts';

export class Session implements SessionContract {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  readonly #client: WorkerClient;
  readonly #lifetime = new Lifetime();

  private constructor(client: WorkerClient, names: Pick<SessionContract, 'inputNames' | 'outputNames'>) {
    this.#client = client;
    this.inputNames = names.inputNames;
    this.outputNames = names.outputNames;
  }

  static async open(model: Graph | Uint8Array | string, options: SessionOptions = {}): Promise<Session> {
    const opening = await openingOf(model, options);
    const client = new WorkerClient(startWorker(opening.providers));
    try {
      const opened = client.request('open', opening, buffersOf(opening.data));
      return new Session(client, await withNodeName(() => opened.catch(explained)));
    } catch (error) {
      client.close();
      throw error;
    }
  }

  run(feeds: ReadonlyMap<string, Tensor>, fetches: readonly string[] = this.outputNames): Promise<Map<string, Tensor>> {
    return this.#lifetime.run(() =>
      withNodeName(async () => {
        const moved = [...feeds].map(
          ([name, tensor]): NamedTensor => [name, { ...tensor, data: tensor.data.slice() } as Tensor],
        );
        const transfer = buffersOf(moved.map(([, { data }]) => data));
        return new Map(await this.#client.request('run', { feeds: moved, fetches }, transfer));
      }),
    );
  }

  /** onnxruntime-web never writes to preallocated outputs in CPU memory, so results are copied to the arrays. */
  bind(inputs: ReadonlyMap<string, Tensor>, outputs: ReadonlyMap<string, Tensor>): () => Promise<void> {
    this.#lifetime.check();
    const missing = [...outputs.keys()].find((name) => !this.outputNames.includes(name));
    if (missing !== undefined) throw new UsageError(`The graph has no output "${missing}".`);
    return async () => {
      const results = await this.run(inputs, [...outputs.keys()]);
      for (const [name, { data }] of outputs) copy(results.get(name)!.data, data);
    };
  }

  dispose(): Promise<void> {
    return this.#lifetime.end(() => this.#client.close());
  }
}

export const openBound = (graph: Graph, options?: SessionOptions): Promise<BoundSession> =>
  Session.open(graph, options);

async function openingOf(model: Graph | Uint8Array | string, options: SessionOptions): Promise<Opening> {
  const { providers = ['wasm'], optimization = 'all', wasmPaths } = options;
  checkArgument('model', model, openableKind);
  checkSessionOptions(options);
  if (providers.join() !== 'wasm') checkProviders(providers, await availableProviders()); // asking for a GPU may log
  const { cores } = await thisMachine();
  const { threads = cores } = options;
  if (threads > cores) throw new UsageError(tooMany(threads, cores));
  return { ...encoded(model), threads, providers, optimization, wasmPaths: wasmPaths && absolute(wasmPaths) };
}

const tooMany = (threads: number, cores: number): string =>
  globalThis.crossOriginIsolated
    ? `threads is ${threads}, but this machine has ${cores} cores.`
    : `threads is ${threads}, but a page has 1 thread unless it is served with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp.`;

/** The bytes of a model, with large weights separate. Weights are copied, so that they can be transferred to the worker. */
function encoded(model: Graph | Uint8Array | string): Pick<Opening, 'model' | 'data'> {
  if (typeof model === 'string') return { model: new URL(model, globalThis.location.href).href, data: [] };
  if (model instanceof Uint8Array) return { model, data: [] };
  const { model: bytes, data } = encodeOnnx(model, { location: dataLocation, separateFiles: true });
  return { model: bytes, data: data.map((chunk) => chunk.slice()) };
}

/** Makes URLs absolute, because a worker would resolve them against its own. */
function absolute(paths: WasmPaths): WasmPaths {
  const resolve = (url: string) => new URL(url, globalThis.location.href).href;
  if (typeof paths === 'string') return resolve(paths);
  return { ...(paths.mjs && { mjs: resolve(paths.mjs) }), ...(paths.wasm && { wasm: resolve(paths.wasm) }) };
}

/** Explains the error "no available backend found", which means that the bundler did not emit the runtime's WebAssembly. */
function explained(error: Error): never {
  if (!error.message.startsWith('no available backend found')) throw error;
  const remedy = "Serve the ort-wasm-*.wasm files from onnxruntime-web's dist folder, and set wasmPaths to their URL";
  throw new UsageError(`ONNX Runtime's WebAssembly did not load: ${error.message} ${remedy}.`, { cause: error });
}

/** Bundlers recognize workers by this exact expression, so it is repeated for each. */
function startWorker(providers: readonly string[]): Worker {
  return providers.includes('webgpu')
    ? new Worker(new URL('./webgpu-worker.js', import.meta.url), { type: 'module' })
    : new Worker(new URL('./wasm-worker.js', import.meta.url), { type: 'module' });
}

const buffersOf = (arrays: readonly ArrayBufferView[]): ArrayBuffer[] =>
  arrays.map(({ buffer }) => buffer as ArrayBuffer);

/** Both arrays have the type of the graph's output. */
const copy = (from: Tensor['data'], to: Tensor['data']): void => (to as Float32Array).set(from as Float32Array);
