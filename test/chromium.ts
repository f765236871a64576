/**
 * Runs the machine's Chromium with pages from a local server. Set `CHROMIUM` to the program's path if it is not in one
 * of the usual places.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium, type Page } from 'playwright-core';
import { missing } from './required.ts';

const usualPlaces = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** The path of the browser, or undefined if there is none. */
export const chromiumPath: string | undefined = process.env.CHROMIUM ?? usualPlaces.find((path) => existsSync(path));

/** Why browser tests are skipped, or undefined if they run. */
export const noChromium: string | undefined = missing(
  'chromium',
  chromiumPath,
  `There is no Chromium in ${usualPlaces.join(', ')}; set CHROMIUM to its path to run the tests of the browser.`,
);

/** The type and contents of the file at a path; undefined if there is none. */
export type Pages = (path: string) => readonly [type: string, contents: string | Uint8Array] | undefined;

const blank = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>test</title>';

export interface PageOptions {
  /** Whether the page is isolated from other origins, so that WebAssembly may have threads; false unless given. */
  readonly isolated?: boolean;
  /** Of the browser's command line. */
  readonly flags?: readonly string[];
  /** Errors that the browser prints because the test provokes them; none unless given. */
  readonly provoked?: RegExp;
}

/** A WebGPU without a graphics card: SwiftShader, which is part of Chromium. */
export const softwareGpu = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

const isolation = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

/**
 * Opens a blank page on a server with these files, calls `use` with it, and closes the browser and the server.
 *
 * @throws Error if the page has an uncaught error, prints one on its console, or makes a request to another origin.
 */
export async function withPage<T>(
  pages: Pages,
  use: (page: Page) => Promise<T>,
  { isolated = false, flags = [], provoked }: PageOptions = {},
): Promise<T> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0]!;
    const found = path === '/' ? (['text/html', blank] as const) : pages(path);
    const headers = { 'content-type': found?.[0] ?? 'text/plain', ...(isolated && isolation) };
    response.writeHead(found ? 200 : 404, headers).end(found?.[1]);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await chromium.launch({ executablePath: chromiumPath!, args: ['--no-sandbox', ...flags] });
  try {
    const page = await browser.newPage();
    const errors: Error[] = [];
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    page.on('pageerror', (error) => errors.push(error));
    page.on('console', (message) => {
      if (message.type() === 'error' && !provoked?.test(message.text())) errors.push(new Error(message.text()));
    });
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(origin) && !/^(data|blob):/.test(url)) errors.push(new Error(`A request to ${url}`));
    });
    await page.goto(origin);
    const result = await use(page);
    if (errors.length > 0) throw errors[0];
    return result;
  } finally {
    await browser.close();
    await new Promise((resolve) => server.close(resolve));
  }
}

const local = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/**
 * The built package for browsers as a bundler makes it: `/page.js`, which sets the globals `resnext` and `pledges`, the
 * workers beside it, and the runtime's files that these ask for.
 */
export async function packagePages(): Promise<Pages> {
  const { outputFiles } = await build({
    entryPoints: {
      page: local('promises/page.ts'),
      'wasm-worker': local('../dist/platform/web/wasm-worker.js'),
      'webgpu-worker': local('../dist/platform/web/webgpu-worker.js'),
    },
    bundle: true,
    format: 'esm',
    platform: 'browser',
    outdir: '/',
    write: false,
    logLevel: 'silent',
  });
  const scripts = new Map(outputFiles.map(({ path, text }) => [`/${basename(path)}`, text]));
  return (path) => {
    const script = scripts.get(path);
    if (script) return ['text/javascript', script];
    const file = local(`../node_modules/onnxruntime-web/dist${path}`);
    return /^\/ort-[\w.-]+\.wasm$/.test(path) ? ['application/wasm', readFileSync(file)] : undefined;
  };
}

/** Loads the package from `packagePages` into the page. */
export async function loadPackage(page: Page): Promise<void> {
  await page.addScriptTag({ type: 'module', url: '/page.js' });
  await page.waitForFunction('globalThis.pledges');
}
