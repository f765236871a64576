/**
 * Third-party networks: the PyTorch exports in `test/fixtures/emulated`, which emulate grouped convolutions, almost do,
 * or do not. After rewriting they compute the same on ONNX Runtime as in PyTorch, to 1e-5 relative.
 */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { Session } from '#platform';
import { relativeError } from '../../test/tensors.ts';
import type { Graph } from '../graph/graph.ts';
import { forms } from '../model/config.ts';
import { readOnnx } from '../onnx/read.ts';
import { writeOnnx } from '../onnx/write.ts';
import { readSafetensors } from '../weights/safetensors.ts';
import { convertGraph, optimizeGraph } from './convert.ts';

const folder = new URL('../../test/fixtures/emulated/', import.meta.url);
const bytesOf = (name: string) => readFile(new URL(`${name}.onnx`, folder));
const open = async (name: string): Promise<Graph> => readOnnx(await bytesOf(name), { name });
const { tensors } = readSafetensors(await readFile(new URL('expected.safetensors', folder)));

/** Writes a graph, runs the bytes on ONNX Runtime, and compares with PyTorch. */
async function expectSameAsPyTorch(graph: Graph, name: string): Promise<void> {
  const session = await Session.open(writeOnnx(graph), { threads: 1 });
  const results = await session.run(new Map([['input', tensors.get('input')!]]));
  await session.dispose();
  const expected = tensors.get(name.replace(/-folded$/, ''))!;
  expect(relativeError(results.get('logits')!, expected)).toBeLessThan(1e-5);
}

const count = (graph: Graph, ...ops: string[]): number => [...graph.nodes].filter(({ op }) => ops.includes(op)).length;

/** The group count of every convolution: the stem, three in each of two blocks, and a projection. */
const groupsIn = (graph: Graph) =>
  [...graph.nodes]
    .flatMap(({ op, attributes }) => (op === 'Conv' ? Number(attributes.get('group')?.value ?? 1) : []))
    .sort();
const twoBlocks = [1, 1, 1, 1, 1, 1, 4, 4];

const names = [
  ...['grouped', 'form-a', 'form-a-stacked', 'form-a-bare', 'form-a-normed', 'form-b', 'bridge', 'split-concat'],
  ...['split-concat-11', 'slice-concat', 'slice-concat-9', 'depthwise', 'mixed'],
];
const files = names.flatMap((name) => [name, `${name}-folded`]);

test.each(files)('%s is optimized to two grouped convolutions with folded normalization', async (name) => {
  const { graph, report } = optimizeGraph(await open(name));
  expect(report.refusals).toEqual([]);
  expect(groupsIn(graph)).toEqual(twoBlocks);
  expect(count(graph, 'Split', 'Slice', 'Concat', 'Sum', 'Identity', 'Constant', 'Unsqueeze')).toBe(0);
  expect(count(graph, 'BatchNormalization')).toBe(name.startsWith('slice-concat') ? 1 : 0); // one follows a ReLU
  expect(report.nodesAfter).toBeLessThanOrEqual(22);
  await expectSameAsPyTorch(graph, name);
  expect(optimizeGraph(graph).graph).toBe(graph);
});

const convertible = files.filter((name) => name !== 'form-a-normed');
describe.each([
  ['A', new Array(26).fill(1)],
  ['B', new Array(20).fill(1)],
  ['C', twoBlocks],
] as const)('in form %s', (form, groups) => {
  test.each(convertible)('%s computes the same', async (name) => {
    const { graph, report } = convertGraph(await open(name), form);
    expect(report.refusals).toEqual([]);
    expect(groupsIn(graph)).toEqual(groups);
    await expectSameAsPyTorch(graph, name);
    expect(groupsIn(convertGraph(graph, 'C').graph)).toEqual(twoBlocks);
  });
});

test('convertGraph leaves a sum of normalizations alone, since it folds none', async () => {
  const source = await open('form-a-normed');
  const { graph, report } = convertGraph(source, 'C');
  expect(graph).toBe(source);
  expect(report.refusals.map(({ text }) => text)).toEqual([
    expect.stringMatching(/^BatchNormalization ".*" ends its branch, but only sums of convolutions can be merged/),
    expect.stringMatching(/^BatchNormalization ".*" ends its branch, but only sums of convolutions can be merged/),
  ]);
});

/** Whether one block or both are refused, and why. */
const near: readonly (readonly [name: string, blocks: number, reason: RegExp])[] = [
  [
    'other-strides',
    1,
    /^Conv ".*branches\.1\.0\.0\/Conv" differs from Conv ".*branches\.0\.0\.0\/Conv" in strides \(\[1,1\], not \[2,2\]\)\.$/,
  ],
  ['pooled', 2, /^branch 2 has Relu ".*" where branch 1 has AveragePool ".*"\.$/],
  [
    'other-dilations',
    2,
    /differs from .* in pads \(\[2,2,2,2\], not \[1,1,1,1\]\) and dilations \(\[2,2\], not \[1,1\]\)\.$/,
  ],
  ['one-weight', 2, /^Conv ".*" shares its weight "block\d\.residual\.branches\.0\.1\.0\.weight" with another node\.$/],
  ['used-elsewhere', 2, /^the output of Relu ".*" in branch 2 is also used outside the branch\.$/],
  ['missing-norm', 2, /^branch 4 has Conv ".*" where branch 1 has BatchNormalization ".*"\.$/],
  ['reordered', 2, /^Slice ".*" takes channels 3 to 5 for branch 1, but expected them to start at channel 0\.$/],
  ['overlapping', 2, /^Slice ".*" takes channels 5 to 7 for branch 3, but expected them to start at channel 6\.$/],
  ['uncovered', 2, /^the branches read only 9 of the 12 channels of ".*"\.$/],
  ['uneven', 2, /^Conv ".*" has weight shape \[3,4,3,3\], but Conv ".*" has \[3,2,3,3\]\.$/],
  ['across-groups', 2, /^Conv ".*gather\/Conv" sums channels across all groups\.$/],
];

test.each(near)('%s is refused', async (name, blocks, reason) => {
  const source = await open(name);
  const { graph, report } = convertGraph(source, 'C');
  expect(report.refusals.map(({ text }) => text)).toEqual(new Array(blocks).fill(expect.stringMatching(reason)));
  if (blocks === 2) expect(graph).toBe(source);
  else expect(groupsIn(graph)).toContain(4);
  const optimized = optimizeGraph(source);
  expect(optimized.report.refusals).toEqual(report.refusals);
  expect(groupsIn(optimized.graph)).toEqual(groupsIn(graph));
  await expectSameAsPyTorch(optimized.graph, name);
});

test.each(['plain', 'plain-folded'])('%s has no blocks and stays as it is; optimizing says why', async (name) => {
  const bytes = await bytesOf(name);
  const source = readOnnx(bytes);
  for (const form of forms) {
    const { graph, report } = convertGraph(source, form);
    expect(graph).toBe(source);
    expect([report.changes, report.refusals]).toEqual([[], []]);
  }
  const { graph, report } = optimizeGraph(source);
  expect(report.refusals.map(({ text }) => text)).toEqual([
    'it joins 4 convolutions, whose kernels differ: 1x1 and 1x1, 3x3.',
  ]);
  if (name === 'plain-folded') expect(graph).toBe(source);
  await expectSameAsPyTorch(graph, name);
});

test('merged nodes are named after what the branch names have in common', async () => {
  const namesIn = (graph: Graph) => [...graph.initializers].map(({ name }) => name);
  const { graph } = convertGraph(await open('split-concat'), 'C');
  expect(namesIn(graph)).toContain('block1.residual.conv2.weight');
  const inA = convertGraph(await open('grouped'), 'A').graph;
  expect(namesIn(inA)).toContain('block2.branches.3.conv3.weight');
  expect(namesIn(convertGraph(inA, 'C').graph).sort()).toEqual(namesIn(await open('grouped')).sort());
});
