/**
 * External data: the bytes of large tensors in files beside the model, each found by a location, an offset and a
 * length. Reading brings all of them into the model; writing moves the large initializers out, to offsets that are
 * multiples of 4096, so that a runtime can map them into memory.
 */
import { clearField, create } from '@bufbuild/protobuf';
import { FormatError } from '../errors.ts';
import {
  TensorProto_DataLocation as DataLocation,
  TensorProto_DataType as DataType,
  type ModelProto,
  type StringStringEntryProto,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from './generated/onnx_pb.ts';
import { copyOf, mapTensors } from './messages.ts';
import { byteLengthOf, isExternal, withRawData } from './tensors.ts';

/** The bytes of a region of an external file; without a length, up to the file's end. It may throw what it likes. */
export type ExternalData = (location: string, offset: number, length: number | undefined) => Uint8Array;

const alignment = 4096;

/** The model with all external data in it. */
export function bringIn(model: ModelProto, external: ExternalData, file: string): ModelProto {
  return mapTensors(model, (tensor) => {
    if (!isExternal(tensor)) return tensor;
    const subject = `${file}: tensor "${tensor.name}"`;
    const { location, offset, length } = readReference(tensor, subject);
    const needed = byteLengthOf(tensor, subject);
    if (needed !== undefined && length !== undefined && needed !== length) {
      throw new FormatError(`${subject} takes ${needed} bytes, but its external data in "${location}" has ${length}.`);
    }
    const bytes = external(location, offset, length ?? needed);
    const expected = length ?? needed ?? bytes.length;
    if (bytes.length !== expected) {
      const got = `"${location}" gave ${bytes.length} from offset ${offset}`;
      throw new FormatError(`${subject} takes ${expected} bytes, but ${got}. Is the data file complete?`);
    }
    return withRawData(tensor, bytes as Uint8Array<ArrayBuffer>);
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
  if (!location) throw new FormatError(`${subject} has external data without a location.`);
  const number = (key: string): number | undefined => {
    const text = entries.get(key);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
    throw new FormatError(`${subject}: the ${key} of its external data is "${text}"; expected a number of bytes.`);
  };
  return { location, offset: number('offset') ?? 0, length: number('length') };
}

/**
 * The model without the initializers of at least `threshold` bytes, vectors of int64 apart, and the chunks of the file that holds them. `apart`
 * gives each a file of its own, chunk i being the file `<location>.<i>`.
 */
export function moveOut(
  model: ModelProto,
  location: string,
  threshold: number,
  apart = false,
): { model: ModelProto; data: Uint8Array[] } {
  const data: Uint8Array[] = [];
  let end = 0;
  const append = (bytes: Uint8Array): void => {
    data.push(bytes);
    end += bytes.length;
  };
  const rest = mapTensors(model, (tensor, initializer) => {
    if (!initializer || isShape(tensor) || tensor.rawData.length < Math.max(threshold, 1)) return tensor;
    if (apart) {
      data.push(tensor.rawData);
      return withReference(tensor, {
        location: `${location}.${data.length - 1}`,
        offset: 0,
        length: tensor.rawData.length,
      });
    }
    const padding = -end & (alignment - 1);
    if (padding > 0) append(new Uint8Array(padding));
    const reference = { location, offset: end, length: tensor.rawData.length };
    append(tensor.rawData);
    return withReference(tensor, reference);
  });
  return { model: rest, data };
}

/** Shapes, axes and lengths: a runtime must know them before it has read any file. */
const isShape = ({ dataType, dims }: TensorProto): boolean => dataType === DataType.INT64 && dims.length <= 1;

function withReference(tensor: TensorProto, reference: Reference): TensorProto {
  const externalData = Object.entries(reference).map(([key, value]) => entry(key, String(value)));
  const dataLocation = DataLocation.EXTERNAL;
  const moved: TensorProto = Object.assign(copyOf(tensor), { externalData, dataLocation });
  clearField(moved, TensorProtoSchema.field.rawData);
  return moved;
}

const entry = (key: string, value: string): StringStringEntryProto =>
  create(StringStringEntryProtoSchema, { key, value });
