/** What is suggested where a folder one level above or below the classes is named. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openClasses, openFolder } from './folder.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-meant-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function make(...files: string[]): void {
  for (const file of files) {
    mkdirSync(dirname(join(dir, file)), { recursive: true });
    writeFileSync(join(dir, file), '');
  }
}

it('the classes are one level deeper, or two', async () => {
  make('flowers/flowers/rose/1.jpg', 'flowers/flowers/tulip/1.jpg');
  const flowers = join(dir, 'flowers');
  const only = `Folder "${flowers}" contains only the class "flowers", but a classifier needs two or more.`;
  await expect(openFolder(flowers)).rejects.toThrow(`${only} Did you mean "${flowers}/flowers"?`);
  await expect(openClasses(flowers, ['rose', 'tulip'])).rejects.toThrow(
    `Folder "${flowers}/flowers" is not one of the model's 2 classes (rose, tulip). Did you mean "${flowers}/flowers"?`,
  );
  await expect(openFolder(dir)).rejects.toThrow(`Did you mean "${flowers}/flowers"?`);
});

it('the folder contains a dataset in splits, or several', async () => {
  make('zip/flowers/train/rose/1.jpg', 'zip/flowers/train/tulip/1.jpg', 'zip/flowers/val/rose/2.jpg');
  const zip = join(dir, 'zip');
  await expect(openFolder(zip)).rejects.toThrow(`Did you mean "${zip}/flowers"?`);
  make('zip/pets/training/cat/1.jpg', 'zip/pets/training/dog/1.jpg', 'zip/pets/test/cat/2.jpg');
  await expect(openFolder(zip)).rejects.toThrow(
    `Folders "flowers" and "pets" in "${zip}" are datasets rather than classes, since each has a folder to train on; name one of them.`,
  );
});

it('the folder is a class', async () => {
  make('flowers/rose/1.jpg', 'flowers/tulip/1.jpg');
  const rose = join(dir, 'flowers/rose');
  const advice = 'Put the images of each class in a subfolder.';
  const message = `Folder "${rose}" contains no class folders. ${advice} Did you mean "${join(dir, 'flowers')}"?`;
  await expect(openFolder(rose)).rejects.toThrow(message);
  await expect(openClasses(rose, ['rose', 'tulip'])).rejects.toThrow(message);
});

it('the folder is mistyped', async () => {
  make('flowers/rose/1.jpg', 'flowers/tulip/1.jpg');
  await expect(openFolder(join(dir, 'flowres'))).rejects.toThrow(
    /does not exist, but expected .* Did you mean ".*\/flowers"\?$/,
  );
});

it('nothing near is meant', async () => {
  make('flowers/flowers/rose/1.jpg', 'flowers/flowers/tulip/1.jpg', 'one/rose/1.jpg', 'empty/readme.md');
  await expect(openFolder(join(dir, 'one'))).rejects.toThrow(/a classifier needs two or more\. Add another\.$/);
  await expect(openClasses(join(dir, 'flowers'), ['cat', 'dog'])).rejects.toThrow(/Rename or remove it\.$/);
  await expect(openFolder(join(dir, 'empty'))).rejects.toThrow(/Put the images of each class in a subfolder\.$/);
});
