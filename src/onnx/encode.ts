/**
 * Encodes a model message in chunks: the bytes that `toBinary` gives, but the data of large initializers is neither
 * copied nor moved. In the wire format, a message is its fields in the order of their numbers, and a field that is
 * itself a message is a tag, a length and that message's bytes. So each part can be encoded separately. Reference:
 * https://protobuf.dev/programming-guides/encoding
 */
import { clearField, type DescField, type DescMessage, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import {
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from './generated/onnx_pb.ts';
import { copyOf } from './messages.ts';

/** Data of at least `large` bytes (1 or more) becomes a separate chunk. */
export function encodeModel(model: ModelProto, large = 4096): Uint8Array[] {
  const field = ModelProtoSchema.field.graph;
  const [before, after] = encodeAround(ModelProtoSchema, model, field);
  return [before, ...(model.graph ? delimited(field, encodeGraph(model.graph, large)) : []), after];
}

function encodeGraph(graph: GraphProto, large: number): Uint8Array[] {
  const field = GraphProtoSchema.field.initializer;
  const [before, after] = encodeAround(GraphProtoSchema, graph, field);
  return [before, ...graph.initializer.flatMap((tensor) => delimited(field, encodeTensor(tensor, large))), after];
}

function encodeTensor(tensor: TensorProto, large: number): Uint8Array[] {
  if (tensor.rawData.length < large) return [toBinary(TensorProtoSchema, tensor)];
  const field = TensorProtoSchema.field.rawData;
  const [before, after] = encodeAround(TensorProtoSchema, tensor, field);
  return [before, ...delimited(field, [tensor.rawData]), after];
}

/** The bytes of the fields before and after one field. Unknown fields come last. */
function encodeAround<S extends DescMessage>(schema: S, message: MessageShape<S>, field: DescField) {
  const before = copyOf(message);
  const after = copyOf(message);
  delete before.$unknown;
  for (const each of schema.fields) {
    if (each.number >= field.number) clearField(before, each);
    if (each.number <= field.number) clearField(after, each);
  }
  return [toBinary(schema, before), toBinary(schema, after)] as const;
}

/** A field with these chunks as its content. */
function delimited(field: DescField, chunks: readonly Uint8Array[]): Uint8Array[] {
  const length = chunks.reduce((total, chunk) => total + chunk.length, 0);
  return [new BinaryWriter().tag(field.number, WireType.LengthDelimited).uint32(length).finish(), ...chunks];
}
