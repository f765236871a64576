/**
 * Types of values between ONNX (ValueInfoProto) and ours: an element type and dimensions. An unknown dimension is ''.
 * Types other than dense tensors, and elements without a `DType`, read as unknown.
 */
import { clearField, create } from '@bufbuild/protobuf';
import { dataTypeOf, dtypeOf } from '../graph/data-types.ts';
import type { Dim } from '../graph/graph.ts';
import type { DType } from '../tensor.ts';
import {
  type TensorShapeProto,
  type TensorShapeProto_Dimension,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './generated/onnx_pb.ts';
import { copyOf, withFields } from './messages.ts';

export interface ValueType {
  readonly dtype: DType | undefined;
  readonly dims: readonly Dim[] | undefined;
}

export const sameType = (a: ValueType, b: ValueType): boolean =>
  a.dtype === b.dtype && (a.dims === b.dims || String(a.dims?.map(dimKey)) === String(b.dims?.map(dimKey)));

const dimKey = (dim: Dim): string => JSON.stringify(dim);

export function readType({ type }: ValueInfoProto): ValueType {
  if (type?.value.case !== 'tensorType') return { dtype: undefined, dims: undefined };
  const { elemType, shape } = type.value.value;
  return { dtype: dtypeOf(elemType), dims: shape?.dim.map(readDim) };
}

function readDim({ value }: TensorShapeProto_Dimension): Dim {
  if (value.case === 'dimValue') return value.value < 0n ? '' : Number(value.value);
  return value.case === 'dimParam' ? value.value : '';
}

/**
 * The message for a value of this name and type, based on its previous message. An element type without a `DType`
 * stays; if the element type is no longer known, the whole type is dropped.
 */
export function writeInfo(name: string, type: ValueType, from = create(ValueInfoProtoSchema)): ValueInfoProto {
  const named = withFields(from, { name });
  const before = readType(from);
  if (sameType(before, type)) return named;
  const tensor = from.type?.value.case === 'tensorType' ? from.type.value.value : undefined;
  const kept = before.dtype === undefined ? tensor?.elemType : undefined;
  const elemType = type.dtype === undefined ? kept : dataTypeOf(type.dtype);
  if (elemType === undefined) return withoutType(named);
  const shape = type.dims && writeShape(type.dims, tensor?.shape);
  const value = create(TypeProto_TensorSchema, { elemType, ...(shape && { shape }) });
  const typed = withFields(from.type ?? create(TypeProtoSchema), { value: { case: 'tensorType', value } });
  return withFields(named, { type: typed });
}

function withoutType(info: ValueInfoProto): ValueInfoProto {
  const copy = copyOf(info);
  clearField(copy, ValueInfoProtoSchema.field.type);
  return copy;
}

/** An unchanged dimension keeps its message, including its denotation. */
function writeShape(dims: readonly Dim[], before: TensorShapeProto | undefined): TensorShapeProto {
  const dim = dims.map((size, i) => {
    const old = before?.dim[i];
    return old && readDim(old) === size ? old : create(TensorShapeProto_DimensionSchema, { value: writeDim(size) });
  });
  return create(TensorShapeProtoSchema, { dim });
}

function writeDim(size: Dim): TensorShapeProto_Dimension['value'] {
  if (typeof size === 'number') return { case: 'dimValue', value: BigInt(size) };
  return size === '' ? { case: undefined } : { case: 'dimParam', value: size };
}
