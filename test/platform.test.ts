/** Node and the browser export the same platform; that this file compiles is most of the test. */
import { expect, it } from 'vitest';
import type { Platform } from '../src/platform/contract.ts';
import * as node from '../src/platform/node.ts';
import * as web from '../src/platform/web.ts';

const platforms: { readonly [side: string]: Platform } = { node, web };

it('both sides export everything', () => {
  const exported = Object.values(platforms).map((side) => new Set(Object.keys(side)));
  const [inNode, inBrowser] = exported.map((names) => [...names].sort());
  expect(inNode).toEqual(expect.arrayContaining(inBrowser!));
});
