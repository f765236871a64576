/** Convert in Chromium, as someone uses it: a file of another program, what was found and refused, a download. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initialWeights, resnext, setWeights } from 'resnext';
import { compareGraphs, readOnnx, readOnnxFile, writeOnnxFile } from 'resnext/graph';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { noChromium } from './chromium.ts';
import { type BuiltPage, buildPage, complaints } from './web-page.ts';

if (noChromium) console.log(noChromium);

let dir: string;
let built: BuiltPage;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-web-convert-'));
  const config = { depths: [1, 1], cardinality: 4, baseWidth: 16, width: 16, classes: 3, inputSize: 32 } as const;
  const model = resnext({ ...config, stem: 'cifar', form: 'A' });
  setWeights(model, initialWeights(model, 1));
  await writeOnnxFile(join(dir, 'somebody.onnx'), model.graph);
  built = await buildPage();
}, 120_000);
afterAll(() => {
  built.remove();
  rmSync(dir, { recursive: true });
});

describe.skipIf(noChromium)('in Chromium', () => {
  test('a network in form A becomes one in form C that computes the same', async () => {
    await built.use('#convert', async (page) => {
      const choose = page.locator('input[accept=".onnx"]');
      await choose.setInputFiles({ name: 'broken.onnx', mimeType: '', buffer: Buffer.from('not a graph') });
      await page.locator('.problem').waitFor();
      expect(await page.locator('.problem').innerText()).toContain('broken.onnx');
      const path = join(dir, 'somebody.onnx');
      await choose.setInputFiles(path);
      await page.locator('.summary').waitFor();
      await page.getByText(/2 × branches to groups/).waitFor();
      expect(await page.locator('.summary').innerText()).toMatch(/the outputs differ by [\d.]+/);
      expect(await page.locator('.drawings img').first().getAttribute('alt')).toMatch(/^Block layer1\.0 before\. /);
      await page.getByLabel('Block').selectOption('layer2.0');
      await page.waitForURL(/block=layer2\.0/);
      await page.locator('.drawings img[alt^="Block layer2.0 after"]').waitFor();
      expect(await complaints(page)).toEqual([]);
      await page.emulateMedia({ colorScheme: 'dark' });
      expect(await complaints(page)).toEqual([]);
      await page.setViewportSize({ width: 390, height: 844 });
      const [inner, content] = await page.evaluate(() => [innerWidth, document.documentElement.scrollWidth] as const);
      expect(content).toBeLessThanOrEqual(inner);

      const event = page.waitForEvent('download');
      await page.getByRole('button', { name: 'Download somebody-optimized.onnx' }).click();
      const saved = join(dir, 'saved.onnx');
      await (await event).saveAs(saved);
      const after = readOnnx(readFileSync(saved));
      const groups = [...after.nodes].flatMap(({ attributes }) => {
        const group = attributes.get('group');
        return group?.kind === 'int' && group.value > 1 ? [group.value] : [];
      });
      expect(groups).toEqual([4, 4]);
      expect((await compareGraphs(await readOnnxFile(path), after, { runs: 0 })).difference).toBeLessThan(1e-5);
    });
  }, 120_000);
});
