/**
 * A file's content survives reading and writing byte for byte: random models with every kind of tensor, attribute and
 * type, subgraphs, and unknown fields. Arbitrary bytes either read as a valid graph or throw a FormatError.
 */
import { readFileSync } from 'node:fs';
import { create, fromBinary, type Message, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError } from '../errors.ts';
import { joinBytes } from '../tensor.ts';
import { encodeModel } from './encode.ts';
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  FunctionProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  SparseTensorProtoSchema,
  StringStringEntryProtoSchema,
  TensorAnnotationSchema,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProto_DataType,
  TensorProto_SegmentSchema,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TrainingInfoProtoSchema,
  type TypeProto,
  TypeProto_SequenceSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from './generated/onnx_pb.ts';
import { readOnnx } from './read.ts';
import { writeOnnx } from './write.ts';

const text = fc.string({ maxLength: 6 });
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const int64 = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n);
const float32 = fc.float();

/** Sometimes appends a field with a number that no message uses. */
const withUnknownField = <M extends Message>(message: fc.Arbitrary<M>): fc.Arbitrary<M> =>
  fc.tuple(message, fc.option(fc.nat(100), { freq: 4 })).map(([made, value]) => {
    if (value !== null) made.$unknown = [{ no: 900, wireType: 0, data: Uint8Array.of(value) }];
    return made;
  });

/** A message with only some of its optional fields. */
const withOptional = <T extends object>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(fields, { requiredKeys: [] }) as fc.Arbitrary<Partial<T>>;

const entries = fc.array(
  withUnknownField(withOptional({ key: text, value: text }).map((init) => create(StringStringEntryProtoSchema, init))),
  { maxLength: 2 },
);

const shape = fc.array(fc.nat(3), { maxLength: 3 });
const count = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1);
const { FLOAT, DOUBLE, INT64, FLOAT16, STRING, FLOAT8E5M2, BOOL, UINT32, UINT64 } = TensorProto_DataType;

const list = <T>(item: fc.Arbitrary<T>, length: number) => fc.array(item, { minLength: length, maxLength: length });

const contents = (size: number) =>
  fc.oneof<fc.Arbitrary<MessageInitShape<typeof TensorProtoSchema>>[]>(
    bytes(4 * size).map((rawData) => ({ dataType: FLOAT, rawData })),
    bytes(2 * size).map((rawData) => ({ dataType: FLOAT16, rawData })),
    bytes(8 * size).map((rawData) => ({ dataType: INT64, rawData })),
    list(float32, size).map((floatData) => ({ dataType: FLOAT, floatData })),
    list(fc.double(), size).map((doubleData) => ({ dataType: DOUBLE, doubleData })),
    list(fc.integer(), size).map((int32Data) => ({ dataType: FLOAT16, int32Data })),
    list(fc.nat(1), size).map((int32Data) => ({ dataType: BOOL, int32Data })),
    list(int64, size).map((int64Data) => ({ dataType: INT64, int64Data })),
    list(fc.bigInt(0n, 2n ** 64n - 1n), size).map((uint64Data) => ({ dataType: UINT64, uint64Data })),
    list(fc.bigInt(0n, 2n ** 32n - 1n), size).map((uint64Data) => ({ dataType: UINT32, uint64Data })),
    list(bytes(3), size).map((stringData) => ({ dataType: STRING, stringData })),
    bytes(size).map((rawData) => ({ dataType: FLOAT8E5M2, rawData })),
    fc.constant({ dataType: 1234 }),
    fc.constant({ dataType: FLOAT, segment: create(TensorProto_SegmentSchema, { begin: 0n, end: 1n }) }),
    fc.constant({
      dataType: FLOAT,
      dataLocation: TensorProto_DataLocation.EXTERNAL,
      externalData: [create(StringStringEntryProtoSchema, { key: 'location', value: 'w.bin' })],
    }),
  );

const tensors: fc.Arbitrary<TensorProto> = shape.chain((dims) =>
  withUnknownField(
    fc
      .tuple(contents(count(dims)), withOptional({ docString: text, metadataProps: entries }))
      .map(([init, more]) => create(TensorProtoSchema, { ...init, ...more, dims: dims.map(BigInt) })),
  ),
);

const types: fc.Arbitrary<TypeProto> = fc.oneof(
  fc
    .tuple(fc.nat(25), fc.option(fc.array(fc.oneof(fc.bigInt(-1n, 9n), fc.constantFrom('N', ''), fc.constant(null)))))
    .map(([elemType, dims]) => {
      const value = (dim: bigint | string | null) => {
        if (dim === null) return { case: undefined };
        return typeof dim === 'string'
          ? ({ case: 'dimParam', value: dim } as const)
          : ({ case: 'dimValue', value: dim } as const);
      };
      const dim = dims?.map((size) =>
        create(TensorShapeProto_DimensionSchema, { value: value(size), denotation: 'DATA' }),
      );
      const tensorType = create(TypeProto_TensorSchema, {
        elemType,
        ...(dim && { shape: create(TensorShapeProtoSchema, { dim }) }),
      });
      return create(TypeProtoSchema, { value: { case: 'tensorType', value: tensorType } });
    }),
  fc.constant(
    create(TypeProtoSchema, {
      value: { case: 'sequenceType', value: create(TypeProto_SequenceSchema) },
      denotation: 'x',
    }),
  ),
  fc.constant(create(TypeProtoSchema)),
);

const info = (name: string) =>
  withUnknownField(
    withOptional({ type: types, docString: text, metadataProps: entries }).map((init) =>
      create(ValueInfoProtoSchema, { ...init, name }),
    ),
  );

/** A subgraph that reads a value of the enclosing graph. */
const subgraph = (outer: string) =>
  create(GraphProtoSchema, {
    node: [create(NodeProtoSchema, { input: [outer, ''], output: ['inner'], opType: 'Neg' })],
    output: [create(ValueInfoProtoSchema, { name: 'inner' })],
  });

const attributeInit = (outer: string) =>
  fc.oneof<fc.Arbitrary<MessageInitShape<typeof AttributeProtoSchema>>[]>(
    float32.map((f) => ({ type: AttributeType.FLOAT, f })),
    int64.map((i) => ({ type: AttributeType.INT, i })),
    fc.uint8Array({ maxLength: 4 }).map((s) => ({ type: AttributeType.STRING, s })),
    fc.array(float32).map((floats) => ({ type: AttributeType.FLOATS, floats })),
    fc.array(int64).map((ints) => ({ type: AttributeType.INTS, ints })),
    fc.array(fc.uint8Array({ maxLength: 2 })).map((strings) => ({ type: AttributeType.STRINGS, strings })),
    tensors.map((t) => ({ type: AttributeType.TENSOR, t })),
    fc.array(tensors, { maxLength: 2 }).map((list) => ({ type: AttributeType.TENSORS, tensors: list })),
    types.map((tp) => ({ type: AttributeType.TYPE_PROTO, tp })),
    fc.constant({ type: AttributeType.GRAPH, g: subgraph(outer) }),
    fc.constant({ type: AttributeType.GRAPHS, graphs: [subgraph(outer), subgraph('')] }),
    fc.constant({ type: AttributeType.INT }),
    fc.constant({ f: 1.5 }),
    fc.constant({ type: AttributeType.INT, refAttrName: 'of the function' }),
    fc.constant({ type: 77 as never }),
  );

const attribute = (name: string, outer: string): fc.Arbitrary<AttributeProto> =>
  withUnknownField(
    fc
      .tuple(attributeInit(outer), withOptional({ docString: text }))
      .map(([init, more]) => create(AttributeProtoSchema, { ...init, ...more, name })),
  );

/** A node that reads any of `names`; its outputs are `made`. */
const node = (names: readonly string[], made: readonly string[]) =>
  withUnknownField(
    fc
      .tuple(
        fc.array(fc.constantFrom('', ...names), { maxLength: 3 }),
        fc.tuple(attribute('a', names[0] ?? ''), attribute('b', names[0] ?? '')),
        withOptional({
          name: text,
          opType: text,
          domain: text,
          docString: text,
          overload: text,
          metadataProps: entries,
        }),
      )
      .map(([input, attributes, more]) =>
        create(NodeProtoSchema, { ...more, input, output: [...made], attribute: attributes }),
      ),
  );

const graphs = fc.tuple(fc.nat(2), fc.array(tensors, { maxLength: 3 }), fc.nat(3)).chain(([inputs, stored, nodes]) => {
  const inputNames = Array.from({ length: inputs }, (_, i) => `x${i}`);
  const storedNames = stored.map((_, i) => `w${i}`);
  const made = Array.from({ length: nodes }, (_, i) => [`y${i}`, '', `z${i}`]);
  const known = (before: number) =>
    ['s', ...inputNames, ...storedNames, ...made.slice(0, before).flat()].filter(Boolean);
  const all = known(nodes);
  return withUnknownField(
    fc
      .tuple(
        fc.tuple(...inputNames.map(info)),
        fc.tuple(...made.map((names, i) => node(known(i), names))),
        fc.shuffledSubarray(all).chain((names) => fc.tuple(...names.map(info))),
        fc.subarray([...all, 'stray', 'stray']).chain((names) => fc.tuple(...names.map(info))),
        withOptional({ name: text, docString: text, metadataProps: entries }),
      )
      .map(([input, body, output, valueInfo, more]) => {
        stored.forEach((tensor, i) => {
          tensor.name = `w${i}`;
        });
        const values = create(TensorProtoSchema, { name: 's', dims: [1n], dataType: FLOAT, floatData: [2] });
        const sparseInitializer = [create(SparseTensorProtoSchema, { values, dims: [4n] })];
        const quantizationAnnotation = [create(TensorAnnotationSchema, { tensorName: 'w0' })];
        const parts = { input, node: body, output, valueInfo, initializer: stored, sparseInitializer };
        return create(GraphProtoSchema, { ...more, ...parts, quantizationAnnotation });
      }),
  );
});

const opsets = fc.array(
  withOptional({ domain: fc.constantFrom('', 'ai.onnx', 'com.example'), version: fc.bigInt(0n, 30n) }).map((init) =>
    create(OperatorSetIdProtoSchema, init),
  ),
  { maxLength: 3 },
);

const models = withUnknownField(
  fc
    .tuple(
      graphs,
      opsets,
      entries,
      withOptional({ irVersion: fc.bigInt(1n, 13n), producerName: text, modelVersion: int64 }),
    )
    .map(([graph, opsetImport, metadataProps, more]) =>
      create(ModelProtoSchema, {
        ...more,
        graph,
        opsetImport,
        metadataProps,
        functions: [create(FunctionProtoSchema, { name: 'f', input: ['a'], output: ['a'] })],
        trainingInfo: [create(TrainingInfoProtoSchema, { algorithm: create(GraphProtoSchema, { name: 'step' }) })],
      }),
    ),
);

describe('a model that is read and written', () => {
  test('gives the same bytes', () => {
    fc.assert(
      fc.property(models, (model) => {
        const before = toBinary(ModelProtoSchema, model);
        const after = writeOnnx(readOnnx(before));
        expect(fromBinary(ModelProtoSchema, after)).toEqual(fromBinary(ModelProtoSchema, before));
        expect(after).toEqual(before);
      }),
      { numRuns: 300 },
    );
  });

  test('has the same bytes in chunks as in one piece', () => {
    fc.assert(
      fc.property(models, fc.integer({ min: 1, max: 8 }), (model, large) => {
        expect(joinBytes(encodeModel(model, large))).toEqual(toBinary(ModelProtoSchema, model));
      }),
      { numRuns: 100 },
    );
  });

  test('gives the same bytes after its graph is cloned', () => {
    fc.assert(
      fc.property(models, (model) => {
        const before = toBinary(ModelProtoSchema, model);
        expect(writeOnnx(readOnnx(before).clone().graph)).toEqual(before);
      }),
      { numRuns: 50 },
    );
  });
});

/** Reads the bytes. If that works, writing them gives the same model. */
function readsOrRejects(damaged: Uint8Array): void {
  let written: Uint8Array;
  try {
    written = writeOnnx(readOnnx(damaged, { name: 'damaged.onnx' }));
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    expect((error as Error).message).toMatch(/^damaged\.onnx: /);
    return;
  }
  expect(writeOnnx(readOnnx(written))).toEqual(written);
}

describe('damaged bytes', () => {
  const file = readFileSync(new URL('../../test/fixtures/onnx/everything.onnx', import.meta.url));
  const position = fc.nat(file.length - 1);

  test('are read or rejected, wherever bytes are changed', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(position, fc.nat(255)), { minLength: 1, maxLength: 4 }), (changes) => {
        const damaged = Uint8Array.from(file);
        for (const [at, value] of changes) damaged[at] = value;
        readsOrRejects(damaged);
      }),
      { numRuns: 1000 },
    );
  });

  test('are read or rejected, wherever the file ends', () => {
    for (let length = 0; length < file.length; length += 1) readsOrRejects(file.subarray(0, length));
  });

  test('are rejected if they are not a model', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), readsOrRejects), { numRuns: 500 });
  });
});
