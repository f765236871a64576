/** A loader of URLs asks for a few at a time, and for no more when nobody wants them. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Loader } from './loader.ts';
import { evaluationTransforms, preprocessingFor } from './presets.ts';

let server: Server;
let base: string;
let [running, most, asked] = [0, 0, 0];
let open: ServerResponse[] = [];

beforeEach(async () => {
  [running, most, asked, open] = [0, 0, 0, []];
  server = createServer((_, response) => {
    running += 1;
    asked += 1;
    most = Math.max(most, running);
    open.push(response);
    response.once('close', () => {
      running -= 1;
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const transforms = evaluationTransforms(preprocessingFor({ images: 'small', size: 8 }));
const samples = (count: number) => Array.from({ length: count }, (_, i) => ({ name: `${i}`, image: `${base}/${i}` }));
const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((turn) => setTimeout(turn, 5));
};

it('eight at a time', async () => {
  const failures: string[] = [];
  const onCorrupt = (_: string, message: string) => failures.push(message);
  const epoch = new Loader({ workers: 0 }).batches({ samples: samples(40), transforms, batchSize: 20, onCorrupt });
  const done = (async () => {
    for await (const _ of epoch) expect.fail('no image can be read');
  })();
  for (let answered = 0; answered < 40; answered += 8) {
    await until(() => open.length === 8);
    for (const response of open.splice(0)) response.writeHead(404).end();
  }
  await done;
  expect(failures).toHaveLength(40);
  expect([asked, most]).toEqual([40, 8]);
});

it('none after the consumer stopped', async () => {
  const first = { name: 'here', image: { width: 1, height: 1, channels: 1, data: Uint8Array.of(7) } } as const;
  const loader = new Loader({ workers: 0, prefetch: 2 });
  for await (const { count } of loader.batches({ samples: [first, ...samples(30)], transforms, batchSize: 1 })) {
    expect(count).toBe(1);
    await until(() => asked > 0);
    break;
  }
  await until(() => running === 0); // the server sees that they were given up
  expect(asked).toBeLessThanOrEqual(8);
});
