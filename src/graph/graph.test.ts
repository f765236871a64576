import { expect, test } from 'vitest';
import { tensor } from '../tensor.ts';
import { Builder } from './builder.ts';
import { Graph, type Node, Value } from './graph.ts';

/** x → a = Relu → sum = Add(a, a), and b = Neg(a) beside it. */
function diamond() {
  const b = new Builder('diamond');
  const x = b.input('x', [2]);
  const a = b.op('Relu', [x], {}, 'a');
  const side = b.op('Neg', [a], {}, 'b');
  const sum = b.output(b.op('Add', [a, a], {}, 'sum'));
  const { graph } = b;
  return { graph, x, a, side, sum, nodeOf: (value: Value): Node => value.producer! };
}

const names = (nodes: Iterable<Node>): string[] => [...nodes].map(({ name }) => name);

test('a value knows its producer and its users, each once', () => {
  const { x, a, side, sum } = diamond();
  expect(x.producer).toBeUndefined();
  expect(names(x.users)).toEqual(['a']);
  expect(names(a.users)).toEqual(['b', 'sum']);
  expect([a, side, sum].map(({ producer }) => producer?.name)).toEqual(['a', 'b', 'sum']);
});

test('setInput keeps a user as long as another of its inputs reads the value', () => {
  const { graph, x, a, sum, nodeOf } = diamond();
  graph.setInput(nodeOf(sum), 0, x);
  expect(names(a.users)).toEqual(['b', 'sum']);
  graph.setInput(nodeOf(sum), 1, x);
  expect(names(a.users)).toEqual(['b']);
  expect(names(x.users)).toEqual(['a', 'sum']);
  graph.setInput(nodeOf(sum), 1, undefined);
  expect(names(x.users)).toEqual(['a', 'sum']);
});

test('replaceAllUses redirects every reader and the graph output', () => {
  const { graph, x, a, side, sum, nodeOf } = diamond();
  graph.replaceAllUses(a, x);
  expect(nodeOf(sum).inputs).toEqual([x, x]);
  expect(nodeOf(side).inputs).toEqual([x]);
  expect(a.users.size).toBe(0);
  expect(names(x.users)).toEqual(['a', 'b', 'sum']);
  graph.replaceAllUses(sum, side);
  expect(graph.outputs).toEqual([side]);
});

test('a value that a subgraph reads cannot be replaced', () => {
  const { graph, x, a } = diamond();
  const loop = graph.add({ op: 'Loop', name: 'loop', inputs: [x], captures: [a], outputs: [new Value('y')] });
  expect(names(a.users)).toContain('loop');
  expect(() => graph.replaceAllUses(a, x)).toThrow(
    '"a.output" is read by a subgraph of Loop "loop" and cannot be replaced.',
  );
  graph.remove(loop);
  expect(names(a.users)).not.toContain('loop');
});

test('remove throws while a node or the graph reads an output', () => {
  const { graph, x, a, side, sum, nodeOf } = diamond();
  expect(() => graph.remove(nodeOf(a))).toThrow('Relu "a" cannot be removed: its output "a.output" is still read.');
  expect(() => graph.remove(nodeOf(sum))).toThrow(
    'Add "sum" cannot be removed: its output "sum.output" is still read.',
  );
  const node = nodeOf(side);
  graph.remove(node);
  expect(graph.nodes.has(node)).toBe(false);
  expect(side.producer).toBeUndefined();
  expect(names(a.users)).toEqual(['sum']);
  expect(names(x.users)).toEqual(['a']);
});

test('removeDead removes nodes and initializers that no output needs, and keeps inputs', () => {
  const { graph, x, a, sum } = diamond();
  const b = new Builder(graph);
  const unused = b.input('unused', [1]);
  const weight = b.parameter('weight', [2]);
  b.op('Relu', [b.op('Mul', [a, weight], {}, 'first')], {}, 'second');
  const kept = b.parameter('kept', [2]);
  b.output(kept);
  graph.removeDead();
  expect(names(graph.nodes)).toEqual(['a', 'sum']);
  expect([...graph.initializers]).toEqual([kept]);
  expect(graph.inputs).toEqual([x, unused]);
  expect(names(a.users)).toEqual(['sum']);
  expect(graph.outputs).toEqual([sum, kept]);
});

test('sorted puts producers first and otherwise keeps the order', () => {
  const { graph, x, a, sum, nodeOf } = diamond();
  const late = new Builder(graph).op('Exp', [x], {}, 'late');
  graph.setInput(nodeOf(a), 0, late);
  expect(names(graph.nodes)).toEqual(['a', 'b', 'sum', 'late']);
  expect(names(graph.sorted())).toEqual(['late', 'a', 'b', 'sum']);
  graph.setInput(nodeOf(late), 0, sum);
  expect(() => graph.sorted()).toThrow(/^The graph has a cycle at (Relu "a"|Add "sum"|Exp "late")\.$/);
});

test('sorted handles a long chain quickly and without deep recursion', () => {
  const graph = new Graph('chain');
  let value = new Value('x');
  graph.inputs.push(value);
  const inits = Array.from({ length: 50_000 }, (_, i) => {
    const init = { op: 'Relu', inputs: [value], outputs: [new Value(`v${i}`)] };
    [value] = init.outputs as [Value];
    return init;
  });
  for (const init of inits.toReversed()) graph.add(init);
  expect(graph.sorted().at(-1)?.outputs[0]).toBe(value);
});

test('a clone is the same graph and shares no mutable parts', () => {
  const { graph, a, x } = diamond();
  graph.metadata.set('labels', 'cat');
  const weight = new Builder(graph).parameter('w', [1], tensor('float32', [1]));
  const { graph: copy, map } = graph.clone();
  const twin = map.get(a)!;
  expect(twin).not.toBe(a);
  expect([twin.name, twin.dims, twin.dtype]).toEqual([a.name, a.dims, a.dtype]);
  expect(names(twin.users)).toEqual(['b', 'sum']);
  expect(map.get(weight)!.tensor).toBe(weight.tensor);
  expect([copy.opsets, copy.metadata]).toEqual([graph.opsets, graph.metadata]);
  copy.replaceAllUses(twin, map.get(x)!);
  copy.removeDead();
  copy.metadata.clear();
  map.get(weight)!.tensor = undefined;
  expect(names(copy.nodes)).toEqual(['sum']);
  expect(names(graph.nodes)).toEqual(['a', 'b', 'sum']);
  expect(names(a.users)).toEqual(['b', 'sum']);
  expect(graph.metadata.size).toBe(1);
  expect(weight.tensor).toBeDefined();
});

test('unique names in a clone continue from the original', () => {
  const { graph } = diamond();
  const first = graph.freshName('n');
  const { graph: copy } = graph.clone();
  expect(copy.freshName('n')).not.toBe(first);
});
