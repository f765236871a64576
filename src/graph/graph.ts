/**
 * The graph in memory: values, the nodes that make them, and who uses what. It is the ONNX data model without protobuf:
 * any operator of any domain may stand in it, known to this package or not. `origin` fields carry what a file holds
 * beyond this model (unknown protobuf fields, doc strings), untouched, so that a file read and written is the same file.
 */
import { UsageError } from '../errors.ts';
import type { DType, Tensor } from '../tensor.ts';

/** A dimension: its size, or the name of one that is free, such as the batch `N`. The empty name is one nobody knows. */
export type Dim = number | string;

export const unknownDim = '';

/** The version of ONNX's own operator set that graphs built here state, and that `ops.ts` describes. */
export const opset = 17;

/** An attribute as ONNX types it. `opaque` holds what this package does not look into, such as subgraphs. */
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
  /** An initializer's contents. A parameter whose weights are not there yet has none. */
  tensor: Tensor | undefined;
  producer: Node | undefined;
  /** The nodes that read this value, each once. */
  readonly users: Set<Node> = new Set();
  origin: unknown;

  constructor(name: string, dtype?: DType, dims?: readonly Dim[]) {
    this.name = name;
    this.dtype = dtype;
    this.dims = dims;
  }
}

/** What a node is made of; an absent optional input is `undefined`. */
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

/** One operator applied to values. Its inputs change only through the graph, which keeps the users right. */
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

/**
 * A graph of values and nodes. `Builder` writes one node by node; the methods here change it and keep producers and users
 * right.
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
  /** ONNX metadata_props: text that travels with the model, such as its labels. */
  readonly metadata: Map<string, string> = new Map();
  origin: unknown;
  #serial: number | undefined;

  constructor(name: string) {
    this.name = name;
  }

  /** Appends a node; its outputs get it as producer and its inputs as user. */
  add(init: NodeInit): Node {
    const node = new Node(init);
    for (const output of node.outputs) output.producer = node;
    for (const value of reads(node)) value.users.add(node);
    this.nodes.add(node);
    return node;
  }

  /** A name that nothing in the graph has: `stem` and a number. */
  freshName(stem: string): string {
    this.#serial = (this.#serial ?? this.#largestNumber()) + 1;
    return `${stem}_${this.#serial}`;
  }

  /** The largest number after a `_` at the end of a name. */
  #largestNumber(): number {
    const values = [...this.inputs, ...this.initializers, ...[...this.nodes].flatMap(({ outputs }) => outputs)];
    const names = [...values, ...this.nodes].map(({ name }) => name);
    return names.reduce((largest, name) => Math.max(largest, Number(/_(\d{1,15})(\.|$)/.exec(name)?.[1] ?? 0)), 0);
  }

  /** Lets a node read `value` as its input `index`, in place of what it read there. */
  setInput(node: Node, index: number, value: Value | undefined): void {
    const old = node.inputs[index];
    node.inputs[index] = value;
    if (old && !reads(node).includes(old)) old.users.delete(node);
    value?.users.add(node);
  }

  /** One more output of a node, such as an optional one that was not asked for so far. */
  addOutput(node: Node, name: string): Value {
    const value = new Value(name);
    value.producer = node;
    node.outputs.push(value);
    return value;
  }

  /**
   * Every node and graph output that reads `old` reads `replacement` instead. A graph output keeps its name, unless
   * `replacement` has one to keep: as an input, an initializer or another output of the graph.
   *
   * @throws Error when a subgraph reads `old`, which it does by name.
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
   * Removes a node whose outputs nobody reads.
   *
   * @throws Error naming the output that is still read.
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

  /** Removes every node and initializer from which no graph output can be reached. */
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

  /** The nodes in an order in which each follows those that it reads from, otherwise as they were added; throws on a cycle. */
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
          stack.push(...waits.reverse());
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

  /** A copy whose nodes and values are new; tensors and origin parts are shared. `map` finds a value's copy. */
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

/** Every value that a node reads, by itself or through its subgraphs. */
export function reads(node: Node): Value[] {
  const inputs = node.inputs.filter((value) => value !== undefined);
  return node.captures.length > 0 ? [...inputs, ...node.captures] : inputs;
}

const producers = (node: Node): Node[] => reads(node).flatMap((value) => value.producer ?? []);

/** How messages name a node: `Conv "layer2.1.conv2"`, by its first output where it has no name. */
export const describe = (node: { op: string; name: string; outputs: readonly Value[] }): string =>
  `${node.op} "${node.name || (node.outputs[0]?.name ?? '')}"`;
