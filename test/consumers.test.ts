/** Projects that use the package compile: the README's listing, as Node and bundlers resolve modules. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const listing = /```ts\n(.*?)```/s.exec(readFileSync(join(root, 'README.md'), 'utf8'))![1]!;
let project: string;

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'resnext-consumer-'));
  mkdirSync(join(project, 'node_modules'));
  symlinkSync(root, join(project, 'node_modules/resnext'));
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(project, 'main.ts'), listing);
});

afterAll(() => rmSync(project, { recursive: true }));

/** What the compiler prints: nothing if all is well. */
function compiled(compilerOptions: object): string {
  const options = {
    target: 'es2023',
    lib: ['es2023', 'dom'],
    types: [],
    strict: true,
    noEmit: true,
    ...compilerOptions,
  };
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['main.ts'] }));
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

test('a browser gets what works there, and no training on folders', () => {
  expect(
    compiled({ module: 'esnext', moduleResolution: 'bundler', customConditions: ['browser'], skipLibCheck: true }),
  ).toMatch(/has no exported member (named )?'load'/);
});

test('require gives the same module as import', () => {
  const script = "import('resnext').then((m) => console.log(require('resnext').resnext === m.resnext))";
  expect(execFileSync(process.execPath, ['-e', script], { cwd: project, encoding: 'utf8' })).toBe('true\n');
});
