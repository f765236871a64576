/**
 * Grouped convolutions as PyTorch, tf2onnx and Keras write them: the files in `test/fixtures/exporters`. Each is optimized
 * to a real grouped convolution and computes the same on ONNX Runtime, or is left alone with a reason.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { compareGraphs } from '../benchmark/compare.ts';
import { Builder } from '../graph/builder.ts';
import type { Graph } from '../graph/graph.ts';
import { readOnnx } from '../onnx/read.ts';
import { optimizeGraph } from './convert.ts';

const folder = new URL('../../test/fixtures/exporters/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.onnx'));
const open = (name: string): Graph => readOnnx(readFileSync(new URL(name, folder)), { name });

const opsIn = (graph: Graph) => [...graph.nodes].map(({ op }) => op).sort();
const groupsIn = (graph: Graph) =>
  [...graph.nodes].flatMap(({ op, attributes }) => (op === 'Conv' ? Number(attributes.get('group')?.value ?? 1) : []));

/** The largest relative difference on ONNX Runtime, at two sizes if any is free. */
const difference = async (a: Graph, b: Graph) =>
  (await compareGraphs(a, b, { batch: 2, runs: 0, threads: 1 })).difference;

const refused: readonly (readonly [name: string, reason: RegExp])[] = [
  ['refused-unknown-operator.onnx', /^"unknown" has an unknown number of channels\.$/],
  ['torch-refused-inception.onnx', /^it joins 2 convolutions, whose kernels differ: 1x1 and 1x1, 3x3\.$/],
  ['torch-refused-sides.onnx', /^it adds 2 convolutions, whose kernels differ: 3x3 and 1x1\.$/],
  ['torch-refused-shuffle.onnx', /^it joins 4 convolutions along axis 2, not along the channels\.$/],
  ['torch-refused-transposed.onnx', /^it joins 4 convolutions; transposed ones are not merged\.$/],
  [
    'torch-refused-group-norm.onnx',
    /^Reshape ".*" in branch 1 is not a convolution, and does not treat each channel separately\.$/,
  ],
];
const merged = files.filter((name) => !name.includes('refused'));

/** Convolutions that are added are one convolution in one group. */
const isSum = (name: string): boolean => name === 'last-branches.onnx' || name === 'torch-sum-of-slices.onnx';
const parts = ['Split', 'Slice', 'Concat', 'Sum', 'Shape', 'Reshape', 'Squeeze', 'Unsqueeze', 'SequenceAt', 'Constant'];

test.each(merged)('%s is optimized to one convolution instead of four', async (name) => {
  const source = open(name);
  const { graph, report } = optimizeGraph(source);
  expect(report.refusals).toEqual([]);
  expect(groupsIn(graph).length).toBeLessThanOrEqual(3);
  expect(Math.max(...groupsIn(graph))).toBe(isSum(name) ? 1 : 4);
  expect(opsIn(graph).filter((op) => parts.includes(op))).toEqual([]);
  expect(await difference(source, graph)).toBeLessThan(name.includes('float16') ? 2e-3 : 1e-6);
  expect(optimizeGraph(graph).report.changes).toEqual([]);
});

test.each(refused)('%s is refused', async (name, reason) => {
  const source = open(name);
  const { graph, report } = optimizeGraph(source);
  expect(report.refusals.map(({ text }) => text)).toEqual([expect.stringMatching(reason)]);
  expect(Math.max(...groupsIn(graph))).toBe(1);
  expect(await difference(source, graph)).toBeLessThan(1e-6);
});

test('a network with channels last keeps a Transpose at its input and one at its output', () => {
  const { graph } = optimizeGraph(open('last-split-11.onnx'));
  expect(opsIn(graph)).toEqual(['Add', 'Add', 'Conv', 'Conv', 'LeakyRelu', 'Relu', 'Transpose', 'Transpose']);
});

test('rows cut from a map with a free height are not taken for all of its rows', () => {
  const source = open('torch-any-size.onnx');
  for (const node of source.nodes) for (const output of node.outputs) output.dims = undefined;
  source.inputs[0]!.dims = ['', 16, '', ''];
  const b = new Builder(source);
  const [split] = [...source.nodes].filter(({ op }) => op === 'Split');
  for (const [i, output] of split!.outputs.entries()) {
    const ranges = [[4 * i, 0], [4 * i + 4, 3], [1, 2]].map((list) => b.ints(list)); // biome-ignore format: one line
    source.replaceAllUses(output, b.op('Slice', [split!.inputs[0], ...ranges]));
  }
  source.removeDead();
  expect(optimizeGraph(source).report.refusals.map(({ text }) => text)).toEqual([
    expect.stringMatching(/ does not take a contiguous range of channels\.$/),
  ]);
});
