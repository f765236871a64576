/** The models that ship with this package: found by name, in every command, without a request to anybody. */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { load } from 'resnext';
import { resolveModel, shippedModels } from 'resnext/weights';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { loadPackage, noChromium, type Pages, packagePages, withPage } from './chromium.ts';
import { json, run } from './command.ts';
import { type FakeHub, serveHub } from './hub-server.ts';

const images = fileURLToPath(new URL('../examples/images', import.meta.url));
const frog = join(images, 'unseen/frog-1.jpg');
const models = fileURLToPath(new URL('../models', import.meta.url));
const missing = shippedModels.map(({ name }) => name).filter((name) => !existsSync(join(models, name)));
if (missing.length > 0) console.log(`skipped: models/ does not have ${missing.join(' and ')} yet`);
const it = test.skipIf(missing.includes('cifar10'));
const both = test.skipIf(missing.length > 0);

let dir: string;
let hub: FakeHub;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-shipped-'));
  hub = await serveHub(new Uint8Array(1));
  for (const [variable, value] of Object.entries({ HF_ENDPOINT: hub.hub.url, HF_HOME: dir, HF_HUB_OFFLINE: '' })) {
    vi.stubEnv(variable, value);
  }
});
afterAll(() => {
  expect(hub.store.requests.length + hub.hub.requests.length).toBe(0);
  vi.unstubAllEnvs();
  hub.close();
  rmSync(dir, { recursive: true });
});

both.each(shippedModels)('$name is as the table says', async ({ name, classes, size }) => {
  const { path } = await resolveModel(name);
  expect(path).toBe(join(models, name, 'model.safetensors'));
  const model = await load(name);
  try {
    const { description } = model;
    expect(description.classes).toHaveLength(classes);
    expect(description.preprocessing.size).toBe(size);
    const [best] = await model.classify(frog);
    expect(description.classes).toContain(best!.label);
  } finally {
    await model.dispose();
  }
});

it('load() opens the default model', async () => {
  const [standard, named] = [await load(), await load('cifar10')];
  try {
    expect(await standard.classify(frog)).toEqual(await named.classify(frog));
  } finally {
    await standard.dispose();
    await named.dispose();
  }
});

both('a model of the same name in the working folder comes first, but not a folder of anything else', async () => {
  const before = process.cwd();
  process.chdir(dir);
  try {
    mkdirSync('cifar10/cat', { recursive: true });
    expect((await resolveModel('cifar10')).path).toBe(join(models, 'cifar10/model.safetensors'));
    writeFileSync('cifar10/run.json', '{}');
    expect((await resolveModel('cifar10')).path).toBe('cifar10');
    cpSync(join(models, 'objects200'), 'objects200', { recursive: true });
    expect((await resolveModel('objects200')).path).toBe('objects200');
  } finally {
    process.chdir(before);
    for (const name of ['cifar10', 'objects200']) rmSync(join(dir, name), { recursive: true });
  }
});

const note = /^Model: cifar10, which ships with this package \(96 x 96, 10 classes\); --model chooses another\.\n$/;

it('commands that need a model use the default one and say so, but not with --json', async () => {
  const { code, stdout, stderr } = await run('classify', frog, '--top', '1');
  expect(code).toBe(0);
  expect(stderr).toMatch(note);
  expect((await run('classify', frog, '--top', '1', '--model', 'cifar10')).stderr).toBe('');
  const [{ predictions }] = await json<[{ predictions: [{ label: string }] }]>('classify', frog, '--top', '1');
  expect(stdout).toContain(predictions[0].label);
  const heat = join(dir, 'heat.png');
  expect((await run('explain', frog, '-o', heat)).stderr).toMatch(note);
  expect(existsSync(heat)).toBe(true);
  const features = join(dir, 'features.npy');
  expect((await run('features', frog, '-o', features)).stderr).toMatch(note);
  expect(existsSync(features)).toBe(true);
  const { stderr: timed, stdout: times } = await run('bench', '--runs', '1');
  expect(timed).toMatch(/^Model: cifar10, .* classes\); type the name of another to time that\.\n$/);
  expect(times).toMatch(/^cifar10 on /);
});

it('evaluate takes the default model, and its classes by name', async () => {
  const {
    model,
    images: count,
    top1,
  } = await json<{ model: string; images: number; top1: number }>('evaluate', join(images, 'val'));
  expect({ model, count }).toEqual({ model: 'cifar10', count: 200 });
  expect(top1).toBeGreaterThan(30);
});

/** The modules that a process of Node loads, but for those that it requires. */
function modulesOf(...args: string[]): string[] {
  const [hooks, list] = [join(dir, 'hooks.mjs'), join(dir, 'modules.txt')];
  writeFileSync(
    hooks,
    `import { appendFileSync } from 'node:fs';
     export const load = (url, context, next) => (appendFileSync(${JSON.stringify(list)}, url + '\\n'), next(url, context));`,
  );
  const register = `import { register } from 'node:module'; register(${JSON.stringify(pathToFileURL(hooks).href)});`;
  execFileSync(process.execPath, ['--import', `data:text/javascript,${encodeURIComponent(register)}`, ...args], {
    stdio: 'ignore',
  });
  return readFileSync(list, 'utf8').trim().split('\n');
}

it('classify loads few files, and sharp only for an image that needs it', () => {
  const files = modulesOf(fileURLToPath(new URL('../dist/cli/main.js', import.meta.url)), 'classify', frog);
  expect(files.some((url) => url.includes('onnxruntime-node'))).toBe(true);
  expect(files.filter((url) => /node_modules\/(sharp|zod|yaml|undici|piscina)\//.test(url))).toEqual([]);
  expect(files.length).toBeLessThan(100);
});

both('pull prints the place, and list shows what ships first', async () => {
  const { stdout } = await run('pull', 'objects200');
  expect(stdout.split('\n')[0]).toBe(join(models, 'objects200/model.safetensors'));
  const rows = await json<{ name: string }[]>('list', '--weights');
  expect(rows.slice(0, 2).map(({ name }) => name)).toEqual(['cifar10', 'objects200']);
  const { stdout: table } = await run('list', '--weights', 'objects');
  expect(table).toMatch(/^name .*\nobjects200 .* 64 .* Apache-2.0 +in this package\n/);
});

type Package = typeof import('../dist/entry/resnext.js');

/** Runs in the page: the first prediction of the model in a folder on the server, and what a name alone gets. */
async function classifyInPage(): Promise<{ label: string; probability: number; refusal: string }> {
  const { Classifier } = (globalThis as unknown as { resnext: Package }).resnext;
  const classifier = await Classifier.open('/models/cifar10/');
  const [best] = await classifier.classify('/frog.jpg');
  const refusal = await Classifier.open('cifar10').catch((error: Error) => error.message);
  return { ...best!, refusal: String(refusal) };
}

const inBrowser = test.skipIf(missing.includes('cifar10') || noChromium);
inBrowser('a browser opens the folder by its URL, in float16 too', async () => {
  await run('export', 'cifar10', '-o', join(dir, 'half'), '--format', 'resnext', '--dtype', 'float16');
  const scripts = await packagePages();
  const files: Pages = (path) => {
    if (path === '/frog.jpg') return ['image/jpeg', readFileSync(frog)];
    const [, file] = /^\/models\/cifar10\/([\w.]+)$/.exec(path) ?? [];
    return file === undefined ? scripts(path) : ['application/octet-stream', readFileSync(join(dir, 'half', file))];
  };
  const { refusal, ...best } = await withPage(files, async (page) => {
    await loadPackage(page);
    return page.evaluate(classifyInPage);
  });
  const model = await load(join(dir, 'half'));
  const [expected] = await model.classify(frog);
  await model.dispose();
  expect(best.label).toBe(expected!.label);
  expect(best.probability).toBeCloseTo(expected!.probability, 4);
  expect(refusal).toContain('"cifar10" ships with this package, but in a browser it is opened by the URL');
});

it('a bundler finds the files of a model by the name of the package', async () => {
  const modules = join(dir, 'node_modules');
  mkdirSync(modules);
  symlinkSync(fileURLToPath(new URL('..', import.meta.url)), join(modules, 'resnext'));
  const { outputFiles } = await build({
    stdin: {
      contents: "import url from 'resnext/models/cifar10/model.safetensors'; console.log(url);",
      resolveDir: dir,
    },
    bundle: true,
    write: false,
    outdir: join(dir, 'public'),
    loader: { '.safetensors': 'file' },
    logLevel: 'silent',
  });
  const sizes = outputFiles.map(({ contents }) => contents.length);
  expect(sizes).toContain(statSync(join(models, 'cifar10/model.safetensors')).size);
});

it('a mistyped name is recognized', async () => {
  await expect(load('objects20')).rejects.toThrow('Did you mean objects200?');
  expect((await run('summary', 'cifar01')).stderr).toContain('Did you mean cifar10?');
});

both('training starts from a shipped model by its name', async () => {
  const out = join(dir, 'tuned');
  const { code, stdout } = await run(
    'train',
    images,
    '--from',
    'objects200',
    '--linear-probe',
    '--epochs',
    '1',
    '--out',
    out,
  );
  expect(code).toBe(0);
  expect(stdout).toContain('From objects200');
});
