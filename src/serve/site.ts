/**
 * The page at `/`: the files of a folder. They are listed once, and only what was listed is served, so that no path leads out
 * of the folder.
 *
 * The published page lacks its largest files: models, which this package has elsewhere, and the runtime, which is in
 * onnxruntime-web if that is installed. The build lists them in `elsewhere.json`.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
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
  const add = (path: string, file: string) => {
    const type = types[extname(path)];
    if (type === undefined || !statSync(file).isFile()) return;
    const address = `/${path.split(sep).map(encodeURIComponent).join('/')}`;
    files.set(address === '/index.html' ? '/' : address, { type, read: () => readFile(file) });
  };
  for (const [path, file] of foundElsewhere(folder)) add(path, file);
  for (const path of readdirSync(folder, { recursive: true, encoding: 'utf8' })) add(path, join(folder, path));
  return files;
}

/** Names of files of the page, and where packages have them. */
function* foundElsewhere(folder: string): Generator<readonly [string, string]> {
  const list = join(folder, 'elsewhere.json');
  if (!statSync(list, { throwIfNoEntry: false })) return;
  const elsewhere = JSON.parse(readFileSync(list, 'utf8')) as Record<string, { from: string; bytes: number }>;
  for (const [path, { from, bytes }] of Object.entries(elsewhere)) {
    const file = installed(from);
    // another version of the package has another size
    if (file !== undefined && statSync(file).size === bytes) yield [path, file];
  }
}

/** The path of a file in a package, such as `onnxruntime-web/ort-wasm-simd-threaded.wasm`; undefined if there is none. */
function installed(file: string): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(file);
  } catch {
    return undefined;
  }
}
