/** The TypeScript listings of each document run unchanged, one after the other, as one program. */
import { execFile } from 'node:child_process';
import { copyFile, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { initialWeights, resnext, saveModel } from 'resnext';
import { preprocessingFor } from 'resnext/data';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The output of a document's listings, run in a folder that `prepare` may fill. */
async function printed(document: string, count: number, prepare?: (folder: string) => Promise<void>): Promise<string> {
  const text = await readFile(join(root, 'docs', document), 'utf8');
  const listings = [...text.matchAll(/```ts\n(.*?)```/gs)].map((match) => match[1]!);
  expect(listings.length).toBeGreaterThanOrEqual(count);
  const folder = await mkdtemp(join(root, 'test/docs-')); // inside the package, so that it can import itself by name
  try {
    await prepare?.(folder);
    const file = join(folder, 'listings.mts');
    await writeFile(file, `${listings.join('\n')}\nconsole.log('all hold');\n`);
    const tsx = import.meta.resolve('tsx');
    return (await promisify(execFile)(process.execPath, ['--import', tsx, file], { cwd: folder })).stdout;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A model in `runs/flowers`, and an image. */
async function flowers(folder: string): Promise<void> {
  const model = resnext({ depths: [1, 1], cardinality: 4, baseWidth: 16, width: 16, inputSize: 64, classes: 5 });
  const classes = ['daisy', 'iris', 'lily', 'rose', 'tulip'];
  const preprocessing = preprocessingFor({ images: 'large', size: 64 });
  const description = { variant: 'small', config: model.config, classes, preprocessing, metrics: {} };
  await saveModel(join(folder, 'runs/flowers'), description, initialWeights(model, 1));
  await copyFile(join(root, 'examples/images/unseen/frog-1.jpg'), join(folder, 'rose.jpg'));
}

/** Two classes of a few images in `flowers`, and an image. */
async function images(folder: string): Promise<void> {
  const examples = join(root, 'examples/images');
  const filter = (path: string) => !/[^05]\.jpg$/.test(path);
  for (const [from, to] of [
    ['frog', 'rose'],
    ['horse', 'tulip'],
  ] as const) {
    for (const part of ['train', 'val']) {
      await cp(join(examples, 'val', from), join(folder, 'flowers', part, to), { recursive: true, filter });
    }
  }
  await copyFile(join(examples, 'unseen/frog-1.jpg'), join(folder, 'rose.jpg'));
}

test('the listings of docs/forms.md hold', async () => {
  expect(await printed('forms.md', 7)).toBe('all hold\n');
});

test('the listings of docs/export.md hold', async () => {
  const text = await printed('export.md', 3, flowers);
  expect(text).toMatch(/^(daisy|iris|lily|rose|tulip): \d\d\.\d %\n/);
  expect(text.match(/label: '/g)).toHaveLength(3);
  expect(text).toMatch(/\nall hold\n$/);
});

test('the listings of docs/explain.md hold', async () => {
  expect(await printed('explain.md', 1, flowers)).toBe('rose true [ 8, 8 ]\nall hold\n');
});

test('the listings of docs/training.md hold', async () => {
  expect(await printed('training.md', 1, images)).toMatch(/^epoch 1: [\d.]+ %\nepoch 2: [\d.]+ %\nall hold\n$/);
}, 60_000);

test('the listings of docs/server.md hold', async () => {
  expect(await printed('server.md', 2, flowers)).toBe('1\ntrue\nall hold\n');
});
