import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Builder } from '../../graph/builder.ts';
import { writeOnnx } from '../../onnx/write.ts';
import { tensor } from '../../tensor.ts';
import { thisMachine } from './machine.ts';
import { optimizedFile, optimizedWeights, Session } from './session.ts';

/** y = [N, 4] → [N, 2, 2], which fails at run time when a picture has another number of values. */
function reshapeGraph() {
  const b = new Builder('reshape');
  const x = b.input('x', ['N', 'M']);
  b.output(b.op('Reshape', [x, b.ints([-1, 2, 2])], {}, 'fold'), 'y');
  return b.graph;
}

const ones = (...dims: number[]) => tensor('float32', dims, new Float32Array(dims.reduce((p, d) => p * d)).fill(1));

test('any batch size runs through one session', async () => {
  const session = await Session.open(reshapeGraph());
  for (const batch of [1, 2, 7]) {
    const results = await session.run(new Map([['x', ones(batch, 4)]]));
    expect(results.get('y')!.dims).toEqual([batch, 2, 2]);
  }
  await session.dispose();
});

test('a failing node is named', async () => {
  const session = await Session.open(reshapeGraph());
  await expect(session.run(new Map([['x', ones(1, 3)]]))).rejects.toThrow(
    /^Reshape "fold": The input tensor cannot be reshaped to the requested shape/,
  );
  await session.dispose();
});

test('a missing input and an output that is not there are named', async () => {
  const session = await Session.open(reshapeGraph());
  await expect(session.run(new Map())).rejects.toThrow(/'x'|"x"/);
  expect(() => session.bind(new Map(), new Map([['z', ones(1)]]))).toThrow('The graph has no output "z".');
  await session.dispose();
});

test('a bound run reads and writes the arrays it was given', async () => {
  const b = new Builder('double');
  const x = b.input('x', [3]);
  b.output(b.op('Add', [x, x]), 'y');
  const session = await Session.open(writeOnnx(b.graph), { threads: 1 });
  const [input, output] = [ones(3), ones(3)];
  const run = session.bind(new Map([['x', input]]), new Map([['y', output]]));
  await run();
  expect([...output.data]).toEqual([2, 2, 2]);
  input.data.set([5, 6, 7]);
  await run();
  expect([...output.data]).toEqual([10, 12, 14]);
  await session.dispose();
});

test('disposing waits for runs, twice is harmless, and afterwards nothing runs', async () => {
  const session = await Session.open(reshapeGraph());
  const feeds = new Map([['x', ones(1, 4)]]);
  const running = session.run(feeds);
  await Promise.all([session.dispose(), session.dispose()]);
  expect((await running).get('y')!.dims).toEqual([1, 2, 2]);
  await session.dispose();
  await expect(session.run(feeds)).rejects.toThrow('The session is closed. Open another one.');
  expect(() => session.bind(feeds, new Map())).toThrow('The session is closed. Open another one.');
});

test('bytes that are no model are refused with the reason', async () => {
  await expect(Session.open(Uint8Array.of(1, 2, 3))).rejects.toThrow(/^ONNX Runtime: /);
});

/** y = x · w, [2, 64] · [64, 64], all of whose weights are `value`. */
function product(value: number) {
  const b = new Builder('product');
  const w = tensor('float32', [64, 64], new Float32Array(64 * 64).fill(value));
  b.output(b.op('MatMul', [b.input('x', [2, 64]), b.parameter('w', [64, 64], w)]), 'y');
  return { graph: b.graph, w };
}

test('a session has weights of its own, whatever becomes of those it was opened with', async () => {
  const { graph, w } = product(0.5);
  const session = await Session.open(graph);
  w.data.fill(2);
  expect((await session.run(new Map([['x', ones(2, 64)]]))).get('y')!.data[0]).toBe(32);
  await session.dispose();
});

test('what ONNX Runtime made of a graph opens again as it is', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'resnext-session-'));
  const [first, again] = [
    await Session.open(product(0.5).graph, { saveTo: folder }),
    await Session.open(join(folder, optimizedFile), { optimization: 'disabled' }),
  ];
  expect(readdirSync(folder).sort()).toEqual([optimizedFile, optimizedWeights]);
  const feeds = new Map([['x', ones(2, 64)]]);
  expect(await again.run(feeds)).toEqual(await first.run(feeds));
  for (const session of [first, again]) await session.dispose();
  rmSync(folder, { recursive: true });
});

test('the machine says how many channels are computed at a time', async () => {
  const { block, cores, runtime } = await thisMachine();
  expect([undefined, 4, 8, 16]).toContain(block);
  expect(cores).toBeGreaterThan(0);
  expect(runtime).toMatch(/^\d+\.\d+\.\d+/);
});

test.each([0, -3, 1.5, Number.NaN])('threads = %d is refused, not handed on', async (threads) => {
  await expect(Session.open(reshapeGraph(), { threads })).rejects.toThrow(
    `threads is ${threads}, but expected a whole number from 1 to 256.`,
  );
});

test.each([[['nonsense', 'cpu']], [[]]])('providers %j are refused', async (providers) => {
  await expect(Session.open(reshapeGraph(), { providers })).rejects.toThrow(/\. Choose from cpu, /);
});
