/** The page that `resnext serve` has at `/` where the package is installed: packed as npm does, without its largest files. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as Serving from 'resnext/serve';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { install, root } from './installed.ts';
import { writeSmallModel } from './serving.ts';
import { type BuiltPage, buildPage } from './web-page.ts';

let folder: string;
let built: BuiltPage;
let packed: readonly string[];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-served-page-'));
  await writeSmallModel(join(folder, 'net'), 1);
  built = await buildPage();
  packed = packPage(join(folder, 'packed'));
}, 300_000);
afterAll(() => {
  built.remove();
  rmSync(folder, { recursive: true });
}, 60_000);

/** Packs the built page with the rules of this package, unpacks it to a folder, and lists it. */
function packPage(to: string): string[] {
  const source = join(folder, 'source');
  cpSync(built.folder, join(source, 'web/dist'), { recursive: true });
  cpSync(join(root, 'package.json'), join(source, 'package.json'));
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder];
  const [pack] = JSON.parse(execFileSync('npm', args, { cwd: source, encoding: 'utf8' })) as [
    { filename: string; files: { path: string }[] },
  ];
  mkdirSync(to);
  execFileSync('tar', ['xf', join(folder, pack.filename), '-C', to, '--strip-components=1']);
  return pack.files.map(({ path }) => path);
}

/** Installs the package with its page in a project, and asks its server for addresses: the status and length of each. */
async function asked(project: string, without: readonly string[], addresses: readonly string[]) {
  const home = install(join(folder, project), without);
  cpSync(join(folder, 'packed/web'), join(home, 'web'), { recursive: true });
  const { serve } = (await import(pathToFileURL(join(home, 'dist/entry/serve.node.js')).href)) as typeof Serving;
  const server = await serve({ models: { net: join(folder, 'net') }, port: 0, threads: 1, workers: 0 });
  try {
    const answers = addresses.map(async (address) => {
      const response = await fetch(server.url + address);
      return [response.status, (await response.arrayBuffer()).byteLength, response.headers.get('content-type')];
    });
    return await Promise.all(answers);
  } finally {
    await server.close();
  }
}

it('is in the package, without the runtime and the models', () => {
  expect(packed).toContain('web/dist/index.html');
  expect(packed.filter((path) => /\.(wasm|safetensors)$/.test(path))).toEqual([]);
  const bytes = packed.reduce((sum, path) => sum + statSync(join(folder, 'packed', path)).size, 0);
  expect(bytes).toBeLessThan(2 ** 21);
});

it('is served, with the runtime if onnxruntime-web is installed', async () => {
  const runtime = createRequire(import.meta.url).resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm');
  const name = readdirSync(join(built.folder, 'assets')).find((file) => {
    return /^ort-wasm-simd-threaded-.*\.wasm$/.test(file);
  });
  const addresses = ['/', '/icon.svg', `/assets/${name}`];
  const html = statSync(join(built.folder, 'index.html')).size;
  const icon = statSync(join(built.folder, 'icon.svg')).size;
  const page = [
    [200, html, 'text/html; charset=utf-8'],
    [200, icon, 'image/svg+xml'],
  ];
  expect(await asked('with', [], addresses)).toEqual([...page, [200, statSync(runtime).size, 'application/wasm']]);
  const [document, image, missing] = await asked('without', ['onnxruntime-web'], addresses);
  expect([document, image]).toEqual(page);
  expect(missing![0]).toBe(404);
});
