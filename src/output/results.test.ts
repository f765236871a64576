import { expect, it } from 'vitest';
import { createResults } from './results.ts';

it('names the threshold as it was typed, where no class reaches it', async () => {
  const lines: string[] = [];
  const results = createResults('text', undefined, 0.55, { line: (text) => lines.push(text), document: () => {} });
  results.add({ image: 'rose.jpg', predictions: [] });
  await results.end();
  expect(lines).toEqual(['rose.jpg\n  no class reaches 55 %']);
});
