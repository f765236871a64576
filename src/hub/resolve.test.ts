/** The model that a user names becomes a file: paths first, then names. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { serve, serveHub } from '../../test/hub-server.ts';
import { hubEnvironment } from './environment.ts';
import { resolveModel } from './resolve.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-resolve-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

const environment = (endpoint: string) => hubEnvironment({ HF_ENDPOINT: endpoint, HF_HOME: dir, TORCH_HOME: dir });

it('returns an existing path unchanged, with its catalog entry', async () => {
  const folder = join(dir, 'run');
  mkdirSync(folder);
  expect(await resolveModel(folder)).toEqual({ path: folder });
  const file = join(folder, 'resnext50_32x4d-1a0047aa.pth');
  writeFileSync(file, '');
  writeFileSync(join(folder, 'config.json'), '{}');
  const { entry, ...rest } = await resolveModel(file);
  expect(rest).toEqual({ path: file, config: join(folder, 'config.json') });
  expect(entry?.name).toBe('resnext50_32x4d.tv2_in1k');
});

it('pulls names, and recognizes the resulting paths', async () => {
  const hub = await serveHub(new Uint8Array(10), new Uint8Array(5));
  const pulled = await resolveModel('resnext50_32x4d.a1h_in1k', { environment: environment(hub.hub.url) });
  hub.close();
  expect(pulled.entry?.name).toBe('resnext50_32x4d.a1h_in1k');
  expect(await resolveModel(pulled.path)).toEqual(pulled);
});

it('suggests the path that was probably meant', async () => {
  const folder = join(dir, 'runs/flowers');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'model.safetensors'), '');
  const before = process.cwd();
  process.chdir(dir);
  try {
    const offline = { environment: environment('http://127.0.0.1:9') };
    for (const name of ['runs/flowres', './rnus/flowers', 'flowers', 'Flowers', 'runs/flowers.onnx']) {
      await expect(resolveModel(name)).rejects.toThrow(/" *\. Did you mean "runs\/flowers"\?$/);
    }
    await expect(resolveModel('rnus/flowers', offline)).rejects.toThrow(
      'There is no file or folder "rnus/flowers". Did you mean "runs/flowers"? It could not be looked up',
    );
    await expect(resolveModel(join(dir, 'runs/flowers/model.safetensor'))).rejects.toThrow(
      `Did you mean "${folder}/model.safetensors"?`,
    );
  } finally {
    process.chdir(before);
  }
});

it('reports a path or a name that does not exist', async () => {
  await expect(resolveModel('./nothing')).rejects.toThrow('There is no file or folder "./nothing".');
  await expect(resolveModel('models/flowers.onnx')).rejects.toThrow(
    'There is no file or folder "models/flowers.onnx".',
  );
  await expect(resolveModel('runs/flowers')).rejects.toThrow('There is no file or folder "runs/flowers".');
  await expect(resolveModel('resnext50_32x4')).rejects.toThrow('Did you mean resnext50_32x4d?');
  const hub = await serve((_, response) => response.writeHead(401).end());
  const failed = resolveModel('models/flowers', { environment: environment(hub.url) });
  await expect(failed).rejects.toThrow(
    /^There is no file or folder "models\/flowers"\. It could not be looked up on the Hugging Face Hub either: .* 401 /,
  );
  hub.close();
  await expect(resolveModel('models/flowers', { environment: environment('http://127.0.0.1:9') })).rejects.toThrow(
    'Hugging Face Hub either: 127.0.0.1:9 cannot be reached (connection refused, ECONNREFUSED).',
  );
});
