import { expect, test } from 'vitest';
import { thisMachine } from '#platform';
import type { Graph } from '../graph/graph.ts';
import { lowerBlocked } from '../lower/blocked.ts';
import { judge, judged, lowering } from './lowering.ts';

test('this machine trains in blocks; other providers and whoever asks for it in standard operators', async () => {
  expect(await lowering()).toMatchObject({ layout: 'blocked', optimization: 'disabled' });
  expect(await lowering({ providers: ['cuda', 'cpu'] })).toMatchObject({ layout: 'standard', reason: /only the CPU/ });
  expect(await lowering({}, 'standard')).toMatchObject({ layout: 'standard' });
  await expect(lowering({ providers: ['webgpu'] }, 'blocked')).rejects.toThrow(
    'The blocked layout does not work here: only the CPU has a blocked layout. Leave the layout open.',
  );
});

test('blocks that the runtime does not have are not trusted', async () => {
  const other = await judged(32); // no CPU has blocks of 32
  expect(other.layout).toBe('standard');
  expect(other.reason).toMatch(/^this runtime('s blocked layout computes something else|does not take)/);
});

/** Changes one attribute of the first node of an operator, as a runtime would that had changed the operator's meaning. */
const altered = (block: number, op: string, attribute: string, value: number) => (step: Graph) => {
  const graph = lowerBlocked(step, block);
  const node = graph.sorted().find((each) => each.op === op && each.attributes.has(attribute))!;
  node.attributes.set(attribute, { kind: 'float', value });
  return graph;
};

test('one operator that computes something else is enough', async () => {
  const block = (await thisMachine()).block!;
  expect(await judge((step) => lowerBlocked(step, block))).toMatchObject({ layout: 'blocked' });
  const gradient = await judge(altered(block, 'FusedMatMul', 'alpha', 1.2)); // of one convolution's weight
  expect(gradient.layout).toBe('standard');
  expect(gradient.reason).toMatch(/computes something else \(".*" is off by /);
  expect(await judge(altered(block, 'HardSigmoid', 'beta', 0.3))).toMatchObject({ layout: 'standard' });
});
