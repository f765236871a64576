/** Threads that wait for each other on too few cores. */
import { expect, test } from 'vitest';
import { initialWeights } from '../../model/init.ts';
import { resnext } from '../../model/resnext.ts';
import { variant } from '../../model/variants.ts';
import { setWeights } from '../../model/weights.ts';
import { tensor } from '../../tensor.ts';
import { openBound } from './native.ts';
import { Session } from './session.ts';

const model = resnext(variant('resnext11_8x16d_w16'));
setWeights(model, initialWeights(model, 1));
const inputs = new Map([['input', tensor('float32', [4, 3, 32, 32])]]);
const outputs = new Map([[model.graph.outputs[0]!.name, tensor('float32', [4, 10])]]);

/** Processor time of ten runs, in microseconds. */
async function costOf(open: typeof openBound, threads: number): Promise<number> {
  const session = await open(model.graph, { threads });
  const once = session.bind(inputs, outputs);
  for (let i = 0; i < 3; i++) await once();
  const before = process.cpuUsage();
  for (let i = 0; i < 10; i++) await once();
  const { user, system } = process.cpuUsage(before);
  await session.dispose();
  return user + system;
}

test.each([
  ['a session', Session.open],
  ['a bound session', openBound],
] as const)('16 threads of %s take less than 9 times the processor time of one', async (_, open) => {
  expect((await costOf(open, 16)) / (await costOf(open, 1))).toBeLessThan(9);
});
