/**
 * A graph as an ONNX message. Parts that came from a file start from their original message (`origin.ts`), so a graph
 * that is read and not changed gives the same message again. A graph built here declares version 8 of the format (ONNX
 * 1.12) and `resnext` as its producer; its semantic operators are in the domain `resnext`, version 1.
 */
import { create } from '@bufbuild/protobuf';
import { UsageError } from '../errors.ts';
import { describe, type Graph, type Node, reads, type Value } from '../graph/graph.ts';
import { semanticDomain } from '../graph/ops.ts';
import { writeAttribute } from './attributes.ts';
import {
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type OperatorSetIdProto,
  OperatorSetIdProtoSchema,
  type SparseTensorProto,
  type StringStringEntryProto,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
} from './generated/onnx_pb.ts';
import { sameItems, withFields } from './messages.ts';
import { opsetsOf, ownDomain } from './opsets.ts';
import { originOfGraph, originOfNode, originOfValue } from './origin.ts';
import { encodeTensor } from './tensors.ts';
import { sameType, type ValueType, writeInfo } from './types.ts';

const irVersion = 8n;
/** From this version on, initializers need not be graph inputs. */
const freeInitializers = 4n;

/** The messages of initializers whose data is in another file. */
export type References = ReadonlyMap<Value, TensorProto>;

/**
 * @throws UsageError for an initializer without weights.
 * @throws Error for a graph that ONNX cannot express: duplicate names, or values that nothing defines.
 */
export function toModel(graph: Graph, references: References = new Map()): ModelProto {
  const nodes = graph.sorted();
  checkNames(graph, nodes);
  const model = originOfGraph(graph)?.model ?? create(ModelProtoSchema, { irVersion, producerName: 'resnext' });
  return withFields(model, {
    irVersion: versionFor(graph, model),
    opsetImport: toOpsets(graph, nodes, model),
    metadataProps: toMetadata(graph, model.metadataProps),
    graph: toGraph(graph, nodes, model.graph ?? create(GraphProtoSchema), references),
  });
}

/** Older files list every initializer as an input. One that was added and is not listed needs the newer format. */
function versionFor(graph: Graph, model: ModelProto): bigint {
  const inputs = new Set(graph.inputs);
  const added = [...graph.initializers].some((value) => !originOfValue(value) && !inputs.has(value));
  return added && model.irVersion < freeInitializers ? freeInitializers : model.irVersion;
}

/** The operator sets in use. Unchanged entries of the file stay as they are, under either name of ONNX's own domain. */
function toOpsets(graph: Graph, nodes: readonly Node[], model: ModelProto): OperatorSetIdProto[] {
  const versions = new Map(graph.opsets);
  for (const node of nodes) declareDomain(node, versions);
  const before = opsetsOf(model);
  const kept = model.opsetImport.flatMap((entry) => {
    const domain = ownDomain(entry.domain);
    const version = versions.get(domain);
    if (version === undefined) return [];
    return version === before.get(domain) ? entry : withFields(entry, { version: BigInt(version) });
  });
  const domains = new Set(kept.map(({ domain }) => ownDomain(domain)));
  const added = [...versions].filter(([domain, version]) => !domains.has(domain) && before.get(domain) !== version);
  return [
    ...kept,
    ...added.map(([domain, version]) => create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) })),
  ];
}

function declareDomain(node: Node, versions: Map<string, number>): void {
  const domain = ownDomain(node.domain);
  if (versions.has(domain) || originOfNode(node)) return;
  if (domain !== semanticDomain) {
    const remedy = `Set it with graph.opsets.set("${domain}", version)`;
    throw new Error(
      `${describe(node)} is in the domain "${domain}", but the graph does not declare its version. ${remedy}.`,
    );
  }
  versions.set(domain, 1);
}

function toMetadata({ metadata }: Graph, entries: readonly StringStringEntryProto[]): StringStringEntryProto[] {
  const before = new Map(entries.map(({ key, value }) => [key, value]));
  const kept = entries.flatMap((entry) => {
    const value = metadata.get(entry.key);
    if (value === undefined) return [];
    return value === before.get(entry.key) ? entry : withFields(entry, { value });
  });
  const added = [...metadata].filter(([key]) => !before.has(key));
  return [...kept, ...added.map(([key, value]) => create(StringStringEntryProtoSchema, { key, value }))];
}

function toGraph(graph: Graph, nodes: readonly Node[], from: GraphProto, references: References): GraphProto {
  const initializers = [...graph.initializers];
  return withFields(from, {
    name: graph.name,
    node: nodes.map(toNode),
    input: graph.inputs.map(toInput),
    output: graph.outputs.map((value) => toInfo(value, originOfValue(value)?.output)),
    initializer: initializers
      .filter((value) => !isSparse(value))
      .map((value) => references.get(value) ?? toInitializer(value)),
    sparseInitializer: initializers.filter(isSparse).map(toSparse),
    valueInfo: toValueInfo(graph, nodes),
  });
}

function toNode(node: Node): NodeProto {
  const origin = originOfNode(node);
  const from = origin?.message ?? create(NodeProtoSchema);
  const input = node.inputs.map((value) => value?.name ?? '');
  const output = node.outputs.map(({ name }) => name);
  return withFields(from, {
    input: sameItems(from.input, input) ? from.input : input,
    output: sameItems(from.output, output) ? from.output : output,
    name: node.name,
    opType: node.op,
    domain: node.domain,
    attribute: [...node.attributes].map(([name, attribute]) =>
      writeAttribute(name, attribute, origin?.attributes.get(name), describe(node)),
    ),
  });
}

function toInput(value: Value): ValueInfoProto {
  const from = originOfValue(value)?.input;
  if (!from && typeOf(value).dtype === undefined) throw new Error(`Graph input "${value.name}" has no data type.`);
  return toInfo(value, from);
}

/** `from` is the value's original message in the same place; if there is none, its message elsewhere serves. */
function toInfo(value: Value, from: ValueInfoProto | undefined): ValueInfoProto {
  const origin = originOfValue(value);
  const type = typeOf(value);
  if (from && origin && sameType(origin, type)) return withFields(from, { name: value.name });
  return writeInfo(value.name, type, from ?? origin?.input ?? origin?.info ?? origin?.output);
}

const typeOf = (value: Value): ValueType => value.tensor ?? value;

/** The file's entries in their order, without removed values, followed by values whose shape is new. */
function toValueInfo(graph: Graph, nodes: readonly Node[]): ValueInfoProto[] {
  const elsewhere = new Set([...graph.inputs, ...graph.outputs, ...graph.initializers]);
  const made = nodes.flatMap((node) => node.outputs);
  const values = new Map<ValueInfoProto, Value>();
  for (const value of [...elsewhere, ...made]) {
    const info = originOfValue(value)?.info;
    if (info) values.set(info, value);
  }
  const origin = originOfGraph(graph);
  const kept = (origin?.infos ?? []).flatMap((info) => {
    const value = values.get(info);
    if (value) return toInfo(value, info);
    return origin?.strays.has(info) ? info : [];
  });
  const isNew = (value: Value) => value.name !== '' && !elsewhere.has(value) && !originOfValue(value)?.info;
  const added = made.filter((value) => isNew(value) && value.dtype !== undefined && value.dims !== undefined);
  return [...kept, ...added.map((value) => toInfo(value, undefined))];
}

const isSparse = (value: Value): boolean => value.tensor === undefined && originOfValue(value)?.sparse !== undefined;

function toSparse(value: Value): SparseTensorProto {
  const sparse = originOfValue(value)!.sparse!;
  return withFields(sparse, { values: withFields(sparse.values!, { name: value.name }) });
}

function toInitializer(value: Value): TensorProto {
  const { name, tensor } = value;
  const origin = originOfValue(value);
  if (tensor) return encodeTensor(tensor, withFields(origin?.initializer ?? create(TensorProtoSchema), { name }));
  if (!origin?.initializer || origin.tensor) {
    throw new UsageError(`Initializer "${name}" has no weights to write. Load or initialize them first.`);
  }
  return withFields(origin.initializer, { name });
}

/** Checks that every value is defined once, has a unique name, and is defined if it is read. */
function checkNames(graph: Graph, nodes: readonly Node[]): void {
  const values = [...new Set([...graph.inputs, ...graph.initializers]), ...nodes.flatMap((node) => node.outputs)];
  const names = new Set<string>();
  const duplicates = new Set<string>();
  for (const { name } of values.filter((value) => value.name !== '')) {
    if (names.has(name)) duplicates.add(name);
    names.add(name);
  }
  if (duplicates.size > 0) {
    const list = [...duplicates].map((name) => `"${name}"`).join(', ');
    throw new Error(`The graph "${graph.name}" uses these names for more than one value: ${list}.`);
  }
  checkReads(graph, nodes, new Set(values));
}

function checkReads(graph: Graph, nodes: readonly Node[], defined: ReadonlySet<Value>): void {
  const check = (value: Value, reader: string): void => {
    if (!defined.has(value)) throw new Error(`${reader} reads "${value.name}", which the graph does not define.`);
    if (value.name === '') throw new Error(`${reader} reads a value without a name.`);
  };
  for (const [i, value] of graph.outputs.entries()) {
    check(value, `An output of the graph "${graph.name}"`);
    if (graph.outputs.indexOf(value) === i) continue;
    throw new Error(
      `"${value.name}" is listed twice in the outputs of the graph "${graph.name}". Add an Identity node for the second.`,
    );
  }
  for (const node of nodes) {
    for (const value of reads(node)) check(value, describe(node));
    for (const value of node.captures) {
      const { name } = originOfValue(value) ?? value;
      if (name === value.name) continue;
      throw new Error(`A subgraph of ${describe(node)} reads "${name}", which is now named "${value.name}".`);
    }
  }
}
