/**
 * Paths up from several values, through nodes with a single non-constant input and through activations of several nodes
 * that read one value, such as x · sigmoid(x). Together they are trees, and each value is visited once, so files with
 * long or many paths take time in proportion to their size.
 */
import type { Graph, Node, Value } from '../graph/graph.ts';
import { opTypeOf } from '../graph/ops.ts';
import { isElementwise } from './operators.ts';

/** The next value on the path up from each; undefined where a path ends. */
export type Paths = ReadonlyMap<Value, Value | undefined>;

/** All paths are followed in step, up to where all but one have ended or joined another. */
export function pathsUp(graph: Graph, ends: readonly Value[]): Paths {
  const up = new Map<Value, Value | undefined>(ends.map((end) => [end, undefined]));
  for (let tops = ends; tops.length > 1; ) {
    const reached: Value[] = [];
    for (const value of tops) {
      const next = onlyInput(graph, value);
      up.set(value, next);
      if (!next || up.has(next)) continue;
      up.set(next, undefined);
      reached.push(next);
    }
    tops = reached;
  }
  return up;
}

/** Activations have at most this many nodes. */
const maxActivation = 16;

/** The value that the node behind a value reads, if it is only one. */
export function onlyInput(graph: Graph, { producer }: Value): Value | undefined {
  const inputs = producer ? mapsOf(graph, producer) : [];
  if (inputs.length <= 1 || !isElementwise(producer!)) return inputs.length === 1 ? inputs[0] : undefined;
  return inputs.length <= maxActivation ? activationInput(graph, inputs) : undefined;
}

/** The inputs of a node that are not constants, each once. */
export function mapsOf(graph: Graph, { inputs }: Node): Value[] {
  const maps = inputs.filter((value) => value && !graph.initializers.has(value)) as Value[];
  return maps.length > 1 ? [...new Set(maps)] : maps;
}

/** The single value that elementwise nodes compute all of these from, if there is one. */
function activationInput(graph: Graph, values: readonly Value[]): Value | undefined {
  const open = new Set(values);
  const inner = new Set<Value>();
  for (const value of open) {
    if (open.size - inner.size === 1) break;
    if (!value.producer || !isElementwise(value.producer)) continue;
    if (inner.size === maxActivation) return undefined;
    inner.add(value);
    for (const input of mapsOf(graph, value.producer)) open.add(input);
  }
  const [input, ...others] = [...open].filter((value) => !inner.has(value));
  return others.length === 0 ? input : undefined;
}

/** The value on most paths, if it is on several; of those, the one closest to the ends. */
export function meeting(up: Paths, ends: readonly Value[]): Value | undefined {
  const counts = pathsThrough(up, ends);
  let most = 1;
  for (const count of counts.values()) most = Math.max(most, count);
  if (most === 1) return undefined;
  const passed = new Set<Value>();
  for (const end of ends) {
    for (let value: Value | undefined = end; value && !passed.has(value); value = up.get(value)) {
      if (counts.get(value) === most) return value;
      passed.add(value);
    }
  }
  return undefined;
}

/** The number of paths through each value. */
function pathsThrough(up: Paths, ends: readonly Value[]): Map<Value, number> {
  const counts = new Map([...up.keys()].map((value) => [value, 0]));
  const waits = new Map<Value, number>();
  for (const end of ends) counts.set(end, 1);
  for (const next of up.values()) if (next) waits.set(next, (waits.get(next) ?? 0) + 1);
  const ready = [...up.keys()].filter((value) => !waits.has(value));
  for (let value = ready.pop(); value; value = ready.pop()) {
    const next = up.get(value);
    if (!next) continue;
    counts.set(next, counts.get(next)! + counts.get(value)!);
    waits.set(next, waits.get(next)! - 1);
    if (waits.get(next) === 0) ready.push(next);
  }
  return counts;
}

/** The kernels of the convolutions on a path down from a value. Equal sequences are the same object. */
export interface Kernels {
  readonly count: number;
  readonly longer: Map<string, Kernels>;
}

/** The kernels from `start` to each end; undefined for an end without any, or whose path does not come from there. */
export function kernelsFrom(start: Value, up: Paths, ends: readonly Value[]): (Kernels | undefined)[] {
  const none: Kernels = { count: 0, longer: new Map() };
  const known = new Map<Value, Kernels | undefined>([[start, none]]);
  return ends.map((end) => {
    const trail: Value[] = [];
    let top: Value | undefined = end;
    for (; top && !known.has(top); top = up.get(top)) trail.push(top);
    let kernels = top && known.get(top);
    for (const value of trail.reverse()) {
      kernels = kernels && withNode(kernels, value);
      known.set(value, kernels);
    }
    return kernels === none ? undefined : kernels;
  });
}

/** The kernels, and that of the node that makes a value if it is a convolution. */
function withNode(kernels: Kernels, { producer }: Value): Kernels {
  if (!producer || opTypeOf(producer) !== 'Conv') return kernels;
  const kernel = producer.inputs[1]?.dims?.slice(2).join('x') ?? '?';
  const longer = kernels.longer.get(kernel) ?? { count: kernels.count + 1, longer: new Map() };
  kernels.longer.set(kernel, longer);
  return longer;
}
