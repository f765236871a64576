/**
 * A model that the demo trains, in Chromium: the bundled package classifies the demo's images with it, and trains it
 * further, as in Node.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exportOnnx, loadModel, train } from 'resnext';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadPackage, noChromium, packagePages, withPage } from './chromium.ts';
import { type DemoFiles, type DemoResult, demo } from './promises/demo.ts';
import { everything, type Package } from './promises/everything.ts';
import { distance } from './promises/promises.ts';

if (noChromium) console.log(noChromium);

const examples = fileURLToPath(new URL('../examples/images', import.meta.url));
const unseen = readdirSync(join(examples, 'unseen')).filter((name) => name.endsWith('.jpg'));
const labels = unseen.map((name) => name.replace(/-\d+\.jpg$/, ''));

let folder: string;
let files: ReadonlyMap<string, Uint8Array>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'resnext-browser-demo-'));
  const network = { variant: 'resnext11_8x16d_w16', epochs: 2, batch: 32, learningRate: 0.1 };
  await train({ data: examples, out: join(folder, 'run'), ...network });
  await exportOnnx(join(folder, 'model.onnx'), await loadModel(join(folder, 'run')), { normalize: true });
  files = new Map([
    ...unseen.map((name) => [`/${name}`, readFileSync(join(examples, 'unseen', name))] as const),
    ['/model.safetensors', readFileSync(join(folder, 'run/model.safetensors'))],
    ['/model.onnx', readFileSync(join(folder, 'model.onnx'))],
  ]);
}, 180_000);
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs in the page, so it uses nothing from outside. */
async function inPage([model, names, labels]: [string, string[], string[]]): Promise<DemoResult> {
  const page = globalThis as unknown as {
    resnext: Package;
    demo: (resnext: Package, files: DemoFiles) => Promise<DemoResult>;
  };
  const bytes = async (url: string) => new Uint8Array(await (await fetch(url)).arrayBuffer());
  const images = await Promise.all(names.map((name) => bytes(`/${name}`)));
  return page.demo(page.resnext, { model: await bytes(model), images, labels });
}

describe.skipIf(noChromium)('in Chromium', () => {
  test.each(['/model.safetensors', '/model.onnx'])(
    '%s',
    async (model) => {
      const images = unseen.map((name) => files.get(`/${name}`)!);
      const expected = await demo(everything, { model: files.get(model)!, images, labels });
      const scripts = await packagePages();
      const pages = (path: string) => {
        const bytes = files.get(path);
        return bytes ? (['application/octet-stream', bytes] as const) : scripts(path);
      };
      const actual = await withPage(
        pages,
        async (page) => {
          await loadPackage(page);
          return page.evaluate(inPage, [model, unseen, labels] as [string, string[], string[]]);
        },
        { isolated: true },
      );
      for (const [n, predictions] of expected.predictions.entries()) {
        expect(actual.predictions[n]!.map(({ label }) => label)).toEqual(predictions.map(({ label }) => label));
      }
      const probabilities = ({ predictions }: DemoResult) => predictions.flat().map(({ probability }) => probability);
      expect(distance(probabilities(expected), probabilities(actual))).toBeLessThan(1e-5);
      expect(distance(expected.losses, actual.losses)).toBeLessThan(1e-4);
      expect(distance(expected.learned, actual.learned)).toBeLessThan(1e-2);
      expect(actual.losses.at(-1)).toBeLessThan(0.7 * actual.losses[0]!);
    },
    180_000,
  );
});
