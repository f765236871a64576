/** Folders of (empty) image files: what is found, in what order, and every refusal. */

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsageError } from '../errors.ts';
import { listImages, openClasses, openFolder } from './folder.ts';
import { countsByLabel, nameOf, type SampleList } from './samples.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-folder-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** Writes empty files; a path that ends in a slash is a folder. */
function make(...paths: string[]): void {
  for (const path of paths) {
    mkdirSync(path.endsWith('/') ? join(dir, path) : dirname(join(dir, path)), { recursive: true });
    if (!path.endsWith('/')) writeFileSync(join(dir, path), '');
  }
}

const shown = (samples: SampleList): string[] =>
  Array.from(samples, (sample) => `${relative(dir, nameOf(sample)).replaceAll('\\', '/')} ${sample.label}`);

const many = (folder: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${folder}/${String(i).padStart(3, '0')}.png`);

describe('openFolder', () => {
  it('takes train and val as they are', async () => {
    make(
      'train/dog/1.jpg',
      'train/cat/2.PNG',
      'train/cat/1.webp',
      'train/cow/1.gif',
      'val/dog/9.jpeg',
      'test/cat/8.jpg',
    );
    const { classes, train, validation } = await openFolder(dir);
    expect(classes).toEqual(['cat', 'cow', 'dog']);
    expect(shown(train)).toEqual(['train/cat/1.webp 0', 'train/cat/2.PNG 0', 'train/cow/1.gif 1', 'train/dog/1.jpg 2']);
    expect(shown(validation)).toEqual(['val/dog/9.jpeg 2']);
  });

  it.each(['val', 'validation', 'valid', 'dev', 'Val', 'VALIDATION'])(
    'knows "%s" as the folder for validation',
    async (name) => {
      make('train/a/1.jpg', 'train/b/1.jpg', `${name}/b/2.jpg`);
      expect(shown((await openFolder(dir)).validation)).toEqual([`${name}/b/2.jpg 1`]);
    },
  );

  it('splits every class where nothing is given', async () => {
    make(...many('a', 50), ...many('b', 10), ...many('c', 2), 'd/only.png');
    const { train, validation } = await openFolder(dir, { validation: 0.1, seed: 24 });
    const perClass = (samples: SampleList) => countsByLabel(samples, 4);
    expect(perClass(validation)).toEqual([5, 1, 1, 0]);
    expect(perClass(train)).toEqual([45, 9, 1, 1]);
    expect(new Set([...train, ...validation].map(nameOf)).size).toBe(63);
  });

  it('splits by the seed and by nothing else', async () => {
    make(...many('train/a', 40), ...many('train/b', 40));
    const split = async (seed: number) => shown((await openFolder(dir, { seed })).validation);
    expect(await split(1)).toEqual(await split(1));
    expect(await split(1)).not.toEqual(await split(2));
    expect(await split(1)).toHaveLength(18);
    expect(await split(1)).toEqual([...(await split(1))].sort());
    expect((await openFolder(dir, { validation: 0 })).validation).toHaveLength(0);
  });

  it('takes a class named train for a class', async () => {
    make('train/1.jpg', 'bus/1.jpg', 'val/1.jpg');
    expect((await openFolder(dir)).classes).toEqual(['bus', 'train', 'val']);
  });

  it('orders by code unit, skips hidden names and other files, and walks sub-folders', async () => {
    make(
      'b/2.jpg',
      'b/10.jpg',
      'b/sub/x.jpg',
      'b/.hidden.jpg',
      'b/notes.txt',
      'B/1.avif',
      'B/1.psd',
      '.git/x.jpg',
      'ä/1.tif',
    );
    const { classes, train } = await openFolder(dir, { validation: 0 });
    expect(classes).toEqual(['B', 'b', 'ä']);
    expect(shown(train)).toEqual(['B/1.avif 0', 'b/10.jpg 1', 'b/2.jpg 1', 'b/sub/x.jpg 1', 'ä/1.tif 2']);
  });

  it('follows links, but not in circles', async () => {
    make('elsewhere/images/1.jpg', 'data/a/1.jpg', 'data/b/');
    symlinkSync(join(dir, 'elsewhere/images'), join(dir, 'data/b/linked'));
    symlinkSync(join(dir, 'data/b'), join(dir, 'data/b/circle'));
    symlinkSync(join(dir, 'nowhere'), join(dir, 'data/b/dangling.jpg'));
    const { train } = await openFolder(join(dir, 'data'), { validation: 0 });
    expect(shown(train)).toEqual(['data/a/1.jpg 0', 'data/b/linked/1.jpg 1']);
  });
});

const refuses = async (message: RegExp, found: Promise<unknown> = openFolder(dir)) => {
  const error = await found.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(UsageError);
  expect(String(error)).toMatch(message);
};

describe('splits', () => {
  it.each(['train', 'Training', 'TR'])('knows "%s" as the folder to train on', async (name) => {
    make(`${name}/a/1.jpg`, `${name}/b/1.jpg`, 'Valid/b/2.jpg', 'Test/a/3.jpg');
    const { classes, train, validation, notes } = await openFolder(dir);
    expect(classes).toEqual(['a', 'b']);
    expect(shown(train)).toEqual([`${name}/a/1.jpg 0`, `${name}/b/1.jpg 1`]);
    expect(shown(validation)).toEqual(['Valid/b/2.jpg 1']);
    expect(notes).toBeUndefined();
  });

  it.each(['test', 'Testing', 'eval'])('does not validate on "%s", but evaluates on it', async (name) => {
    make(...many('Training/a', 10), ...many('Training/b', 10), `${name}/a/1.jpg`, `${name}/b/2.jpg`);
    const { train, validation, notes } = await openFolder(dir, { seed: 1 });
    expect([train.length, validation.length]).toEqual([16, 4]);
    expect(shown(validation).every((path) => path.startsWith('Training/'))).toBe(true);
    expect(notes).toEqual([
      `"${name}" is left for a final evaluation; 4 images of "Training" are held out for validation.`,
    ]);
    expect((await openFolder(dir, { validation: 0 })).notes).toEqual([
      `"${name}" is left for a final evaluation; no images are held out for validation.`,
    ]);
    expect(shown((await openClasses(dir, ['a', 'b'])).samples)).toEqual([`${name}/a/1.jpg 0`, `${name}/b/2.jpg 1`]);
  });

  it('names folders beside them that are not used', async () => {
    make('train/a/1.jpg', 'train/b/1.jpg', 'val/a/1.jpg', 'test/a/1.jpg', 'pred/1.jpg', 'valid/a/1.jpg');
    expect((await openFolder(dir)).notes).toEqual(['Folders next to "train" that are not used: "pred" and "valid".']);
  });

  it('refuses two to train on', () => {
    make('train/a/1.jpg', 'Training/b/1.jpg');
    return refuses(
      /contains both "train" and "Training", but expected one folder to train on\. Merge or rename them\./,
    );
  });

  it('are not taken for classes if they contain images directly, or there is none to train on', async () => {
    make('train/cat1.jpg', 'Test/1.jpg');
    await refuses(/contains "Test" and "train", which are splits of a dataset and not classes; expected .*cat"\./);
    make('other/val/a/1.jpg', 'other/test/a/1.jpg');
    await refuses(/contains "test" and "val", which are splits/, openFolder(join(dir, 'other')));
  });

  it.each([
    ['seg_train', 'seg_test'],
    ['training_set', 'test_set'],
    ['Trainset', 'Testset'],
  ])('are recognized in the names %s and %s', (train, test) => {
    make(`${train}/a/1.jpg`, `${train}/b/1.jpg`, `${test}/a/1.jpg`, 'pred/sub/1.jpg');
    return refuses(
      new RegExp(`Folders "${train}" and "${test}" in ".*" look like parts of a dataset, not classes; name`),
    );
  });

  it.each([
    ['fold1', 'fold2'],
    ['Part A', 'Part B'],
  ])('are recognized by subfolders of the same names in %s and %s', (one, two) => {
    make(`${one}/cat/1.jpg`, `${one}/dog/1.jpg`, `${two}/Cat/1.jpg`, `${two}/Dog/1.jpg`);
    return refuses(
      /Folders ".*1|A" and ".*2|B" in ".*" each contain "cat" and "dog" and so look like parts of a dataset, not classes; name one of them, rename them to train, val or test, or if they are the classes, give their subfolders different names\./,
    );
  });

  it('of any name are recognized if they share more names than they are', () => {
    make(...['north', 'south'].flatMap((side) => ['a', 'b', 'c'].map((name) => `${side}/${name}/1.jpg`)));
    return refuses(/"north" and "south" in ".*" each contain "a", "b" and "c" and so look like parts/);
  });

  it('below each class are refused', () => {
    make('cat/train/1.jpg', 'cat/test/2.jpg', 'dog/train/1.jpg', 'dog/test/2.jpg');
    return refuses(
      /Each class in ".*" is split into "test" and "train"; expected the splits above the classes, such as/,
    );
  });

  it('explain a folder that is not a class of the model', async () => {
    make('fold1/a/1.jpg', 'fold1/b/1.jpg', 'fold2/a/1.jpg', 'fold2/b/1.jpg');
    await refuses(/look like parts of a dataset/, openClasses(dir, ['a', 'b']));
    await refuses(/look like parts of a dataset/, openClasses(dir));
    expect((await openClasses(dir, ['fold1', 'fold2'])).samples).toHaveLength(4);
  });
});

describe('classes with subfolders', () => {
  it.each([
    [['cat/indoor', 'dog/indoor']],
    [['cat/indoor', 'cat/outdoor', 'dog/indoor']],
    [['cat/in', 'cat/out', 'dog/in', 'dog/out', 'cow/in', 'cow/out']],
    [['cat', 'cat/indoor', 'cat/outdoor', 'cat/garden', 'dog/indoor', 'dog/outdoor', 'dog/garden']],
    [['solar_train/old', 'crash_test/new']],
  ])('are trained on: %j', async (folders) => {
    make(...folders.map((folder) => `${folder}/1.jpg`));
    const { classes, train, notes } = await openFolder(dir, { validation: 0 });
    expect(classes).toEqual([...new Set(folders.map((folder) => folder.split('/')[0]!))].sort());
    expect(train).toHaveLength(folders.length);
    expect(notes).toBeUndefined();
  });

  it('are named if they could be parts as well', async () => {
    make('cat/indoor/1.jpg', 'cat/outdoor/1.jpg', 'dog/indoor/1.jpg', 'dog/outdoor/1.jpg');
    const { classes, notes } = await openFolder(dir);
    expect(classes).toEqual(['cat', 'dog']);
    expect(notes).toEqual(['"cat" and "dog" are used as classes, although each contains "indoor" and "outdoor".']);
  });
});

describe('refusals name the folder or the class', () => {
  it('a folder that does not exist', () =>
    refuses(
      /Folder ".*nowhere" does not exist, but expected a folder with one subfolder per class\./,
      openFolder(join(dir, 'nowhere')),
    ));

  it('a file', () => {
    make('file');
    return refuses(/Folder ".*file" is a file, but expected/, openFolder(join(dir, 'file')));
  });

  it('a folder without classes', async () => {
    await refuses(/Folder ".*" contains no class folders\. Put the images of each class in a subfolder\./);
    make('train/', 'val/a/1.jpg');
    await refuses(/Folder ".*train" contains no class folders/);
  });

  it('only one class', () => {
    make('cat/1.jpg');
    return refuses(/contains only the class "cat", but a classifier needs two or more\./);
  });

  it('an empty class', () => {
    make('cat/1.jpg', 'dog/readme.txt');
    return refuses(/Class folder ".*dog" contains no images \(\.jpg .*\.pbm\)\. Add some, or remove it\./);
  });

  it('a class for validation that training lacks', () => {
    make('train/a/1.jpg', 'train/b/1.jpg', 'val/c/1.jpg');
    return refuses(
      /Class "c" is in ".*val" but not in ".*train"\. Add it to the latter, or remove it from the former\./,
    );
  });

  it('a fraction that is none', () =>
    refuses(/validation is 1, but expected a number of at least 0 and below 1/, openFolder(dir, { validation: 1 })));

  it('a class that the model lacks', () => {
    make('a/1.jpg', 'z/1.jpg');
    return refuses(
      /Folder ".*z" is not one of the model's 6 classes \(a, b, c, d, e, …\)\. Rename or remove it\./,
      openClasses(dir, ['a', 'b', 'c', 'd', 'e', 'f']),
    );
  });
});

describe('openClasses', () => {
  it("labels by the model's classes, of which some may be absent", async () => {
    make('cat/1.jpg', 'dog/1.jpg');
    expect(shown((await openClasses(dir, ['dog', 'cow', 'cat'])).samples)).toEqual(['cat/1.jpg 2', 'dog/1.jpg 0']);
  });

  it('goes by the folders without a model, even for one class', async () => {
    make('cat/1.jpg');
    expect((await openClasses(dir)).classes).toEqual(['cat']);
  });

  it('takes the validation half of a data set that has one', async () => {
    make('train/a/1.jpg', 'train/b/1.jpg', 'val/b/1.jpg');
    const found = await openClasses(dir, ['a', 'b']);
    expect([shown(found.samples), found.dir]).toEqual([['val/b/1.jpg 1'], join(dir, 'val')]);
  });
});

describe('folders named by WordNet IDs', () => {
  it('get advice on their names, unless the model has the same', async () => {
    make('n01440764/1.jpg', 'n01443537/1.jpg');
    await expect(openClasses(dir, ['tench', 'goldfish'])).rejects.toThrow(
      /n01440764" is not one of the model's 2 classes \(tench, goldfish\)\. The folders are named by WordNet IDs\. Rename each to the model's name for its class, such as "tench"\.$/,
    );
    await expect(openClasses(dir, ['n01440764'])).rejects.toThrow(/n01443537" is not one .*\. Rename or remove it\.$/);
    expect(shown((await openClasses(dir, ['n01443537', 'n01440764'])).samples)).toEqual([
      'n01440764/1.jpg 1',
      'n01443537/1.jpg 0',
    ]);
  });
});

describe('listImages', () => {
  it('finds all below a folder, in order', async () => {
    make('b/2.png', 'b/1.jpg', 'a.webp', 'c/d/e.JPG', '.hidden/1.png', 'note.txt');
    const found = (await listImages(dir)).paths.map((path) => relative(dir, path).replaceAll('\\', '/'));
    expect(found).toEqual(['a.webp', 'b/1.jpg', 'b/2.png', 'c/d/e.JPG']);
  });

  it('refuses a folder without images, or none', async () => {
    make('a/note.txt');
    await expect(listImages(dir)).rejects.toThrow(/^Folder ".*" contains no images \(\.jpg /);
    await expect(listImages(join(dir, 'b'))).rejects.toThrow(/b" does not exist/);
  });
});
