import { expect, it } from 'vitest';
import { withBar } from './output.ts';

const parts = [' 12 %', 'epoch 12/30', 'loss 1.234', 'top-1 45.6 %', '1:05:09 left', '123 images/s'];
const cells = (line: string) => line.match(/[━╌]/g)?.length ?? 0;

it('leaves out the last parts of progress so that 80 columns hold a bar', () => {
  const narrow = withBar(0.5, parts, 80);
  expect(narrow).toContain('1:05:09 left');
  expect(narrow).not.toContain('images/s');
  expect(cells(narrow)).toBeGreaterThanOrEqual(16);
  expect(narrow.length).toBeLessThanOrEqual(77);
  expect(narrow.match(/━/g)).toHaveLength(Math.round(cells(narrow) / 2));
});

it('shows all parts on a wide terminal, and only the first on a tiny one', () => {
  expect(withBar(1, parts, 120)).toBe(`${'━'.repeat(24)} ${parts.join('  ')}`);
  expect(withBar(0, parts, 20)).toBe(`${'╌'.repeat(11)} ${parts[0]}`);
});
