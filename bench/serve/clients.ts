/**
 * Clients that send one image after the other, each on a connection that it keeps: prints images per second and the median and
 * the 99th percentile of the milliseconds of a request, without those of the first second.
 *
 *   clients.ts URL FOLDER CLIENTS SECONDS
 */
import { Agent, request } from 'node:http';
import { filesIn } from './files.ts';

const [url = '', folder = '', clients, seconds] = process.argv.slice(2);
const files = filesIn(folder);
const agent = new Agent({ keepAlive: true });

function send(body: Uint8Array): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-length': body.length };
    const sent = request(`${url}/v1/classify`, { method: 'POST', agent, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode));
    });
    sent.on('error', reject).end(body);
  });
}

const warmup = 1000;
const start = performance.now();
const end = start + warmup + 1000 * Number(seconds);
const times: number[] = [];

async function client(first: number): Promise<void> {
  for (let n = first; performance.now() < end; n++) {
    const before = performance.now();
    const status = await send(files[n % files.length]!);
    if (status !== 200) throw new Error(`A request was answered with ${status}.`);
    if (before > start + warmup) times.push(performance.now() - before);
  }
}

await Promise.all(Array.from({ length: Number(clients) }, (_, n) => client(n)));
const sorted = times.sort((a, b) => a - b);
const at = (share: number): number | undefined => sorted[Math.floor(share * (sorted.length - 1))];
const rate = times.length / ((performance.now() - start - warmup) / 1000);
console.log(JSON.stringify({ rate, p50: at(0.5), p99: at(0.99) }));
process.exit();
