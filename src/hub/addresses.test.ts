/** Files pulled from URLs: where they go, how they are verified, and which URLs are refused. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { breakAtHalf, type Handler, send, serve, sha256 } from '../../test/hub-server.ts';
import { hubEnvironment } from './environment.ts';
import { type PullOptions, pull } from './pull.ts';

const weights = Uint8Array.from({ length: 100_000 }, (_, i) => (i * i) >> 5);
const hash = sha256(weights);

let dir: string;
let closing: (() => void)[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-hub-'));
  closing = [];
});
afterEach(() => {
  for (const close of closing) close();
  rmSync(dir, { recursive: true });
});

async function server(handler: Handler) {
  const served = await serve(handler);
  closing.push(served.close);
  return served;
}

const options = (): PullOptions => ({
  environment: hubEnvironment({ HF_HOME: dir, TORCH_HOME: dir }),
  wait: async () => {},
});
const checkpoints = () => join(dir, 'hub/checkpoints');

describe('URLs', () => {
  it('that contain a hash are verified, and kept out of the folder where torch.hub looks', async () => {
    const { url, requests } = await server((q, a) => send(q, a, weights));
    const file = `model-${hash.slice(0, 8)}.pth`;
    const { path } = await pull(`${url}/${file}`, options());
    expect(await pull(`${url}/${file}`, options())).toEqual({ path });
    expect(requests).toHaveLength(1);
    const [folder, ...others] = readdirSync(checkpoints());
    expect([others, path]).toEqual([[], join(checkpoints(), folder!, file)]);
    expect(folder).toMatch(/^[0-9a-f]{12}$/);
  });

  it('that contain another hash are refused', async () => {
    const { url } = await server((q, a) => send(q, a, weights));
    await expect(pull(`${url}/model-12345678.pth`, options())).rejects.toThrow(
      /its SHA-256 is \w{8}, but expected 12345678\. It was deleted/,
    );
    const [folder] = readdirSync(checkpoints());
    expect(readdirSync(join(checkpoints(), folder!))).toEqual([]);
  });

  it('with the same file name are kept apart, and resume only with the same version', async () => {
    const { answer, onProgress } = breakAtHalf(weights);
    let count = 0;
    const { url, requests } = await server((q, a) => (count++ === 0 ? answer(q, a) : send(q, a, weights, '"v2"')));
    const first = await pull(`${url}/a/model.pth?download=true`, { ...options(), onProgress });
    const second = await pull(`${url}/b/model.pth`, options());
    expect(first.path).not.toBe(second.path);
    expect(sha256(readFileSync(first.path))).toBe(hash);
    expect(requests[1]!.headers['if-range']).toBe('"v1"');
  });

  it('may be served without a length', async () => {
    const { url } = await server((_, response) => {
      response.write(weights.subarray(0, 1000));
      response.end(weights.subarray(1000));
    });
    const { path } = await pull(`${url}/model.pth`, options());
    expect(sha256(readFileSync(path))).toBe(hash);
  });

  it('that redirect forever, or to an insecure protocol, are refused', async () => {
    const { url } = await server((_, response) => response.writeHead(302, { location: '/again.pth' }).end());
    await expect(pull(`${url}/model.pth`, options())).rejects.toThrow('redirects more than 10 times');
    const other = await server((_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end());
    await expect(pull(`${other.url}/model.pth`, options())).rejects.toThrow('which is not secure');
  });

  it('should be https, and end in a file name', async () => {
    await expect(pull('http://example.org/model.pth', options())).rejects.toThrow('should begin with https://');
    await expect(pull('https://example.org/a%2Fb.pth', options())).rejects.toThrow('should end in a file name');
    await expect(pull('https://example.org/a%ZZ.pth', options())).rejects.toThrow('should end in a file name');
    await expect(pull('https://example.org/..', options())).rejects.toThrow('should end in a file name');
  });
});
