import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig, type Plugin } from 'vite';

/** With these headers, the page is isolated from other origins, and WebAssembly may have threads. */
const headers = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

const root = import.meta.dirname;

/** The beginning of the names of what the engine is made of. */
const engine = 'engine-';

/** Files that are kept once they have been loaded, and not before: the engine, its runtime and models. */
const large = new RegExp(`/${engine}|worker|\\.(wasm|safetensors|html)$`);

/** Writes the service worker with the names of the files that it keeps from the start. */
function offline(): Plugin {
  return {
    name: 'offline',
    apply: 'build',
    enforce: 'post',
    generateBundle(_, bundle) {
      const built = Object.keys(bundle).filter((name) => !large.test(name));
      const unchanging = readdirSync(join(root, 'public'));
      const files = ['./', ...unchanging, ...built].sort();
      const template = readFileSync(join(root, 'service-worker.js'), 'utf8');
      const hash = createHash('sha256').update(template).update(files.join());
      for (const file of unchanging) hash.update(readFileSync(join(root, 'public', file)));
      const source = template
        .replace('__VERSION__', `page-${hash.digest('hex').slice(0, 12)}`)
        .replace("['__FILES__']", JSON.stringify(files, undefined, 2));
      this.emitFile({ type: 'asset', fileName: 'service-worker.js', source });
    },
  };
}

/** Writes where the largest files come from, for a server that has them already (`src/serve/site.ts`). */
function elsewhere(): Plugin {
  return {
    name: 'elsewhere',
    apply: 'build',
    enforce: 'post',
    generateBundle(_, bundle) {
      const files: Record<string, { from: string; bytes: number }> = {};
      for (const file of Object.values(bundle)) {
        const from = file.type === 'asset' && originOf(file.fileName, file.originalFileNames[0]);
        if (from) files[file.fileName] = { from, bytes: file.source.length };
      }
      this.emitFile({ type: 'asset', fileName: 'elsewhere.json', source: JSON.stringify(files, undefined, 2) });
    },
  };
}

/** The package of a runtime or a model, and its file there. */
function originOf(name: string, original = ''): string | undefined {
  const [, runtime] = /(ort-wasm[\w.-]*)-[\w-]{8}\.wasm$/.exec(name) ?? [];
  if (runtime !== undefined) return `onnxruntime-web/${runtime}.wasm`;
  const [, model] = /(models\/[\w.-]+\/model\.safetensors)$/.exec(original) ?? [];
  return model === undefined ? undefined : `resnext/${model}`;
}

const { version } = JSON.parse(readFileSync(join(root, '../node_modules/onnxruntime-web/package.json'), 'utf8'));

export default defineConfig({
  root,
  base: './', // so that the folder works at any path of a host
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: { target: 'es2023', emptyOutDir: true, assetsInlineLimit: 0 },
  worker: { format: 'es', rolldownOptions: { output: { chunkFileNames: `assets/${engine}[name]-[hash].js` } } },
  optimizeDeps: { exclude: ['onnxruntime-web'] }, // or the page would reload when the engine first asks for it
  define: { __RUNTIME__: JSON.stringify(`onnxruntime-web@${version}`) },
  plugins: [offline(), elsewhere()],
  server: { headers },
  preview: { headers },
});
