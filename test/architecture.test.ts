/**
 * Enforces the table of folders in docs/architecture.md: which folders may import which, and which run in a browser.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

interface Folder {
  readonly imports: ReadonlySet<string>;
  /** `anywhere`, `both` or `Node`. */
  readonly runsIn: string;
}

/** Rows `| folder | what it is | may import | runs |`; every folder may import these four files as well. */
const everybody = ['tensor', 'errors', 'options', 'arguments'];

function foldersOf(markdown: string): Map<string, Folder> {
  const [, table] = markdown.split('| folder | what it is | may import | runs in |\n') as [string, string];
  const rows = table.split('\n\n')[0]!.split('\n').slice(1);
  return new Map(
    rows.map((row) => {
      const [, name, , imports, runs] = row.split('|').map((cell) => cell.trim()) as [
        string,
        string,
        string,
        string,
        string,
      ];
      const list = imports
        .split(',')
        .map((each) => each.trim())
        .filter((each) => each !== '');
      return [name.replace(/^`(.*?)(\.ts)?`$/, '$1'), { imports: new Set(list), runsIn: runs }];
    }),
  );
}

const root = fileURLToPath(new URL('..', import.meta.url));
const folders = foldersOf(readFileSync(join(root, 'docs/architecture.md'), 'utf8'));

/** Packages that only some folders may import. */
const owners: readonly (readonly [pattern: RegExp, ...folders: string[]])[] = [
  [/^(onnxruntime-.*|koffi|sharp|piscina|@cornerstonejs\/.*)$/, 'platform'],
  [/^undici$/, 'hub'],
  [/^(fastify|@fastify\/.*)$/, 'serve'],
  [/^prom-client$/, 'serve', 'bulk'],
  [/^(bullmq|ioredis)$/, 'bulk'],
  [/^@bufbuild\//, 'onnx'],
  [/^@zip\.js\//, 'weights'],
  [/^hyparquet-writer$/, 'output'],
  [/^hyparquet(\/.*)?$/, 'datasets', 'output', 'platform'],
  [/^(@observablehq\/plot|linkedom)$/, 'charts'],
  [/^(commander|picocolors)$/, 'cli'],
  [/^yaml$/, 'option-file'],
];

interface Source {
  readonly path: string;
  readonly folder: string;
  readonly text: string;
  /** Static and dynamic imports, and re-exports. */
  readonly specifiers: readonly string[];
  /** Those that are left when the types are gone. */
  readonly values: readonly string[];
}

const sources: readonly Source[] = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
  .map((path) => {
    const text = readFileSync(join(root, 'src', path), 'utf8');
    const folder = path.includes('/') ? path.split('/')[0]! : path.replace(/\.ts$/, '');
    const values = specifiersIn(text.replaceAll(/^(import|export) type [^;]*? from '[^']+';$/gm, ''));
    return { path, folder, text, specifiers: specifiersIn(text), values };
  });

function specifiersIn(text: string): string[] {
  const found = text.matchAll(/(?:\bfrom\s|\bimport\s|\bimport\()\s*['"]([^'"]+)['"]/g);
  return Array.from(found, ([, specifier]) => specifier!);
}

/** The file that a specifier resolves to; undefined for a package. */
function fileOf(path: string, specifier: string, side: 'node' | 'web' = 'node'): string | undefined {
  if (specifier === '#platform') return `platform/${side}.ts`;
  if (specifier === '#platform/images') return `platform/${side}/images.ts`;
  return specifier.startsWith('.') ? join(path, '..', specifier) : undefined;
}

const folderOf = (path: string): string => path.replace(/\.ts$/, '').split('/')[0]!;

function complaint({ path, folder }: Source, specifier: string): string | undefined {
  const { imports } = folders.get(folder)!;
  const file = fileOf(path, specifier);
  if (file) {
    const target = folderOf(file);
    const isAllowed = target === folder || everybody.includes(target) || imports.has(target) || imports.has('all');
    return isAllowed ? undefined : `${folder} does not import ${target}`;
  }
  const owner = owners.find(([pattern]) => pattern.test(specifier));
  return owner && !owner.includes(folder) ? `only ${owner.slice(1)} imports ${specifier}` : undefined;
}

/** Modules and packages that browsers lack. */
const ofNode =
  /^(node:.*|@fastify\/.*|bullmq|commander|fastify|ioredis|koffi|onnxruntime-node|picomatch|piscina|prom-client|sharp|undici)$/;

const byPath = new Map(sources.map((source) => [source.path, source]));

/** A file and all that it imports in a browser, whose platform is the web's. */
function filesFrom(path: string, found = new Set<string>()): Set<string> {
  if (found.has(path)) return found;
  found.add(path);
  for (const specifier of byPath.get(path)?.values ?? []) {
    const file = fileOf(path, specifier, 'web');
    if (file) filesFrom(file, found);
  }
  return found;
}

const needsNode = (path: string): boolean =>
  [...filesFrom(path)].some((file) => byPath.get(file)?.values.some((specifier) => ofNode.test(specifier)));

test('folders import only what the table allows', () => {
  const complaints = sources
    .filter(({ folder }) => folders.has(folder))
    .flatMap((source) =>
      source.specifiers.flatMap((specifier) => {
        const found = complaint(source, specifier);
        return found ? `src/${source.path} imports "${specifier}": ${found}` : [];
      }),
    );
  expect(complaints).toEqual([]);
});

test('folders run where the table says', () => {
  const imported = new Set(
    sources
      .filter(({ path }) => /^entry\/\w+\.ts$/.test(path))
      .flatMap(({ path }) => [...filesFrom(path)].map(folderOf)),
  );
  const expected = [...folders.keys()].map((name) => {
    const isPure = sources.every(({ path, folder }) => folder !== name || !needsNode(path));
    const elsewhere = imported.has(name) ? 'both' : 'Node';
    return [name, isPure ? 'anywhere' : elsewhere];
  });
  expect([...folders].map(([name, { runsIn }]) => [name, runsIn])).toEqual(expected);
});

test('every folder has a row, and every row a folder', () => {
  const present = new Set(sources.map(({ folder }) => folder));
  for (const name of everybody) present.delete(name);
  expect([...folders.keys()].sort()).toEqual([...present].sort());
});

/** The ways on which something imports itself through others. */
function circlesIn(graph: ReadonlyMap<string, Iterable<string>>): string[] {
  const finished = new Set<string>();
  const visit = (path: string, way: readonly string[]): string[] => {
    if (way.includes(path)) return [[...way.slice(way.indexOf(path)), path].join(' → ')];
    if (finished.has(path)) return [];
    const circles = [...(graph.get(path) ?? [])].flatMap((next) => visit(next, [...way, path]));
    finished.add(path);
    return circles;
  };
  return [...graph.keys()].flatMap((path) => visit(path, []));
}

test('there are no import cycles of files or of folders', () => {
  const graph = new Map(
    sources.map(({ path, specifiers }) => [path, specifiers.flatMap((specifier) => fileOf(path, specifier) ?? [])]),
  );
  expect(circlesIn(graph)).toEqual([]);
  expect(circlesIn(new Map([...folders].map(([name, { imports }]) => [name, imports])))).toEqual([]);
});

test('the page uses the package by its public names, and few others', () => {
  const packages = /^(resnext(\/(graph|weights|data|train))?|preact(\/hooks)?|vite(st)?)$/;
  const files = readdirSync(join(root, 'web'), { recursive: true, encoding: 'utf8' });
  const complaints = files
    .filter((path) => /\.tsx?$/.test(path) && !path.startsWith('dist') && path !== 'vite.config.ts')
    .flatMap((path) => {
      const foreign = specifiersIn(readFileSync(join(root, 'web', path), 'utf8')).filter((specifier) => {
        const isOwn = specifier.startsWith('.') && !join(path, '..', specifier).startsWith('..');
        return !isOwn && !packages.test(specifier);
      });
      return foreign.map((specifier) => `web/${path} imports "${specifier}"`);
    });
  expect(complaints).toEqual([]);
});

test('no code uses any or never to bypass types', () => {
  const code = (text: string) => text.replaceAll(/\/\*.*?\*\/|\/\/[^\n]*|'[^'\n]*'|"[^"\n]*"|`[^`]*`/gs, '');
  const escapes = /(?<![.\w])any\b|\bas never\b|\((\w+: never(, )?)+/;
  const found = sources.filter(({ path, text }) => !path.includes('generated') && escapes.test(code(text)));
  expect(found.map(({ path }) => path)).toEqual([]);
});
