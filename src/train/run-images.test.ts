/** The images of a resumed run, on folders of empty files: which are on which side, what is reported, what is refused. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { permutation } from '../data/random.ts';
import { nameOf, type SampleList } from '../data/samples.ts';
import { resolveTrainOptions } from './check-options.ts';
import type { Checkpoint } from './checkpoint.ts';
import { noProgress, type Progress } from './progress.ts';
import { openImages, type RunImages, reopenImages } from './run-images.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-run-images-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** Writes empty files. */
function make(folder: string, count: number, start = 0): void {
  mkdirSync(join(dir, folder), { recursive: true });
  for (let i = start; i < start + count; i++) writeFileSync(join(dir, folder, `${i}.png`), '');
}

const remove = (...paths: string[]) => {
  for (const path of paths) rmSync(join(dir, path), { recursive: true });
};

const optionsOf = (given: object = {}) => resolveTrainOptions({ data: dir, out: 'runs/x', batch: 4, ...given });

/** A checkpoint of a run in its second epoch, as far as images are concerned. */
const checkpointOf = (
  images: string | undefined,
  progress: Partial<Progress> = {},
  classes = ['a', 'b'],
): Checkpoint => ({
  options: optionsOf(),
  classes,
  progress: { ...noProgress, epoch: 1, step: 2, steps: 6, ...progress },
  ...(images !== undefined && { images }),
  weights: new Map(),
  slots: new Map(),
  average: new Map(),
});

const reopen = ({ digest, split }: RunImages, given: object = {}) =>
  reopenImages(optionsOf(given), checkpointOf(digest), split);

const shown = (samples: SampleList) =>
  [...samples]
    .map(nameOf)
    .map((path) => `${basename(dirname(path))}/${basename(path)}`)
    .sort();

describe('a fold', () => {
  it('is of the training images where there is a folder for validation, and stays when the run is resumed', async () => {
    make('train/a', 10);
    make('train/b', 7);
    make('val/a', 2);
    const folds = await Promise.all([1, 2, 3].map((k) => openImages(optionsOf({ fold: `${k}/3` }))));
    const held = folds.flatMap(({ folder }) => shown(folder.validation));
    const { folder: first } = folds[0]!;
    expect(held.toSorted()).toEqual([...shown(first.train), ...shown(first.validation)].sort());
    expect(folds.map(({ folder }) => folder.validation.length)).toEqual([6, 6, 5]);
    expect(folds[1]!.notes).toEqual([
      '"val" is left for a final evaluation; 6 images of "train" are held out for validation.',
    ]);
    make('train/a', 1, 10);
    const { folder, notes } = await reopen(folds[1]!, { fold: '2/3' });
    expect(shown(folder.validation)).toEqual(shown(folds[1]!.folder.validation));
    expect(notes).toEqual(['Since the run was saved, 1 image was added (a/10.png). Epoch 2 starts over.']);
  });

  it('is refused where a class has fewer images than folds, or named wrongly, or beside a share', async () => {
    make('a', 4);
    make('b', 3);
    await expect(openImages(optionsOf({ fold: '1/4' }))).rejects.toThrow(
      /^Class "b" of .* has 3 images, so some of the 4 folds would have none of them to validate on\. Choose at most 3 folds\.$/,
    );
    expect((await openImages(optionsOf({ fold: '3/3' }))).folder.validation).toHaveLength(2);
    for (const fold of ['0/5', '6/5', '1/1', '2', '2/5/1', 'a/b']) {
      expect(() => optionsOf({ fold }), fold).toThrow(
        `fold is "${fold}", but expected K/N with K from 1 to N and N at least 2, such as 2/5.`,
      );
    }
    expect(() => optionsOf({ fold: '1/2', validation: 0.1 })).toThrow('validation has no effect with fold');
  });
});

describe('a resumed run', () => {
  it('finds each image on its side, in a copy of the folder too', async () => {
    make('a', 30);
    make('b', 30);
    const before = await openImages(optionsOf());
    const again = await reopen(before);
    expect(again.folder).toEqual(before.folder);
    expect(again).toMatchObject({ restartsEpoch: false, notes: [], digest: before.digest });
    mkdirSync(join(dir, 'copy'));
    for (const name of ['a', 'b']) renameSync(join(dir, name), join(dir, 'copy', name));
    const moved = await reopen(before, { data: join(dir, 'copy') });
    expect(shown(moved.folder.validation)).toEqual(shown(before.folder.validation));
    expect(moved).toMatchObject({ restartsEpoch: false, notes: [] });
  });

  it('keeps the sides of the others where a training image is gone, says so and starts the epoch over', async () => {
    make('a', 30);
    make('b', 30);
    const before = await openImages(optionsOf());
    const [gone, ...rest] = shown(before.folder.train);
    remove(gone!);
    const { folder, restartsEpoch, notes } = await reopen(before);
    expect(shown(folder.train)).toEqual(rest);
    expect(folder.validation).toEqual(before.folder.validation);
    expect(restartsEpoch).toBe(true);
    expect(notes).toEqual([`Since the run was saved, 1 image was removed (${gone}). Epoch 2 starts over.`]);
  });

  it('goes on within the epoch where only validation images are gone', async () => {
    make('a', 30);
    make('b', 30);
    const before = await openImages(optionsOf());
    remove(...shown(before.folder.validation).slice(0, 4));
    const { folder, restartsEpoch, notes } = await reopen(before);
    expect(folder.train).toEqual(before.folder.train);
    expect(restartsEpoch).toBe(false);
    expect(notes[0]).toMatch(
      /^Since the run was saved, 4 images were removed \(a\/.*, a\/.*, a\/.*, …\)\. The best top-1 until now was measured on the earlier validation images\.$/,
    );
  });

  it('never validates on images that came later, which may be known ones with new names', async () => {
    make('a', 30);
    make('b', 30);
    const before = await openImages(optionsOf());
    for (const path of shown(before.folder.train))
      renameSync(join(dir, path), join(dir, path.replace('.png', '-2.png')));
    const { folder, notes } = await reopen(before);
    expect(folder.validation).toEqual(before.folder.validation);
    expect(folder.train).toHaveLength(before.folder.train.length);
    const count = folder.train.length;
    expect(notes[0]).toMatch(new RegExp(`${count} images were removed .* and ${count} images were added `));
  });

  it('refuses a folder for validation that was not there, and one that is gone', async () => {
    make('train/a', 10);
    make('train/b', 10);
    const before = await openImages(optionsOf());
    make('val/a', 1, 50);
    await expect(reopen(before)).rejects.toThrow(
      /^The run in "runs\/x" validates on images held out of ".*train", but now there is ".*val"\. Rename or remove that folder, or start a new run\.$/,
    );
    const given = await openImages(optionsOf());
    remove('val');
    await expect(reopen(given)).rejects.toThrow(/validates on the folder "val", but ".*" has none now\. Put it back/);
  });

  it('refuses to validate on an image that it was trained on', async () => {
    for (const name of ['a', 'b']) make(`train/${name}`, 10);
    make('val/a', 2); // the same names in both are other images
    const before = await openImages(optionsOf());
    expect((await reopen(before)).notes).toEqual([]);
    renameSync(join(dir, 'train/a/7.png'), join(dir, 'val/a/7.png'));
    await expect(reopen(before)).rejects.toThrow(
      /^The run in "runs\/x" was trained on 1 image that ".*" has for validation now: a\/7\.png\. Move them back/,
    );
  });

  it('refuses other classes, and other images altogether', async () => {
    for (const name of ['one/a', 'one/b', 'two/a', 'two/c']) make(name, 5, name.startsWith('one') ? 0 : 9);
    make('three/a', 5, 50);
    make('three/b', 5, 50);
    const before = await openImages(optionsOf({ data: join(dir, 'one') }));
    await expect(reopen(before, { data: join(dir, 'two') })).rejects.toThrow(
      /trained on the classes a, b, but .* a, c/,
    );
    await expect(reopen(before, { data: join(dir, 'three') })).rejects.toThrow(/has none of the images of the run/);
  });
});

describe('a resumed run on a list', () => {
  const list = (rows: readonly string[]) => writeFileSync(join(dir, 'a.csv'), `path,label,split\n${rows.join('')}`);
  const rows = (split: string) =>
    ['a', 'b'].flatMap((name) => [...Array(20).keys()].map((i) => `${name}/${i}.png,${name},${split}\n`));
  const data = () => join(dir, 'a.csv');

  it('finds each image on its side, and names those that are gone', async () => {
    for (const name of ['a', 'b']) make(name, 20);
    list(rows('train'));
    const before = await openImages(optionsOf({ data: data() }));
    list(rows('train').reverse());
    const again = await reopen(before, { data: data() });
    expect(again.folder.validation.length).toBeGreaterThan(0);
    expect(again.folder).toEqual(before.folder);
    expect(again).toMatchObject({ restartsEpoch: false, notes: [], digest: before.digest });
    const gone = before.folder.train.key(0);
    list(rows('train').filter((row) => !row.startsWith(`a/${gone},`)));
    const { folder, notes } = await reopen(before, { data: data() });
    expect(shown(folder.validation)).toEqual(shown(before.folder.validation));
    expect(notes).toEqual([`Since the run was saved, 1 image was removed (a/${gone}). Epoch 2 starts over.`]);
  });

  it('is refused if images for validation were added or trained on', async () => {
    for (const name of ['a', 'b']) make(name, 20);
    list(rows('train'));
    const held = await openImages(optionsOf({ data: data() }));
    list([...rows('train').slice(1), ...rows('val').slice(0, 1)]);
    await expect(reopen(held, { data: data() })).rejects.toThrow(
      /validates on images that are held out, but ".*a\.csv" now has "val"\. Change it back, or start a new run\.$/,
    );
    list([...rows('train').slice(1), ...rows('val').slice(0, 1)]);
    const split = await openImages(optionsOf({ data: data() }));
    list([...rows('train').slice(2), ...rows('val').slice(0, 2)]);
    await expect(reopen(split, { data: data() })).rejects.toThrow(
      /was trained on 1 image that ".*a\.csv" has for validation now: a\/1\.png\./,
    );
  });
});

/** Their checkpoints tell neither the split nor the images. */
describe('a run of an earlier version', () => {
  const former = (progress: Partial<Progress>) =>
    reopenImages(optionsOf(), checkpointOf(undefined, progress), undefined);

  it('keeps its split, a shuffle of each class as a whole', async () => {
    make('a', 20);
    make('b', 20);
    const names = [...Array(20).keys()].map((i) => `${i}.png`).sort();
    const held = ['a', 'b'].flatMap((name, label) =>
      [...permutation(20, 1, label).subarray(0, 4)].map((i) => `${name}/${names[i]}`),
    );
    const images = await former({ epoch: 1, step: 2, steps: 10 });
    expect(shown(images.folder.validation)).toEqual(held.sort());
    expect(images).toMatchObject({ restartsEpoch: false, notes: [] });
    const again = await reopen(images);
    expect(again.folder).toEqual(images.folder);
  });

  it('still validates on "test" if it did, and then for good', async () => {
    for (const name of ['a', 'b']) {
      make(`train/${name}`, 20);
      make(`test/${name}`, 5);
    }
    const images = await former({ epoch: 2, step: 3, steps: 23, best: 70 });
    expect([images.folder.train.length, images.folder.validation.length]).toEqual([40, 10]);
    expect(images.notes).toEqual(['This run goes on validating on "test", as the version that started it did.']);
    expect((await reopen(images)).folder.validation).toEqual(images.folder.validation);
    const later = await former({ epoch: 2, step: 3, steps: 19, best: 62.5 });
    expect([later.folder.train.length, later.folder.validation.length]).toEqual([32, 8]);
  });

  it('leaves out images of formats that it could not read', async () => {
    make('a', 20);
    make('b', 20);
    const before = await former({ steps: 10 });
    for (const name of ['x.jfif', 'y.bmp']) writeFileSync(join(dir, 'a', name), '');
    const { folder } = await former({ steps: 10 });
    expect(folder).toMatchObject({ train: before.folder.train, validation: before.folder.validation });
  });

  it('starts its epoch over if that has become shorter than what is done of it', async () => {
    make('a', 10);
    make('b', 10);
    const { restartsEpoch, notes } = await former({ step: 6 });
    expect(restartsEpoch).toBe(true);
    expect(notes).toEqual(['The training images have changed since the run was saved. Epoch 2 starts over.']);
  });
});
