/** The examples of pages, built by their own scripts from the package as it is published, and used in Chromium. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import type { Prediction } from 'resnext';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { noChromium, type Pages, withPage } from './chromium.ts';
import { json } from './command.ts';
import { saveSureModel } from './web-models.ts';

if (noChromium) console.log(noChromium);

const root = fileURLToPath(new URL('..', import.meta.url));
const picture = join(root, 'examples/pictures/dog.jpg');

let dir: string;
/** What the command line says about the picture. */
let expected: readonly Prediction[];
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-page-examples-'));
  await saveSureModel(join(dir, 'model'));
  install(join(dir, 'node_modules'));
  for (const name of ['browser', 'script']) {
    cpSync(join(root, 'examples', name), join(dir, name), {
      recursive: true,
      filter: (path) => !/node_modules|dist|library/.test(path.slice(root.length)),
    });
    symlinkSync(join(dir, 'node_modules'), join(dir, name, 'node_modules'));
  }
  const [result] = await json<{ predictions: Prediction[] }[]>('classify', picture, '--model', join(dir, 'model'));
  expected = result!.predictions;
}, 120_000);
afterAll(() => rmSync(dir, { recursive: true }), 60_000);

/** Installs the files that npm would publish, with a small model in place of the large one, and links other packages. */
function install(modules: string): void {
  const home = join(modules, 'resnext');
  const packing = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ files }] = JSON.parse(packing) as [{ files: readonly { readonly path: string }[] }];
  for (const { path } of files) {
    mkdirSync(join(home, dirname(path)), { recursive: true });
    cpSync(join(root, path), join(home, path));
  }
  cpSync(join(dir, 'model'), join(home, 'models/cifar10'), { recursive: true });
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (!/^\.(?!bin$)/.test(name)) symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
}

const npmRun = (project: string, script: string): string =>
  execFileSync('npm', ['run', script], { cwd: project, encoding: 'utf8' });

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.wasm': 'application/wasm',
};

/** The files of a folder, as any web server has them. */
const filesOf =
  (folder: string): Pages =>
  (path) => {
    const file = readdirSync(folder, { recursive: true }).find((name) => `/${name}` === path);
    if (file === undefined) return undefined;
    return [types[extname(path)] ?? 'application/octet-stream', readFileSync(join(folder, String(file)))];
  };

async function openWith(page: Page, file: string): Promise<void> {
  await page.goto(new URL('index.html', page.url()).href);
  await page.locator('input').setInputFiles(file);
}

const percent = ({ probability }: Prediction): string => `${(100 * probability).toFixed(1)} %`;

describe.skipIf(noChromium)('in Chromium', () => {
  test('with Vite: five classes of a picture, and an error in a sentence', async () => {
    npmRun(join(dir, 'browser'), 'build');
    await withPage(
      filesOf(join(dir, 'browser/dist')),
      async (page) => {
        await openWith(page, picture);
        await page.getByText(/^That took \d+ ms\.$/).waitFor();
        const rows = await page.getByRole('row').allInnerTexts();
        expect(rows).toEqual(expected.map((one) => `${one.label}\t${percent(one)}`));
        expect(await page.getByAltText('dog.jpg').isVisible()).toBe(true);
        await page.locator('input').setInputFiles(join(root, 'package.json'));
        await page.getByText('cannot be read').waitFor();
      },
      { isolated: true },
    );
  }, 120_000);

  test('with a script and no bundler of its own: the best class', async () => {
    npmRun(join(dir, 'script'), 'library');
    await withPage(filesOf(join(dir, 'script')), async (page) => {
      await openWith(page, picture);
      await page.getByText(`${expected[0]!.label}: ${percent(expected[0]!)}`).waitFor();
    });
  }, 120_000);
});
