/** The machine's Redis, started by tests. Set `REDIS_SERVER` to the program's path if it is not in one of the usual places. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { missing } from './required.ts';

const usualPlaces = ['/usr/bin/redis-server', '/usr/local/bin/redis-server', '/opt/homebrew/bin/redis-server'];

const redisPath: string | undefined = process.env.REDIS_SERVER ?? usualPlaces.find((path) => existsSync(path));

/** Why tests with a Redis are skipped, or undefined if they run. */
export const noRedis: string | undefined = missing(
  'redis-server',
  redisPath,
  `There is no redis-server in ${usualPlaces.join(', ')}; set REDIS_SERVER to its path to run the tests of queues.`,
);

/** A Redis that keeps its data in a folder. */
export class TestRedis {
  readonly url: string;
  readonly #folder: string;
  readonly #port: number;
  #process: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.url = `redis://127.0.0.1:${port}`;
    this.#folder = folder;
    this.#port = port;
  }

  static async start(folder: string): Promise<TestRedis> {
    const redis = new TestRedis(folder, await freePort());
    await redis.start();
    return redis;
  }

  async start(): Promise<void> {
    const args = ['--port', `${this.#port}`, '--bind', '127.0.0.1', '--dir', this.#folder, '--appendonly', 'yes'];
    this.#process = spawn(redisPath!, [...args, '--save', ''], { stdio: 'ignore' });
    while (!(await accepts(this.#port))) await setTimeout(20);
  }

  /** As if it was killed for memory. */
  async kill(): Promise<void> {
    const process = this.#process!;
    const ended = new Promise((resolve) => process.once('exit', resolve));
    process.kill('SIGKILL');
    await ended;
  }
}

function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
