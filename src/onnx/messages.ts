/**
 * Changes protobuf messages without touching the originals. A file's messages stay as they were read, including unknown
 * fields and which fields are present. A changed message shares every unchanged part with the original.
 */
import type { Message } from '@bufbuild/protobuf';
import type { AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto } from './generated/onnx_pb.ts';

/** A shallow copy. It keeps the prototype, which holds the defaults of absent fields. */
export const copyOf = <M extends Message>(message: M): M =>
  Object.assign(Object.create(Object.getPrototypeOf(message)), message);

/**
 * `message` with these fields, or `message` itself if it has them already. An absent field stays absent at its default.
 */
export function withFields<M extends Message>(message: M, fields: Partial<M>): M {
  const changes = Object.entries(fields).filter(([name, value]) => message[name as keyof M] !== value);
  return changes.length === 0 ? message : Object.assign(copyOf(message), Object.fromEntries(changes));
}

/** `list` with every item mapped, or `list` itself if no item changes. */
export function mapList<T>(list: T[], change: (item: T) => T): T[] {
  const changed = list.map(change);
  return sameItems(list, changed) ? list : changed;
}

/** Whether two lists hold the same items, by identity. */
export const sameItems = <T>(a: readonly T[], b: readonly T[]): boolean =>
  a.length === b.length && a.every((item, i) => item === b[i]);

/**
 * Returns a replacement for a tensor, or the tensor itself. `initializer`: whether it is one, in a graph or subgraph.
 */
export type TensorChange = (tensor: TensorProto, initializer: boolean) => TensorProto;

/** The model with every dense tensor mapped: initializers and attributes, also in subgraphs, functions and training. */
export function mapTensors(model: ModelProto, change: TensorChange): ModelProto {
  const inGraph = (graph: GraphProto) => mapGraph(graph, change);
  return withFields(model, {
    ...(model.graph && { graph: inGraph(model.graph) }),
    functions: mapList(model.functions, (body) =>
      withFields(body, {
        node: mapList(body.node, (node) => mapNode(node, change)),
        attributeProto: mapList(body.attributeProto, (attribute) => mapAttribute(attribute, change)),
      }),
    ),
    trainingInfo: mapList(model.trainingInfo, (info) =>
      withFields(info, {
        ...(info.initialization && { initialization: inGraph(info.initialization) }),
        ...(info.algorithm && { algorithm: inGraph(info.algorithm) }),
      }),
    ),
  });
}

const mapGraph = (graph: GraphProto, change: TensorChange): GraphProto =>
  withFields(graph, {
    initializer: mapList(graph.initializer, (tensor) => change(tensor, true)),
    node: mapList(graph.node, (node) => mapNode(node, change)),
  });

const mapNode = (node: NodeProto, change: TensorChange): NodeProto =>
  withFields(node, { attribute: mapList(node.attribute, (attribute) => mapAttribute(attribute, change)) });

const mapAttribute = (attribute: AttributeProto, change: TensorChange): AttributeProto =>
  withFields(attribute, {
    ...(attribute.t && { t: change(attribute.t, false) }),
    tensors: mapList(attribute.tensors, (tensor) => change(tensor, false)),
    ...(attribute.g && { g: mapGraph(attribute.g, change) }),
    graphs: mapList(attribute.graphs, (graph) => mapGraph(graph, change)),
  });
