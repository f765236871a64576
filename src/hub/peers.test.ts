/** Peers that do not speak HTTP, say nothing, or send next to nothing: one sentence each, and soon. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { commit, sha256 } from '../../test/hub-server.ts';
import { hubEnvironment } from './environment.ts';
import { pull } from './pull.ts';

let dir: string;
let close: () => void;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-peers-'));
});
afterEach(() => {
  close();
  rmSync(dir, { recursive: true });
});

/** Listens for connections, and returns the URL and how many there were. */
async function listen(answer: (socket: Socket, request: string) => void) {
  const sockets = new Set<Socket>();
  const served = { url: '', connections: 0 };
  const server = createServer((socket) => {
    served.connections++;
    sockets.add(socket.on('error', () => {}));
    socket.on('data', (request) => answer(socket, request.toString('latin1')));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  served.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return served;
}

/** Sends a byte at a time, for ever. */
function drip(socket: Socket, byte = 'x'): void {
  const timer = setInterval(() => (socket.destroyed ? clearInterval(timer) : socket.write(byte)), 50);
}

const description = [
  'HTTP/1.1 200 OK',
  `x-repo-commit: ${commit}`,
  `etag: "${sha256(new Uint8Array())}"`,
  'content-length: 100000',
].join('\r\n');

/** Describes the file, and sends its body in one's own way. */
const body = (send: (socket: Socket) => void) => (socket: Socket, request: string) => {
  socket.write(`${description}\r\n\r\n`);
  if (request.startsWith('GET')) send(socket);
};

const pulling = (url: string) =>
  pull('somebody/flowers', {
    environment: hubEnvironment({ HF_ENDPOINT: url, HF_HOME: dir, TORCH_HOME: dir }),
    wait: async () => {},
    timeout: 0.3,
  });

it.each([
  [
    'greets like a mail server',
    (socket: Socket) => socket.write('220 mail.example ESMTP\r\n'),
    / does not speak HTTP\.$/,
  ],
  ['sends noise', (socket: Socket) => socket.write(Buffer.alloc(5000, 0x81)), / does not speak HTTP\.$/],
  [
    'sends headers without end',
    (socket: Socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(2 ** 20)}`),
    / sends more headers than a response may have\.$/,
  ],
  ['says nothing', () => {}, 'did not respond within 0.3 seconds.'],
  [
    'drips its headers',
    (socket: Socket) => {
      socket.write('HTTP/1.1 200 OK\r\nx: ');
      drip(socket);
    },
    'did not respond within 0.3 seconds.',
  ],
  [
    'refuses with a body without end',
    (socket: Socket) => {
      socket.write('HTTP/1.1 403 No\r\n\r\n');
      drip(socket, 'x'.repeat(2 ** 16));
    },
    'responded 403 to ',
  ],
  ['drips the file', body(drip), /sent only [1-9]\d? bytes within 0\.3 seconds\.$/],
  [
    'stalls in the file',
    body((socket) => socket.write('x'.repeat(1000))),
    'stopped responding (UND_ERR_BODY_TIMEOUT).',
  ],
  ['closes the connection', (socket: Socket) => socket.end(), 'The connection to '],
])('a peer that %s', async (_, answer, message) => {
  const served = await listen(answer);
  const began = performance.now();
  await expect(pulling(served.url)).rejects.toThrow(message);
  expect(performance.now() - began).toBeLessThan(5000);
  expect(served.connections).toBeLessThanOrEqual(6);
  expect(readdirSync(dir, { recursive: true }).filter((path) => String(path).includes('snapshots'))).toEqual([]);
});
