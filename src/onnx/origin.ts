/**
 * What a file states about a graph, a node or a value beyond our model of it. The reader stores one of these in
 * `origin`. The writer starts from their messages and adds the graph's current state, so that everything else is
 * preserved.
 */
import type { Dim, Graph, Node, Value } from '../graph/graph.ts';
import type { DType, Tensor } from '../tensor.ts';
import type { ReadAttribute } from './attributes.ts';
import type { ModelProto, NodeProto, SparseTensorProto, TensorProto, ValueInfoProto } from './generated/onnx_pb.ts';

export class GraphOrigin {
  /** The model without the parts that the graph holds: its nodes, values and initializers. */
  readonly model: ModelProto;
  /** `value_info` in file order, and the entries that describe no value of the graph. */
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

/** A value may be described in several places; each place keeps its message. */
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
