/** Models that are downloaded, from a hub on loopback, into a cache where they are damaged later. */
import { mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Served, serveFiles } from '../../test/hub-server.ts';
import { FormatError } from '../errors.ts';
import { hubEnvironment } from '../hub/environment.ts';
import { pull } from '../hub/pull.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import { writeSafetensors } from '../weights/safetensors.ts';
import { load } from './load.ts';

const model = resnext({ depths: [1, 1, 1, 1], cardinality: 4, baseWidth: 8, width: 16, inputSize: 32, classes: 3 });
const weights = writeSafetensors(initialWeights(model, 1));

let dir: string;
let hub: Served;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-load-'));
  hub = await serveFiles({ 'model.safetensors': weights });
});
afterEach(() => {
  hub.close();
  rmSync(dir, { recursive: true });
});

it('downloads a file again that cannot be read because it is damaged', async () => {
  const environment = hubEnvironment({ HF_ENDPOINT: hub.url, HF_HOME: dir, TORCH_HOME: dir });
  const { path } = await pull('somebody/flowers', { environment });
  truncateSync(path, 1000);
  const offline = load('somebody/flowers', { environment, cache: false, offline: true });
  await expect(offline).rejects.toThrow(FormatError);
  await expect(offline).rejects.toThrow(/is damaged: its SHA-256 is .* Pull it again while online\.$/);
  const commit = path.split('/').at(-2)!;
  const classifier = await load(`somebody/flowers@${commit}`, { environment, cache: false });
  await classifier.dispose();
  expect(readFileSync(path)).toEqual(Buffer.from(weights));
});
