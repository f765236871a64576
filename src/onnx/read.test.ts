/** Reads third-party files (made by `test/fixtures/onnx/make.py`): the graphs they give, and what is rejected. */
import { readFileSync } from 'node:fs';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { FormatError } from '../errors.ts';
import type { Graph, Node, Value } from '../graph/graph.ts';
import {
  GraphProtoSchema,
  ModelProtoSchema,
  TensorProto_DataLocation,
  TensorProtoSchema,
} from './generated/onnx_pb.ts';
import { readOnnx } from './read.ts';
import { writeOnnx } from './write.ts';

const fixture = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../../test/fixtures/onnx/${name}`, import.meta.url)));
const nodeOf = (graph: Graph, op: string): Node => [...graph.nodes].find((node) => node.op === op)!;
const names = (values: Iterable<Value | undefined>) => Array.from(values, (value) => value?.name);
const find = (graph: Graph, name: string): Value =>
  [...graph.inputs, ...graph.initializers].find((value) => value.name === name)!;

/** The bytes of a model with this graph. */
const modelOf = (graph: MessageInitShape<typeof GraphProtoSchema>): Uint8Array =>
  toBinary(ModelProtoSchema, create(ModelProtoSchema, { irVersion: 8n, graph: create(GraphProtoSchema, graph) }));

describe('a third-party file', () => {
  const bytes = fixture('everything.onnx');
  const graph = readOnnx(bytes, { name: 'everything.onnx' });

  test.each(['everything.onnx', 'external.onnx', 'exported.onnx'])('%s is written back unchanged', (name) => {
    const before = fixture(name);
    const after = writeOnnx(readOnnx(before));
    expect(fromBinary(ModelProtoSchema, after)).toEqual(fromBinary(ModelProtoSchema, before));
    expect(after).toEqual(before);
  });

  test('keeps every node, known or unknown', () => {
    const ops = Array.from(graph.nodes, ({ op, domain }) => (domain ? `${domain}.${op}` : op));
    expect(ops).toEqual(['Constant', 'Conv', 'If', 'Loop', 'local.Twice', 'com.example.Mystery']);
    expect(Object.fromEntries(graph.opsets)).toEqual({ '': 16, 'com.example': 3, local: 1 });
    expect(graph.metadata.get('labels')).toBe('cat,dog');
  });

  test('knows which values its subgraphs read', () => {
    expect(names(nodeOf(graph, 'If').captures)).toEqual(['x', 'limit']);
    expect(new Set(names(nodeOf(graph, 'Loop').captures))).toEqual(new Set(['x', 'limit']));
    const limit = find(graph, 'limit');
    expect(Array.from(limit.users, ({ op }) => op)).toEqual(['If', 'Loop']);
    graph.clone().graph.removeDead();
    expect(graph.initializers.has(limit)).toBe(true);
  });

  test('gets typed attributes, and opaque ones where no type fits exactly', () => {
    const { attributes, inputs, outputs } = nodeOf(graph, 'Mystery');
    expect(names(inputs)).toEqual(['x', undefined, 'wide']);
    expect(names(outputs)).toEqual(['mystery', '']);
    expect(attributes.get('count')).toEqual({ kind: 'int', value: -(2 ** 40) });
    expect(attributes.get('forever')).toEqual({ kind: 'int', value: 2 ** 63 });
    expect(attributes.get('label')).toEqual({ kind: 'string', value: 'größer' });
    expect(attributes.get('labels')).toEqual({ kind: 'strings', value: ['a', 'ü', ''] });
    expect(attributes.get('table')).toMatchObject({ kind: 'tensor', value: { data: Float32Array.of(1.5, 2.5) } });
    for (const name of ['odd', 'bits', 'words', 'tables', 'sparse', 'kind']) {
      expect(attributes.get(name)?.kind).toBe('opaque');
    }
    expect(nodeOf(graph, 'Constant').attributes.get('value')).toMatchObject({ value: { data: Float32Array.of(3) } });
  });

  test('gives tensors of every supported type', () => {
    const data = (name: string) => find(graph, name).tensor?.data;
    expect(data('limit')).toEqual(Float32Array.of(2));
    expect(data('listed')).toEqual(Float32Array.of(0.1, 0.2, Number.NaN));
    expect(data('wide')).toEqual(BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n));
    expect(data('unsigned')).toEqual(BigUint64Array.of(2n ** 64n - 1n));
    expect(data('brain')).toEqual(Uint16Array.of(0x3f80, 0xc000));
    expect(data('flags')).toEqual(Uint8Array.of(1, 0, 0, 1));
    expect(data('bytes')).toEqual(Int8Array.of(-128, 127));
    expect(data('none')).toEqual(new Float32Array(0));
    expect(data('half')).toHaveLength(2);
    for (const name of ['names', 'complex', 'float8', 'sparse']) expect(data(name)).toBeUndefined();
  });

  test('describes shapes as far as they are known', () => {
    expect(find(graph, 'x').dims).toEqual(['N', 3, '', 4]);
    expect(nodeOf(graph, 'Conv').outputs[0]?.dims).toEqual(['N', 2, '', 4]);
    expect(find(graph, 'list')).toMatchObject({ dtype: undefined, dims: undefined });
    expect(find(graph, 'sparse')).toMatchObject({ dtype: 'float32', dims: [4] });
    expect(names(graph.outputs)).toEqual(['twice', 'summed', 'weight', 'x']);
  });

  test('in the old style has initializers that are also inputs', () => {
    const exported = readOnnx(fixture('exported.onnx'));
    const [image, weight, bias] = exported.inputs;
    expect([...exported.initializers]).toEqual([weight, bias]);
    expect(image?.dims).toEqual(['N', 4, 5, 5]);
    expect(weight?.tensor?.dims).toEqual([8, 2, 3, 3]);
  });

  test('shares no bytes with its graph', () => {
    const copy = Uint8Array.from(bytes);
    const read = readOnnx(copy);
    copy.fill(0);
    expect(find(read, 'limit').tensor?.data).toEqual(Float32Array.of(2));
  });
});

describe('external data', () => {
  const data = fixture('external.bin');
  const slice = (_: string, offset: number, length = data.length - offset) => data.subarray(offset, offset + length);

  test('is read by location, offset and length, and written into the model', () => {
    const graph = readOnnx(fixture('external.onnx'), { external: slice });
    expect(find(graph, 'weight').tensor?.dims).toEqual([4, 3, 1, 1]);
    const again = readOnnx(writeOnnx(graph));
    expect(find(again, 'bias').tensor).toEqual(find(graph, 'bias').tensor);
    expect(find(again, 'bias').tensor?.data[0]).toBe(Buffer.from(data).readFloatLE(48));
  });

  test('that is not provided leaves values without a tensor', () => {
    expect(find(readOnnx(fixture('external.onnx')), 'weight')).toMatchObject({
      dims: [4, 3, 1, 1],
      tensor: undefined,
    });
  });

  const refer = (entries: Record<string, string>) =>
    modelOf({
      initializer: [
        create(TensorProtoSchema, {
          name: 'w',
          dims: [4n],
          dataType: 1,
          dataLocation: TensorProto_DataLocation.EXTERNAL,
          externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
        }),
      ],
    });

  test.each([
    [{ offset: '0' }, 'tensor "w" has external data, but no location for it'],
    [{ location: 'a', offset: '-1' }, 'the offset of its external data is "-1"'],
    [{ location: 'a', length: '1e3' }, 'the length of its external data is "1e3"'],
    [{ location: 'a', length: '12' }, 'needs 16 bytes, but its external data in "a" has 12'],
    [{ location: 'a', offset: '60' }, '"a" has 4 from offset 60. Check that the data file is complete.'],
  ])('%o is rejected', (entries, message) => {
    const read = () => readOnnx(refer(entries as Record<string, string>), { name: 'm.onnx', external: slice });
    expect(read).toThrow(FormatError);
    expect(read).toThrow(message);
  });

  test('without offset and length starts at 0 and has the size of the tensor', () => {
    const graph = readOnnx(refer({ location: 'a' }), { external: slice });
    expect(find(graph, 'w').tensor?.data).toHaveLength(4);
  });
});

describe('an inconsistent file is rejected with a message', () => {
  const relu = { opType: 'Relu', input: ['x'], output: ['y'], name: 'act' };
  const floats = (dims: bigint[], more: object) => [
    create(TensorProtoSchema, { name: 'w', dims, dataType: 1, ...more }),
  ];
  const cases: [string, Uint8Array, string][] = [
    ['no bytes', new Uint8Array(0), 'm.onnx: not an ONNX model: its 0 bytes contain no graph'],
    ['text', new TextEncoder().encode('not a model'), 'm.onnx: not an ONNX model'],
    [
      'a truncated file',
      fixture('everything.onnx').subarray(0, 1000),
      'not an ONNX model, or a truncated one (1000 bytes)',
    ],
    ['an undefined name', modelOf({ node: [relu] }), 'Relu "act" reads "x", which no input, initializer or node'],
    ['an undefined output', modelOf({ output: [{ name: 'y' }] }), 'graph output "y" is not defined'],
    [
      'a duplicate output',
      modelOf({ input: [{ name: 'x' }], output: [{ name: 'x' }, { name: 'x' }] }),
      '"x" is listed twice',
    ],
    [
      'a duplicate input',
      modelOf({ input: [{ name: 'x' }, { name: 'x' }] }),
      '"x" is defined twice, the second time as',
    ],
    ['a nameless input', modelOf({ input: [{}] }), 'a graph input has no name'],
    ['a name with two meanings', modelOf({ input: [{ name: 'x' }, { name: 'y' }], node: [relu] }), 'as a node output'],
    [
      'a duplicate initializer',
      modelOf({ initializer: [{ name: 'w' }, { name: 'w' }] }),
      'initializer "w" is defined twice',
    ],
    ['a nameless initializer', modelOf({ initializer: [{}] }), 'an initializer has no name'],
    ['a cycle', modelOf({ node: [{ ...relu, input: ['y'] }] }), 'The graph has a cycle at Relu "act"'],
    ['a negative size', modelOf({ initializer: floats([-1n], {}) }), 'initializer "w" has dimensions [-1]'],
    [
      'too few bytes',
      modelOf({ initializer: floats([2n], { rawData: new Uint8Array(7) }) }),
      'needs 8 bytes, but has 7',
    ],
    [
      'too few elements',
      modelOf({ initializer: floats([2n], { floatData: [1] }) }),
      'needs 2 elements, but its data has 1',
    ],
    [
      'elements in a list of the wrong type',
      modelOf({ initializer: floats([1n], { int32Data: [1] }) }),
      'its data has 0',
    ],
    [
      'duplicate data',
      modelOf({ initializer: floats([1n], { floatData: [1], rawData: new Uint8Array(4) }) }),
      'stores its data more than once',
    ],
    [
      'a duplicate attribute',
      modelOf({ node: [{ opType: 'Sum', attribute: [{ name: 'a' }, { name: 'a' }] }] }),
      'has a duplicate attribute "a"',
    ],
    [
      'a subgraph that reads an undefined value',
      modelOf({ node: [{ opType: 'If', attribute: [{ name: 'then_branch', g: { output: [{ name: 'lost' }] } }] }] }),
      'If "" reads "lost"',
    ],
  ];

  test.each(cases)('%s', (_, bytes, message) => {
    const read = () => readOnnx(bytes, { name: 'm.onnx' });
    expect(read).toThrow(FormatError);
    expect(read).toThrow(message);
  });

  test('but nodes may be in any order, and are written sorted', () => {
    const second = { ...relu, input: ['y'], output: ['z'], name: 'second' };
    const graph = readOnnx(modelOf({ input: [{ name: 'x' }], node: [second, relu] }));
    const written = readOnnx(writeOnnx(graph));
    expect(Array.from(written.nodes, ({ name }) => name)).toEqual(['act', 'second']);
  });
});
