import { expect, test } from 'vitest';
import { reversed, translator } from './names.ts';

const rules = [
  ['stage{s}.unit{i+1}.conv{j}.', 'layer{s}.{i}.conv{j}.'],
  ['stage_{s}.stage_{s}_block_{i}.', 'layer{s}.{i}.'],
  ['out.', 'fc.'],
] as const;

test.each([
  ['stage2.unit3.conv1.weight', 'layer2.2.conv1.weight'],
  ['stage_2.stage_2_block_0.weight', 'layer2.0.weight'],
  ['out.bias', 'fc.bias'],
])('%s is %s, in both directions', (theirs, ours) => {
  expect(translator(rules)(theirs)).toBe(ours);
  expect(translator(reversed(rules))(ours)).toBe(theirs);
});

test.each([
  ['with a negative number', 'stage1.unit0.conv1.weight'],
  ['with different numbers for one letter', 'stage_1.stage_2_block_0.weight'],
  ['with a longer path', 'out.inner.weight'],
  ['with a zero-padded number', 'stage01.unit1.conv1.weight'],
  ['without a tensor', 'out.'],
  ['with another character instead of a dot', 'outxbias'],
])('a name %s does not match any rule', (_, name) => {
  expect(translator(rules)(name)).toBeUndefined();
});

test('a translation with a negative number is undefined', () => {
  expect(translator(reversed([['a{k-1}.', 'b{k}.']]))('b0.weight')).toBeUndefined();
});
