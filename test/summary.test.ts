/** How `resnext summary` describes stems and blocks. */
import { expect, test } from 'vitest';
import { json } from './command.ts';

interface Summary {
  readonly stages: readonly { readonly name: string; readonly output: string; readonly blocks: string }[];
}

test.each([
  [
    'seresnextaa101d_32x8d',
    '3x3 32 /2, 3x3 32, 3x3 64, average-pool 2x2 /2',
    '4 x [1x1 512, 3x3 512 in 32 groups, 1x1 512, SE 32], anti-aliased',
  ],
  [
    'senet154',
    '3x3 64 /2, 3x3 64, 3x3 128, max-pool 3x3 /2 without padding',
    '8 x [1x1 256, 3x3 512 in 64 groups, 1x1 512, SE 32]',
  ],
  [
    'ecaresnext26t_32x4d',
    '3x3 24 /2, 3x3 32, 3x3 64, max-pool 3x3 /2',
    '2 x [1x1 256, 3x3 256 in 32 groups, 1x1 512, ECA 5]',
  ],
  ['resnext29_8x64d', '3x3', '3 x [1x1 1024, 3x3 1024 in 8 groups, 1x1 512]'],
])('%s', async (name, stem, second) => {
  const { stages } = await json<Summary>('summary', name);
  expect(stages[0]).toMatchObject({ name: 'stem', blocks: stem });
  expect(stages[2]).toMatchObject({ name: 'layer2', blocks: second });
});
