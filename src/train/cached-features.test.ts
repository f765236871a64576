import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { preprocessingFor } from '../data/presets.ts';
import { initialWeights } from '../model/init.ts';
import { resnext } from '../model/resnext.ts';
import { variant } from '../model/variants.ts';
import { CachedFeatures } from './cached-features.ts';
import { resolveTrainOptions } from './check-options.ts';

const frog = fileURLToPath(new URL('../../examples/images/unseen/frog-1.jpg', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-features-'));
  copyFileSync(frog, join(folder, 'frog.jpg'));
  writeFileSync(join(folder, 'broken.jpg'), 'no image');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The features of these files, in batches of 2. */
function open(...names: string[]): Promise<CachedFeatures> {
  const model = resnext({ ...variant('resnext11_4x16d_w16'), inputSize: 32, classes: 2 });
  const preprocessing = preprocessingFor({ images: 'small', size: 32 });
  const description = { variant: 'small', config: model.config, classes: ['a', 'b'], preprocessing, metrics: {} };
  const train = names.map((name, n) => ({ path: join(folder, name), label: n % 2 }));
  const options = resolveTrainOptions({
    data: '.',
    out: 'run',
    from: 'model',
    linearProbe: true,
    batch: 2,
    workers: 0,
  });
  return CachedFeatures.open(
    options,
    { classes: ['a', 'b'], train, validation: [] },
    description,
    initialWeights(model, 1),
    {},
  );
}

test('images that cannot be read leave fewer than a batch, or none', async () => {
  expect((await open('frog.jpg', 'broken.jpg', 'frog.jpg')).stepsPerEpoch).toBe(1);
  await expect(open('frog.jpg', 'broken.jpg')).rejects.toThrow(
    'batch is 2, but only 1 training images can be read. Choose a smaller batch, such as 1.',
  );
  await expect(open('broken.jpg', 'broken.jpg')).rejects.toThrow(
    'None of the training images can be read. Replace them.',
  );
});
