/**
 * Classifies a folder of images with a running server, several at a time. When the server is busy, it waits for as long as the
 * server says.
 *
 *   npx resnext serve --model runs/demo
 *   npx tsx examples/client.ts [address] [folder of images]
 *
 * The environment variable RESNEXT_KEY is a key of the server, if it needs one.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

interface Answer {
  readonly error?: string;
  readonly results?: readonly { readonly predictions: readonly { readonly label: string; readonly score: number }[] }[];
}

const bundled = fileURLToPath(new URL('images/unseen', import.meta.url));
const [address = 'http://127.0.0.1:8080', folder = bundled] = process.argv.slice(2);
const { RESNEXT_KEY: key } = process.env;
const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
const clients = 8;

async function classify(file: string): Promise<string> {
  const body = await readFile(join(folder, file));
  for (;;) {
    const response = await fetch(`${address}/v1/classify?top=1`, { method: 'POST', headers, body });
    const { results, error } = (await response.json()) as Answer;
    if (response.status === 429 || response.status === 503) {
      await sleep(1000 * Number(response.headers.get('retry-after') ?? 1));
      continue;
    }
    const best = results?.[0]?.predictions[0];
    return best ? `${best.label} ${(100 * best.score).toFixed(1)} %` : `${response.status}: ${error}`;
  }
}

const files = (await readdir(folder)).sort();
const lines: string[] = [];
let next = 0;
const work = async () => {
  for (let n = next++; n < files.length; n = next++) {
    lines[n] = `${files[n]!.padEnd(18)} ${await classify(files[n]!)}`;
  }
};
await Promise.all(Array.from({ length: clients }, work));
console.log(lines.join('\n'));
