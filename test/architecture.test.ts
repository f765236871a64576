/**
 * Who may import whom. A folder of `src` may import itself, `tensor.ts`, `errors.ts` and what its line lists; the files
 * beside the folders (`index.ts`, `node.ts`) are the public names and may import everything.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const allowed: Readonly<Record<string, readonly string[]>> = {
  graph: [],
  grad: ['graph'],
  lower: ['graph', 'rewrite'],
  model: ['graph', 'random'],
  rewrite: ['graph'],
  onnx: ['files', 'graph'],
  weights: ['files'],
  catalog: ['data', 'model'],
  checkpoints: ['data', 'model', 'weights', 'catalog'],
  hub: ['files', 'weights', 'catalog', 'checkpoints'],
  draw: ['graph'],
  cache: ['files'],
  data: [],
  metrics: [],
  output: ['classifier', 'files'],
  runtime: ['graph', 'onnx'],
  convolution: ['graph', 'lower', 'runtime'],
  saved: ['catalog', 'checkpoints', 'data', 'files', 'graph', 'model', 'onnx', 'rewrite', 'weights'],
  classifier: ['cache', 'data', 'files', 'graph', 'hub', 'lower', 'metrics', 'model', 'onnx', 'runtime', 'saved'],
  benchmark: ['cache', 'graph', 'lower', 'random', 'rewrite', 'runtime'],
  train: [
    ...['classifier', 'data', 'files', 'grad', 'graph', 'hub', 'lower', 'metrics', 'model', 'rewrite', 'runtime'],
    ...['saved', 'weights'],
  ],
  verify: ['benchmark', 'draw', 'grad', 'graph', 'model', 'page', 'random', 'rewrite', 'runtime', 'train'],
  report: ['classifier', 'metrics', 'page'],
};
/** The outermost folders, which nobody imports and which may import everything. */
const outermost = ['cli', 'serve'];

/** Packages that one folder keeps to itself. */
const packages: readonly (readonly [pattern: RegExp, folder: string])[] = [
  [/^onnxruntime-/, 'runtime'],
  [/^sharp$/, 'data'],
  [/^undici$/, 'hub'],
  [/^@bufbuild\//, 'onnx'],
  [/^@zip\.js\//, 'weights'],
  [/^(commander|picocolors)$/, 'cli'],
];
/** Folders that run in a browser as they are. */
const pure = new Set(['graph', 'grad', 'lower', 'model', 'rewrite', 'draw', 'catalog', 'metrics']);

const source = fileURLToPath(new URL('../src', import.meta.url));
const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
  .map((path) => ({
    path,
    folder: path.includes('/') ? path.split('/')[0]! : '',
    text: readFileSync(join(source, path), 'utf8'),
  }));

const importsOf = (text: string): string[] =>
  [...text.matchAll(/(?:\bfrom\s|\bimport\s|\bimport\()\s*['"]([^'"]+)['"]/g)].map((match) => match[1]!);

/** The folder, or file beside the folders, that a relative import leads to. */
const targetOf = (path: string, specifier: string): string =>
  join(path, '..', specifier).replace(/\.ts$/, '').split('/')[0]!;

function complaint(folder: string, path: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) {
    const owner = packages.find(([pattern]) => pattern.test(specifier))?.[1];
    if (owner && owner !== folder) return `only ${owner} imports ${specifier}`;
    return specifier.startsWith('node:') && pure.has(folder) ? `${folder} runs in browsers` : undefined;
  }
  const target = targetOf(path, specifier);
  if (folder === '' || target === folder || target === 'tensor' || target === 'errors') return undefined;
  if (outermost.includes(folder)) return target === 'index' ? 'imports its own public names' : undefined;
  return allowed[folder]?.includes(target) ? undefined : `${folder} does not import ${target}`;
}

test('folders import only what the table allows', () => {
  const complaints = files.flatMap(({ path, folder, text }) =>
    importsOf(text).flatMap((specifier) => {
      const found = complaint(folder, path, specifier);
      return found ? `src/${path} imports "${specifier}": ${found}` : [];
    }),
  );
  expect(complaints).toEqual([]);
});

test('every folder has its line', () => {
  const folders = new Set(files.flatMap(({ folder }) => folder || []));
  expect([...folders].filter((folder) => !(folder in allowed) && !outermost.includes(folder))).toEqual([]);
});

test('nothing is typed any', () => {
  const code = (text: string) => text.replaceAll(/\/\*.*?\*\/|\/\/[^\n]*|'[^'\n]*'|"[^"\n]*"|`[^`]*`/gs, '');
  const found = files.filter(({ path, text }) => !path.includes('generated') && /(?<![.\w])any\b/.test(code(text)));
  expect(found.map(({ path }) => path)).toEqual([]);
});
