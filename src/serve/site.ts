/**
 * The page at `/`: the files of a folder. They are listed once, and only what was listed is served, so that no path leads out
 * of the folder.
 */
import { readdirSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.mjs': 'text/javascript; charset=utf-8',
  '.onnx': 'application/octet-stream',
  '.png': 'image/png',
  '.safetensors': 'application/octet-stream',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webp': 'image/webp',
};

/** With these, the page is isolated from other origins, and WebAssembly may have threads. */
export const siteHeaders = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'x-content-type-options': 'nosniff',
} as const;

/** Where the page of this package is built. */
const webFolder = fileURLToPath(new URL('../../web/dist', import.meta.url));

export interface SiteFile {
  readonly type: string;
  read(): Promise<Uint8Array>;
}

/** The files of the page by their addresses, such as `/assets/main.js`; `/` is its index. Empty if it is not built. */
export function siteFiles(folder = webFolder): ReadonlyMap<string, SiteFile> {
  const files = new Map<string, SiteFile>();
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return files;
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const file = join(folder, path);
    const type = types[extname(path)];
    if (type === undefined || !statSync(file).isFile()) continue;
    const address = `/${path.split(sep).map(encodeURIComponent).join('/')}`;
    files.set(address === '/index.html' ? '/' : address, { type, read: () => readFile(file) });
  }
  return files;
}
