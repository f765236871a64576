/**
 * ONNX's numbers for data types (`TensorProto.DataType`), used in files and in the attribute `to` of Cast. ONNX also
 * has types that we do not support, such as strings and 8-bit floats.
 */
import { type DType, dtypes } from '../tensor.ts';

const numbers: { readonly [D in DType]: number } = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
};

const byNumber: ReadonlyMap<number, DType> = new Map(dtypes.map((dtype) => [numbers[dtype], dtype]));

/** ONNX's number for a data type. */
export const dataTypeOf = (dtype: DType): number => numbers[dtype];

/** The data type with this number in ONNX, if it is one of ours. */
export const dtypeOf = (dataType: number): DType | undefined => byNumber.get(dataType);
