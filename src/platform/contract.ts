/**
 * The differences between Node and browsers, as types. `node.ts` and `web.ts` export one value for each member of
 * `Platform`. Other code imports `#platform`, which package.json maps to one of them. To move something here, add it to
 * `Platform`: `test/platform.test.ts` does not compile until both sides have it.
 */
import type { Tuning } from '../cache/tuning.ts';
import type { Graph } from '../graph/graph.ts';
import type { Tensor } from '../tensor.ts';

/** How ONNX Runtime runs a graph. */
export interface SessionOptions {
  /** Threads within one operator, at least 1. Default: the cores of `thisMachine`. */
  readonly threads?: number;
  /**
   * Execution providers of ONNX Runtime in order of preference: an operator runs on the first that has a kernel for it,
   * and on the CPU if none has. `availableProviders` lists them. Default: `cpu` in Node, `wasm` in a browser.
   */
  readonly providers?: readonly string[];
  /** How far ONNX Runtime optimizes the graph before running it. Default: 'all'. */
  readonly optimization?: 'disabled' | 'basic' | 'extended' | 'all';
  /** In a browser, where the runtime's files are served, if the bundler did not emit them. Ignored in Node. */
  readonly wasmPaths?: WasmPaths;
}

/** The folder of onnxruntime-web's files, as a URL that ends in a slash, or the URL of each. */
export type WasmPaths = string | { readonly mjs?: string; readonly wasm?: string };

/** A graph that can be bound to arrays. */
export interface BoundSession {
  /** Returns a function that runs the graph, reading and writing these arrays in place. */
  bind(inputs: ReadonlyMap<string, Tensor>, outputs: ReadonlyMap<string, Tensor>): () => Promise<void>;
  /** Waits for current runs and frees the session's memory. Later runs throw a UsageError. */
  dispose(): Promise<void>;
}

/** A graph opened in ONNX Runtime. */
export interface Session extends BoundSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /**
   * Runs the graph once.
   *
   * @param feeds all graph inputs by name.
   * @param fetches the outputs to compute. Default: all.
   * @throws UsageError if an input is missing or has the wrong type or shape, beginning with the node that detected it.
   */
  run(feeds: ReadonlyMap<string, Tensor>, fetches?: readonly string[]): Promise<Map<string, Tensor>>;
}

/** The machine that runs graphs. */
export interface Machine {
  /** The processor's model, or the browser's user agent. */
  readonly cpu: string;
  /** The number of threads that a session can use. */
  readonly cores: number;
  /** ONNX Runtime's version. */
  readonly runtime: string;
  /**
   * Channels per block, which its CPU convolutions compute at a time: 16 with AVX-512, 8 with other vectors. Undefined if
   * it has no blocked layout; training and inference then use standard operators.
   */
  readonly block: number | undefined;
}

export interface Platform {
  readonly Session: {
    /**
     * Opens a graph, the bytes of an ONNX file, or the file at a path (Node) or URL (browser).
     *
     * @throws UsageError if the runtime is not installed, if it does not have these threads or providers, or if it refuses
     *   the graph, with its reason.
     * @example const session = await Session.open(model.graph, { threads: 2 });
     */
    open(model: Graph | Uint8Array | string, options?: SessionOptions): Promise<Session>;
  };
  /** Opens a graph for many runs on the same arrays, with as few copies as possible. Throws as `Session.open`. */
  openBound(graph: Graph, options?: SessionOptions): Promise<BoundSession>;
  /** Opens a graph, runs it once and frees it. Returns all outputs by name. Throws as `Session.open` and `run`. */
  runOnce(graph: Graph, feeds: ReadonlyMap<string, Tensor>, options?: SessionOptions): Promise<Map<string, Tensor>>;
  /** The machine that runs the graphs, detected once per process. Throws a UsageError if the runtime is not installed. */
  thisMachine(): Promise<Machine>;
  /** The execution providers that are available for `SessionOptions.providers`. */
  availableProviders(): Promise<readonly string[]>;
  /** The results of `resnext bench --tune` on this machine, if it was run. */
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

/** An image file whose header was read, so that its size is known before memory is allocated for its pixels. */
export interface OpenedImage {
  readonly width: number;
  readonly height: number;
  /** Pixels of memory that decoding takes: width × height, or 0 if they are in memory already. */
  readonly pixels: number;
  /**
   * Decodes the image to RGB. Alpha, color profiles and EXIF orientation are ignored.
   *
   * @throws FormatError if the file is damaged or truncated.
   */
  decode(): Promise<Image>;
}

/** Threads that run jobs of one kind. Each thread runs its jobs in the order in which it got them. */
export interface Workers<Job, Result> {
  /** 0 if jobs run in the calling thread. Jobs for threads are plain data, with large arrays in shared memory. */
  readonly threads: number;
  run(job: Job): Promise<Result>;
  /** Ends the threads. Unfinished jobs are rejected. */
  close(): Promise<void>;
}

export interface WorkersOptions {
  /** The built module that each thread loads, as a path within `dist`. */
  readonly module: string;
  /** The name of the exported function that runs a job and returns a promise of its result. */
  readonly name: string;
  readonly threads: number;
  /** Maximum number of jobs queued at each thread. */
  readonly queue: number;
}

/**
 * How an image is stored in a larger file: an image file as it is, or deflated; CIFAR's planes of 32 × 32 bytes; or a value in
 * a page of a Parquet file.
 */
export type Packing = 'stored' | 'deflate' | 'cifar' | ParquetValue;

/** Where an image is in a page of a Parquet file. Plain data. */
export interface ParquetValue {
  readonly column: ParquetColumn;
  /** The page with the values that this one refers to by number. */
  readonly dictionary: ByteRange | undefined;
  /** The row in the page. */
  readonly row: number;
}

/** A column of a Parquet file whose values are neither lists nor in lists, in the words of the format. */
export interface ParquetColumn {
  readonly type: 'BOOLEAN' | 'INT32' | 'INT64' | 'INT96' | 'FLOAT' | 'DOUBLE' | 'BYTE_ARRAY' | 'FIXED_LEN_BYTE_ARRAY';
  readonly codec: 'UNCOMPRESSED' | 'SNAPPY' | 'GZIP' | 'LZO' | 'BROTLI' | 'LZ4' | 'ZSTD' | 'LZ4_RAW';
  /** How many of the value and the structs around it may be missing. */
  readonly levels: number;
}

/** A range of bytes in a file. */
export interface ByteRange {
  readonly start: number;
  readonly length: number;
}

/** Where an image is in a larger file. */
export interface Extent {
  /** The larger file. */
  readonly path: string;
  /** Position of the first byte, and the number of bytes as stored. */
  readonly start: number;
  readonly length: number;
  readonly packing: Packing;
}

/**
 * The part of the platform that reads images. It is imported separately, as `#platform/images`, so that a worker thread
 * loads a decoder but not the runtime.
 */
export interface ImagePlatform {
  /**
   * Loads the decoder, once per thread. The main thread must be the first.
   *
   * @param options `oneThread` makes it single-threaded, for workers, which already run in parallel.
   * @throws UsageError if the decoder is not installed.
   */
  openDecoder(options?: { readonly oneThread?: boolean }): Promise<void>;
  /**
   * Reads the header of an image file. The first bytes determine its format (`formats/formats.ts`).
   *
   * @param name the image's name in errors.
   * @throws FormatError if it has another format, no size, or too many pixels; UsageError if the decoder is not installed.
   */
  openImage(bytes: Uint8Array, name: string, maxMegapixels: number): Promise<OpenedImage>;
  /** Whether HEIC files can be decoded. */
  readsHeic(): Promise<boolean>;
  /**
   * The image as a `data:` URL of a few kilobytes, to show in a page.
   *
   * @param side the maximum length of the longer side in pixels. Smaller images keep their size.
   */
  thumbnail(image: Image, side: number): Promise<string>;
  /** Whether a text is a path for `readImageFile` rather than a URL to fetch. In a page, every text is a URL. */
  isFile(source: string): boolean;
  /**
   * Reads the file at a path or a `file:` URL.
   *
   * @param name the image's name in errors. Default: the path.
   * @throws FormatError if the file does not exist, is not a regular file, or cannot be read; UsageError in a page, which
   *   cannot read files.
   */
  readImageFile(path: string, name?: string): Uint8Array;
  /**
   * Reads an image in a larger file.
   *
   * @throws FormatError naming the image as `readImageFile` does, or if the file ends before it or its bytes are damaged.
   */
  readPacked(extent: Extent, name: string): Uint8Array | Promise<Uint8Array>;
  /** Starts threads; undefined if the platform has none. */
  startWorkers<Job, Result>(options: WorkersOptions): Promise<Workers<Job, Result> | undefined>;
  availableCores(): number;
  /** In bytes. */
  availableMemory(): number;
}
