import { defineConfig } from 'vite';

/** With these headers, the page is isolated from other origins, and WebAssembly may have threads. */
const headers = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

export default defineConfig({
  root: import.meta.dirname,
  base: './', // so that the folder works at any path of a host
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: { target: 'es2023', emptyOutDir: true, assetsInlineLimit: 0 },
  worker: { format: 'es' },
  server: { headers },
  preview: { headers },
});
