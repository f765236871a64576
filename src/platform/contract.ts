/**
 * What differs between Node and a browser, as types alone. `node.ts` and `web.ts` export one value for each member of
 * `Platform`; code above imports `#platform`, for which package.json chooses the one or the other. To move something
 * here, add it to `Platform`: `test/platform.test.ts` does not compile until both sides have it.
 */
import type { Tuning } from '../cache/tuning.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../tensor.ts';

export interface SessionOptions {
  /** Threads within one operator, from 1; by default as many as `thisMachine` has cores. */
  readonly threads?: number;
  /**
   * Execution providers of ONNX Runtime in order of preference: what the first has no kernel for runs on the next, and
   * at last on the CPU. `availableProviders` lists them; by default `cpu` in Node and `wasm` in a browser.
   */
  readonly providers?: readonly string[];
  /** How much ONNX Runtime rewrites the graph before it runs it; 'all' unless given. */
  readonly optimization?: 'disabled' | 'basic' | 'extended' | 'all';
  /** In a browser, where the runtime's files are served, if not where the bundler put them. Node ignores it. */
  readonly wasmPaths?: WasmPaths;
}

/** The folder of onnxruntime-web's files, as a URL that ends in a slash, or the URL of each. */
export type WasmPaths = string | { readonly mjs?: string; readonly wasm?: string };

/** A graph that runs on fixed arrays. */
export interface BoundSession {
  /** Each call of the returned function reads the inputs and writes the outputs where they are. */
  bind(inputs: ReadonlyMap<string, Tensor>, outputs: ReadonlyMap<string, Tensor>): () => Promise<void>;
  /** Waits for runs that are under way, and frees what the runtime holds. Later runs throw a UsageError. */
  dispose(): Promise<void>;
}

/** A graph opened in ONNX Runtime. */
export interface Session extends BoundSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /**
   * Runs the graph once.
   *
   * @param feeds every graph input by name.
   * @param fetches the outputs to compute, all by default.
   * @throws UsageError when an input is missing or does not fit, led by the name of the node that found out.
   */
  run(feeds: ReadonlyMap<string, Tensor>, fetches?: readonly string[]): Promise<Map<string, Tensor>>;
}

export interface Machine {
  /** The processor's model, or the browser. */
  readonly cpu: string;
  /** Threads that a session can use. */
  readonly cores: number;
  /** ONNX Runtime's version. */
  readonly runtime: string;
  /**
   * Channels that its CPU convolutions compute at a time, a block: 16 with AVX-512, 8 with other vectors; undefined
   * where it has no blocked layout, and training steps and inference take standard operators.
   */
  readonly block: number | undefined;
}

export interface Platform {
  readonly Session: {
    /**
     * Opens a graph, the bytes of an ONNX file, or the file at a path (Node) or URL (browser).
     *
     * @throws UsageError when the runtime is not installed, or for threads or providers that it does not have; else with
     *   ONNX Runtime's reason, led by the node's name where it gives one.
     * @example const session = await Session.open(model.graph, { threads: 2 });
     */
    open(model: Graph | Uint8Array | string, options?: SessionOptions): Promise<Session>;
  };
  /** Opens a graph for many runs on the same arrays, in the way that copies least. Throws as `Session.open` does. */
  openBound(graph: Graph, options?: SessionOptions): Promise<BoundSession>;
  /** Opens a graph, runs it on these inputs and frees it: all outputs by name. Throws as `Session.open` and `run` do. */
  runOnce(graph: Graph, feeds: ReadonlyMap<string, Tensor>, options?: SessionOptions): Promise<Map<string, Tensor>>;
  /** What runs the graphs here, found out once per process. Throws a UsageError when the runtime is not installed. */
  thisMachine(): Promise<Machine>;
  /** The execution providers that `SessionOptions.providers` may name. */
  availableProviders(): Promise<readonly string[]>;
  /** What `resnext bench --tune` measured on this machine; undefined where it was not run. */
  tuning(): Promise<Tuning | undefined>;
}

/** Rows from the top, pixels from the left, channels innermost: `data[(y * width + x) * channels + c]`. */
export interface Image {
  readonly width: number;
  readonly height: number;
  /** 3 is RGB, as decoded; 1 is grayscale. */
  readonly channels: 1 | 3;
  readonly data: Uint8Array; // [H, W, C]
}

/** Threads that do jobs of one kind, in the order in which each was given them. */
export interface Workers<Job, Result> {
  /** 0 where jobs are done in the calling thread. Jobs for threads are plain data, and large arrays shared memory. */
  readonly threads: number;
  run(job: Job): Promise<Result>;
  /** Ends the threads; what they still do is rejected. */
  close(): Promise<void>;
}

export interface WorkersOptions {
  /** The built module that threads load, as a path within `dist`. */
  readonly module: string;
  /** The function that it exports, from a job to a promise of its result. */
  readonly name: string;
  readonly threads: number;
  /** Jobs that wait at each thread. */
  readonly queue: number;
}

/**
 * The part of the platform that reads images. It has a door of its own, `#platform/images`, so that a worker thread loads
 * a decoder and not the runtime.
 */
export interface ImagePlatform {
  /**
   * Loads the decoder, once per thread, and in the main thread first.
   *
   * @param options `oneThread` in a worker, which leaves parallel work to the other workers.
   * @throws UsageError when it is not installed.
   */
  openDecoder(options?: { readonly oneThread?: boolean }): Promise<void>;
  /**
   * Decodes the bytes of an image file to RGB. Alpha is dropped, a color profile ignored, an EXIF orientation not applied.
   *
   * @param name what an error calls the image.
   * @throws FormatError when it is cut short or is no image; UsageError when the decoder is not installed.
   */
  decodeImage(bytes: Uint8Array, name: string): Promise<Image>;
  /**
   * The image as a `data:` URL of a few kilobytes, to show in a page.
   *
   * @param side the most pixels on its longer side; a smaller image keeps its size.
   * @throws Error when the image cannot be read.
   */
  thumbnail(bytes: Uint8Array, side: number): Promise<string>;
  /** Whether a text names a file for `readImageFile`, rather than a URL to fetch, as any text does in a page. */
  isFile(source: string): boolean;
  /**
   * Reads a file at a path or a `file:` URL. A page has no files, and throws a UsageError.
   *
   * @param name what an error calls the image; the path by default.
   * @throws FormatError when there is no such file, or it cannot be read.
   */
  readImageFile(path: string, name?: string): Uint8Array;
  /** Starts threads; undefined where there are none to start. */
  startWorkers<Job, Result>(options: WorkersOptions): Promise<Workers<Job, Result> | undefined>;
  availableCores(): number;
  /** In bytes. */
  availableMemory(): number;
}
