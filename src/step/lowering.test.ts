import { expect, test } from 'vitest';
import { thisMachine } from '#platform';
import type { Graph, Value } from '../graph/graph.ts';
import { lowerBlocked } from '../lower/blocked.ts';
import { tensor } from '../tensor.ts';
import { checkBlocked, checkLowering, chooseLowering } from './lowering.ts';

test('this machine trains in blocks; other providers and whoever asks for it in standard operators', async () => {
  expect(await chooseLowering()).toMatchObject({ lowering: 'blocked', optimization: 'disabled' });
  expect(await chooseLowering({ providers: ['cuda', 'cpu'] })).toMatchObject({
    lowering: 'standard',
    reason: /only the CPU/,
  });
  expect(await chooseLowering({}, 'standard')).toMatchObject({ lowering: 'standard' });
  await expect(chooseLowering({ providers: ['webgpu'] }, 'blocked')).rejects.toThrow(
    'lowering is "blocked", which does not work here: only the CPU has a blocked layout. Remove it.',
  );
});

test('blocks that the runtime does not have are not trusted', async () => {
  const other = await checkBlocked(32); // no CPU has blocks of 32
  expect(other.lowering).toBe('standard');
  expect(other.reason).toMatch(/^this runtime('s blocked layout gives different results|does not accept)/);
});

/** Changes one attribute of the first node of an operator, as a runtime would that had changed the operator's meaning. */
const altered = (block: number, op: string, attribute: string, value: number) => (step: Graph) => {
  const graph = lowerBlocked(step, block);
  const node = graph.sorted().find((each) => each.op === op && each.attributes.has(attribute));
  node?.attributes.set(attribute, { kind: 'float', value });
  return graph;
};

test('one operator that gives different results is enough', async () => {
  const block = (await thisMachine()).block!;
  expect(await checkLowering((step) => lowerBlocked(step, block))).toMatchObject({ lowering: 'blocked' });
  const gradient = await checkLowering(altered(block, 'FusedMatMul', 'alpha', 1.2)); // of one convolution's weight
  expect(gradient.lowering).toBe('standard');
  expect(gradient.reason).toMatch(/gives different results \(".*" differs by /);
  expect(await checkLowering(altered(block, 'HardSigmoid', 'beta', 0.3))).toMatchObject({ lowering: 'standard' });
});

test('an update that gives different results is enough', async () => {
  const block = (await thisMachine()).block!;
  const chosen = await checkLowering((graph) => {
    const lowered = lowerBlocked(graph, block);
    const isBeta = ({ tensor }: Value) => tensor?.data.length === 1 && Math.abs(Number(tensor.data[0]) - 0.999) < 1e-6;
    const beta = [...lowered.initializers].find(isBeta);
    if (beta) beta.tensor = tensor('float32', [], Float32Array.of(0.9));
    return lowered;
  });
  expect(chosen.lowering).toBe('standard');
  expect(chosen.reason).toMatch(/gives different results \(".*\.next" differs by /);
});
