/** Where a queue is. BullMQ and its client for Redis are loaded when a command needs them. */
import { UsageError } from '../errors.ts';
import { text } from '../options.ts';
import { peerError } from '../platform/node/peers.ts';

/** A queue in a Redis. */
export interface QueueAt {
  readonly url: string;
  readonly name: string;
}

/** The options. */
export const queueFields = {
  queue: {
    ...text({
      required: true,
      example: 'redis://127.0.0.1:6379',
      flag: '--queue <url>',
      group: 'Work',
      doc: 'the Redis of the queue: redis://[:password@]host:port, or rediss:// for TLS',
    }),
    expected: 'an address that begins with redis:// or rediss://',
    accepts: (value: unknown): value is string =>
      typeof value === 'string' && /^rediss?:\/\/\S/.test(value) && URL.canParse(value),
  },
  queueName: text({
    default: 'resnext',
    expected: 'a name',
    flag: '--queue-name <name>',
    group: 'Work',
    doc: 'name of the queue, for several in one Redis',
  }),
};

/** The address without its password, for messages. */
export function shownAddress(url: string): string {
  const address = new URL(url);
  if (address.password !== '') address.password = '***';
  return address.href;
}

export const loadBullmq = (): Promise<typeof import('bullmq')> =>
  import('bullmq').catch((cause: unknown) => {
    throw peerError('bullmq', cause);
  });

const loadRedis = (): Promise<typeof import('ioredis')> =>
  import('ioredis').catch((cause: unknown) => {
    throw peerError('ioredis', cause);
  });

/** Milliseconds. */
const connectTimeout = 10_000;

/**
 * Checks that there is a Redis, since BullMQ would wait for one forever.
 *
 * @returns sentences for the user on what that Redis may lose.
 * @throws UsageError if it cannot be reached.
 */
export async function checkRedis(url: string): Promise<readonly string[]> {
  const { Redis } = await loadRedis();
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let failure: Error | undefined;
  redis.on('error', (error) => {
    failure = error; // says more than that the connection is closed
  });
  try {
    await redis.connect();
    const facts = `${await redis.info('persistence')}\n${await redis.info('memory')}`;
    return risks.flatMap(([pattern, sentence]) => (pattern.test(facts) ? [sentence] : []));
  } catch (error) {
    const { message } = failure ?? (error as Error);
    throw new UsageError(
      `The queue at ${shownAddress(url)} cannot be reached: ${message}. Start Redis, or correct --queue.`,
      {
        cause: error,
      },
    );
  } finally {
    redis.disconnect();
  }
}

const risks: readonly (readonly [RegExp, string])[] = [
  [
    /^aof_enabled:0/m,
    'This Redis writes no log of its changes, so the queue may be lost with it. Start it with --appendonly yes.',
  ],
  [
    /^maxmemory_policy:(?!noeviction)/m,
    'This Redis may drop jobs when its memory is full. Set its maxmemory-policy to noeviction.',
  ],
];
