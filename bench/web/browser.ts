/** Contenders in Chromium, each in a page of its own, from a server on this machine. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import type { Pages } from '../../test/chromium.ts';
import { root } from '../children.ts';
import { type Contender, Unavailable } from '../harness.ts';
import type { bench, Library, PageSettings } from './page.ts';

const rivals = { jax: '@jax-js/jax', tensorflow: '@tensorflow/tfjs' } as const;

/** The scripts of `page.ts`, the workers of this package, the rivals that are installed, and the runtime; with these files. */
export async function benchPages(files: Readonly<Record<string, string>>): Promise<Pages> {
  const scripts = new Map<string, string>();
  const common = { bundle: true, minify: true, format: 'esm', platform: 'browser', write: false } as const;
  const { outputFiles } = await build({
    ...common,
    entryPoints: [
      join(root, 'bench/web/page.ts'),
      ...['wasm', 'webgpu'].map((kind) => join(root, `dist/platform/web/${kind}-worker.js`)),
    ],
    entryNames: '[name]',
    outdir: '/',
  });
  for (const { path, text } of outputFiles) scripts.set(`/${basename(path)}`, text);
  for (const name of ['jax', 'tensorflow'] as const) {
    if (!isInstalled(name)) continue;
    const stdin = { contents: `export * from '${rivals[name]}'`, resolveDir: join(root, 'bench/rivals') };
    scripts.set(`/${name}.js`, (await build({ ...common, stdin, logLevel: 'error' })).outputFiles[0]!.text);
  }
  return (path) => {
    const script = scripts.get(path);
    if (script !== undefined) return ['text/javascript', script];
    const file = files[path];
    if (file !== undefined) return ['application/octet-stream', readFileSync(file)];
    const runtime = join(root, 'node_modules/onnxruntime-web/dist', path);
    return /^\/ort-[\w.-]+\.wasm$/.test(path) ? ['application/wasm', readFileSync(runtime)] : undefined;
  };
}

const isInstalled = (name: keyof typeof rivals): boolean =>
  existsSync(join(root, 'bench/rivals/node_modules', rivals[name]));

/** What `page.ts` puts there. */
type WithBench = typeof globalThis & { readonly bench: typeof bench };

/** A page with the global `bench` and an empty cache, in the browser of another one, from the same server. */
async function freshPage(beside: Page): Promise<Page> {
  const context = await beside.context().browser()!.newContext();
  const page = await context.newPage();
  await page.goto(beside.url());
  await page.addScriptTag({ type: 'module', url: '/page.js' });
  await page.waitForFunction('globalThis.bench');
  return page;
}

/** A library in a page of its own. */
export function pageContender(name: string, beside: Page, library: Library, settings: PageSettings): Contender {
  const start = async () => {
    if (library !== 'resnext' && !isInstalled(library)) throw new Unavailable(`${rivals[library]} is not installed.`);
    const page = await freshPage(beside);
    const parameters = await page.evaluate(([chosen, given]) => (globalThis as WithBench).bench.start(chosen, given), [
      library,
      settings,
    ] as const);
    const run = () => page.evaluate(() => (globalThis as WithBench).bench.step());
    return { facts: { parameters }, run, peak: () => undefined, stop: () => page.context().close() };
  };
  return { name, start };
}

/** Milliseconds from a new page with an empty cache to its first prediction, and those of the second. */
export async function predictOnce(beside: Page, model: string, picture: string): Promise<readonly [number, number]> {
  const page = await freshPage(beside);
  const pair = await page.evaluate(([url, image]) => (globalThis as WithBench).bench.predict(url, image), [
    model,
    picture,
  ] as const);
  await page.context().close();
  return pair;
}
