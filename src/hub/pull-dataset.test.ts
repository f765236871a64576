/** Datasets of a fake hub: which files are downloaded, where to, and what is done without a network. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { commit, type Served, serveFiles } from '../../test/hub-server.ts';
import { hubEnvironment } from './environment.ts';
import { isDatasetName, parseDatasetName, pullDataset } from './pull-dataset.ts';

let folder: string;
let hub: Served | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-datasets-'));
});
afterEach(() => {
  hub?.close();
  rmSync(folder, { recursive: true });
});

const name = 'hf://datasets/me/flowers';
const bytes = (text: string) => new TextEncoder().encode(text);

async function serveAll(files: Readonly<Record<string, string>>) {
  hub = await serveFiles(Object.fromEntries(Object.entries(files).map(([file, text]) => [file, bytes(text)])));
  const environment = hubEnvironment({ HF_ENDPOINT: hub.url, HF_HOME: folder });
  return { environment, retries: 0 };
}

const inCache = ({ files }: { readonly files: readonly string[] }) =>
  files.map((file) => relative(join(folder, 'hub'), file));

const flowers = {
  'README.md': 'text',
  'data/train-00001-of-00002.parquet': 'two',
  'data/train-00000-of-00002.parquet': 'one',
  'data/test-00000-of-00001.parquet': 'three',
};
const snapshot = `datasets--me--flowers/snapshots/${commit}/data`;

test('the Parquet files are in the hub cache, and used from there without the hub', async () => {
  const options = await serveAll(flowers);
  const pulled = await pullDataset(name, options);
  expect(inCache(pulled)).toEqual(
    ['test-00000-of-00001', 'train-00000-of-00002', 'train-00001-of-00002'].map(
      (stem) => `${snapshot}/${stem}.parquet`,
    ),
  );
  expect(pulled.files.map((file) => readFileSync(file, 'utf8'))).toEqual(['three', 'one', 'two']);
  expect(hub!.requests.some(({ url }) => url.includes('README'))).toBe(false);
  const before = hub!.requests.length;
  expect(await pullDataset('me/flowers', options)).toEqual(pulled);
  expect(hub!.requests).toHaveLength(before + 1); // the list of files, since all of them are cached
  hub!.close();
  expect(await pullDataset(name, options)).toEqual(pulled);
  expect(await pullDataset(`${name}@${commit}`, { ...options, offline: true })).toEqual(pulled);
  await expect(pullDataset('me/others', { ...options, offline: true })).rejects.toThrow('cannot be downloaded offline');
  expect(relative(join(folder, 'hub'), pulled.folder)).toBe(dirname(snapshot));
  rmSync(pulled.files[2]!);
  await expect(pullDataset(name, { ...options, offline: true })).rejects.toThrow('cannot be downloaded offline');
});

test('of several configurations, one has to be named', async () => {
  const options = await serveAll({
    'ten/train/0000.parquet': 'a',
    'ten/test/0000.parquet': 'b',
    'hundred/train/0000.parquet': 'c',
  });
  await expect(pullDataset(name, options)).rejects.toThrow(
    `several configurations: ten, hundred. Name one, such as ${name}/ten.`,
  );
  expect((await pullDataset(`${name}/ten`, options)).files).toHaveLength(2);
  await expect(pullDataset(`${name}/none`, options)).rejects.toThrow('has no Parquet files in "none"');
});

test('a name from the hub that leads out of its folder is not used', async () => {
  const options = await serveAll({
    '../../evil.parquet': 'a',
    'data/../../evil.parquet': 'b',
    '/evil.parquet': 'c',
    '.hidden/x.parquet': 'd',
  });
  await expect(pullDataset(name, options)).rejects.toThrow('has no Parquet files');
  expect(existsSync(join(folder, 'hub', 'datasets--me--flowers'))).toBe(false);
});

test('names of datasets', () => {
  const parsed = { repository: 'datasets/me/flowers', revision: 'main', folder: '' };
  expect(parseDatasetName('me/flowers')).toEqual(parsed);
  expect(parseDatasetName(`${name}/`)).toEqual(parsed);
  expect(parseDatasetName(`${name}@v1.0/a/b`)).toEqual({ ...parsed, revision: 'v1.0', folder: 'a/b' });
  expect(parseDatasetName(`${name}@refs/convert/parquet/default`)).toEqual({
    ...parsed,
    revision: 'refs/convert/parquet',
    folder: 'default',
  });
  for (const wrong of ['hf://me/flowers', 'hf://datasets/me', `${name}/../x`, 'hf://datasets/me/a--b']) {
    expect(() => parseDatasetName(wrong)).toThrow('is not the name of a dataset');
  }
  expect([isDatasetName('me/flowers'), isDatasetName('examples/images/train'), isDatasetName('./a/b')]).toEqual([
    true,
    false,
    false,
  ]);
});
