/** Servers of images that do not speak HTTP, say nothing, or send without end: one sentence each, and soon. */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { FormatError } from '../errors.ts';
import { fetchBytes } from './fetch.ts';

let close: () => void;
afterEach(() => close());

async function listen(answer: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    socket.once('data', () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/rose.jpg`;
}

function drip(socket: Socket): void {
  const timer = setInterval(() => (socket.destroyed ? clearInterval(timer) : socket.write('x')), 50);
}

it.each([
  [
    'greets like a mail server',
    (socket: Socket) => socket.write('220 mail.example\r\n'),
    'the server does not speak HTTP',
  ],
  ['says nothing', () => {}, 'the server takes too long'],
  [
    'drips its headers',
    (socket: Socket) => {
      socket.write('HTTP/1.1 200 OK\r\nx: ');
      drip(socket);
    },
    'the server takes too long',
  ],
  [
    'drips the image',
    (socket: Socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n');
      drip(socket);
    },
    'the server takes too long',
  ],
  [
    'stalls in the image',
    (socket: Socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nx'),
    'the server takes too long',
  ],
  [
    'refuses with a body without end',
    (socket: Socket) => {
      socket.write('HTTP/1.1 403 No\r\n\r\n');
      drip(socket);
    },
    'the server responded 403 No',
  ],
])('a server that %s', async (_, answer, reason) => {
  const url = await listen(answer);
  const fetched = fetchBytes(url, { timeout: 300 });
  await expect(fetched).rejects.toThrow(FormatError);
  await expect(fetched).rejects.toThrow(`Image "${url}" cannot be fetched: ${reason}.`);
});
