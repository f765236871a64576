/**
 * Attributes between ONNX's AttributeProto and ours. Whatever ours cannot represent exactly stays `opaque`, with its
 * message as the value: graphs, sparse tensors, types, lists of tensors, references to a function's attribute, integers
 * that a double cannot hold, strings that are not UTF-8.
 */
import { create, isFieldSet, isMessage, type MessageInitShape } from '@bufbuild/protobuf';
import type { Attribute } from '../graph/graph.ts';
import {
  type AttributeProto,
  AttributeProtoSchema,
  type GraphProto,
  AttributeProto_AttributeType as Type,
} from './generated/onnx_pb.ts';
import { withFields } from './messages.ts';
import { decodeTensor, encodeTensor } from './tensors.ts';

/** An attribute as it was read, and its message, which is written back as long as the attribute does not change. */
export interface ReadAttribute {
  readonly attribute: Attribute;
  readonly message: AttributeProto;
}

const int64Max = 2n ** 63n - 1n;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The graphs in an attribute. */
export const subgraphs = (message: AttributeProto): GraphProto[] =>
  message.g ? [message.g, ...message.graphs] : message.graphs;

export function readAttribute(message: AttributeProto, subject: string): ReadAttribute {
  if (typeOf(message) === Type.TENSOR && message.t && !message.refAttrName) {
    const { tensor, message: t } = decodeTensor(message.t, `${subject}, attribute "${message.name}"`);
    if (tensor) return { attribute: { kind: 'tensor', value: tensor }, message: withFields(message, { t }) };
  }
  const plain = readPlain(message);
  return plain
    ? { attribute: plain, message: detached(message) }
    : { attribute: { kind: 'opaque', value: message }, message };
}

/** A copy with strings of its own; the original ones are views that would keep the whole file in memory. */
const detached = (message: AttributeProto): AttributeProto =>
  withFields(message, {
    ...(message.s.length > 0 && { s: new Uint8Array(message.s) }),
    ...(message.strings.length > 0 && { strings: message.strings.map((text) => new Uint8Array(text)) }),
  });

function readPlain(message: AttributeProto): Attribute | undefined {
  if (message.refAttrName) return undefined;
  switch (typeOf(message)) {
    case Type.FLOAT:
      return { kind: 'float', value: message.f };
    case Type.INT:
      return isExact(message.i) ? { kind: 'int', value: Number(message.i) } : undefined;
    case Type.STRING: {
      const value = decodeText(message.s);
      return value === undefined ? undefined : { kind: 'string', value };
    }
    case Type.FLOATS:
      return { kind: 'floats', value: message.floats };
    case Type.INTS:
      return message.ints.every(isExact) ? { kind: 'ints', value: message.ints.map(Number) } : undefined;
    case Type.STRINGS: {
      const value = message.strings.map(decodeText).filter((text) => text !== undefined);
      return value.length === message.strings.length ? { kind: 'strings', value } : undefined;
    }
    default:
      return undefined;
  }
}

/** The type that a message states or, in files of ONNX's first version, the type of the field that it fills. */
function typeOf(message: AttributeProto): Type | undefined {
  if (message.type !== Type.UNDEFINED) return message.type as Type;
  const { f, i, s, t, floats, ints, strings } = AttributeProtoSchema.field;
  const types = [
    [f, Type.FLOAT],
    [i, Type.INT],
    [s, Type.STRING],
    [t, Type.TENSOR],
    [floats, Type.FLOATS],
    [ints, Type.INTS],
    [strings, Type.STRINGS],
  ] as const;
  return types.find(([field]) => isFieldSet(message, field))?.[1];
}

const isExact = (value: bigint): boolean => toInt64(Number(value)) === value;

/** The largest int64 reads as 2^63. A Slice uses it as an end that means "to the last". */
function toInt64(value: number): bigint {
  return value >= 2 ** 63 ? int64Max : BigInt(value);
}

function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The message for an attribute: the original one while it is unchanged. `subject` names the node in messages. */
export function writeAttribute(
  name: string,
  attribute: Attribute,
  read: ReadAttribute | undefined,
  subject: string,
): AttributeProto {
  if (read && attribute === read.attribute) {
    const { message } = read;
    return attribute.kind === 'tensor' ? withFields(message, { t: encodeTensor(attribute.value, message.t) }) : message;
  }
  if (attribute.kind === 'int' || attribute.kind === 'ints') checkIntegers(name, attribute.value, subject);
  if (attribute.kind !== 'opaque') return create(AttributeProtoSchema, { ...fieldsOf(attribute), name });
  if (!isMessage(attribute.value, AttributeProtoSchema)) {
    throw new Error(`${subject}: attribute "${name}" is opaque, but was not read from an ONNX file.`);
  }
  return withFields(attribute.value, { name });
}

function checkIntegers(name: string, value: number | readonly number[], subject: string): void {
  if (![value].flat().every(Number.isInteger)) {
    throw new Error(`${subject}: attribute "${name}" is [${value}], but expected whole numbers.`);
  }
}

function fieldsOf(attribute: Exclude<Attribute, { kind: 'opaque' }>): MessageInitShape<typeof AttributeProtoSchema> {
  switch (attribute.kind) {
    case 'float':
      return { type: Type.FLOAT, f: attribute.value };
    case 'int':
      return { type: Type.INT, i: toInt64(attribute.value) };
    case 'string':
      return { type: Type.STRING, s: encoder.encode(attribute.value) };
    case 'floats':
      return { type: Type.FLOATS, floats: [...attribute.value] };
    case 'ints':
      return { type: Type.INTS, ints: attribute.value.map(toInt64) };
    case 'strings':
      return { type: Type.STRINGS, strings: attribute.value.map((text) => encoder.encode(text)) };
    case 'tensor':
      return { type: Type.TENSOR, t: encodeTensor(attribute.value) };
  }
}
