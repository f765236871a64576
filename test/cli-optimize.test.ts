/** `resnext optimize` on the command line, on files as other programs write them. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { json, run } from './command.ts';

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/exporters/${name}.onnx`, import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-cli-optimize-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('what was rewritten is listed and checked, also at free sizes', async () => {
  const file = join(folder, 'any-size.onnx');
  const { code, stdout, stderr } = await run('optimize', fixture('torch-any-size-view'), '-o', file);
  expect([code, stderr]).toEqual([0, '']);
  const [first, , , compared, last] = stdout.split('\n');
  expect(first).toBe('Rewrote 1 x branches to groups (B to C)');
  expect(compared).toMatch(/^Largest difference \de-\d|^Largest difference \d\.\de-[789]/);
  expect(last).toBe(`Wrote ${file}.`);
});

test('what was not rewritten is listed with its reason', async () => {
  const args = ['optimize', fixture('torch-refused-sides'), '-o', join(folder, 'sides.onnx')];
  const { code, stdout } = await run(...args);
  expect(code).toBe(0);
  expect(stdout).toContain('Refused Add "/Add": it adds 2 convolutions, whose kernels differ: 3x3 and 1x1.\n');
});

test('shapes that this package cannot infer come from ONNX Runtime', async () => {
  const args = [fixture('refused-unknown-operator'), '-o', join(folder, 'unknown.onnx')];
  const { refusals, nodesAfter } = await json<{ refusals: unknown[]; nodesAfter: number }>('optimize', ...args);
  expect([refusals, nodesAfter]).toEqual([[], 4]);
});

test('float16 has a tolerance of its own; --tolerance sets another, and a larger difference writes nothing', async () => {
  const args = [fixture('torch-float16'), '-o', join(folder, 'half.onnx')];
  const { code, stderr } = await run('optimize', ...args, '--tolerance', '1e-9');
  expect(code).toBe(1);
  expect(stderr.replaceAll(/\s+/g, ' ')).toMatch(
    /more than the tolerance of 1e-9, so nothing was written\. To accept that, set --tolerance\. $/,
  );
  expect(existsSync(args[2]!)).toBe(false);
  const { difference } = await json<{ difference: number }>('optimize', ...args);
  expect(difference).toBeGreaterThan(1e-4);
  expect(existsSync(args[2]!)).toBe(true);
});
