/** Cache folders, mirrors and proxies from the environment variables of Python's libraries and curl. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { hubEnvironment } from './environment.ts';

it('has the defaults of huggingface_hub and torch.hub', () => {
  expect(hubEnvironment({})).toEqual({
    endpoint: 'https://huggingface.co',
    hubCache: join(homedir(), '.cache/huggingface/hub'),
    checkpoints: join(homedir(), '.cache/torch/hub/checkpoints'),
    offline: false,
    proxies: { http: '', https: '', except: '' },
  });
});

it('reads the variables', () => {
  const caches = (env: Record<string, string>) => [hubEnvironment(env).hubCache, hubEnvironment(env).checkpoints];
  expect(caches({ XDG_CACHE_HOME: '/c' })).toEqual(['/c/huggingface/hub', '/c/torch/hub/checkpoints']);
  expect(caches({ HF_HOME: '/h', TORCH_HOME: '/t' })).toEqual(['/h/hub', '/t/hub/checkpoints']);
  expect(caches({ HF_HOME: '/h', HF_HUB_CACHE: '/b', XDG_CACHE_HOME: '/c' })[0]).toBe('/b');
  const found = hubEnvironment({ HF_ENDPOINT: 'https://mirror.example/', HF_TOKEN: 't', HF_HUB_OFFLINE: '1' });
  expect(found).toMatchObject({ endpoint: 'https://mirror.example', token: 't', offline: true });
  expect(() => hubEnvironment({ HF_ENDPOINT: 'mirror' })).toThrow('HF_ENDPOINT is "mirror", but expected a URL');
});

it('accepts proxies as curl does, and refuses other schemes', () => {
  const proxies = (http: string, https = '') =>
    hubEnvironment({ HTTP_PROXY: http, https_proxy: https, NO_PROXY: '' }).proxies;
  expect(proxies('proxy.example:3128', 'https://user:p@proxy.example')).toMatchObject({
    http: 'http://proxy.example:3128',
    https: 'https://user:p@proxy.example',
  });
  for (const text of ['socks5://proxy.example:1080', 'http://user:secret@']) {
    expect(() => proxies(text)).toThrow(
      /^HTTP_PROXY is not a valid URL: expected that of an HTTP proxy, such as \S+\.$/,
    );
  }
});

it('refuses a token that cannot be in a header, without showing it', () => {
  expect(hubEnvironment({ HF_TOKEN: ' hf_abc\n' }).token).toBe('hf_abc');
  for (const text of ['hf_a\nb', 'hf_\u00e4', 'hf_a b']) {
    expect(() => hubEnvironment({ HF_TOKEN: text })).toThrow(
      /^HF_TOKEN is not a valid token: expected one word of printable ASCII characters, such as hf_…\.$/,
    );
  }
});
