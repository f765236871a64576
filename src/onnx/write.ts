/**
 * Writes a graph as ONNX bytes, in one piece or with its large tensors in a file of their own. The format allows 2 GiB
 * in one piece; above 1 GiB of tensors this package asks for two.
 */
import { UsageError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { byteLength, joinBytes } from '../tensor.ts';
import { encodeModel } from './encode.ts';
import { moveOut } from './external.ts';
import type { ModelProto } from './generated/onnx_pb.ts';
import { mapTensors } from './messages.ts';
import { toModel } from './model.ts';
import { isExternal } from './tensors.ts';

/** Bytes of tensors that one file may hold. */
export const inlineLimit = 2 ** 30;

export interface EncodeOptions {
  /** The data file's name, relative to the model's folder. */
  readonly location: string;
  /** Initializers of at least so many bytes go to the data file. */
  readonly threshold?: number;
  /** Nothing goes to the data file while all tensors together take at most so many bytes. */
  readonly above?: number;
  /** One data file for each initializer that is moved, `<location>.0` and so on: nothing has to be joined. */
  readonly apart?: boolean;
}

/** The bytes of a model, and its data file as the chunks that follow each other in it; none where it needs no file. */
export interface EncodedModel {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly data: readonly Uint8Array[];
}

/**
 * The graph as the bytes of an ONNX file that holds everything.
 *
 * @throws UsageError when its tensors take more than 1 GiB, or an initializer has no contents.
 * @example await writeFile('model.onnx', writeOnnx(graph));
 */
export function writeOnnx(graph: Graph): Uint8Array<ArrayBuffer> {
  const model = toModel(graph);
  const size = tensorBytes(model);
  if (size > inlineLimit) {
    const remedy = 'Write them beside the model, with writeOnnxFile(path, graph)';
    throw new UsageError(`The tensors of "${graph.name}" take ${size} bytes, more than 1 GiB. ${remedy}.`);
  }
  return joinBytes(encodeModel(model));
}

/**
 * The graph as the bytes of an ONNX file, and the chunks of a data file with its large initializers.
 *
 * @throws UsageError when an initializer has no contents, or refers to a file that was not read.
 * @example const { model, data } = encodeOnnx(graph, { location: 'model.onnx.data' });
 */
export function encodeOnnx(graph: Graph, options: EncodeOptions): EncodedModel {
  const { model, data } = encodeChunks(graph, options);
  return { model: joinBytes(model), data: data.map((chunk) => chunk()) };
}

/** `encodeOnnx` with the model too in chunks, for a file; those of the data file are made one by one. */
export function encodeChunks(
  graph: Graph,
  options: EncodeOptions,
): { model: Uint8Array[]; data: readonly (() => Uint8Array)[] } {
  const { location, threshold = 1024, above = 0, apart } = options;
  const { references, chunks } =
    initializerBytes(graph) > above
      ? moveOut(graph.initializers, location, threshold, apart)
      : { references: new Map(), chunks: [] };
  const model = toModel(graph, references);
  const moved = new Set(references.values());
  mapTensors(model, (tensor) => {
    if (!isExternal(tensor) || moved.has(tensor)) return tensor;
    const remedy = 'Read the model with readOnnxFile, or with the option `external`';
    throw new UsageError(`The data of tensor "${tensor.name}" lies in a file that was not read. ${remedy}.`);
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
