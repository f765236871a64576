/** The page in Chromium, as someone uses it: with sliders, the animation, and the keyboard alone. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { noChromium } from './chromium.ts';
import { type BuiltPage, buildPage, complaints } from './web-page.ts';

if (noChromium) console.log(noChromium);

let built: BuiltPage;
beforeAll(async () => {
  built = await buildPage();
}, 120_000);
afterAll(() => built.remove());

const withWeb: BuiltPage['use'] = (...given) => built.use(...given);

const title = (page: Page) => page.locator('.caption h2');

/** The numbers of a row of the table beside the animation. */
const counts = async (page: Page, name: string): Promise<string[]> =>
  (await page.locator('.counts tr', { hasText: name }).locator('td').allTextContents()).map((text) =>
    text.replace('= ', ''),
  );

/** Waits until the service worker answers the page's requests. */
const controlled = (page: Page) => page.waitForFunction(() => navigator.serviceWorker.controller);

describe.skipIf(noChromium)('in Chromium', () => {
  test('the first view is below 100 kB, and has neither a model nor a runtime', async () => {
    const asked: string[] = [];
    await withWeb('', (page) => page.waitForLoadState('networkidle'), { asked }); // with what is kept for later
    const sizes = [...new Set(asked)].map((file) => brotliCompressSync(readFileSync(join(built.folder, file))).length);
    expect(sizes.reduce((a, b) => a + b)).toBeLessThan(100_000);
    expect(asked.filter((file) => /\.(wasm|onnx|safetensors)$/.test(file))).toEqual([]);
  });

  test('the keyboard alone goes from form A to C and picks a channel', async () => {
    await withWeb('', async (page) => {
      await page.emulateMedia({ reducedMotion: 'reduce' });
      const tabTo = async (what: string) => {
        for (let i = 0; i < 30; i++) {
          await page.keyboard.press('Tab');
          if (await page.evaluate((selector) => document.activeElement?.matches(selector), what)) return;
        }
        throw new Error(`Tab does not reach ${what}`);
      };
      await tabTo('.drawing');
      await page.keyboard.press('End');
      await page.waitForURL(/pick=2\.127/);
      expect(await page.locator('#player-pick').textContent()).toMatch(
        /Channel 128 .* reads channels 125 to 128 of the 128/,
      );
      await tabTo('.player [type=radio]');
      await page.keyboard.press('ArrowRight');
      expect(await title(page).textContent()).toMatch(/^Form B/);
      await page.keyboard.press('ArrowRight');
      expect(await title(page).textContent()).toMatch(/^Form C/);
      await page.waitForURL(/time=2/);
    });
  });

  test('the animation plays to form C, and can be dragged back', async () => {
    await withWeb('#explore?time=1', async (page) => {
      expect(await title(page).textContent()).toMatch(/^Form B/);
      const player = page.locator('.player');
      await player.getByRole('group', { name: 'Speed' }).getByLabel('2×').check();
      await player.getByRole('button', { name: 'Step' }).click();
      await page.getByText('Concatenate earlier').waitFor();
      await page.waitForURL(/time=1\.5/);
      await player.getByRole('slider', { name: 'Between the forms' }).fill('0.3');
      expect(await title(page).textContent()).toBe('Slide together');
      await page.waitForURL(/time=0\.3/);
    });
  });

  test('sliders change the block; parameters and multiply-adds stay equal in all forms', async () => {
    await withWeb('', async (page) => {
      expect(await counts(page, 'convolutions')).toEqual(['96', '65', '3']);
      expect(await counts(page, 'parameters')).toEqual(['71,168', '71,168', '71,168']);
      await page.getByRole('slider', { name: 'Cardinality' }).fill('3'); // 8
      await page.getByRole('slider', { name: 'Stage' }).fill('1'); // 2
      expect(await counts(page, 'convolutions')).toEqual(['24', '17', '3']);
      const [a, b, c] = await counts(page, 'multiply-adds');
      expect([b, c]).toEqual([a, a]);
      await page.waitForURL(/network=resnext50_8x4d&stage=2/);
    });
  });

  test('two dot products are one, whatever the numbers', async () => {
    await withWeb('', async (page) => {
      const result = page.locator('.vectors .formula strong');
      expect(await result.textContent()).toBe('44');
      await page.getByLabel('b, number 4').fill('-8');
      expect(await result.textContent()).toBe('12'); // 8 · 2 became −8 · 2
      await page.getByLabel('Concatenate, then multiply').check();
      expect(await page.locator('.vectors .formula').textContent()).toContain('(−16) = 12');
      await page.waitForURL(/#explore\?ab=1\.2\.3\.4\.5\.6\.7\.-8$/);
    });
  });

  test('a grouped convolution of numbers: groups divide both sides, and a filter reads its own', async () => {
    await withWeb('', async (page) => {
      const outputs = () => page.locator('.matrix tbody td.out').allTextContents();
      expect(await outputs()).toEqual(['−8', '17', '−32', '−14']);
      await page.getByLabel('Input channel 3').fill('5');
      expect(await outputs()).toEqual(['−8', '21', '−32', '−14']);
      const choose = (legend: string, name: string) =>
        page.getByRole('group', { name: legend }).getByLabel(name, { exact: true }).check();
      await choose('Channels in', '6');
      await page.getByText('4 groups do not divide 6 and 4 channels evenly, so there are 2.').waitFor();
      expect(await page.locator('.facts').textContent()).toContain('3 of 6 channels');
      await page.getByLabel('Filter 1, channel 2').fill('9');
      await page.waitForURL(/#explore\?grouped=6\.4\.4&pixel=3\.1\.5\.1\.5\.9\.2\.6&weights=1\.2\.9$/);
      const before = await outputs();
      await page.reload();
      await page.locator('.matrix').waitFor();
      expect(await outputs()).toEqual(before);
    });
  });

  test('a grouped convolution of a picture: a map reaches the output of its own group only', async () => {
    await withWeb('', async (page) => {
      await page.getByRole('heading', { name: 'On a picture' }).scrollIntoViewIfNeeded();
      const outputs = page.locator('.result canvas[aria-label^="from"]');
      await expect.poll(() => outputs.count()).toBe(4);
      const ranges = () => outputs.evaluateAll((maps) => maps.map((map) => map.getAttribute('aria-label')));
      const before = await ranges();
      await page.getByRole('button', { name: 'spots' }).click();
      await expect.poll(async () => (await ranges())[2]).not.toBe(before[2]);
      expect((await ranges()).map((range, g) => range === before[g])).toEqual([true, true, false, true]);
    });
  });

  test('the three forms run here, and differ by rounding; a ReLU in the branches makes another network', async () => {
    const asked: string[] = [];
    const use = async (page: Page) => {
      await controlled(page);
      await page.getByRole('button', { name: 'Prove it' }).click();
      await page.locator('.proof, .problem').first().waitFor();
      return page.locator('.proof tbody tr').evaluateAll((rows) => rows.map((row) => (row as HTMLElement).innerText));
    };
    const rows = await withWeb('#explore?network=resnext20_4x64d_w2', use, { asked });
    const cells = rows.map((row) => row.split('\t'));
    const number = (text: string) =>
      Number(text.replace(/\s×\s10⁻/, 'e-').replace(/[⁰¹²³⁴-⁹]/g, (c) => `${'⁰¹²³⁴⁵⁶⁷⁸⁹'.indexOf(c)}`));
    expect(cells.map(([name]) => name)).toEqual(['form A', 'form B', 'form C', 'A with a ReLU in every branch']);
    expect(cells.map((row) => row[3])).toEqual(['320', '320', '320', '320']);
    expect(number(cells[0]![1]!)).toBeLessThan(1e-5);
    expect(number(cells[1]![1]!)).toBeLessThan(1e-5);
    expect(number(cells[3]![1]!)).toBeGreaterThan(0.1);
    expect(asked.filter((file) => file.endsWith('.wasm'))).toHaveLength(1);
  });

  test('the page opens again without a network', async () => {
    await withWeb('#explore?time=1', async (page) => {
      await controlled(page);
      await page.context().setOffline(true);
      await page.reload();
      expect(await title(page).textContent()).toMatch(/^Form B/);
    });
  });

  test.each(['light', 'dark'] as const)('axe finds nothing serious, %s', async (colorScheme) => {
    const found = await withWeb('#explore?time=2&pick=2.5', async (page) => {
      await page.emulateMedia({ colorScheme });
      for (const name of ['On a picture', 'Side by side', 'Prove it']) {
        await page.getByRole('heading', { name }).scrollIntoViewIfNeeded();
        await page.waitForTimeout(200);
      }
      await page.locator('.picture').waitFor();
      await page.locator('.side-by-side').waitFor();
      return complaints(page);
    });
    expect(found).toEqual([]);
  });

  test('a phone shows all of it without scrolling sideways', async () => {
    const [inner, content] = await withWeb('#explore?network=seresnext101_64x4d', async (page) => {
      await page.setViewportSize({ width: 390, height: 844 });
      return page.evaluate(() => [innerWidth, document.documentElement.scrollWidth] as const);
    });
    expect(content).toBeLessThanOrEqual(inner);
  });
});
