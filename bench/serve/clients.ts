/**
 * Clients that send one image after the other, each on a connection that it keeps. Prints, without the first second: images per
 * second, the median and the 99th percentile of the milliseconds of a request, and the server's milliseconds of CPU time per
 * image and delay of the event loop.
 *
 *   clients.ts URL FOLDER CLIENTS SECONDS
 */
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
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

/** What the server has measured until now, in milliseconds. */
async function metrics(): Promise<{ cpu: number; delay: number }> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const of = (name: string) => 1000 * Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1]);
  return { cpu: of('process_cpu_seconds_total'), delay: of('nodejs_eventloop_lag_p99_seconds') };
}

let isOver = false;
let times: number[] = [];

async function client(first: number): Promise<void> {
  for (let n = first; !isOver; n++) {
    const before = performance.now();
    const status = await send(files[n % files.length]!);
    if (status !== 200) throw new Error(`A request was answered with ${status}.`);
    times.push(performance.now() - before);
  }
}

const done = Promise.all(Array.from({ length: Number(clients) }, (_, n) => client(n)));
await sleep(1000);
const before = await metrics();
const start = performance.now();
times = [];
await Promise.race([done, sleep(1000 * Number(seconds))]); // ends early only with an error
const sorted = times.sort((a, b) => a - b);
const after = await metrics();
const elapsed = (performance.now() - start) / 1000;
isOver = true;
const at = (share: number): number | undefined => sorted[Math.floor(share * (sorted.length - 1))];
const { length } = sorted;
const cpu = (after.cpu - before.cpu) / length;
console.log(JSON.stringify({ rate: length / elapsed, p50: at(0.5), p99: at(0.99), cpu, delay: after.delay }));
process.exit();
