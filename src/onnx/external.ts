/**
 * External data: the bytes of large tensors in files beside the model, each found by location, offset and length.
 * Reading loads all of them into the model. Writing moves large initializers out, at offsets that are multiples of
 * 4096, so that a runtime can map them into memory.
 */
import { create } from '@bufbuild/protobuf';
import { FormatError } from '../errors.ts';
import { dataTypeOf } from '../graph/data-types.ts';
import type { Value } from '../graph/graph.ts';
import { byteLength, bytesOf, type OwnBytes, type Tensor } from '../tensor.ts';
import type { ExternalData } from './external-data.ts';
import {
  TensorProto_DataLocation as DataLocation,
  type ModelProto,
  type StringStringEntryProto,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from './generated/onnx_pb.ts';
import { mapTensors } from './messages.ts';
import { originOfValue } from './origin.ts';
import { byteLengthOf, isExternal, withoutData, withRawData } from './tensors.ts';

const alignment = 4096;

/** The model with all external data loaded. */
export function inlineExternal(model: ModelProto, external: ExternalData, file: string): ModelProto {
  return mapTensors(model, (tensor) => {
    if (!isExternal(tensor)) return tensor;
    const subject = `${file}: tensor "${tensor.name}"`;
    const { location, offset, length } = readReference(tensor, subject);
    const needed = byteLengthOf(tensor, subject);
    if (needed !== undefined && length !== undefined && needed !== length) {
      throw new FormatError(`${subject} needs ${needed} bytes, but its external data in "${location}" has ${length}.`);
    }
    const bytes = external(location, offset, length ?? needed);
    const expected = length ?? needed ?? bytes.length;
    if (bytes.length !== expected) {
      const got = `"${location}" has ${bytes.length} from offset ${offset}`;
      throw new FormatError(`${subject} needs ${expected} bytes, but ${got}. Check that the data file is complete.`);
    }
    return withRawData(tensor, bytes as OwnBytes);
  });
}

interface Reference {
  readonly location: string;
  readonly offset: number;
  readonly length: number | undefined;
}

function readReference(tensor: TensorProto, subject: string): Reference {
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get('location');
  if (!location) throw new FormatError(`${subject} has external data, but no location for it.`);
  const number = (key: string): number | undefined => {
    const text = entries.get(key);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
    throw new FormatError(`${subject}: the ${key} of its external data is "${text}", but expected a number of bytes.`);
  };
  return { location, offset: number('offset') ?? 0, length: number('length') };
}

/** Initializers stored in a data file: the message with the reference for each, and the chunks of the file. */
export interface PlacedTensors {
  readonly references: ReadonlyMap<Value, TensorProto>;
  /** Each tensor is read when its chunk is made, so that only one needs to be in memory at a time. */
  readonly chunks: readonly (() => Uint8Array)[];
}

/**
 * Assigns a place in the data file to every initializer of at least `threshold` bytes, except vectors of int64. With
 * `separateFiles` each gets a file of its own: chunk i is the file `<location>.<i>`.
 */
export function placeExternal(
  values: Iterable<Value>,
  location: string,
  threshold: number,
  separateFiles = false,
): PlacedTensors {
  const references = new Map<Value, TensorProto>();
  const chunks: (() => Uint8Array)[] = [];
  let end = 0;
  for (const value of values) {
    const { tensor } = value;
    if (!tensor || isShape(tensor) || byteLength(tensor) < Math.max(threshold, 1)) continue;
    const length = byteLength(tensor);
    const padding = separateFiles ? 0 : -end & (alignment - 1);
    if (padding > 0) chunks.push(() => new Uint8Array(padding));
    const reference = separateFiles
      ? { location: `${location}.${chunks.length}`, offset: 0, length }
      : { location, offset: end + padding, length };
    references.set(value, withReference(value, tensor, reference));
    chunks.push(() => bytesOf(tensor));
    end += padding + length;
  }
  return { references, chunks };
}

/** Shapes, axes and lengths, which a runtime needs before it has read any file. */
const isShape = ({ dtype, dims }: Tensor): boolean => dtype === 'int64' && dims.length <= 1;

function withReference(value: Value, tensor: Tensor, reference: Reference): TensorProto {
  const externalData = Object.entries(reference).map(([key, text]) => entry(key, String(text)));
  const from = originOfValue(value)?.initializer ?? create(TensorProtoSchema);
  return Object.assign(withoutData(from), {
    name: value.name,
    dims: tensor.dims.map(BigInt),
    dataType: dataTypeOf(tensor.dtype),
    dataLocation: DataLocation.EXTERNAL,
    externalData,
  });
}

const entry = (key: string, value: string): StringStringEntryProto =>
  create(StringStringEntryProtoSchema, { key, value });
