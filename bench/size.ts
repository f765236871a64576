/**
 * What a page downloads, by `npm run size`: this package as esbuild bundles it for browsers, minified, for some uses; and
 * what onnxruntime-web adds for each kind of session. Compressed with brotli as strongly as servers do on the fly (9).
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import { type BuildOptions, build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What each use imports. */
const uses: Readonly<Record<string, string>> = {
  'build, convert and draw': `export { resnext, variant, drawBlock } from 'resnext'; export { convertGraph } from 'resnext/graph';`,
  'read weights': `export { readStateDict } from 'resnext/weights';`,
  'classify with a saved model': `export { Classifier } from 'resnext';`,
  train: `export { resnext, initialWeights } from 'resnext'; export { Trainer } from 'resnext/train';`,
  everything: ['', '/graph', '/weights', '/data', '/train'].map((door) => `export * from 'resnext${door}';`).join(' '),
};

/** The worker of each kind of session, and the file of WebAssembly that it fetches. */
const sessions: Readonly<Record<string, readonly [worker: string, wasm: string]>> = {
  WebAssembly: ['wasm-worker.js', 'ort-wasm-simd-threaded.wasm'],
  WebGPU: ['webgpu-worker.js', 'ort-wasm-simd-threaded.asyncify.wasm'],
};

async function bundled(entry: Pick<BuildOptions, 'stdin' | 'entryPoints'>): Promise<Uint8Array> {
  const { outputFiles } = await build({
    ...entry,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    write: false,
  });
  return outputFiles[0]!.contents;
}

function line(name: string, bytes: Uint8Array): string {
  const compressed = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } });
  const kilobytes = ({ length }: Uint8Array) => `${(length / 1000).toFixed(0)} kB`.padStart(11);
  return `${name.padEnd(40)}${kilobytes(bytes)}${kilobytes(compressed)}`;
}

console.log(`${'this package, to'.padEnd(40)}${'minified'.padStart(11)}${'brotli'.padStart(11)}`);
for (const [name, contents] of Object.entries(uses)) {
  console.log(line(name, await bundled({ stdin: { contents, resolveDir: root } })));
}
console.log('\nONNX Runtime, in sessions on');
for (const [name, [worker, wasm]] of Object.entries(sessions)) {
  console.log(line(`${name}: worker`, await bundled({ entryPoints: [`${root}dist/platform/web/${worker}`] })));
  console.log(line(`${name}: ${wasm}`, readFileSync(`${root}node_modules/onnxruntime-web/dist/${wasm}`)));
}
