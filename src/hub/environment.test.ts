/** Folders, mirror and proxies, by the variables that Python's libraries and curl read. */
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

it('follows the variables', () => {
  const caches = (env: Record<string, string>) => [hubEnvironment(env).hubCache, hubEnvironment(env).checkpoints];
  expect(caches({ XDG_CACHE_HOME: '/c' })).toEqual(['/c/huggingface/hub', '/c/torch/hub/checkpoints']);
  expect(caches({ HF_HOME: '/h', TORCH_HOME: '/t' })).toEqual(['/h/hub', '/t/hub/checkpoints']);
  expect(caches({ HF_HOME: '/h', HF_HUB_CACHE: '/b', XDG_CACHE_HOME: '/c' })[0]).toBe('/b');
  const found = hubEnvironment({ HF_ENDPOINT: 'https://mirror.example/', HF_TOKEN: 't', HF_HUB_OFFLINE: '1' });
  expect(found).toMatchObject({ endpoint: 'https://mirror.example', token: 't', offline: true });
  expect(() => hubEnvironment({ HF_ENDPOINT: 'mirror' })).toThrow('HF_ENDPOINT = "mirror" should be an address');
});
