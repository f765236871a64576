/**
 * One set of images in every form of a dataset: a folder, a zip, a tar, a list, tar shards, Parquet files, and these on the hub. Each gives the same
 * epoch, byte for byte, the same images held out, and the same result of an evaluation; and a run resumes.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { load, reportRun, resume, train } from 'resnext';
import { Loader, openDataset, openLabeledImages, preprocessingFor, trainTransforms, WorkerPool } from 'resnext/data';
import { readSafetensorsFile } from 'resnext/weights';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveFiles } from './hub-server.ts';
import { type Files, tar, zip } from './pack.ts';

const source = new URL('../examples/images/', import.meta.url).pathname;
const perClass = { train: 9, val: 3 } as const;
type Side = keyof typeof perClass;

interface Picture {
  readonly side: Side;
  readonly className: string;
  readonly name: string;
  readonly bytes: Uint8Array;
}

const sides = Object.keys(perClass) as Side[];
const classes = ['airplane', 'automobile', 'frog', 'horse'];

const pictures: readonly Picture[] = sides.flatMap((side) =>
  classes.flatMap((className) =>
    readdirSync(join(source, side, className))
      .sort()
      .slice(0, perClass[side])
      .map((name) => ({ side, className, name, bytes: readFileSync(join(source, side, className, name)) })),
  ),
);

const filesOf = (some: readonly Picture[], pathOf: (picture: Picture) => string): Files =>
  Object.fromEntries(some.map((picture) => [pathOf(picture), picture.bytes]));

/** In another order than any form sorts them in. */
const shuffled = <T>(items: readonly T[]): T[] => items.map((_, i) => items[(i * 7) % items.length]!);

function writeFolder(dir: string, some: readonly Picture[]): void {
  for (const { side, className, name, bytes } of some) {
    mkdirSync(join(dir, side, className), { recursive: true });
    writeFileSync(join(dir, side, className, name), bytes);
  }
}

function shardOf(some: readonly Picture[]): Uint8Array {
  const members = some.flatMap(({ className, name, bytes }): [string, Uint8Array | string][] => {
    const key = `${className}/${name.replace(/\.jpg$/, '')}`;
    return [
      [`${key}.jpg`, bytes],
      [`${key}.cls`, String(classes.indexOf(className))],
    ];
  });
  return tar(Object.fromEntries(members));
}

function parquetOf(some: readonly Picture[]): Uint8Array {
  const features = { image: { _type: 'Image' }, label: { _type: 'ClassLabel', names: classes } };
  return new Uint8Array(
    parquetWriteBuffer({
      schema: [
        { name: 'root', num_children: 2 },
        { name: 'image', repetition_type: 'OPTIONAL', num_children: 2 },
        { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
        { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
        { name: 'label', type: 'INT64', repetition_type: 'OPTIONAL' },
      ],
      columnData: [
        { name: 'image', data: some.map(({ bytes, name }) => ({ bytes, path: name })) },
        { name: 'label', data: some.map(({ className }) => BigInt(classes.indexOf(className))) },
      ],
      rowGroupSize: 17,
      kvMetadata: [{ key: 'huggingface', value: JSON.stringify({ info: { features } }) }],
    }),
  );
}

/** Two halves of a side, as files that a writer numbers. */
function inHalves(
  dir: string,
  extension: string,
  pack: (some: readonly Picture[]) => Uint8Array,
  some: readonly Picture[],
) {
  mkdirSync(dir, { recursive: true });
  for (const side of sides) {
    const own = shuffled(some.filter((picture) => picture.side === side));
    if (own.length === 0) continue;
    for (const half of [0, 1]) {
      const rows = own.slice((half * own.length) / 2, ((half + 1) * own.length) / 2);
      writeFileSync(join(dir, `${side}-0000${half}-of-00002.${extension}`), pack(rows));
    }
  }
}

const forms = ['folder', 'zip', 'deflated.zip', 'tar', 'csv', 'shards', 'parquet'] as const;
let dir: string;
const pool = new WorkerPool({ workers: 2 });

/** @param name of the set: with validation images, or with those for training alone. */
const pathOf = (name: string, form: string): string =>
  join(dir, ['folder', 'shards', 'parquet'].includes(form) ? `${name}-${form}` : `${name}.${form}`);

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-forms-'));
  const trained = pictures.filter(({ side }) => side === 'train');
  for (const [name, some] of [
    ['split', pictures],
    ['whole', trained],
  ] as const) {
    const inside = ({ side, className, name: file }: Picture) =>
      `set/${name === 'split' ? `${side}/` : ''}${className}/${file}`;
    const mixed = filesOf(shuffled(some), inside);
    const folder = pathOf(name, 'folder');
    writeFolder(folder, some);
    writeFileSync(pathOf(name, 'zip'), zip(mixed));
    writeFileSync(pathOf(name, 'deflated.zip'), zip(mixed, { deflate: true }));
    writeFileSync(pathOf(name, 'tar'), tar(mixed));
    const listed = shuffled(some).map(
      ({ side, className, name: file }) => `${name}-folder/${side}/${className}/${file},${className},${side}`,
    );
    writeFileSync(pathOf(name, 'csv'), ['path,label,split', ...listed].join('\n'));
    inHalves(pathOf(name, 'shards'), 'tar', shardOf, some);
    writeFileSync(join(pathOf(name, 'shards'), 'classes.txt'), classes.join('\n'));
    inHalves(pathOf(name, 'parquet'), 'parquet', parquetOf, some);
  }
});
afterAll(async () => {
  await pool.close();
  rmSync(dir, { recursive: true });
});

const transforms = trainTransforms(preprocessingFor({ images: 'small', size: 32 }), 'pad-and-crop');

/** All batches of two shuffled epochs, by worker threads, and what is held out. */
async function epochsOf(path: string) {
  const dataset = await openDataset(path, { seed: 3 });
  const loader = new Loader({ pool });
  const images: Float32Array[] = [];
  const labels: number[] = [];
  try {
    for (const epoch of [0, 1]) {
      const options = { samples: dataset.train, transforms, batchSize: 12, seed: 5, epoch, shuffle: true };
      for await (const batch of loader.batches({ ...options, startBatch: epoch })) {
        images.push(batch.images.slice());
        labels.push(...batch.labels.subarray(0, batch.count));
      }
    }
  } finally {
    await loader.close();
  }
  const held = Array.from(dataset.validation, ({ label }, i) => `${label} ${dataset.validation.key(i)}`);
  return { order: { classes: dataset.classes, labels, held }, images };
}

test.each(['split', 'whole'])('all forms of a set (%s) give the same epochs and validation images', async (name) => {
  const folder = await epochsOf(pathOf(name, 'folder'));
  expect(folder.order.classes).toEqual(classes);
  expect(folder.images).toHaveLength(5);
  expect(folder.order.held.length).toBeGreaterThan(3);
  for (const form of forms.slice(1)) {
    const { order, images } = await epochsOf(pathOf(name, form));
    expect([form, order]).toEqual([form, folder.order]);
    const differ = images.findIndex(
      (batch, i) => !Buffer.from(batch.buffer).equals(Buffer.from(folder.images[i]!.buffer)),
    );
    expect([form, images.length, differ]).toEqual([form, folder.images.length, -1]);
  }
});

const tiny = { variant: 'resnext11_8x16d_w16', size: 16, epochs: 2, batch: 8, threads: 1, workers: 1 } as const;

test('Parquet files on the hub give the same epochs, and a run on them resumes', async () => {
  const folder = pathOf('split', 'parquet');
  const files = readdirSync(folder).map((name) => [`data/${name}`, new Uint8Array(readFileSync(join(folder, name)))]);
  const hub = await serveFiles(Object.fromEntries(files) as Readonly<Record<string, Uint8Array>>);
  const before = { ...process.env };
  Object.assign(process.env, { HF_ENDPOINT: hub.url, HF_HOME: join(dir, 'hub'), HF_HUB_OFFLINE: '' });
  try {
    const [local, pulled] = [await epochsOf(folder), await epochsOf('hf://datasets/me/flowers')];
    expect(pulled).toEqual(local);
    for (const [i, data] of ['hf://datasets/me/flowers', 'me/flowers'].entries()) {
      const out = join(dir, `run-hub-${i}`);
      await train({ ...tiny, epochs: 1, data, out });
      expect(await resume(out, { epochs: 2 })).toMatchObject({ interrupted: false });
      expect(await reportRun(out)).toContain('on 12 validation images');
    }
  } finally {
    process.env = before;
    hub.close();
  }
});

test('a run on a zip is that on the folder, even if interrupted, and evaluates alike on all forms', async () => {
  const [fromFolder, fromZip] = [join(dir, 'run-folder'), join(dir, 'run-zip')];
  await train({ ...tiny, data: pathOf('whole', 'folder'), out: fromFolder });
  const stop = new AbortController();
  const onEvent = ({ event }: { readonly event: string }) => event === 'step' && stop.abort();
  await train({ ...tiny, data: pathOf('whole', 'zip'), out: fromZip }, { signal: stop.signal, onEvent });
  await resume(fromZip);
  const text = (run: string, file: string) =>
    readFileSync(join(run, file), 'utf8').replace(/"(seconds|images)":[^,}]*/g, '');
  for (const file of ['split.json', 'metrics.jsonl']) expect(text(fromZip, file)).toBe(text(fromFolder, file));
  const weights = async (run: string) => (await readSafetensorsFile(join(run, 'model.safetensors'))).tensors;
  expect(await weights(fromZip)).toEqual(await weights(fromFolder));
  const model = await load(fromFolder);
  try {
    const results = [];
    for (const form of forms) {
      const { samples, classes: names } = await openLabeledImages(pathOf('split', form), classes);
      results.push([names, await model.evaluate(samples)]);
    }
    expect((results[0]![1] as { images: number }).images).toBe(12);
    for (const result of results) expect(result).toEqual(results[0]);
  } finally {
    await model.dispose();
  }
});
