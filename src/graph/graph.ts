/**
 * The graph in memory: values, the nodes that produce them, and their users. It is the ONNX data model without
 * protobuf. Any operator of any domain is allowed, whether this package knows it or not. `origin` fields keep whatever
 * a file holds beyond this model (unknown protobuf fields, doc strings), so that a file that is read and written stays
 * the same.
 */
import { hasAll, kind } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import type { DType, Tensor } from '../tensor.ts';

/** A dimension: its size, or the name of a free one, such as the batch `N`. The empty name means unknown. */
export type Dim = number | string;

export const unknownDim = '';

/** The ONNX operator set of graphs built here, as `ops.ts` describes it. */
export const opset = 17;

/** An attribute as ONNX types it. `opaque` holds values that this package does not interpret, such as subgraphs. */
export type Attribute =
  | { readonly kind: 'int' | 'float'; readonly value: number }
  | { readonly kind: 'ints' | 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'tensor'; readonly value: Tensor }
  | { readonly kind: 'opaque'; readonly value: unknown };

/** One tensor of the graph: a graph input, an initializer, or the output of one node. */
export class Value {
  name: string;
  dtype: DType | undefined;
  dims: readonly Dim[] | undefined;
  /** The contents of an initializer. A parameter without weights has none. */
  tensor: Tensor | undefined;
  producer: Node | undefined;
  /** The nodes that read this value, each listed once. */
  readonly users: Set<Node> = new Set();
  origin: unknown;

  constructor(name: string, dtype?: DType, dims?: readonly Dim[]) {
    this.name = name;
    this.dtype = dtype;
    this.dims = dims;
  }
}

/** The parts of a node; an absent optional input is `undefined`. */
export interface NodeInit {
  readonly op: string;
  /** '' is ONNX's own domain. */
  readonly domain?: string;
  readonly name?: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly Value[];
  readonly attributes?: ReadonlyMap<string, Attribute>;
  /** Values of this graph that the node's subgraphs read. */
  readonly captures?: readonly Value[];
  readonly origin?: unknown;
}

/** One operator applied to values. Its inputs are only changed through the graph, which keeps the users up to date. */
export class Node {
  readonly op: string;
  readonly domain: string;
  name: string;
  readonly inputs: (Value | undefined)[];
  readonly outputs: Value[];
  readonly attributes: Map<string, Attribute>;
  readonly captures: readonly Value[];
  readonly origin: unknown;

  constructor(init: NodeInit) {
    this.op = init.op;
    this.domain = init.domain ?? '';
    this.name = init.name ?? '';
    this.inputs = [...init.inputs];
    this.outputs = [...init.outputs];
    this.attributes = new Map(init.attributes);
    this.captures = init.captures ?? [];
    this.origin = init.origin;
  }
}

/** A value of a graph, as an argument. */
export const valueKind = kind('a value of the graph', (value) => hasAll(value, 'name', 'users'));

/** A graph, as an argument. */
export const graphKind = kind('a graph', (value) => hasAll(value, 'nodes', 'inputs', 'outputs', 'initializers'));

/**
 * A graph of values and nodes. `Builder` adds nodes one by one; the methods here change the graph and keep producers
 * and users up to date.
 *
 * @example const convolutions = graph.sorted().filter(({ op }) => op === 'Conv');
 */
export class Graph {
  name: string;
  readonly inputs: Value[] = [];
  readonly outputs: Value[] = [];
  readonly initializers: Set<Value> = new Set();
  readonly nodes: Set<Node> = new Set();
  /** Version of each operator set in use; '' is ONNX's own. */
  readonly opsets: Map<string, number> = new Map([['', opset]]);
  /** ONNX metadata_props: text stored with the model, such as its labels. */
  readonly metadata: Map<string, string> = new Map();
  origin: unknown;
  #serial: number | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** Appends a node and registers it with its inputs and outputs. */
  add(init: NodeInit): Node {
    const node = new Node(init);
    for (const output of node.outputs) output.producer = node;
    for (const value of reads(node)) value.users.add(node);
    this.nodes.add(node);
    return node;
  }

  /** A name that is not used in the graph: `stem` and a number. */
  freshName(stem: string): string {
    this.#serial = (this.#serial ?? this.#largestNumber()) + 1;
    return `${stem}_${this.#serial}`;
  }

  /** Makes `freshName` avoid the names of another graph, of which nodes are copied to this one. */
  avoidNames(other: Graph): void {
    this.#serial = Math.max(this.#serial ?? this.#largestNumber(), other.#largestNumber());
  }

  /** The largest number after a `_` at the end of a name. */
  #largestNumber(): number {
    const values = [...this.inputs, ...this.initializers, ...[...this.nodes].flatMap(({ outputs }) => outputs)];
    const names = [...values, ...this.nodes].map(({ name }) => name);
    return names.reduce((largest, name) => Math.max(largest, Number(/_(\d{1,15})(\.|$)/.exec(name)?.[1] ?? 0)), 0);
  }

  /** Replaces input `index` of a node with `value`. */
  setInput(node: Node, index: number, value: Value | undefined): void {
    const old = node.inputs[index];
    node.inputs[index] = value;
    if (old && !reads(node).includes(old)) old.users.delete(node);
    value?.users.add(node);
  }

  /** Adds an output to a node, such as an optional one that was omitted so far. */
  addOutput(node: Node, name: string): Value {
    const value = new Value(name);
    value.producer = node;
    node.outputs.push(value);
    return value;
  }

  /**
   * Makes all nodes and graph outputs that read `old` read `replacement` instead. A graph output keeps its name, unless
   * `replacement` must keep its own as an input, an initializer or another output of the graph.
   *
   * @throws Error if a subgraph reads `old`, since it does so by name.
   */
  replaceAllUses(old: Value, replacement: Value): void {
    for (const node of [...old.users]) {
      if (node.captures.includes(old)) {
        throw new Error(`"${old.name}" is read by a subgraph of ${describe(node)} and cannot be replaced.`);
      }
      node.inputs.forEach((input, i) => {
        if (input === old) this.setInput(node, i, replacement);
      });
    }
    if (!this.outputs.includes(old)) return;
    if (replacement.producer && !this.outputs.includes(replacement)) {
      [old.name, replacement.name] = [replacement.name, old.name];
    }
    this.outputs.forEach((output, i) => {
      if (output === old) this.outputs[i] = replacement;
    });
  }

  /**
   * Removes a node whose outputs have no readers.
   *
   * @throws Error naming an output that still has one.
   */
  remove(node: Node): void {
    for (const output of node.outputs) {
      if (output.users.size > 0 || this.outputs.includes(output)) {
        throw new Error(`${describe(node)} cannot be removed: its output "${output.name}" is still read.`);
      }
      output.producer = undefined;
    }
    for (const value of reads(node)) value.users.delete(node);
    this.nodes.delete(node);
  }

  /** Removes all nodes and initializers that no graph output depends on. */
  removeDead(): void {
    const outputs = new Set(this.outputs);
    const isRead = (value: Value) => value.users.size > 0 || outputs.has(value);
    for (const node of this.sorted().reverse()) {
      if (!node.outputs.some(isRead)) this.remove(node);
    }
    for (const value of this.initializers) {
      if (!isRead(value) && !this.inputs.includes(value)) this.initializers.delete(value);
    }
  }

  /** The nodes with producers before their readers, otherwise in the order they were added; throws on a cycle. */
  sorted(): Node[] {
    const done = new Set<Node>();
    const open = new Set<Node>();
    const order: Node[] = [];
    for (const root of this.nodes) {
      const stack = [root];
      for (let node = stack.at(-1); node; node = stack.at(-1)) {
        const waits = done.has(node) ? [] : producers(node).filter((producer) => !done.has(producer));
        if (waits.some((producer) => open.has(producer)))
          throw new UsageError(`The graph has a cycle at ${describe(node)}.`);
        if (waits.length > 0) {
          open.add(node);
          for (const producer of waits.reverse()) stack.push(producer);
          continue;
        }
        stack.pop();
        if (!done.has(node)) order.push(node);
        done.add(node);
        open.delete(node);
      }
    }
    return order;
  }

  /** A copy with new nodes and values; tensors and origin parts are shared. `map` finds the copy of a value. */
  clone(): { graph: Graph; map: Map<Value, Value> } {
    const graph = new Graph(this.name);
    const map = new Map<Value, Value>();
    const copy = (value: Value): Value => {
      const known = map.get(value);
      if (known) return known;
      const twin = new Value(value.name, value.dtype, value.dims);
      twin.tensor = value.tensor;
      twin.origin = value.origin;
      map.set(value, twin);
      return twin;
    };
    graph.inputs.push(...this.inputs.map(copy));
    for (const value of this.initializers) graph.initializers.add(copy(value));
    for (const node of this.nodes) {
      const { op, domain, name, attributes, origin } = node;
      const inputs = node.inputs.map((value) => value && copy(value));
      const captures = node.captures.map(copy);
      graph.add({ op, domain, name, attributes, origin, inputs, captures, outputs: node.outputs.map(copy) });
    }
    graph.outputs.push(...this.outputs.map(copy));
    graph.opsets.clear();
    for (const [domain, version] of this.opsets) graph.opsets.set(domain, version);
    for (const [key, text] of this.metadata) graph.metadata.set(key, text);
    graph.origin = this.origin;
    graph.#serial = this.#serial;
    return { graph, map };
  }
}

/** Every value that a node reads, directly or through its subgraphs. */
export function reads(node: Node): Value[] {
  const inputs = node.inputs.filter((value) => value !== undefined);
  return node.captures.length > 0 ? [...inputs, ...node.captures] : inputs;
}

const producers = (node: Node): Node[] => reads(node).flatMap((value) => value.producer ?? []);

/** A node's name in messages: `Conv "layer2.1.conv2"`, or the name of its first output if it has none. */
export const describe = (node: { op: string; name: string; outputs: readonly Value[] }): string =>
  `${node.op} "${node.name || (node.outputs[0]?.name ?? '')}"`;
