import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { Builder } from '../../graph/builder.ts';
import { tensor } from '../../tensor.ts';
import { openBound } from './native.ts';
import { Session } from './session.ts';

/** y = x + 1 and z = reshaped x, which fails at run time for dimensions that do not fit. */
function graph() {
  const b = new Builder('bound');
  const x = b.input('x', ['N']);
  b.output(b.op('Add', [x, b.number(1)]), 'y');
  b.output(b.op('Reshape', [x, b.ints([2, 2])], {}, 'fold'), 'z');
  return b.graph;
}

const arrays = (n: number) => {
  const x = tensor(
    'float32',
    [n],
    Float32Array.from({ length: n }, (_, i) => i),
  );
  const [y, z] = [tensor('float32', [n]), tensor('float32', [2, 2])];
  return {
    x,
    y,
    z,
    inputs: new Map([['x', x]]),
    outputs: new Map([
      ['y', y],
      ['z', z],
    ]),
  };
};

test('reads and writes the bound arrays where they are, off the main thread', async () => {
  const session = await openBound(graph(), { threads: 1 });
  expect(session).not.toBeInstanceOf(Session); // koffi and the library are here
  const { x, y, z, inputs, outputs } = arrays(4);
  const run = session.bind(inputs, outputs);
  await run();
  expect([...y.data]).toEqual([1, 2, 3, 4]);
  expect([...z.data]).toEqual([0, 1, 2, 3]);
  x.data.fill(5);
  let isFree = false;
  setImmediate(() => {
    isFree = true;
  });
  await run();
  expect(isFree).toBe(true);
  expect([...y.data]).toEqual([6, 6, 6, 6]);
  await session.dispose();
});

test('names the node that fails, and refuses what it cannot bind', async () => {
  const session = await openBound(graph(), { threads: 1 });
  const { inputs, outputs } = arrays(3);
  await expect(session.bind(inputs, outputs)()).rejects.toThrow(/^Reshape "fold": The input tensor cannot be reshaped/);
  expect(() => session.bind(new Map([['x', tensor('float64', [4])]]), outputs)).toThrow(
    '"x" is float64, but bound tensors must be float32.',
  );
  await session.dispose();
  const b = new Builder('wrong');
  b.output(b.op('Relu', [b.input('x', [1])]), 'y').producer!.attributes.set('none', { kind: 'int', value: 1 });
  await expect(openBound(b.graph)).rejects.toThrow(/^ONNX Runtime: .*Unrecognized attribute: none/);
});

test('what is disposed of does not run, and disposing twice or under a run is harmless', async () => {
  const session = await openBound(graph(), { threads: 1 });
  const { inputs, outputs, y } = arrays(4);
  const run = session.bind(inputs, outputs);
  const running = run();
  await session.dispose();
  await running;
  expect([...y.data]).toEqual([1, 2, 3, 4]);
  await session.dispose();
  await expect(run()).rejects.toThrow('The session is closed. Open another one.');
  expect(() => session.bind(inputs, outputs)).toThrow('The session is closed');
});

test('threads that cannot be are refused', async () => {
  await expect(openBound(graph(), { threads: -1 })).rejects.toThrow(
    'threads is -1, but expected a whole number from 1 to 256.',
  );
});

test('large weights come from a file, which is gone afterwards', async () => {
  const b = new Builder('large');
  const x = b.input('x', [1, 2048]);
  const weights = tensor('float32', [2048, 2304]); // 18 MiB
  for (let i = 0; i < 2048; i++) weights.data[i * 2304 + i] = i;
  b.output(b.op('MatMul', [x, b.constant(weights)]), 'y');
  const before = new Set(readdirSync(tmpdir()));
  const session = await openBound(b.graph, { threads: 1 });
  expect(session).not.toBeInstanceOf(Session);
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith('resnext-lowered-') && !before.has(name))).toEqual([]);
  const input = tensor('float32', [1, 2048], new Float32Array(2048).fill(2));
  const output = tensor('float32', [1, 2304]);
  await session.bind(new Map([['x', input]]), new Map([['y', output]]))();
  expect([output.data[0], output.data[2047], output.data[2048]]).toEqual([0, 4094, 0]);
  await session.dispose();
});
