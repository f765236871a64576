/** Lists of images in files: the same as the folder that they list, in the forms that programs write, and what is refused. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { tar } from '../../test/pack.ts';
import { openFolder } from '../data/folder.ts';
import { nameOf, type SampleList } from '../data/samples.ts';
import { openDataset, openLabeledImages } from './open.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-list-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function write(path: string, contents: string | Uint8Array = ''): string {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), contents);
  return join(dir, path);
}

const shown = (samples: SampleList) =>
  Array.from(samples, (sample, i) => `${relative(dir, nameOf(sample))} ${sample.label} ${samples.key(i)}`);

describe('a list of a folder', () => {
  const images = ['rose', 'tulip'].flatMap((name) => [
    ...Array.from({ length: 30 }, (_, i) => `${name}/${i}.jpg`),
    `${name}/1-b.jpg`,
    `${name}/1/a.png`,
    `${name}/e\u0301/a.png`,
  ]);
  const rows = (prefix = '') => images.map((path) => `${prefix}${path},${path.split('/')[0]}\n`);

  it('holds the same images in the same order, on the same sides, whatever the order of its rows', async () => {
    for (const path of images) write(path);
    const list = write('all.csv', `image,label\n${rows().reverse().join('')}`);
    const [folder, listed] = [await openFolder(dir, { seed: 3 }), await openDataset(list, { seed: 3 })];
    expect(listed.classes).toEqual(folder.classes);
    expect(shown(listed.train)).toEqual(shown(folder.train));
    expect(shown(listed.validation)).toEqual(shown(folder.validation));
    expect(listed.validation.length).toBeGreaterThan(5);
    expect([listed.trainDir, listed.validationDir, listed.notes]).toEqual([list, undefined, undefined]);
  });

  it('has the splits that a column tells', async () => {
    for (const path of images) for (const split of ['train', 'val']) write(`${split}/${path}`);
    const split = (name: string) => rows(`${name}/`).map((row) => row.replace('\n', `,${name}\n`));
    const list = write('all.csv', `image,label,split\n${[...split('val'), ...split('train')].join('')}`);
    const [folder, listed] = [await openFolder(dir), await openDataset(list)];
    expect(shown(listed.train)).toEqual(shown(folder.train));
    expect(shown(listed.validation)).toEqual(shown(folder.validation));
    expect([listed.trainDir, listed.validationDir]).toEqual([`${list}/train`, `${list}/val`]);
    const { dir: place, samples } = await openLabeledImages(list, ['tulip', 'x', 'rose']);
    expect([place, samples.label(0), samples.at(0)!.label, samples.length]).toEqual([
      `${list}/val`,
      2,
      2,
      images.length,
    ]);
  });

  it('names images by their whole paths if two of a class have the same name within it', async () => {
    for (const path of ['a/rose/1.jpg', 'b/rose/1.jpg', 'a/tulip/2.jpg']) write(path);
    const list = write('x.csv', 'path,label\nb/rose/1.jpg,rose\na/rose/1.jpg,rose\na/tulip/2.jpg,tulip\n');
    const { train } = await openDataset(list, { validation: 0 });
    expect(Array.from(train, (_, i) => train.key(i))).toEqual(['a/rose/1.jpg', 'b/rose/1.jpg', 'a/tulip/2.jpg']);
  });
});

/** What each form lists: the image, and the class. */
const forms: [string, string, string | Uint8Array][] = [
  ['pandas with its index', 'a.csv', ',path,label\n0,img/1.jpg,cat\n1,"img/2, 3.jpg",dog\n'],
  [
    'a spreadsheet with BOM, CRLF and semicolons',
    'a.csv',
    '\ufeffsep=;\r\nClass Name;File Name\r\ncat;img/1.jpg\r\n"dog";"img/2, 3.jpg"\r\n',
  ],
  [
    'a spreadsheet in UTF-16',
    'a.csv',
    Buffer.from('\ufeffimage\tlabel\r\nimg/1.jpg\tcat\r\nimg/2, 3.jpg\tdog\r\n', 'utf16le'),
  ],
  ['tabs, without names of columns', 'a.tsv', 'img/1.jpg\tcat\nimg/2, 3.jpg\tdog'],
  ['no names of columns', 'a.csv', 'img/1.jpg,cat\n\n"img/2, 3.jpg","dog"\n'],
  ['names that say nothing', 'a.csv', 'what,of\nimg/1.jpg,cat\n"img/2, 3.jpg",dog\n'],
  ['other columns', 'a.csv', 'id,image_path,species,note\n7,img/1.jpg,cat,"a\n""b"""\n8,"img/2, 3.jpg",dog,\n'],
  ['paths of Windows', 'a.csv', 'path,label\nimg\\1.jpg,cat\n"img\\2, 3.jpg",dog\n'],
  [
    'JSON lines',
    'a.jsonl',
    '{"file_name": "img/1.jpg", "label": "cat"}\n\n{"file_name": "img/2, 3.jpg", "label": "dog"}',
  ],
  ['names without extension and folder', 'a.csv', 'id,breed\n1,cat\n"2, 3",dog\n'],
  ['rows that repeat others', 'a.csv', 'image,class\nimg/1.jpg,cat\nimg/1.jpg,cat\n"img/2, 3.jpg",dog\n'],
];

test.each(forms)('%s', async (what, name, contents) => {
  for (const path of what.includes('without extension')
    ? ['train/1.jpg', 'train/2, 3.png']
    : ['img/1.jpg', 'img/2, 3.jpg'])
    write(path);
  const { classes, train, notes = [] } = await openDataset(write(name, contents), { validation: 0 });
  expect(classes).toEqual(['cat', 'dog']);
  expect(shown(train).map((line) => line.replace(/^(img|train)\/(.*)\.(jpg|png) (\d) .*/, '$2 $4'))).toEqual([
    '1 0',
    '2, 3 1',
  ]);
  const note = {
    'names without': /^The images are taken from ".*train", with "\.jpg" added to their names\.$/,
    'rows that': /^Left out 1 row that repeats another\.$/,
  };
  const expected = Object.entries(note).flatMap(([start, text]) =>
    what.startsWith(start) ? [expect.stringMatching(text)] : [],
  );
  expect(notes).toEqual(expected);
});

test('labels that are numbers are in their order, and numbers of the classes of a model', async () => {
  for (let i = 0; i < 11; i++) write(`${i}.jpg`);
  const list = write('a.csv', `image,label\n${[...Array(11).keys()].map((i) => `${i}.jpg,${i}\n`).join('')}`);
  const { classes, train } = await openDataset(list, { validation: 0 });
  expect(classes).toEqual([...Array(11).keys()].map(String));
  expect(train.at(10)).toEqual({ path: join(dir, '10.jpg'), label: 10 });
  const model = Array.from({ length: 20 }, (_, i) => `class ${19 - i}`);
  const { samples, notes } = await openLabeledImages(list, model);
  expect([samples.label(10), notes]).toEqual([
    10,
    [`The labels in "${list}" are taken as numbers of the model's classes, from 0 on.`],
  ]);
});

test('equal numbers are ordered by their digits, and paths from the root are others than those from the folder', async () => {
  const inner = write('a/1.jpg').slice(1);
  write(inner);
  for (const rows of [`/${inner},01\n${inner},1\n`, `${inner},1\n/${inner},01\n`]) {
    expect((await openDataset(write('a.csv', `image,label\n${rows}`), { validation: 0 })).classes).toEqual(['01', '1']);
  }
  const list = write('b.csv', `image,label\n/${inner},x\n${inner},x\na/1.jpg,y\n`);
  const { train } = await openDataset(list, { validation: 0 });
  expect(Array.from(train, (_, i) => train.key(i))).toEqual([`/${inner}`, inner, 'a/1.jpg']);
  write('a/b/1.jpg');
  write('a\\b/1.jpg');
  const mixed = write('c.csv', 'image,label\na/b/1.jpg,x\na\\b/1.jpg,x\na/1.jpg,y\n');
  await expect(openDataset(mixed)).rejects.toThrow(/names images in two ways/);
});

test('classes of the same name keep their numbers in a model that has the same', async () => {
  const path = write(
    's.tar',
    tar(Object.assign({}, ...[0, 1, 2].map((i) => ({ [`${i}.ppm`]: 'P6', [`${i}.cls`]: `${i}` })))),
  );
  write('classes.txt', 'crane\nkite\ncrane\n');
  const { samples } = await openLabeledImages(path, ['crane', 'kite', 'crane']);
  expect([0, 1, 2].map((i) => samples.label(i))).toEqual([0, 1, 2]);
});

test('columns can be chosen, and another one for labels is named', async () => {
  write('1.jpg');
  write('2.jpg');
  const list = write('a.csv', 'image,label,species\n1.jpg,a,x\n2.jpg,b,y\n');
  const { classes, notes } = await openDataset(list);
  expect([classes, notes]).toEqual([
    ['a', 'b'],
    ['The labels are those of the column "label". For those of "species", name it (--label-column).'],
  ]);
  expect(await openDataset(list, { labelColumn: 'species' })).toMatchObject({ classes: ['x', 'y'] });
});

describe('refused are', () => {
  const refused = async (contents: string, message: RegExp, options = {}, name = 'set/a.csv') => {
    write('set/1.jpg');
    write('set/2.jpg');
    await expect(openDataset(write(name, contents), options)).rejects.toThrow(message);
  };

  it('a folder that paths do not start from, with the one that they do', async () => {
    write('img/1.jpg');
    await refused(
      'path,label\nimg/1.jpg,a\nimg/2.jpg,b\n',
      /^None of the images in ".*a\.csv" were found: there is no file ".*set\/img\/1\.jpg", for example\. Paths start from the folder of the list, ".*set"\. Move the list to ".*", or change them\.$/,
    );
    const some = await openDataset(write('set/b.csv', 'path,label\n1.jpg,a\nnone.jpg,b\n'), { validation: 0 });
    expect(some.train.length).toBe(2); // reported when it is read
  });

  it.each<[string, string, RegExp, object?]>([
    [
      'columns that say nothing',
      'a,b,c\n1.jpg,x,y\n',
      /has the columns "a", "b", "c", but none with a usual name for the images, such as .*\. Name the one with the images \(imageColumn, --image-column\)\.$/,
    ],
    [
      'no column for labels',
      'image,a,b\n1.jpg,x,y\n',
      /Name the one with the labels \(labelColumn, --label-column\)\.$/,
    ],
    [
      'a column that is absent',
      'image,label\n1.jpg,x\n',
      /has no column "lable"\. Did you mean "label"\?$/,
      { labelColumn: 'lable' },
    ],
    [
      'a row without a label',
      'image,label\n1.jpg,x\n2.jpg\n',
      /a\.csv", line 3 has no label\. Add it, or remove the line\.$/,
    ],
    [
      'a quote that is not closed',
      'image,label\n1.jpg,x\n"2.jpg,y\n',
      /a\.csv", line 3: a quote is not closed\. Close it\.$/,
    ],
    ['one column', 'image\n1.jpg\n', /has only the column "image", but expected one with images and one with labels\./],
    [
      'an unknown split',
      'image,label,split\n1.jpg,x,train\n2.jpg,y,later\n',
      /line 3: the split is "later", but expected train, val or test\./,
    ],
    [
      'one class',
      'image,label\n1.jpg,x\n2.jpg,x\n',
      /has only the class "x", but a classifier needs two or more\. Add another\.$/,
    ],
    [
      'a class that is only validated',
      'image,label,split\n1.jpg,x,train\n2.jpg,y,val\n',
      /Class "y" is in ".*a\.csv\/val" but not in ".*a\.csv\/train"\./,
    ],
    [
      'nothing to train on',
      'image,label,split\n1.jpg,x,test\n2.jpg,y,test\n',
      /has no images to train on, only some to evaluate a model on\.$/,
    ],
    ['no rows', 'image,label\n', /has no rows, but expected an image and a label in each\.$/],
    ['an empty file', '', /is empty, but expected rows with an image and a label\.$/],
  ])('%s', (_, contents, message, options) => refused(contents, message, options));

  it('a list that is absent, lines that are not JSON, and a class that a model lacks', async () => {
    await refused('{"image": "1.jpg", "label": "x"}\nno', /a\.jsonl", line 2 is not JSON\.$/, {}, 'set/a.jsonl');
    await expect(openDataset(join(dir, 'set/b.jsonl'))).rejects.toThrow(
      /There is no list ".*b\.jsonl"\. Did you mean ".*a\.jsonl"\?$/,
    );
    const list = write('set/c.csv', 'image,label\n1.jpg,x\n2.jpg,y\n');
    await expect(openLabeledImages(list, ['x', 'z'])).rejects.toThrow(
      /^Class "y" in ".*c\.csv" is not one of the model's 2 classes \(x, z\)\./,
    );
    await expect(openDataset(write('set/d.bin'))).rejects.toThrow(
      /d\.bin" is not a dataset of a known format\. Expected a folder/,
    );
    await expect(openDataset(join(dir, 'set'), { labelColumn: 'x' })).rejects.toThrow(
      /is a folder and has no column "x"\./,
    );
  });
});
