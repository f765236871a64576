/**
 * Graphs built here, and graphs changed after reading: the file holds what the graph says, and ONNX Runtime runs it.
 */
import { readFileSync } from 'node:fs';
import { fromBinary } from '@bufbuild/protobuf';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { UsageError } from '../errors.ts';
import { Builder } from '../graph/builder.ts';
import { type Attribute, Graph, Value } from '../graph/graph.ts';
import { toAttributes } from '../graph/ops.ts';
import { tensor } from '../tensor.ts';
import { type ModelProto, ModelProtoSchema } from './generated/onnx_pb.ts';
import { readOnnx } from './read.ts';
import { encodeOnnx, writeOnnx } from './write.ts';

/** A 1×1 convolution from two channels to three, then ReLU. */
function small(): Graph {
  const graph = new Graph('small');
  const x = new Value('x', 'float32', ['N', 2, 1, 2]); // [N, 2, 1, 2]
  const w = new Value('w', 'float32', [3, 2, 1, 1]);
  w.tensor = tensor('float32', [3, 2, 1, 1], Float32Array.of(1, 0, 0, 1, -1, -1));
  const conv = new Value('conv', 'float32', ['N', 3, 1, 2]);
  const y = new Value('y', 'float32', ['N', 3, 1, 2]); // [N, 3, 1, 2]
  graph.inputs.push(x);
  graph.initializers.add(w);
  graph.add({ op: 'Relu', name: 'act', inputs: [conv], outputs: [y] });
  graph.add({
    op: 'Conv',
    name: 'conv1',
    inputs: [x, w],
    outputs: [conv],
    attributes: toAttributes('Conv', { group: 1 }),
  });
  graph.outputs.push(y);
  graph.metadata.set('labels', 'a,b');
  return graph;
}

const x = Float32Array.of(1, 2, 3, 4);
const relu = [1, 2, 3, 4, 0, 0];

async function run(session: InferenceSession): Promise<number[]> {
  const { y } = await session.run({ x: new OrtTensor('float32', x, [1, 2, 1, 2]) });
  return Array.from(y?.data as Float32Array);
}

const messageOf = (graph: Graph): ModelProto => fromBinary(ModelProtoSchema, writeOnnx(graph));
const everything = () => readOnnx(readFileSync(new URL('../../test/fixtures/onnx/everything.onnx', import.meta.url)));
const first = (graph: Graph, op: string) => [...graph.nodes].find((node) => node.op === op)!;

describe('a graph built here', () => {
  test('runs on ONNX Runtime', async () => {
    expect(await run(await InferenceSession.create(writeOnnx(small())))).toEqual(relu);
  });

  test('runs with its weights in a separate file', async () => {
    const { model, data } = encodeOnnx(small(), { location: 'small.data', threshold: 1 });
    const bytes = new Uint8Array(Buffer.concat(data));
    const session = await InferenceSession.create(model, { externalData: [{ path: 'small.data', data: bytes }] });
    expect(await run(session)).toEqual(relu);
  });

  test('runs with each weight in a separate file', async () => {
    const graph = small();
    const { model, data } = encodeOnnx(graph, { location: 'small', threshold: 1, separateFiles: true });
    expect(data.map(({ buffer }) => buffer)).toEqual([[...graph.initializers][0]!.tensor!.data.buffer]);
    const session = await InferenceSession.create(model, { externalData: [{ path: 'small.0', data: data[0]! }] });
    expect(await run(session)).toEqual(relu);
  });

  test('declares what ONNX requires', () => {
    const { irVersion, producerName, opsetImport, metadataProps, graph } = messageOf(small());
    expect([irVersion, producerName, graph?.name]).toEqual([8n, 'resnext', 'small']);
    expect(opsetImport).toMatchObject([{ domain: '', version: 17n }]);
    expect(metadataProps).toMatchObject([{ key: 'labels', value: 'a,b' }]);
    expect(graph?.node.map(({ opType }) => opType)).toEqual(['Conv', 'Relu']);
    expect(graph?.valueInfo.map(({ name }) => name)).toEqual(['conv']);
    expect(graph?.initializer[0]?.rawData).toHaveLength(24);
  });

  test('reads back unchanged', () => {
    const back = readOnnx(writeOnnx(small()));
    const describeValue = ({ name, dtype, dims, tensor }: Value) => ({ name, dtype, dims, tensor });
    const describeGraph = (graph: Graph) => ({
      inputs: graph.inputs.map(describeValue),
      outputs: graph.outputs.map(describeValue),
      initializers: Array.from(graph.initializers, describeValue),
      opsets: graph.opsets,
      metadata: graph.metadata,
      nodes: graph.sorted().map(({ op, name, domain, attributes, inputs, outputs }) => {
        return {
          op,
          name,
          domain,
          attributes,
          inputs: inputs.map((v) => v?.name),
          outputs: outputs.map(describeValue),
        };
      }),
    });
    expect(describeGraph(back)).toEqual(describeGraph(small()));
    expect(writeOnnx(back)).toEqual(writeOnnx(small()));
  });

  test('keeps attributes of every kind', () => {
    const attributes = new Map<string, Attribute>([
      ['int', { kind: 'int', value: 0 }],
      ['most', { kind: 'int', value: 2 ** 63 }],
      ['float', { kind: 'float', value: 0.5 }],
      ['ints', { kind: 'ints', value: [] }],
      ['floats', { kind: 'floats', value: [1, Number.POSITIVE_INFINITY] }],
      ['string', { kind: 'string', value: 'ä' }],
      ['strings', { kind: 'strings', value: ['', 'b'] }],
      ['tensor', { kind: 'tensor', value: tensor('bool', [], Uint8Array.of(1)) }],
    ]);
    const graph = small();
    graph.opsets.set('com.example', 2);
    graph.add({ op: 'Mystery', domain: 'com.example', inputs: [undefined], outputs: [new Value('')], attributes });
    expect(first(readOnnx(writeOnnx(graph)), 'Mystery').attributes).toEqual(attributes);
  });

  test('declares the domain of its semantic operators', () => {
    const graph = small();
    graph.add({
      op: 'ReluGrad',
      domain: 'resnext',
      inputs: [...graph.outputs, ...graph.outputs],
      outputs: [new Value('dx')],
    });
    expect(messageOf(graph).opsetImport).toMatchObject([{ domain: '' }, { domain: 'resnext', version: 1n }]);
  });

  test('keeps small tensors in the model, and aligns the others to 4096 bytes', () => {
    const graph = small();
    for (const [name, length] of [
      ['a', 300],
      ['b', 2000],
      ['c', 256],
    ] as const) {
      const value = new Value(name);
      value.tensor = tensor('float32', [length], new Float32Array(length).fill(length));
      graph.initializers.add(value);
    }
    const { model, data } = encodeOnnx(graph, { location: 'd' });
    const file = Buffer.concat(data);
    expect(file.length).toBe(3 * 4096 + 1024);
    const offsets: string[] = [];
    const back = readOnnx(model, {
      external: (location, offset, length) => {
        offsets.push(`${location}:${offset}`);
        return file.subarray(offset, offset + length!);
      },
    });
    expect(offsets).toEqual(['d:0', 'd:4096', 'd:12288']);
    expect(writeOnnx(back)).toEqual(writeOnnx(graph));
  });
});

describe('a graph that cannot be written', () => {
  const cases: [string, (graph: Graph) => unknown, string][] = [
    ['duplicate names', (graph) => graph.initializers.add(new Value('x')), 'names for more than one value: "x"'],
    [
      'an initializer without weights',
      (graph) => {
        for (const value of graph.initializers) value.tensor = undefined;
      },
      'Initializer "w" has no weights to write',
    ],
    ['an undefined value', (graph) => graph.initializers.clear(), 'Conv "conv1" reads "w", which the graph'],
    ['an undefined output', (graph) => graph.outputs.push(new Value('z')), 'reads "z", which the graph does not'],
    [
      'a duplicate output',
      (graph) => graph.outputs.push(graph.outputs[0]!),
      '"y" is listed twice in the outputs of the graph "small"',
    ],
    ['an input without a type', (graph) => graph.inputs.push(new Value('z')), 'Graph input "z" has no data type'],
    [
      'a value without a name',
      (graph) => {
        for (const value of graph.inputs) value.name = '';
      },
      'Conv "conv1" reads a value without a name',
    ],
    [
      'a domain without a version',
      (graph) => graph.add({ op: 'Mystery', domain: 'com.example', inputs: [], outputs: [] }),
      'Set it with graph.opsets.set("com.example", version)',
    ],
    [
      'an integer attribute with a fraction',
      (graph) => first(graph, 'Conv').attributes.set('group', { kind: 'int', value: 1.5 }),
      'Conv "conv1": attribute "group" is [1.5], but expected whole numbers',
    ],
    [
      'an opaque attribute from elsewhere',
      (graph) => first(graph, 'Conv').attributes.set('body', { kind: 'opaque', value: {} }),
      'attribute "body" is opaque, but was not read from an ONNX file',
    ],
  ];

  test.each(cases)('%s', (_, change, message) => {
    const graph = small();
    change(graph);
    expect(() => writeOnnx(graph)).toThrow(message);
  });

  test('tensors of more than 1 GiB in one file', () => {
    const graph = small();
    const huge = new Value('huge');
    huge.tensor = tensor('uint8', [2 ** 30 + 1]);
    graph.initializers.add(huge);
    expect(() => writeOnnx(graph)).toThrow(UsageError);
    expect(() => writeOnnx(graph)).toThrow('Use writeOnnxFile(path, graph), which writes them beside the model.');
    expect(encodeOnnx(graph, { location: 'd' }).model.length).toBeLessThan(1000);
  });

  test('a renamed value that a subgraph reads', () => {
    const graph = everything();
    for (const value of graph.initializers) if (value.name === 'limit') value.name = 'bound';
    expect(() => writeOnnx(graph)).toThrow('A subgraph of If "either" reads "limit", which is now named "bound"');
  });

  test('data that was not read', () => {
    const graph = readOnnx(readFileSync(new URL('../../test/fixtures/onnx/external.onnx', import.meta.url)));
    expect(() => encodeOnnx(graph, { location: 'd' })).toThrow(
      'The data of tensor "weight" is in a file that was not read',
    );
  });
});

describe('a graph changed after reading', () => {
  test('keeps everything that the change does not touch', () => {
    const graph = everything();
    const conv = first(graph, 'Conv');
    conv.name = 'renamed';
    conv.outputs[0]!.name = 'features';
    conv.outputs[0]!.dims = ['M', 2, '', 4];
    const { graph: written, functions, trainingInfo } = messageOf(graph);
    expect(written?.node[1]).toMatchObject({ name: 'renamed', output: ['features'] });
    const info = written?.valueInfo.find(({ name }) => name === 'features');
    expect(info?.docString).toBe('documented');
    expect(readOnnx(writeOnnx(graph)).sorted()[1]?.outputs[0]?.dims).toEqual(['M', 2, '', 4]);
    expect([functions.length, trainingInfo.length]).toEqual([1, 1]);
  });

  test('states newly known types, and drops the ones that no longer hold', () => {
    const graph = everything();
    const conv = first(graph, 'Conv').outputs[0]!;
    conv.dtype = undefined;
    const list = graph.inputs.find(({ name }) => name === 'list')!;
    Object.assign(list, { dtype: 'float16', dims: [] });
    const { graph: written } = messageOf(graph);
    const info = written?.valueInfo.find(({ name }) => name === 'conv');
    expect(info).toMatchObject({ docString: 'documented' });
    expect(info?.type).toBeUndefined();
    expect(written?.input.find(({ name }) => name === 'list')?.type?.value).toMatchObject({
      case: 'tensorType',
      value: { elemType: 10, shape: { dim: [] } },
    });
  });

  test('drops entries of removed values', () => {
    const graph = everything();
    graph.remove(first(graph, 'Conv'));
    const names = messageOf(graph).graph?.valueInfo.map(({ name }) => name);
    expect(names).toEqual(['nowhere', 'twice']);
  });

  test('writes tensors changed in place or replaced', () => {
    const graph = everything();
    const value = (name: string) => [...graph.initializers].find((one) => one.name === name)!;
    value('limit').tensor!.data[0] = 5;
    value('listed').tensor!.data[0] = 6;
    value('wide').tensor = tensor('float32', [1], Float32Array.of(7));
    const table = first(graph, 'Mystery').attributes.get('table');
    if (table?.kind === 'tensor') table.value.data[0] = 8;
    const back = readOnnx(writeOnnx(graph));
    const data = (name: string) => [...back.initializers].find((one) => one.name === name)?.tensor?.data[0];
    expect(['limit', 'listed', 'wide'].map(data)).toEqual([5, 6, 7]);
    expect(first(back, 'Mystery').attributes.get('table')).toMatchObject({ value: { data: Float32Array.of(8, 2.5) } });
  });

  test('states changed opsets and metadata, and newly inferred shapes', () => {
    const graph = everything();
    graph.opsets.set('', 17);
    graph.opsets.delete('local');
    graph.metadata.delete('labels');
    graph.metadata.set('empty', 'full').set('new', 'entry');
    Object.assign(first(graph, 'Constant').outputs[0]!, { dtype: 'float32', dims: [1] });
    const { opsetImport, metadataProps, graph: written } = messageOf(graph);
    expect(opsetImport).toMatchObject([{ domain: 'ai.onnx', version: 17n }, { domain: 'com.example' }]);
    expect(metadataProps).toMatchObject([
      { key: 'empty', value: 'full' },
      { key: 'new', value: 'entry' },
    ]);
    expect(written?.valueInfo.map(({ name }) => name)).toEqual(['nowhere', 'conv', 'twice', 'k']);
  });

  test('in the old format, with an initializer that is not an input, declares the newer format', () => {
    const graph = readOnnx(readFileSync(new URL('../../test/fixtures/onnx/exported.onnx', import.meta.url)));
    expect(messageOf(graph).irVersion).toBe(3n);
    const added = new Value('added');
    added.tensor = tensor('float32', []);
    graph.initializers.add(added);
    expect(messageOf(graph).irVersion).toBe(4n);
  });

  test('runs on ONNX Runtime, as PyTorch exported it', async () => {
    const graph = readOnnx(readFileSync(new URL('../../test/fixtures/onnx/exported.onnx', import.meta.url)));
    graph.inputs[0]!.name = 'x';
    graph.outputs[0]!.name = 'y';
    const session = await InferenceSession.create(writeOnnx(graph), { logSeverityLevel: 3 });
    const { y } = await session.run({ x: new OrtTensor('float32', new Float32Array(200), [2, 4, 5, 5]) });
    expect(y?.dims).toEqual([2, 200]);
  });
});

test('vectors of int64 stay in the model: a runtime needs shapes and lengths before it reads files', () => {
  const b = new Builder('lengths');
  const x = b.input('x', [400]);
  const parts = b.node('Split', [x, b.ints(new Array(200).fill(2))], { axis: 0 }, 200).outputs;
  b.output(b.op('Concat', [...parts, b.parameter('w', [600], tensor('float32', [600]))], { axis: 0 }), 'y');
  const { data } = encodeOnnx(b.graph, { location: 'weights' });
  expect(data.map(({ length }) => length)).toEqual([2400]);
});
