/** Projects that use the package compile: listings of the README and of docs/browser.md, as Node and bundlers resolve modules. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const listingsOf = (document: string): string[] =>
  [...readFileSync(join(root, document), 'utf8').matchAll(/```ts\n(.*?)```/gs)].map((match) => match[1]!);
let project: string;

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'resnext-consumer-'));
  mkdirSync(join(project, 'node_modules'));
  symlinkSync(root, join(project, 'node_modules/resnext'));
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(project, 'main.ts'), listingsOf('README.md')[0]!);
});

afterAll(() => rmSync(project, { recursive: true }));

/** What the compiler prints: nothing if all is well. */
function compiled(compilerOptions: object, files: readonly string[] = ['main.ts']): string {
  const options = {
    target: 'es2023',
    lib: ['es2023', 'dom'],
    types: [],
    strict: true,
    noEmit: true,
    ...compilerOptions,
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files }));
  try {
    return execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', project], { encoding: 'utf8' });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

test.each([
  ['nodenext', { module: 'nodenext' }],
  ['bundler', { module: 'esnext', moduleResolution: 'bundler' }],
])('moduleResolution %s', (_, options) => {
  expect(compiled(options)).toBe('');
});

/** The declarations of an entry and all that they import in Node; names of packages as they are. */
function declarations(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  if (!file.endsWith('.d.ts')) return found;
  for (const [, name] of readFileSync(file, 'utf8').matchAll(/(?:\bfrom\s|\bimport\(|\bimport\s)['"]([^'"]+)['"]/g)) {
    const path = name!.startsWith('#') ? name!.replace('#platform', join(root, 'dist/platform/node')) : name!;
    const at = path.startsWith('.') ? join(dirname(file), path) : path;
    declarations(at.startsWith('/') ? `${at.replace(/\.ts$/, '')}.d.ts` : at, found);
  }
  return found;
}

const doors = ['resnext', 'graph', 'weights', 'data', 'serve'];

test.each(doors)('TypeScript 5.6 understands the declarations of %s', (name) => {
  const files = [...declarations(join(root, `dist/entry/${name}.node.d.ts`))];
  const packages = files.filter((file) => !file.endsWith('.d.ts'));
  expect(packages.filter((found) => found !== 'zod')).toEqual([]);
  const code = files.filter((file) => file.endsWith('.d.ts')).map((file) => readFileSync(file, 'utf8'));
  const withoutComments = code.join('\n').replaceAll(/\/\*.*?\*\//gs, '');
  expect(withoutComments).not.toMatch(/\b(Uint|Int|Float|BigInt|BigUint)\d+(Clamped)?Array</); // generic since 5.7
});

const browser = { module: 'esnext', moduleResolution: 'bundler', customConditions: ['browser'], skipLibCheck: true };

test('a browser gets what works there, and no training on folders', () => {
  expect(compiled(browser)).toMatch(/has no exported member (named )?'load'/);
});

test('the listings of docs/browser.md compile for a browser', () => {
  const listings = listingsOf('docs/browser.md');
  expect(listings.length).toBeGreaterThanOrEqual(5);
  const files = listings.map((listing, i) => {
    writeFileSync(join(project, `listing-${i}.ts`), listing);
    return `listing-${i}.ts`;
  });
  const urls = "declare module '*?url' {\n  const url: string;\n  export default url;\n}\n"; // as in Vite
  writeFileSync(join(project, 'urls.d.ts'), urls);
  expect(compiled(browser, [...files, 'urls.d.ts'])).toBe('');
});

test('require gives the same module as import', () => {
  const script = "import('resnext').then((m) => console.log(require('resnext').resnext === m.resnext))";
  expect(execFileSync(process.execPath, ['-e', script], { cwd: project, encoding: 'utf8' })).toBe('true\n');
});
