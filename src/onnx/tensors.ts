/**
 * Tensors between ONNX's TensorProto and ours. A file stores the elements as little-endian bytes (`raw_data`) or in a
 * typed list. Ours are copies, so they are aligned, can be written to, and do not keep the file's bytes in memory.
 * Element types without a `DType` (strings, 8-bit and 4-bit floats, complex numbers) stay in their message.
 */
import { clearField, create } from '@bufbuild/protobuf';
import { FormatError } from '../errors.ts';
import { dataTypeOf, dtypeOf } from '../graph/data-types.ts';
import {
  allocate,
  bytesOf,
  bytesPerElement,
  type DataOf,
  type DType,
  elements,
  type OwnBytes,
  type Tensor,
  tensor,
} from '../tensor.ts';
import { TensorProto_DataLocation as DataLocation, type TensorProto, TensorProtoSchema } from './generated/onnx_pb.ts';
import { copyOf, sameItems, withFields } from './messages.ts';

/** The elements of a tensor that is not raw, from the list that ONNX assigns to its type. */
const typedLists: { readonly [D in DType]: (message: TensorProto) => DataOf[D] } = {
  float32: (message) => Float32Array.from(message.floatData),
  float64: (message) => Float64Array.from(message.doubleData),
  float16: (message) => Uint16Array.from(message.int32Data),
  bfloat16: (message) => Uint16Array.from(message.int32Data),
  int64: (message) => BigInt64Array.from(message.int64Data),
  uint64: (message) => BigUint64Array.from(message.uint64Data),
  int32: (message) => Int32Array.from(message.int32Data),
  uint32: (message) => Uint32Array.from(message.uint64Data, Number),
  int16: (message) => Int16Array.from(message.int32Data),
  uint16: (message) => Uint16Array.from(message.int32Data),
  int8: (message) => Int8Array.from(message.int32Data),
  uint8: (message) => Uint8Array.from(message.int32Data),
  bool: (message) => Uint8Array.from(message.int32Data),
};

export const isExternal = (message: TensorProto): boolean => message.dataLocation === DataLocation.EXTERNAL;

/** A tensor's dimensions as numbers. `subject` names the tensor in messages. */
export function dimsOf(message: { readonly dims: readonly bigint[] }, subject: string): number[] {
  if (message.dims.some((dim) => dim < 0n)) {
    throw new FormatError(`${subject} has dimensions [${message.dims}], but none may be negative.`);
  }
  return message.dims.map(Number);
}

/** Size of the elements in bytes, if the type is one of ours. */
export function byteLengthOf(message: TensorProto, subject: string): number | undefined {
  const dtype = dtypeOf(message.dataType);
  return dtype && elements(dimsOf(message, subject)) * bytesPerElement(dtype);
}

/**
 * The tensor in a message, and the message to keep for writing it back. There is no tensor if its type has no `DType`,
 * if the message is only one segment of it, or if its data is in another file.
 *
 * @throws FormatError if the data does not fill the dimensions exactly.
 */
export function decodeTensor(message: TensorProto, subject: string): { tensor?: Tensor; message: TensorProto } {
  const dims = dimsOf(message, subject);
  const dtype = dtypeOf(message.dataType);
  if (!dtype || message.segment || isExternal(message)) return { message };
  if ([message.rawData, ...listsOf(message)].filter(isFilled).length > 1) {
    throw new FormatError(`${subject} stores its data more than once; expected either raw_data or one typed list.`);
  }
  const data = isRaw(message) ? fromBytes(message, dtype, subject) : typedLists[dtype](message);
  if (data.length !== elements(dims)) {
    throw new FormatError(
      `${subject} is ${dtype} [${dims}] and needs ${elements(dims)} elements, but its data has ${data.length}.`,
    );
  }
  const decoded = tensor(dtype, dims, data);
  return { tensor: decoded, message: isRaw(message) ? withRawData(message, bytesOf(decoded)) : message };
}

const isRaw = (message: TensorProto): boolean => !listsOf(message).some(isFilled);
const isFilled = (list: ArrayLike<unknown>): boolean => list.length > 0;
const listsOf = (message: TensorProto): readonly (readonly unknown[])[] => [
  message.floatData,
  message.doubleData,
  message.int32Data,
  message.int64Data,
  message.uint64Data,
];

function fromBytes<D extends DType>(message: TensorProto, dtype: D, subject: string): DataOf[D] {
  const bytes = message.rawData;
  const expected = byteLengthOf(message, subject);
  if (bytes.length !== expected) {
    const dims = dimsOf(message, subject);
    throw new FormatError(`${subject} is ${dtype} [${dims}] and needs ${expected} bytes, but has ${bytes.length}.`);
  }
  const data = allocate(dtype, bytes.length / bytesPerElement(dtype));
  new Uint8Array(data.buffer).set(bytes);
  return data;
}

/** The message for a tensor, based on the message that it was read from. That one is returned if it still fits. */
export function encodeTensor(value: Tensor, from: TensorProto = create(TensorProtoSchema)): TensorProto {
  const dims = value.dims.map(BigInt);
  const shaped = withFields(from, {
    dataType: dataTypeOf(value.dtype),
    dims: sameItems(from.dims, dims) ? from.dims : dims,
  });
  if (shaped === from && holdsInLists(from, value)) return from;
  return withRawData(shaped, bytesOf(value));
}

/** The message with these bytes as its data, however it stored its data before. Empty data needs no field. */
export function withRawData(message: TensorProto, rawData: OwnBytes): TensorProto {
  if (isRaw(message) && !isExternal(message)) {
    return message.rawData.length + rawData.length > 0 ? withFields(message, { rawData }) : message;
  }
  return Object.assign(withoutData(message), { rawData });
}

/** The message without its data, however it was stored. */
export function withoutData(message: TensorProto): TensorProto {
  const bare = copyOf(message);
  for (const name of ['rawData', 'dataLocation'] as const) clearField(bare, TensorProtoSchema.field[name]);
  const { floatData, doubleData, int32Data, int64Data, uint64Data, externalData } = create(TensorProtoSchema);
  return Object.assign(bare, { floatData, doubleData, int32Data, int64Data, uint64Data, externalData });
}

/** Whether a typed list still holds exactly the tensor's bits; its elements may have changed since they were read. */
function holdsInLists(message: TensorProto, value: Tensor): boolean {
  if (isRaw(message) || isExternal(message)) return false;
  const data = typedLists[value.dtype](message);
  const held = new Uint8Array(data.buffer);
  const bytes = bytesOf(value);
  return held.length === bytes.length && held.every((byte, i) => byte === bytes[i]);
}
