/** Node and the browser export the same platform; that this file compiles is most of the test. */
import { expect, it } from 'vitest';
import type { ImagePlatform, Platform } from '../src/platform/contract.ts';
import * as imagesInNode from '../src/platform/node/images.ts';
import * as node from '../src/platform/node.ts';
import * as imagesOnWeb from '../src/platform/web/images.ts';
import * as web from '../src/platform/web.ts';

const platforms: { readonly [side: string]: Platform } = { node, web };
const imagePlatforms: { readonly [side: string]: ImagePlatform } = { node: imagesInNode, web: imagesOnWeb };

it('both sides export everything', () => {
  const exported = Object.values(platforms).map((side) => new Set(Object.keys(side)));
  const [inNode, inBrowser] = exported.map((names) => [...names].sort());
  expect(inNode).toEqual(expect.arrayContaining(inBrowser!));
});

it('each side exports all of its door for images', () => {
  const [inNode, onWeb] = Object.values(imagePlatforms).map((side) => Object.keys(side).sort());
  expect(onWeb).toEqual(inNode);
});
