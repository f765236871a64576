import { expect, it } from 'vitest';
import { checkSessionOptions } from './checks.ts';

it.each(['/runtime/', { mjs: '/a.mjs' }, { wasm: '/a.wasm' }, { mjs: '/a.mjs', wasm: '/a.wasm' }])(
  'wasmPaths can be %o',
  (wasmPaths) => expect(() => checkSessionOptions({ wasmPaths })).not.toThrow(),
);

it('refuses wasmPaths with other names', () => {
  const wasmPaths = { url: '/runtime/' } as object;
  expect(() => checkSessionOptions({ wasmPaths })).toThrow(
    'wasmPaths is {"url":"/runtime/"}, but expected a URL, or an object with mjs, wasm or both.',
  );
});
