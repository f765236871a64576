/**
 * Writes a graph as ONNX bytes, in one piece or with its large tensors in a separate file. The format allows 2 GiB in
 * one piece; this package requires two files above 1 GiB of tensors.
 */
import { checkArgument } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import { type Graph, graphKind } from '../graph/graph.ts';
import { byteLength, joinBytes, type OwnBytes } from '../tensor.ts';
import { encodeModel } from './encode.ts';
import { placeExternal } from './external.ts';
import type { ModelProto } from './generated/onnx_pb.ts';
import { mapTensors } from './messages.ts';
import { toModel } from './model.ts';
import { isExternal } from './tensors.ts';

/** Maximum size of the tensors in a single file, in bytes. */
export const inlineLimit = 2 ** 30;

export interface EncodeOptions {
  /** The data file's name, relative to the model's folder. */
  readonly location: string;
  /** Initializers of at least this many bytes go to the data file. Defaults to 1024. */
  readonly threshold?: number;
  /** If all initializers together have at most this many bytes, none goes to the data file. Defaults to 0. */
  readonly above?: number;
  /** Write a data file per initializer, `<location>.0` and so on, so that nothing has to be joined. */
  readonly separateFiles?: boolean;
}

/** The bytes of a model, and the chunks of its data file in order; empty if it needs no file. */
export interface EncodedModel {
  readonly model: OwnBytes;
  readonly data: readonly Uint8Array[];
}

/**
 * Encodes a graph as the bytes of a single ONNX file.
 *
 * @throws UsageError if its tensors take more than 1 GiB, or an initializer has no weights.
 * @example await writeFile('model.onnx', writeOnnx(graph));
 */
export function writeOnnx(graph: Graph): OwnBytes {
  checkArgument('graph', graph, graphKind);
  const model = toModel(graph);
  const size = tensorBytes(model);
  if (size > inlineLimit) {
    const remedy = 'Use writeOnnxFile(path, graph), which writes them beside the model';
    throw new UsageError(`The tensors of "${graph.name}" take ${size} bytes, more than 1 GiB. ${remedy}.`);
  }
  return joinBytes(encodeModel(model));
}

/**
 * Encodes a graph as the bytes of an ONNX file, and the chunks of a data file with its large initializers.
 *
 * @throws UsageError if an initializer has no weights, or refers to a file that was not read.
 * @example const { model, data } = encodeOnnx(graph, { location: 'model.onnx.data' });
 */
export function encodeOnnx(graph: Graph, options: EncodeOptions): EncodedModel {
  const { model, data } = encodeChunks(graph, options);
  return { model: joinBytes(model), data: data.map((chunk) => chunk()) };
}

/** Like `encodeOnnx`, but the model is in chunks too, and each chunk of the data file is made on demand. */
export function encodeChunks(
  graph: Graph,
  options: EncodeOptions,
): { model: Uint8Array[]; data: readonly (() => Uint8Array)[] } {
  const { location, threshold = 1024, above = 0, separateFiles } = options;
  const { references, chunks } =
    initializerBytes(graph) > above
      ? placeExternal(graph.initializers, location, threshold, separateFiles)
      : { references: new Map(), chunks: [] };
  const model = toModel(graph, references);
  const moved = new Set(references.values());
  mapTensors(model, (tensor) => {
    if (!isExternal(tensor) || moved.has(tensor)) return tensor;
    const remedy = 'Read the model with readOnnxFile, or with the option `external`';
    throw new UsageError(`The data of tensor "${tensor.name}" is in a file that was not read. ${remedy}.`);
  });
  return { model: encodeModel(model), data: chunks };
}

const initializerBytes = ({ initializers }: Graph): number =>
  [...initializers].reduce((sum, { tensor }) => sum + (tensor ? byteLength(tensor) : 0), 0);

function tensorBytes(model: ModelProto): number {
  let total = 0;
  mapTensors(model, (tensor) => {
    total += tensor.rawData.length;
    return tensor;
  });
  return total;
}
