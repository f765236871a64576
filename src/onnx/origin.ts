/**
 * What a file said of a graph, a node or a value beyond our model of it. The reader leaves one of these in `origin`;
 * the writer starts from its messages and puts on top what the graph says now, so that the rest survives.
 */
import type { Dim, Graph, Node, Value } from '../graph/graph.ts';
import type { DType, Tensor } from '../tensor.ts';
import type { ReadAttribute } from './attributes.ts';
import type { ModelProto, NodeProto, SparseTensorProto, TensorProto, ValueInfoProto } from './generated/onnx_pb.ts';

export class GraphOrigin {
  /** The model without what the graph holds: its nodes, values and initializers. */
  readonly model: ModelProto;
  /** `value_info` in the file's order, and which of it speaks of no value of the graph. */
  readonly infos: readonly ValueInfoProto[];
  readonly strays: ReadonlySet<ValueInfoProto>;

  constructor(model: ModelProto, infos: readonly ValueInfoProto[], strays: ReadonlySet<ValueInfoProto>) {
    this.model = model;
    this.infos = infos;
    this.strays = strays;
  }
}

export class NodeOrigin {
  /** The node without its attributes. */
  readonly message: NodeProto;
  readonly attributes: ReadonlyMap<string, ReadAttribute>;

  constructor(message: NodeProto, attributes: ReadonlyMap<string, ReadAttribute>) {
    this.message = message;
    this.attributes = attributes;
  }
}

/** One value may be spoken of in several places; each keeps its message. */
export class ValueOrigin {
  readonly name: string;
  dtype: DType | undefined;
  dims: readonly Dim[] | undefined;
  input: ValueInfoProto | undefined;
  output: ValueInfoProto | undefined;
  info: ValueInfoProto | undefined;
  initializer: TensorProto | undefined;
  sparse: SparseTensorProto | undefined;
  tensor: Tensor | undefined;

  constructor(name: string) {
    this.name = name;
  }
}

export const originOfGraph = ({ origin }: Graph): GraphOrigin | undefined =>
  origin instanceof GraphOrigin ? origin : undefined;

export const originOfNode = ({ origin }: Node): NodeOrigin | undefined =>
  origin instanceof NodeOrigin ? origin : undefined;

export const originOfValue = ({ origin }: Value): ValueOrigin | undefined =>
  origin instanceof ValueOrigin ? origin : undefined;
