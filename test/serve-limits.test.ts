/** What a server refuses, how, and how it ends. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LogEntry, Server } from 'resnext/serve';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { start } from './command.ts';
import { base64, formOf, get, images, open, post, postJson, withServer, writeSmallModel } from './serving.ts';

let folder: string;
let models: Record<string, string>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-limits-'));
  await writeSmallModel(join(folder, 'net'), 1);
  models = { net: join(folder, 'net') };
});
afterAll(() => rmSync(folder, { recursive: true }));

const classify = ({ url }: { readonly url: string }): string => `${url}/v1/classify`;

interface Refused {
  readonly error: string;
}

describe('requests that cannot be understood', () => {
  let server: Server;
  beforeAll(async () => {
    server = await open({ models, maxImages: 3 });
  }, 60_000);
  afterAll(() => server.close());

  const boundary = { 'content-type': 'multipart/form-data; boundary=x' };

  it.each([
    ['nothing', '', {}, 'The request has no image'],
    ['a form without its boundary', 'hello', boundary, 'is not a form'],
    [
      'a form that ends early',
      '--x\r\ncontent-disposition: form-data; name="a"; filename="a"\r\n\r\nabc',
      boundary,
      'is not a form',
    ],
    ['a form without a boundary', '--x--', { 'content-type': 'multipart/form-data' }, 'is not a form'],
    [
      'a form without files',
      '--x\r\ncontent-disposition: form-data; name="top"\r\n\r\n3\r\n--x--\r\n',
      boundary,
      'The form has no image',
    ],
  ])('%s is answered with 400', async (_, body, headers, message) => {
    const answer = await post<Refused>(classify(server), body, headers as Record<string, string>);
    expect({ status: answer.status, error: answer.body.error }).toEqual({
      status: 400,
      error: expect.stringContaining(message),
    });
  });

  const json = { 'content-type': 'application/json' };

  it.each([
    ['{"inputs": ', 'is not JSON'],
    ['[1]', 'expected { "inputs": … }'],
    ['{}', 'has no "inputs"'],
    ['{"inputs": 7}', 'inputs[0] is no image'],
    ['{"inputs": ["data:text/plain,abc"]}', 'a data: URL that is not base64'],
    ['{"inputs": ["http://["]}', 'is not a URL'],
    ['{"inputs": "AAAA", "parameters": 1}', '"parameters" is not an object'],
    [`{"inputs": "${base64(images[0]!)}", "parameters": {"top": 0}}`, '"top": '],
    [`{"inputs": "${base64(images[0]!)}", "tpo": 1}`, 'tpo'],
    [`{"inputs": ${'['.repeat(5000)}${']'.repeat(5000)}}`, 'inputs[0] is no image'],
  ])('%s is answered with 400', async (body, message) => {
    const answer = await post<Refused>(classify(server), body, json);
    expect({ status: answer.status, error: answer.body.error }).toEqual({
      status: 400,
      error: expect.stringContaining(message),
    });
  });

  it('too many images, and too many parts, are answered with 413', async () => {
    const many = await post<Refused>(classify(server), formOf(images.slice(0, 4)));
    expect(many).toMatchObject({ status: 413, body: { error: 'The request has 4 images, but expected at most 3.' } });
    const part = '--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n\r\n';
    const parts = await post<Refused>(classify(server), `${part.repeat(1000)}--x--\r\n`, boundary);
    expect(parts).toMatchObject({ status: 413, body: { error: 'The form has more than 3 images and 32 fields.' } });
  });

  it('paths lead nowhere else', async () => {
    for (const path of [
      '/../../etc/passwd',
      '/%2e%2e/%2e%2e/etc/passwd',
      '/assets/..%2f..%2fpackage.json',
      '//etc/passwd',
      '/v1/../../x',
    ]) {
      const { hostname, port } = new URL(server.url);
      const socket = connect(Number(port), hostname);
      socket.write(`GET ${path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n`);
      let text = '';
      for await (const chunk of socket) text += chunk;
      expect(text).toMatch(/^HTTP\/1.1 404 /);
    }
  });

  it('a bomb is answered with 413 by its header, whatever its size', async () => {
    const png = Buffer.alloc(64);
    png.write('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1');
    png.writeUInt32BE(60_000, 16);
    png.writeUInt32BE(60_000, 20);
    const { status, body } = await post<Refused>(classify(server), new Uint8Array(png));
    expect({ status, body }).toEqual({
      status: 413,
      body: { error: 'Image "image" has 60000 × 60000 pixels, more than 50 megapixels. Make it smaller.' },
    });
  });
});

describe('bodies', () => {
  it('a body that is too large is answered with 413, with and without its length, and the connection goes on', async () => {
    await withServer({ models, maxBody: 0.1 }, async (server) => {
      const large = new Uint8Array(300_000);
      const sent = await post<Refused>(classify(server), large);
      expect(sent).toMatchObject({ status: 413, body: { error: expect.stringMatching('larger than 0.1 MiB') } });
      const chunks = new ReadableStream({
        pull: (controller) => controller.enqueue(large),
      });
      const response = await fetch(classify(server), { method: 'POST', body: chunks, duplex: 'half' } as RequestInit);
      expect(response.status).toBe(413);
      expect((await post(classify(server), images[0]!)).status).toBe(200);
    });
  });

  it('a body that comes too slowly is answered with 408', async () => {
    await withServer({ models, bodyTimeout: 0.2 }, async (server) => {
      const slow = request(classify(server), { method: 'POST', headers: { 'content-length': '1000' } });
      slow.on('error', () => {});
      slow.write('abc');
      const [response] = (await once(slow, 'response')) as [IncomingMessage];
      expect([response.statusCode, response.headers.connection]).toEqual([408, 'close']);
      slow.destroy();
    });
  });

  it('bodies of all requests have a limit together, which is free again when clients leave', async () => {
    await withServer({ models, maxBody: 0.01 }, async (server) => {
      const open = Array.from({ length: 9 }, () => {
        const each = request(classify(server), {
          method: 'POST',
          headers: { 'content-length': '10000' },
          agent: false,
        });
        each.on('error', () => {});
        each.write(new Uint8Array(9_900));
        return each;
      });
      const first = await Promise.race(
        open.map(async (each) => ((await once(each, 'response')) as [IncomingMessage])[0]),
      );
      expect([first.statusCode, first.headers['retry-after']]).toEqual([429, '1']);
      for (const each of open) each.destroy();
      const small = images[0]!.slice(0, 9_000);
      await expect.poll(async () => (await post(classify(server), small)).status, { timeout: 30_000 }).not.toBe(429);
    });
  });
});

it('a full queue is answered with 429 and the time to wait, and nothing accepted is lost', async () => {
  await withServer({ models, maxQueue: 4 }, async (server) => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => post<Refused>(classify(server), formOf(images.slice(0, 4)))),
    );
    const statuses = new Set(answers.map(({ status }) => status));
    expect([...statuses].sort()).toEqual([200, 429]);
    const refused = answers.find(({ status }) => status === 429)!;
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(refused.body.error).toMatch(
      /^The 4 images are not accepted, because \d are waiting\. Try again in \d+ s\.$/,
    );
    expect((await post(classify(server), formOf(images.slice(0, 4)))).status).toBe(200);
  });
});

it('what takes too long is answered with 504', async () => {
  await withServer({ models, timeout: 0.001 }, async (server) => {
    const { status, body } = await post<Refused>(classify(server), formOf(images));
    expect({ status, body }).toEqual({ status: 504, body: { error: 'There was no result within 0.001 s.' } });
    expect((await get(`${server.url}/healthz`)).status).toBe(200);
  });
});

it('a key is required if there are any, but not for health', async () => {
  await withServer({ models, keys: ['first', 'second'] }, async (server) => {
    for (const headers of [{}, { authorization: 'Bearer third' }, { authorization: 'first' }, { 'x-api-key': '' }]) {
      const refused = await post<Refused>(classify(server), images[0]!, headers as Record<string, string>);
      expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    }
    for (const headers of [{ authorization: 'Bearer first' }, { 'x-api-key': 'second' }]) {
      expect((await post(classify(server), images[0]!, headers as Record<string, string>)).status).toBe(200);
    }
    for (const path of ['/healthz', '/readyz', '/v2/health/ready', '/docs/openapi.json']) {
      expect((await get(`${server.url}${path}`)).status).toBe(200);
    }
    expect((await get(`${server.url}/metrics`)).status).toBe(401);
  });
});

it('a client that asks too often is answered with 429', async () => {
  await withServer({ models, rate: 3, keys: ['a', 'b'] }, async (server) => {
    const ask = (key: string) => post<Refused>(classify(server), images[0]!, { authorization: `Bearer ${key}` });
    const statuses: number[] = [];
    for (let n = 0; n < 4; n++) statuses.push((await ask('a')).status);
    expect(statuses).toEqual([200, 200, 200, 429]);
    const refused = await ask('a');
    expect(refused.body.error).toBe('There were more than 3 requests in a minute. Try again later.');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await ask('b')).status).toBe(200);
    expect((await get(`${server.url}/healthz`)).status).toBe(200);
  });
});

describe('images by URL', () => {
  it('are refused unless their host is allowed, and at private addresses in any case', async () => {
    const urls = ['http://127.0.0.1:1/a.jpg', 'http://localhost:1/a.jpg', 'http://2130706433:1/', 'http://[::1]:1/'];
    await withServer({ models }, async (server) => {
      for (const url of urls) {
        const { status, body } = await postJson<Refused>(classify(server), { inputs: url });
        expect({ status, error: body.error }).toEqual({
          status: 403,
          error: expect.stringMatching('may not be fetched from'),
        });
      }
    });
    const allowHosts = ['127.0.0.1:1', 'localhost:1', '[::1]:1'];
    await withServer({ models, allowHosts }, async (server) => {
      for (const url of urls) {
        const { status, body } = await postJson<Refused>(classify(server), { inputs: url });
        expect({ status, error: body.error }).toEqual({
          status: 403,
          error: expect.stringMatching('its address is not public'),
        });
      }
    });
  });
});

describe('starting', () => {
  it('warns of an address for everybody without keys, and refuses what it cannot do', async () => {
    await withServer({ models, host: '0.0.0.0' }, async ({ notes, port }) => {
      expect(notes).toEqual([
        'The server is open to everybody who can reach 0.0.0.0. Give it keys, or let it listen at 127.0.0.1.',
      ]);
      await expect(withServer({ models, port }, async () => {})).rejects.toThrow(
        `Cannot listen at 127.0.0.1, port ${port}: the port is in use.`,
      );
    });
    await expect(withServer({ models: { 'a/b': 'x' } }, async () => {})).rejects.toThrow(
      'The name of a model is "a/b"',
    );
    await expect(withServer({ models: { a: 'no-such-model' } }, async () => {})).rejects.toThrow('There is no file');
    await expect(withServer({ models, prot: 1 } as object, async () => {})).rejects.toThrow('Did you mean port?');
  });
});

describe('ending', () => {
  it('says that it is not ready, and still answers for a while', async () => {
    await withServer({ models, drain: 1 }, async (server) => {
      const closed = server.close();
      expect(await get(`${server.url}/readyz`)).toMatchObject({ status: 503, body: { status: 'ending' } });
      expect((await get(`${server.url}/v2/health/ready`)).status).toBe(503);
      const answer = await post(classify(server), images[0]!);
      expect([answer.status, answer.headers.get('connection')]).toEqual([200, 'close']);
      await closed;
      await expect(get(`${server.url}/healthz`)).rejects.toThrow();
    });
  });

  /** A request whose head has arrived at the server. */
  async function accepted(url: string, body: Uint8Array): Promise<ClientRequest> {
    const headers = { expect: '100-continue', 'content-length': `${body.length}` };
    const sent = request(url, { method: 'POST', headers, agent: false });
    sent.flushHeaders();
    await once(sent, 'continue');
    return sent;
  }

  it('SIGTERM ends the command when every accepted request is answered', async () => {
    const keys = join(folder, 'keys.txt');
    writeFileSync(keys, '# of this test\nsecret\n');
    const { child, ended } = start('serve', '--model', models.net!, '--port', '0', '--threads', '1');
    const lines: LogEntry[] = [];
    let text = '';
    child.stdout!.on('data', (chunk: string) => {
      text += chunk;
      const parts = text.split('\n');
      text = parts.pop()!;
      lines.push(...parts.map((line) => JSON.parse(line) as LogEntry));
    });
    await expect.poll(() => lines.length, { timeout: 30_000 }).toBeGreaterThan(0);
    const { url, models: served } = lines[0] as unknown as { url: string; models: string[] };
    expect(served).toEqual(['net']);
    const requests = await Promise.all(images.map((image) => accepted(`${url}/v1/classify`, image)));
    child.kill('SIGTERM');
    await expect.poll(() => lines.map(({ event }) => event), { timeout: 30_000 }).toContain('ending');
    const statuses = requests.map(async (sent, n) => {
      sent.end(images[n]);
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      for await (const _ of response);
      return response.statusCode;
    });
    expect(await Promise.all(statuses)).toEqual(Array(12).fill(200));
    const { code, stderr } = await ended;
    expect(stderr).toBe(
      `Serving net at ${url}. Documentation: ${url}/docs\nEnding, when all accepted requests are answered.\n`,
    );
    expect(code).toBe(0);
    expect(lines.filter(({ event }) => event === 'request')).toHaveLength(12);
    expect(lines.at(-1)!.event).toBe('ended');
  });
});
