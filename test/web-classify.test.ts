/** Classify in Chromium, as someone uses it: a model and pictures that are dropped, tried, and looked into. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import type { Prediction } from 'resnext';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { noChromium, softwareGpu } from './chromium.ts';
import { json } from './command.ts';
import { saveSureModel } from './web-models.ts';
import { type BuiltPage, buildPage, complaints } from './web-page.ts';

if (noChromium) console.log(noChromium);

const picture = fileURLToPath(new URL('../examples/pictures/dog.jpg', import.meta.url));

let dir: string;
let modelPath: string;
let built: BuiltPage;
/** What the command line says about the picture. */
let expected: readonly Prediction[];
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-web-classify-'));
  await saveSureModel(dir);
  modelPath = join(dir, 'model.safetensors');
  built = await buildPage();
  const [result] = await json<{ predictions: Prediction[] }[]>('classify', picture, '--model', dir);
  expected = result!.predictions;
}, 120_000);
afterAll(() => {
  built.remove();
  rmSync(dir, { recursive: true });
});

/** Drops files on the page, as from a folder of the system. */
async function drop(page: Page, paths: readonly string[]): Promise<void> {
  const files = paths.map((path) => ({ name: basename(path), base64: readFileSync(path).toString('base64') }));
  const dataTransfer = await page.evaluateHandle((given) => {
    const transfer = new DataTransfer();
    for (const { name, base64 } of given) {
      const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
      transfer.items.add(new File([bytes], name, { type: name.endsWith('.jpg') ? 'image/jpeg' : '' }));
    }
    return transfer;
  }, files);
  await page.dispatchEvent('main', 'drop', { dataTransfer });
}

/** The classes that the page shows, as exactly as it has them. */
async function shown(page: Page, timeout = 30_000): Promise<Prediction[]> {
  await page.locator('.classes').waitFor({ timeout });
  return page.locator('.classes label').evaluateAll((rows) =>
    rows.map((row) => ({
      label: row.querySelector('.name')!.textContent!,
      probability: Number(row.querySelector('data')!.value),
    })),
  );
}

function expectAlike(predictions: readonly Prediction[]): void {
  expect(expected[0]!.probability).toBeGreaterThan(0.3); // so that another picture would be noticed
  expect(predictions.map(({ label }) => label)).toEqual(expected.map(({ label }) => label));
  for (const [i, { probability }] of predictions.entries()) {
    expect(Math.abs(probability - expected[i]!.probability)).toBeLessThan(1e-4);
  }
}

const withClassify: BuiltPage['use'] = (hash, use, options) => built.use(`#classify${hash}`, use, options);

describe.skipIf(noChromium)('in Chromium', () => {
  test('a dropped model and picture: the classes of the command line, the heat, the groups', async () => {
    await withClassify('', async (page) => {
      await drop(page, [modelPath, picture]);
      expectAlike(await shown(page));
      expect(await page.locator('.model').innerText()).toMatch(
        /It runs on WebAssembly with \d+ threads?: [\d.]+ ms for this picture\./,
      );
      const heat = (label: string) => page.getByLabel(`dog.jpg, with heat where the network sees ${label}`);
      await heat(expected[0]!.label).waitFor();
      await page.locator('.classes').getByText(expected[1]!.label).click();
      await heat(expected[1]!.label).waitFor();
      expect(await page.locator('.group-maps').innerText()).toContain('stage 2 has 4 groups of 8 maps, 16 × 16 each');
      await page.locator('.result').getByLabel('1', { exact: true }).check();
      await page.getByText('stage 1 has 4 groups of 4 maps, 32 × 32 each').waitFor();
      await page.locator('.group-list input').first().press('ArrowRight');
      await page.getByText('Group 2 of 4: maps 5 to 8.').first().waitFor();
      await page.waitForURL(/stage=layer1/);
      expect(await complaints(page)).toEqual([]);
      await page.emulateMedia({ colorScheme: 'dark' });
      expect(await complaints(page)).toEqual([]);
      await page.setViewportSize({ width: 390, height: 844 });
      const [inner, content] = await page.evaluate(() => [innerWidth, document.documentElement.scrollWidth] as const);
      expect(content).toBeLessThanOrEqual(inner);
    });
  });

  test('what cannot be opened is said where it happened, and another model works', async () => {
    const broken = join(dir, 'model.onnx');
    await withClassify(
      '?picture=dog',
      async (page) => {
        await page.locator('.model .problem').waitFor();
        expect(await page.locator('.model').innerText()).toContain('cifar10');
        await drop(page, [fileURLToPath(import.meta.url)]);
        const unread = page.locator('.result .problem');
        await drop(page, [modelPath]);
        await unread.waitFor();
        expect(await unread.innerText()).toContain('web-classify.test.ts');
        await page.getByRole('button', { name: 'dog' }).first().click();
        expectAlike(await shown(page));
        await page.locator('input[accept*=onnx]').setInputFiles({
          name: basename(broken),
          mimeType: '',
          buffer: Buffer.from([8, 8, 1, 2, 3]),
        });
        await page.locator('.model .problem').waitFor();
        expect(await page.locator('.model').innerText()).toMatch(/model\.onnx did not open\./);
        expectAlike(await shown(page)); // the model before is still there
      },
      { provoked: /404/ },
    );
  });

  test('WebGPU computes the same', async () => {
    await withClassify(
      '?on=webgpu',
      async (page) => {
        await drop(page, [modelPath, picture]);
        expectAlike(await shown(page, 200_000)); // compiling shaders for a GPU of software takes a while
        expect(await page.locator('.model').innerText()).toContain('It runs on WebGPU');
      },
      { flags: softwareGpu },
    );
  }, 240_000);
});
