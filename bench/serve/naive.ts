/**
 * A server that runs each request by itself, as one is first written: prints its address.
 *
 *   naive.ts MODEL THREADS
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { load } from 'resnext';

const [model = '', threads] = process.argv.slice(2);
const classifier = await load(model, { threads: Number(threads) });
const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();
const server = createServer(async (request, response) => {
  if (request.url === '/metrics') {
    const { user, system } = process.cpuUsage();
    const seconds = {
      process_cpu_seconds_total: (user + system) / 1e6,
      nodejs_eventloop_lag_p99_seconds: delay.percentile(99) / 1e9,
    };
    response.end(
      Object.entries(seconds)
        .map((entry) => `${entry.join(' ')}\n`)
        .join(''),
    );
    return;
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk);
  response.end(JSON.stringify(await classifier.classify(new Uint8Array(Buffer.concat(chunks)))));
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
