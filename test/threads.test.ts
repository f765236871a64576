/** Commands that are asked for more threads than there are cores. */
import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import { run } from './command.ts';

const classify = (...options: string[]) => run('classify', 'none.jpg', '--model', 'none.onnx', ...options);

it('they remark on it', async () => {
  const { stderr } = await classify('--threads', '200', '--workers', '1');
  expect(stderr).toMatch(/--threads is 200, but this machine has \d+ cores?\. More threads than cores are slower\./);
  const { stderr: usual } = await classify('--threads', String(availableParallelism()));
  expect(usual).not.toContain('this machine');
});

it.each(['--threads', '--workers'])('they refuse thousands of %s', async (flag) => {
  const { code, stderr } = await classify(flag, '3000');
  expect(code).toBe(1);
  expect(stderr).toMatch(new RegExp(`^error: ${flag} is 3000, but expected a whole number from [01] to 256\\.\n$`));
});
