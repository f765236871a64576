/**
 * ONNX Runtime through its C interface, in the library that onnxruntime-node contains. onnxruntime-node copies every
 * output into new memory, even when given an array to write to, and runs on the main thread. The outputs of a training
 * step are its whole state, so the copy doubles the memory of the state and costs a few percent of the time. Here, a run
 * reads and writes the bound arrays in place, on its own thread.
 *
 * The index of a function in the interface's table never changes: https://onnxruntime.ai/docs/api/c/struct_ort_api.html
 */
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { KoffiFunc, LibraryHandle } from 'koffi';
import { UsageError } from '../../errors.ts';
import type { Graph } from '../../graph/graph.ts';
import { encodeOnnx, inlineLimit } from '../../onnx/write.ts';
import type { Tensor } from '../../tensor.ts';
import { checkSessionOptions, named } from '../checks.ts';
import type { BoundSession, SessionOptions } from '../contract.ts';
import { Lifetime } from '../lifetime.ts';
import { isLarge, Session, spinMicroseconds, throughFile } from './session.ts';

/** Paths are UTF-16 on Windows. */
const pathType = process.platform === 'win32' ? 'char16_t' : 'char';

/** Indices into the table of version 1, and the prototype at each. A returned pointer is a status, null on success. */
const apiIndex = {
  GetErrorMessage: [2, 'const char *(void *status)'],
  CreateEnv: [3, 'void *(int level, const char *name, _Out_ void **env)'],
  CreateSession: [7, `void *(void *env, const ${pathType} *path, void *options, _Out_ void **session)`],
  CreateSessionFromArray: [
    8,
    'void *(void *env, const void *model, size_t bytes, void *options, _Out_ void **session)',
  ],
  Run: [
    9,
    'void *(void *session, void *options, const char **inputs, void **feeds, size_t n, const char **outputs, size_t m, void **fetches)',
  ],
  CreateSessionOptions: [10, 'void *(_Out_ void **options)'],
  DisableMemPattern: [17, 'void *(void *options)'],
  SetSessionGraphOptimizationLevel: [23, 'void *(void *options, int level)'],
  SetIntraOpNumThreads: [24, 'void *(void *options, int threads)'],
  CreateTensorWithDataAsOrtValue: [
    49,
    'void *(void *info, void *data, size_t bytes, const int64_t *dims, size_t rank, int type, _Out_ void **value)',
  ],
  CreateCpuMemoryInfo: [69, 'void *(int allocator, int type, _Out_ void **info)'],
  ReleaseStatus: [93, 'void (void *status)'],
  ReleaseSession: [95, 'void (void *session)'],
  ReleaseValue: [96, 'void (void *value)'],
  ReleaseSessionOptions: [100, 'void (void *options)'],
  AddSessionConfigEntry: [130, 'void *(void *options, const char *key, const char *value)'],
} as const;

type Api = { readonly [F in keyof typeof apiIndex]: KoffiFunc<(...values: unknown[]) => unknown> };

interface Native {
  /** Kept because koffi unloads libraries without references. */
  readonly library: LibraryHandle;
  readonly api: Api;
  readonly env: unknown;
  readonly memory: unknown;
}

const optimizationLevels = { disabled: 0, basic: 1, extended: 2, all: 99 } as const;
const float32 = 1;
/** ONNX Runtime's kernels need more stack than koffi provides by default. */
const stackBytes = 8 * 2 ** 20;

let loaded: Promise<Native | undefined> | undefined;

/**
 * Opens a graph whose inputs and outputs are bound to arrays: through the C interface if possible, or else, more slowly,
 * through onnxruntime-node.
 *
 * @throws UsageError for an invalid number of threads, or if ONNX Runtime refuses the graph, with its reason.
 * @example
 * const session = await openBound(graph, { threads: 2 });
 * const run = session.bind(inputs, outputs);
 * await run(); // the outputs' arrays hold the results
 */
export async function openBound(graph: Graph, options: SessionOptions = {}): Promise<BoundSession> {
  checkSessionOptions(options);
  loaded ??= load();
  const native = await loaded;
  if (!native || (options.providers ?? ['cpu']).join() !== 'cpu') return Session.open(graph, options);
  if (isLarge(graph)) return throughFile(graph, (file) => NativeSession.open(native, file, options));
  return NativeSession.open(native, encodeOnnx(graph, { location: 'weights', above: inlineLimit }).model, options);
}

/** Undefined if koffi or the library is missing. */
async function load(): Promise<Native | undefined> {
  try {
    const { default: koffi } = await import('koffi');
    koffi.config({ ...koffi.config(), async_stack_size: stackBytes });
    const library = koffi.load(libraryPath());
    const base = library.func('void *OrtGetApiBase()')();
    const [getApi] = koffi.decode(base, koffi.array('void *', 1)) as [unknown];
    const table = koffi.decode(getApi, koffi.proto('void *(uint32_t version)'))(1);
    const functions = koffi.decode(table, koffi.array('void *', 131)) as unknown[];
    const entries = Object.entries(apiIndex).map(([name, [index, prototype]]) => [
      name,
      koffi.decode(functions[index], koffi.proto(prototype)),
    ]);
    const api = Object.fromEntries(entries) as Api;
    const fatal = 4;
    const env = created(api, (out) => api.CreateEnv(fatal, 'resnext', out));
    const [arena, ordinary] = [1, 0];
    return { library, api, env, memory: created(api, (out) => api.CreateCpuMemoryInfo(arena, ordinary, out)) };
  } catch {
    return undefined;
  }
}

function libraryPath(): string {
  const root = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  const folders = readdirSync(join(root, 'bin')).map((napi) => join(root, 'bin', napi, process.platform, process.arch));
  const files = folders.filter(existsSync).flatMap((folder) => readdirSync(folder).map((file) => join(folder, file)));
  const found = files.find((file) => /[/\\](lib)?onnxruntime\.(so|dll|\d[\d.]*dylib|dylib)[\d.]*$/.test(file));
  if (!found) throw new UsageError(`onnxruntime-node has no library for ${process.platform} on ${process.arch}.`);
  return found;
}

/** Throws the error of a status. */
function check(api: Api, status: unknown): void {
  if (!status) return;
  const message = String(api.GetErrorMessage(status));
  api.ReleaseStatus(status);
  throw new Error(message);
}

function created(api: Api, create: (out: unknown[]) => unknown): unknown {
  const out: unknown[] = [null];
  check(api, create(out));
  return out[0];
}

/** Calls a function of the library on another thread. */
const inBackground = (called: Api[keyof Api], ...values: readonly unknown[]): Promise<unknown> =>
  new Promise((resolve, reject) => {
    called.async(...values, (error: unknown, result: unknown) => (error ? reject(error) : resolve(result)));
  });

class NativeSession implements BoundSession {
  readonly #native: Native;
  readonly #session: unknown;
  readonly #values: unknown[] = [];
  /** Keeps the arrays alive that values point into. */
  readonly #arrays: Tensor['data'][] = [];
  readonly #lifetime = new Lifetime();

  private constructor(native: Native, session: unknown) {
    this.#native = native;
    this.#session = session;
  }

  static async open(
    native: Native,
    model: Uint8Array | string,
    { threads, optimization = 'all' }: SessionOptions,
  ): Promise<NativeSession> {
    const { api, env } = native;
    const options = created(api, (out) => api.CreateSessionOptions(out));
    try {
      check(api, api.DisableMemPattern(options));
      check(api, api.SetSessionGraphOptimizationLevel(options, optimizationLevels[optimization]));
      check(api, api.AddSessionConfigEntry(options, 'session.intra_op.spin_duration_us', spinMicroseconds));
      if (threads !== undefined) check(api, api.SetIntraOpNumThreads(options, threads));
      const out: unknown[] = [null];
      const opening =
        typeof model === 'string'
          ? inBackground(api.CreateSession, env, model, options, out)
          : inBackground(api.CreateSessionFromArray, env, model, model.length, options, out);
      check(api, await opening);
      return new NativeSession(native, out[0]);
    } catch (error) {
      throw named(error as Error);
    } finally {
      api.ReleaseSessionOptions(options);
    }
  }

  bind(inputs: ReadonlyMap<string, Tensor>, outputs: ReadonlyMap<string, Tensor>): () => Promise<void> {
    this.#lifetime.check();
    const [feeds, fetches] = [this.#bound(inputs), this.#bound(outputs)];
    const [inputNames, outputNames] = [[...inputs.keys()], [...outputs.keys()]];
    return () => this.#lifetime.run(() => this.#run(inputNames, feeds, outputNames, fetches));
  }

  dispose(): Promise<void> {
    return this.#lifetime.end(() => {
      const { api } = this.#native;
      for (const value of this.#values) api.ReleaseValue(value);
      api.ReleaseSession(this.#session);
    });
  }

  async #run(inputs: string[], feeds: unknown[], outputs: string[], fetches: unknown[]): Promise<void> {
    const { api } = this.#native;
    const { Run } = api;
    const session = this.#session;
    try {
      check(api, await inBackground(Run, session, null, inputs, feeds, feeds.length, outputs, fetches.length, fetches));
    } catch (error) {
      throw named(error as Error);
    }
  }

  #bound(tensors: ReadonlyMap<string, Tensor>): unknown[] {
    const { api, memory } = this.#native;
    return [...tensors].map(([name, { dtype, dims, data }]) => {
      if (dtype !== 'float32') throw new UsageError(`"${name}" is ${dtype}, but bound tensors must be float32.`);
      // Reading `buffer` moves a short array out of the heap, where the garbage collector could move it later.
      if (data.buffer.byteLength === 0) throw new UsageError(`"${name}" is empty and cannot be bound.`);
      const shape = BigInt64Array.from(dims, BigInt);
      const create = (out: unknown[]) =>
        api.CreateTensorWithDataAsOrtValue(memory, data, data.byteLength, shape, dims.length, float32, out);
      const value = created(api, create);
      this.#values.push(value);
      this.#arrays.push(data);
      return value;
    });
  }
}
