/** The page of `web/`, built once for a file of tests, and opened in Chromium. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { build } from 'vite';
import { type PageOptions, type Pages, withPage } from './chromium.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.jpg': 'image/jpeg',
  '.wasm': 'application/wasm',
};

export interface UseOptions extends Omit<PageOptions, 'isolated'> {
  /** Collects the names of the files that are asked for. */
  readonly asked?: string[];
}

export interface BuiltPage {
  readonly folder: string;
  /** Opens the page at an address, and uses it. The models that ship with the package are not beside it. */
  use<T>(hash: string, use: (page: Page) => Promise<T>, options?: UseOptions): Promise<T>;
  remove(): void;
}

export async function buildPage(): Promise<BuiltPage> {
  const folder = mkdtempSync(join(tmpdir(), 'resnext-web-'));
  const configFile = fileURLToPath(new URL('../web/vite.config.ts', import.meta.url));
  await build({ configFile, mode: 'production', logLevel: 'warn', build: { outDir: folder } });
  return {
    folder,
    use: (hash, use, { asked = [], ...options } = {}) =>
      withPage(
        served(folder, asked),
        async (page) => {
          await page.goto(new URL(`page/${hash}`, page.url()).href);
          await page.getByRole('heading', { level: 1 }).waitFor();
          return use(page);
        },
        { ...options, isolated: true },
      ),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Serves the built page below `/page/`, and notes what is asked for. */
function served(folder: string, asked: string[]): Pages {
  return (path) => {
    if (!path.startsWith('/page/') || path.endsWith('.safetensors')) return undefined;
    const file = path.slice('/page/'.length) || 'index.html';
    asked.push(file);
    try {
      return [types[extname(file)] ?? 'application/octet-stream', readFileSync(join(folder, file))];
    } catch {
      return undefined;
    }
  };
}

/** What axe finds that is serious or critical, as lines. */
export async function complaints(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } };
    interface Violation {
      readonly id: string;
      readonly impact: string;
      readonly nodes: readonly { readonly html: string }[];
    }
    const { violations } = await axe.run();
    const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    return serious.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  });
}
