/**
 * Runs the machine's Chromium with pages from a local server. Set `CHROMIUM` to the program's path if it is not in one of
 * the usual places.
 */
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { chromium, type Page } from 'playwright-core';

const usualPlaces = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/** The path of the browser, or undefined if there is none. */
export const chromiumPath: string | undefined = process.env.CHROMIUM ?? usualPlaces.find((path) => existsSync(path));

/** Why browser tests are skipped, or undefined if they run. RESNEXT_REQUIRE=chromium makes skipping an error. */
export const noChromium: string | undefined = chromiumPath
  ? undefined
  : `There is no Chromium in ${usualPlaces.join(', ')}; set CHROMIUM to its path to run the tests of the browser.`;

if (noChromium && process.env.RESNEXT_REQUIRE === 'chromium') throw new Error(noChromium);

/** The type and contents of the file at a path; undefined if there is none. */
export type Pages = (path: string) => readonly [type: string, contents: string | Uint8Array] | undefined;

const blank = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>test</title>';

/**
 * Opens a blank page on a server with these files, calls `use` with it, and closes the browser and the server.
 *
 * @throws Error if the page has an uncaught error.
 */
export async function withPage<T>(pages: Pages, use: (page: Page) => Promise<T>): Promise<T> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0]!;
    const found = path === '/' ? (['text/html', blank] as const) : pages(path);
    response.writeHead(found ? 200 : 404, { 'content-type': found?.[0] ?? 'text/plain' }).end(found?.[1]);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await chromium.launch({ executablePath: chromiumPath!, args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage();
    const errors: Error[] = [];
    page.on('pageerror', (error) => errors.push(error));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const result = await use(page);
    if (errors.length > 0) throw errors[0];
    return result;
  } finally {
    await browser.close();
    await new Promise((resolve) => server.close(resolve));
  }
}

const root = fileURLToPath(new URL('..', import.meta.url));
const doors = ['resnext', 'resnext/graph', 'resnext/weights', 'resnext/data', 'resnext/train'];

/** All entry points of the built package for browsers as one script, which sets the global `resnext`. */
export async function browserBundle(): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: doors.map((door) => `export * from '${door}';`).join('\n'), resolveDir: root },
    bundle: true,
    format: 'iife',
    globalName: 'resnext',
    platform: 'browser',
    write: false,
    logLevel: 'silent',
  });
  return outputFiles[0]!.text;
}
