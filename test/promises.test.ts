/**
 * The package keeps the same promises in Node and in Chromium, on WebAssembly with one thread and with several, and on
 * WebGPU. SwiftShader, a graphics card in software, stands in for a real one: it is right and slow.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { interpret } from 'resnext/graph';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadPackage, noChromium, type PageOptions, packagePages, softwareGpu, withPage } from './chromium.ts';
import { everything, type Package } from './promises/everything.ts';
import { distance, images, network, type Pledge, type Pledged, pledges, type Settings } from './promises/promises.ts';

if (noChromium) console.log(noChromium);

const names = Object.keys(pledges) as Pledged[];
/** Compiling shaders in software takes most of a minute. */
const briefest: readonly Pledged[] = ['the logits of a network', 'the losses of three training steps'];
const inNode = new Map<Pledged, readonly number[]>();

beforeAll(async () => {
  for (const name of names) inNode.set(name, await pledges[name].compute(everything, {}));
}, 120_000);

function expectKept(name: Pledged, numbers: readonly number[]): void {
  expect(distance(inNode.get(name)!, numbers), name).toBeLessThanOrEqual(pledges[name].tolerance);
}

test('in Node the logits are those of the definition', async () => {
  const feeds = new Map([['input', images(everything, 3)]]);
  const logits = interpret(network(everything).model.graph, feeds).get('logits')!;
  expectKept('the logits of a network', [...logits.data]);
});

/** Runs in the page, so it uses nothing from outside. */
async function inPage([name, settings]: [Pledged, Settings]): Promise<{ numbers: readonly number[]; threads: number }> {
  const page = globalThis as unknown as { resnext: Package; pledges: Readonly<Record<string, Pledge>> };
  const { cores: threads } = await page.resnext.thisMachine();
  return { numbers: await page.pledges[name]!.compute(page.resnext, settings), threads };
}

/** What opening a session throws; runs in the page. */
async function refusal(settings: Settings): Promise<string> {
  const page = globalThis as unknown as { resnext: Package; pledges: Readonly<Record<string, Pledge>> };
  const opened = page.pledges['the logits of a network']!.compute(page.resnext, settings);
  return opened.then(
    () => 'nothing',
    (error: Error) => error.message,
  );
}

describe.skipIf(noChromium)('in Chromium', () => {
  test.each<[string, Settings, RegExp | undefined, RegExp]>([
    ['a worker', {}, /wasm-worker/, /^ONNX Runtime's worker failed to load.* Run `npm install onnxruntime-web`/],
    ['WebAssembly', {}, /\.wasm$/, /^ONNX Runtime's WebAssembly did not load: .* Serve the ort-wasm-\*\.wasm files/],
    [
      'threads',
      { threads: 2 },
      undefined,
      /^threads is 2, but a page has 1 thread unless it is served with the headers/,
    ],
    [
      'a provider',
      { providers: ['cuda'] },
      undefined,
      /^The execution provider "cuda" is not available here\. Choose from wasm/,
    ],
  ])('a page without %s is told what to do', async (_, settings, missing, message) => {
    const all = await packagePages();
    await withPage(
      (path) => (missing?.test(path) ? undefined : all(path)),
      async (page) => {
        await loadPackage(page);
        expect(await page.evaluate(refusal, settings)).toMatch(message);
      },
      { provoked: /./ },
    );
  });

  test('a session on WebAssembly asks for no GPU, which Chromium would report if there is none', async () => {
    await withPage(await packagePages(), async (page) => {
      const printed: string[] = [];
      page.on('console', (message) => printed.push(message.text()));
      await loadPackage(page);
      await page.evaluate(() => {
        const requestAdapter = () => Promise.reject(new Error('asked for a GPU'));
        Object.defineProperty(navigator, 'gpu', { value: { requestAdapter } });
      });
      await page.evaluate(inPage, ['the logits of a network', {}] as [Pledged, Settings]);
      expect(printed).toEqual([]);
    });
  });

  const keep = async (which: readonly Pledged[], settings: Settings, threads: number, options: PageOptions) =>
    withPage(
      await packagePages(),
      async (page) => {
        await loadPackage(page);
        for (const name of which) {
          const kept = await page.evaluate(inPage, [name, settings] as [Pledged, Settings]);
          expect(kept.threads).toBe(threads);
          expectKept(name, kept.numbers);
        }
      },
      options,
    );

  test('on WebAssembly with threads', () => keep(names, {}, availableParallelism(), { isolated: true }), 120_000);
  test('on WebAssembly with one thread', () => keep(names, {}, 1, {}), 120_000);
  test('on WebGPU', () => keep(briefest, { providers: ['webgpu'] }, 1, { flags: softwareGpu }), 180_000);
});

/** Where Chromium keeps the description of SwiftShader for Vulkan's loader. */
const swiftShader = '/usr/lib/chromium/vk_swiftshader_icd.json';
const noSwiftShader = existsSync(swiftShader) ? undefined : `There is no ${swiftShader} to run WebGPU with in Node.`;
if (noSwiftShader) console.log(noSwiftShader);

test.skipIf(noSwiftShader)(
  'in Node on WebGPU',
  async () => {
    const script = fileURLToPath(new URL('promises/print.ts', import.meta.url));
    const env = { ...process.env, VK_ICD_FILENAMES: swiftShader, XDG_RUNTIME_DIR: tmpdir() };
    for (const name of briefest) {
      const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script, name, 'webgpu'], {
        env,
      });
      expectKept(name, JSON.parse(stdout));
    }
  },
  180_000,
);
