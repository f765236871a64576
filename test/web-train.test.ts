/** Train in Chromium, as someone uses it: a folder, a reload in the middle, a download, and the same losses as in Node. */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { load } from 'resnext';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fineTune } from '../web/train/fine-tune.ts';
import type { Progress } from '../web/train/progress.ts';
import { type Project, trainPictures } from '../web/train/project.ts';
import { noChromium } from './chromium.ts';
import { json } from './command.ts';
import { saveSureModel } from './web-models.ts';
import { type BuiltPage, buildPage, complaints } from './web-page.ts';

if (noChromium) console.log(noChromium);

const classes = ['frog', 'horse'] as const;
const perClass = 10;
const source = fileURLToPath(new URL('../examples/images', import.meta.url));

let dir: string;
let built: BuiltPage;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-web-train-'));
  for (const name of classes) {
    const from = join(source, 'train', name);
    mkdirSync(join(dir, 'pictures', name), { recursive: true });
    for (const file of readdirSync(from).slice(0, perClass)) {
      copyFileSync(join(from, file), join(dir, 'pictures', name, file));
    }
  }
  await saveSureModel(join(dir, 'base'));
  built = await buildPage();
}, 120_000);
afterAll(() => {
  built.remove();
  rmSync(dir, { recursive: true });
});

/** A file of the training in the browser, as text. */
const storedText = (page: Page, name: string): Promise<string> =>
  page.evaluate(async (file) => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('train');
    return (await (await folder.getFileHandle(file)).getFile()).text();
  }, name);

async function download(page: Page, name: string): Promise<string> {
  const path = join(dir, name);
  const event = page.waitForEvent('download');
  await page.getByRole('button', { name: `Download ${name}` }).click();
  await (await event).saveAs(path);
  return path;
}

/** The same training in Node, with the pictures in the order in which the page has them. */
async function inNode(project: Project, epochs: number): Promise<Progress> {
  const files = new Map<string, Blob>();
  const store = {
    read: async (name: string) => files.get(name),
    write: async (name: string, contents: Uint8Array<ArrayBuffer> | Blob) => {
      files.set(name, new Blob([contents]));
    },
  };
  const nameOf = new Map(project.classes.map(({ id, name }) => [id, name]));
  const blobs = new Map(
    project.pictures.map(({ id, name, of }) => [
      id,
      new Blob([readFileSync(join(dir, 'pictures', nameOf.get(of)!, name))]),
    ]),
  );
  const choice = {
    base: new Blob([readFileSync(join(dir, 'base/model.safetensors'))]),
    classes: project.classes,
    pictures: trainPictures(project, blobs),
    ...{ epochs, providers: ['cpu'], seed: 1, goOn: false },
  };
  return fineTune(choice, store, () => {});
}

/** Chromium's camera without a camera, which needs no permission. */
const fakeCamera = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

/** Drops a folder on the page, as from a window of the system. */
async function dropFolder(page: Page, path: string): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [path], dragOperationsMask: 1 }; // a copy
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await session.send('Input.dispatchDragEvent', { type, x: 300, y: 300, data });
  }
}

describe.skipIf(noChromium)('in Chromium', () => {
  test('two classes of ten pictures: trained, reloaded in the middle, gone on with, downloaded, used in Node', async () => {
    await built.use('#train?epochs=1', async (page) => {
      await page.locator('input[webkitdirectory]').setInputFiles(join(dir, 'pictures'));
      await page.locator('.card', { hasText: '10 pictures' }).nth(1).waitFor();
      await page.locator('.settings input[type=file]').setInputFiles(join(dir, 'base/model.safetensors'));
      await page.getByText('It starts from model.safetensors.').waitFor();
      await page.getByRole('button', { name: 'Train', exact: true }).click();
      await page.getByText('Epochs of the whole network so far: 1.').waitFor({ timeout: 90_000 });

      await page.getByRole('slider', { name: 'Epochs of the whole network' }).fill('3'); // 5
      await page.getByRole('button', { name: 'Go on' }).click();
      await page.getByText(/epoch [2-4] of 5/).waitFor({ timeout: 90_000 });
      await page.waitForURL(/epochs=5/);
      await page.reload(); // while it trains
      await page.getByRole('button', { name: 'Go on' }).click();
      await page.getByRole('button', { name: 'Stop' }).click();
      await page.locator('.confusion').waitFor();
      await page.getByRole('button', { name: 'Go on' }).click();
      await page.getByText('Epochs of the whole network so far: 5.').waitFor({ timeout: 90_000 });
      const held = page.locator('.confusion td button');
      expect((await held.allTextContents()).map(Number).reduce((a, b) => a + b)).toBe(4);
      await held.first().click();
      await page.waitForURL(/cell=\d\.\d/);
      expect(await complaints(page)).toEqual([]);
      await page.emulateMedia({ colorScheme: 'dark' });
      expect(await complaints(page)).toEqual([]);

      const project = JSON.parse(await storedText(page, 'project.json')) as Project;
      const ours = JSON.parse(await storedText(page, 'progress.json')) as Progress;
      expect(ours.history.map(({ phase }) => phase).slice(-6)).toEqual(['probe', ...Array(5).fill('whole')]);

      for (const name of ['model.safetensors', 'model.onnx']) {
        const path = await download(page, name);
        const model = await load(path);
        expect([...model.description.classes].sort()).toEqual(['frog', 'horse']);
        await model.dispose();
        const picture = project.pictures.find(({ id }) => id === ours.best!.predictions[0]!.id)!;
        const { label, predicted, probability } = ours.best!.predictions[0]!;
        const file = join(dir, 'pictures', project.classes[label]!.name, picture.name);
        const [result] = await json<{ predictions: { label: string; probability: number }[] }[]>(
          ...['classify', file, '--model', path],
        );
        expect(result!.predictions[0]!.label).toBe(project.classes[predicted]!.name);
        expect(Math.abs(result!.predictions[0]!.probability - probability)).toBeLessThan(1e-4);
      }
      expect(JSON.parse(readFileSync(await download(page, 'model.json'), 'utf8')).classes).toHaveLength(2);
    });
  }, 240_000);

  test('the losses are those of Node', async () => {
    await built.use('#train?epochs=3', async (page) => {
      await page.locator('input[webkitdirectory]').setInputFiles(join(dir, 'pictures'));
      await page.locator('.card', { hasText: '10 pictures' }).nth(1).waitFor();
      await page.locator('.settings input[type=file]').setInputFiles(join(dir, 'base/model.safetensors'));
      await page.getByText('It starts from model.safetensors.').waitFor();
      await page.getByRole('button', { name: 'Train', exact: true }).click();
      await page.getByText('Epochs of the whole network so far: 3.').waitFor({ timeout: 90_000 });
      const ours = JSON.parse(await storedText(page, 'progress.json')) as Progress;
      const theirs = await inNode(JSON.parse(await storedText(page, 'project.json')) as Project, 3);
      expect(ours.history).toHaveLength(theirs.history.length);
      for (const [i, { loss, heldOut }] of ours.history.entries()) {
        expect(Math.abs(loss - theirs.history[i]!.loss)).toBeLessThan(1e-3);
        expect(Math.abs(heldOut!.loss - theirs.history[i]!.heldOut!.loss)).toBeLessThan(1e-3);
      }
    });
  }, 240_000);

  test('a dropped folder becomes classes, and the camera adds to one', async () => {
    const use = async (page: Page) => {
      await dropFolder(page, join(dir, 'pictures'));
      await page.locator('.card', { hasText: '10 pictures' }).nth(1).waitFor();
      const names = page.getByRole('textbox', { name: /^Name of class / });
      expect(await names.evaluateAll((inputs) => inputs.map((each) => (each as HTMLInputElement).value))).toEqual([
        ...classes,
      ]);
      const horse = page.locator('.card').nth(1);
      await horse.getByRole('button', { name: 'Use the camera' }).click();
      await horse.locator('video').evaluate(async (video) => {
        while ((video as HTMLVideoElement).videoWidth === 0) await new Promise((next) => setTimeout(next, 20));
      });
      await horse.getByRole('button', { name: 'Take one of horse' }).click();
      await horse.getByText('11 pictures').waitFor();
      expect(await complaints(page)).toEqual([]);
      await horse.getByRole('button', { name: 'Turn the camera off' }).click();
      await horse.locator('video').waitFor({ state: 'detached' });

      await page.reload();
      await page.locator('.card', { hasText: '11 pictures' }).waitFor();
      const taken = page.locator('.card').nth(1).locator('.thumbs img').last();
      expect(await taken.evaluate((image) => (image as HTMLImageElement).decode().then(() => true))).toBe(true);
    };
    await built.use('#train', use, { flags: fakeCamera });
  });
});
