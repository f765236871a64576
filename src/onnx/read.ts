/**
 * Reads ONNX bytes into a graph. Nothing is folded, renamed or dropped: `Constant` nodes stay nodes (their tensor is
 * the attribute `value`), operators and domains may be unknown, and whatever the graph does not model stays in
 * `origin`, where `write.ts` picks it up again.
 *
 * Names become references: every input of a node is the value of that name. A value of the graph that a subgraph (of an
 * If or a Loop) reads by name is among its node's `captures`.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { bytes as bytesKind, callback, checkArgument, checkOptions, type FieldsOf } from '../arguments.ts';
import { FormatError, messageOf } from '../errors.ts';
import { dtypeOf } from '../graph/data-types.ts';
import { describe, Graph, Value } from '../graph/graph.ts';
import { text } from '../options.ts';
import { type ReadAttribute, readAttribute, subgraphs } from './attributes.ts';
import { inlineExternal } from './external.ts';
import type { ExternalData } from './external-data.ts';
import {
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type SparseTensorProto,
  type TensorProto,
  type ValueInfoProto,
} from './generated/onnx_pb.ts';
import { withFields } from './messages.ts';
import { opsetsOf } from './opsets.ts';
import { GraphOrigin, NodeOrigin, originOfValue, ValueOrigin } from './origin.ts';
import { decodeTensor, dimsOf } from './tensors.ts';
import { readType } from './types.ts';

/** What the bytes of a model do not say. */
export interface ReadOptions {
  /** The file's name in messages. */
  readonly name?: string;
  /**
   * Provides the tensors that are in other files. Without it, their values have no `tensor`, keep the reference, and
   * are written back unchanged.
   */
  readonly external?: ExternalData;
}

const fields: FieldsOf<ReadOptions> = {
  name: text({ doc: 'the file’s name' }),
  external: callback('reads tensors of other files'),
};

/**
 * Decodes the graph in the bytes of an ONNX file. Tensors are copies. Subgraphs and unknown fields are views of the
 * bytes, which must not change afterwards.
 *
 * @throws FormatError if the bytes are not an ONNX model, or an inconsistent one.
 * @example const graph = readOnnx(await readFile('model.onnx'), { name: 'model.onnx' });
 */
export function readOnnx(bytes: Uint8Array, options: ReadOptions = {}): Graph {
  checkArgument('bytes', bytes, bytesKind);
  checkOptions(fields, options);
  const file = options.name ?? 'ONNX bytes';
  const model = decode(bytes, file);
  return new Reader(options.external ? inlineExternal(model, options.external, file) : model, file).read();
}

function decode(bytes: Uint8Array, file: string): ModelProto {
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
  } catch (error) {
    const reason = messageOf(error);
    throw new FormatError(`${file}: not an ONNX model, or a truncated one (${bytes.length} bytes): ${reason}.`);
  }
  if (!model.graph) throw new FormatError(`${file}: not an ONNX model: its ${bytes.length} bytes contain no graph.`);
  return model;
}

/** State while one model is read: the graph so far, and its values by name. */
class Reader {
  readonly #model: ModelProto;
  readonly #file: string;
  readonly #graph: Graph;
  readonly #message: GraphProto;
  readonly #values = new Map<string, Value>();

  constructor(model: ModelProto, file: string) {
    this.#model = model;
    this.#message = model.graph!;
    this.#file = file;
    this.#graph = new Graph(this.#message.name);
  }

  read(): Graph {
    const { input, initializer, sparseInitializer, node, output, valueInfo } = this.#message;
    this.#readModel();
    for (const info of input) this.#addInput(info);
    for (const tensor of initializer) this.#addInitializer(tensor);
    for (const tensor of sparseInitializer) this.#addSparse(tensor);
    const outputs = node.map((message) => message.output.map((name) => this.#define(name, 'a node output')));
    const strays = valueInfo.filter((info) => !this.#addInfo(info));
    for (const info of output) this.#addOutput(info);
    node.forEach((message, i) => {
      this.#addNode(message, outputs[i]!);
    });
    this.#checkCycles();
    this.#graph.origin = new GraphOrigin(remainder(this.#model), valueInfo, new Set(strays));
    return this.#graph;
  }

  #fail(message: string): never {
    throw new FormatError(`${this.#file}: ${message}`);
  }

  #readModel(): void {
    const { opsets, metadata } = this.#graph;
    opsets.clear();
    for (const [domain, version] of opsetsOf(this.#model)) opsets.set(domain, version);
    for (const { key, value } of this.#model.metadataProps) metadata.set(key, value);
  }

  /** Adds a value. An empty name stands for an omitted output and defines nothing. */
  #define(name: string, role: string): Value {
    if (this.#values.has(name)) this.#fail(`"${name}" is defined twice, the second time as ${role}.`);
    const value = new Value(name);
    value.origin = new ValueOrigin(name);
    if (name !== '') this.#values.set(name, value);
    return value;
  }

  #addInput(info: ValueInfoProto): void {
    if (info.name === '') this.#fail('a graph input has no name.');
    const value = this.#define(info.name, 'a graph input');
    originOfValue(value)!.input = info;
    this.#setType(value, readType(info));
    this.#graph.inputs.push(value);
  }

  /** A value may be described in several places; later descriptions fill in what earlier ones leave open. */
  #setType(value: Value, { dtype, dims }: Pick<Value, 'dtype' | 'dims'>): void {
    const origin = originOfValue(value)!;
    value.dtype = origin.dtype = value.dtype ?? dtype;
    value.dims = origin.dims = value.dims ?? dims;
  }

  /** Before version 4 of the format, initializers are also listed as inputs; the two are one value. */
  #initializerValue(name: string): Value {
    const known = this.#values.get(name);
    if (name === '') this.#fail('an initializer has no name.');
    if (known && this.#graph.initializers.has(known)) this.#fail(`initializer "${name}" is defined twice.`);
    const value = known ?? this.#define(name, 'an initializer');
    this.#graph.initializers.add(value);
    return value;
  }

  #addInitializer(message: TensorProto): void {
    const subject = `${this.#file}: initializer "${message.name}"`;
    const value = this.#initializerValue(message.name);
    const origin = originOfValue(value)!;
    const { tensor, message: initializer } = decodeTensor(message, subject);
    value.tensor = origin.tensor = tensor;
    origin.initializer = initializer;
    value.dtype = origin.dtype = dtypeOf(message.dataType);
    value.dims = origin.dims = dimsOf(message, subject);
  }

  #addSparse(message: SparseTensorProto): void {
    const name = message.values?.name ?? '';
    const value = this.#initializerValue(name);
    const origin = originOfValue(value)!;
    origin.sparse = message;
    value.dtype = origin.dtype = dtypeOf(message.values?.dataType ?? 0);
    value.dims = origin.dims = dimsOf(message, `${this.#file}: sparse initializer "${name}"`);
  }

  /** Whether `value_info` describes a value of this graph, and does so for the first time. */
  #addInfo(info: ValueInfoProto): boolean {
    const value = this.#values.get(info.name);
    const origin = value && originOfValue(value);
    if (!origin || origin.info) return false;
    origin.info = info;
    this.#setType(value, readType(info));
    return true;
  }

  #addOutput(info: ValueInfoProto): void {
    const value = this.#values.get(info.name);
    if (!value) this.#fail(`graph output "${info.name}" is not defined by any input, initializer or node.`);
    const origin = originOfValue(value)!;
    if (origin.output) this.#fail(`graph output "${info.name}" is listed twice.`);
    origin.output = info;
    this.#setType(value, readType(info));
    this.#graph.outputs.push(value);
  }

  #addNode(message: NodeProto, outputs: readonly Value[]): void {
    const { name, opType: op, domain } = message;
    const subject = describe({ op, name, outputs });
    const attributes = this.#readAttributes(message, subject);
    const find = (input: string): Value =>
      this.#values.get(input) ??
      this.#fail(`${subject} reads "${input}", which no input, initializer or node of the graph defines.`);
    this.#graph.add({
      op,
      domain,
      name,
      inputs: message.input.map((input) => (input === '' ? undefined : find(input))),
      outputs,
      attributes: new Map([...attributes].map(([key, { attribute }]) => [key, attribute])),
      captures: [...capturedNames(message)].map(find),
      origin: new NodeOrigin(withFields(message, { attribute: [] }), attributes),
    });
  }

  #readAttributes(message: NodeProto, subject: string): Map<string, ReadAttribute> {
    const attributes = new Map<string, ReadAttribute>();
    for (const attribute of message.attribute) {
      if (attributes.has(attribute.name)) this.#fail(`${subject} has a duplicate attribute "${attribute.name}".`);
      attributes.set(attribute.name, readAttribute(attribute, `${this.#file}: ${subject}`));
    }
    return attributes;
  }

  #checkCycles(): void {
    try {
      this.#graph.sorted();
    } catch (error) {
      this.#fail(messageOf(error));
    }
  }
}

/** Names that a node's subgraphs read and do not define. */
const capturedNames = (node: NodeProto): Set<string> =>
  new Set(node.attribute.flatMap(subgraphs).flatMap((graph) => [...freeNames(graph)]));

function freeNames(graph: GraphProto): Set<string> {
  const free = new Set(graph.output.map(({ name }) => name));
  for (const node of graph.node) {
    for (const name of [...node.input, ...capturedNames(node)]) free.add(name);
  }
  for (const { name } of [...graph.input, ...graph.initializer]) free.delete(name);
  for (const { values } of graph.sparseInitializer) free.delete(values?.name ?? '');
  for (const name of graph.node.flatMap((node) => node.output)) free.delete(name);
  free.delete('');
  return free;
}

/** The model without the parts that the graph holds. */
function remainder(model: ModelProto): ModelProto {
  const none = { node: [], input: [], output: [], initializer: [], sparseInitializer: [], valueInfo: [] };
  return withFields(model, { graph: withFields(model.graph!, none) });
}
