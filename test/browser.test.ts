/** The package in Chromium: every golden weights file yields the same tensors as in Node. */
import { createHash } from 'node:crypto';
import { openStateDict } from 'resnext/weights';
import { expect, test } from 'vitest';
import { loadPackage, noChromium, packagePages, withPage } from './chromium.ts';
import { contents, goldenBytes, goldenFiles, goldenPath } from './weight-files.ts';

if (noChromium) console.log(noChromium);

const hash = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Each tensor's name, type, dimensions and SHA-256, one line each. */
async function inNode(file: string): Promise<string[]> {
  const tensors = contents(await openStateDict(goldenPath(file)));
  return tensors.map(({ name, dtype, dims, bytes }) => {
    return `${name} ${dtype} [${dims}] ${hash(Buffer.from(bytes, 'base64'))}`;
  });
}

type Package = typeof import('../dist/entry/weights.js');

/** Runs in the page, so it cannot use anything from this module. The server provides the named files. */
async function inPage(file: string): Promise<string[]> {
  const { readStateDict, readSharded, bytesSource } = (globalThis as unknown as { resnext: Package }).resnext;
  const source = async (path: string) => {
    const response = await fetch(`/golden/${path}`);
    return bytesSource(new Uint8Array(await response.arrayBuffer()));
  };
  const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
  const opened = file.endsWith('.json')
    ? await Promise.all(shards.map((shard) => source(`sharded/${shard}`))).then(async (sources) =>
        readSharded(await source(file), file, (shard) => sources[shards.indexOf(shard)]!),
      )
    : await readStateDict(await source(file), file);
  const lines: string[] = [];
  for (const [name, stored] of opened.tensors) {
    const { data } = stored.read();
    const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
    lines.push(`${name} ${stored.dtype} [${stored.dims}] ${hex}`);
  }
  return lines;
}

test.skipIf(noChromium)('Chromium reads every container as Node does', async () => {
  const scripts = await packagePages();
  const files = [
    ...goldenFiles.map(([file]) => file),
    ...['model-00001-of-00002', 'model-00002-of-00002'].map((shard) => `sharded/${shard}.safetensors`),
  ];
  const golden = new Map(
    files.map((file) => [`/golden/${file}`, ['application/octet-stream', goldenBytes(file)] as const]),
  );
  await withPage(
    (path) => golden.get(path) ?? scripts(path),
    async (page) => {
      await loadPackage(page);
      for (const [file] of goldenFiles) expect(await page.evaluate(inPage, file), file).toEqual(await inNode(file));
    },
  );
});
