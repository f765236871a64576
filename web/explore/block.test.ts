/** Blocks as the page takes them out of networks: equal costs in all forms, and the paper's numbers. */
import { forms } from 'resnext';
import { describe, expect, test } from 'vitest';
import { type BlockChoice, blockOf, plainBlock } from './block.ts';
import { baseWidthStops, cardinalityStops, depthStops, isNetwork, nameOf, partsOf, published, toy } from './network.ts';

const first = (network: string, stage = 1): BlockChoice => ({ network, stage, position: 'first' });
const later = (network: string, stage = 1): BlockChoice => ({ network, stage, position: 'later' });

describe('a block', () => {
  test('of ResNeXt-50 32x4d is that of the paper', () => {
    const { forms: built, ...shape } = blockOf(later('resnext50_32x4d'));
    expect(shape).toEqual({
      ...{ cardinality: 32, splitWidth: 4, branchWidth: 4, input: 256, output: 256, inputSize: 56, outputSize: 56 },
      ...{ isIdentity: true, hasAttention: false },
    });
    const { convolutions, normalizations, sums, concatenations, cost } = built.A;
    expect({ convolutions, normalizations, sums, concatenations }).toEqual({
      ...{ convolutions: 96, normalizations: 65, sums: 1, concatenations: 0 },
    });
    expect(cost.parameters).toBe(70_144 + 2 * (128 + 128 + 256)); // weights, and a scale and a shift per channel
    expect(cost.macs).toBe(70_144 * 56 * 56);
  });

  test('with a stride projects its shortcut', () => {
    const { input, output, inputSize, outputSize, isIdentity } = blockOf(first('resnext50_32x4d', 2));
    expect([input, output, inputSize, outputSize, isIdentity]).toEqual([256, 512, 56, 28, false]);
  });

  test('may have a first 1x1 of half the width', () => {
    expect(blockOf(later('senet154'))).toMatchObject({ splitWidth: 2, branchWidth: 4, hasAttention: true });
  });

  test.each(published)('%s costs the same in every form', (network) => {
    const { forms: built } = blockOf(first(network));
    const costs = forms.map((form) => [built[form].cost.parameters, built[form].cost.macs]);
    expect(costs).toEqual([costs[0], costs[0], costs[0]]);
  });
});

test('a plain block of the same cost is the one of ResNet', () => {
  const choice = later('resnext50_32x4d');
  const { width, cost } = plainBlock(choice, blockOf(choice));
  expect(width).toBe(64);
  expect(cost.macs).toBe(69_632 * 56 * 56);
});

test('every slider makes a network', () => {
  for (const name of [...published, toy]) {
    const parts = partsOf(name);
    if (!parts) continue;
    const names = [
      ...depthStops(name, parts).map((depth) => nameOf({ ...parts, depth })),
      ...cardinalityStops(parts).map((cardinality) => nameOf({ ...parts, cardinality })),
      ...baseWidthStops(parts).map((baseWidth) => nameOf({ ...parts, baseWidth })),
    ];
    expect(names.filter((each) => !isNetwork(each))).toEqual([]);
  }
});
