/** `resnext explain` on the command line: files of every kind, several images, and what is refused; and in Chromium. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { drawExplanation, type Explanation, load } from 'resnext';
import { decode, type Image } from 'resnext/data';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it, test } from 'vitest';
import { loadPackage, noChromium, packagePages, withPage } from './chromium.ts';
import { json, run } from './command.ts';
import type { Package } from './promises/everything.ts';
import { relativeError } from './tensors.ts';

if (noChromium) console.log(noChromium);

const frog = fileURLToPath(new URL('../examples/images/unseen/frog-1.jpg', import.meta.url));
const horse = fileURLToPath(new URL('../examples/images/unseen/horse-1.jpg', import.meta.url));
let dir: string;
let model: string;
/** A frog between two gray strips, which the network does not see. */
let wide: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-explain-'));
  model = join(dir, 'model.onnx');
  wide = join(dir, 'wide.png');
  await json('export', 'resnext11_8x16d_w16', '--classes', '4', '--size', '32', '-o', model);
  await sharp(frog).extend({ left: 16, right: 16, background: '#808080' }).png().toFile(wide);
}, 60_000);
afterAll(() => rmSync(dir, { recursive: true }));

const explain = (...args: string[]) => run('explain', ...args, '--model', model);

it('draws heat over the part of a picture that the network sees, and writes the numbers', async () => {
  const [file, numbers] = [join(dir, 'heat.webp'), join(dir, 'heat.npy')];
  const { stdout, stderr, code } = await explain(wide, '-o', file, '--class', 'class 2', '--stage', 'layer2');
  expect([stdout, stderr, code]).toEqual([
    expect.stringMatching(/wide\.png: class 2 \([\d.]+ %\)\. Wrote .*\.webp\.\n/),
    '',
    0,
  ]);
  const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
  expect([info.format, info.width, info.height]).toEqual(['raw', 448, 224]);
  const colorful = (from: number, to: number) => {
    let most = 0;
    for (let y = 0; y < 224; y++) {
      for (let x = from; x < to; x++) {
        const [r, , b] = data.subarray((y * 448 + x) * 3, (y * 448 + x) * 3 + 3);
        most = Math.max(most, Math.abs(r! - b!));
      }
    }
    return most;
  };
  expect(colorful(0, 108)).toBeLessThan(12); // WebP is lossy
  expect(colorful(340, 448)).toBeLessThan(12);
  expect(colorful(112, 336)).toBeGreaterThan(60);

  await json('explain', wide, '-o', numbers, '--class', 'class 2', '--stage', 'layer2', '--model', model);
  const bytes = readFileSync(numbers);
  expect(bytes.toString('latin1', 10, 80)).toContain("'shape': (16, 16,)");
  const classifier = await load(model);
  const { map } = await classifier.explain(await decode(frog), { class: 2, stage: 'layer2' });
  const written = new Float32Array(Uint8Array.from(bytes.subarray(-4 * 256)).buffer);
  expect(relativeError({ ...map, data: written }, map)).toBeLessThan(1e-5);
  await classifier.dispose();
}, 60_000);

it('writes a file for each of several images, and skips those that cannot be read', async () => {
  const folder = join(dir, 'heat');
  const broken = join(dir, 'model.onnx');
  const { stderr, code, stdout } = await explain(frog, horse, frog, broken, '-o', folder, '--json');
  expect([stderr, code]).toEqual([expect.stringMatching(/^warning: .*model\.onnx.*\n$/), 1]);
  expect(readdirSync(folder).sort()).toEqual(['horse-1.png', 'unseen-frog-1-2.png', 'unseen-frog-1.png']);
  const { images, corrupt } = JSON.parse(stdout) as { images: { size: number[] }[]; corrupt: string[] };
  expect([images.map(({ size }) => size), corrupt]).toEqual([
    [
      [8, 8],
      [8, 8],
      [8, 8],
    ],
    [broken],
  ]);
}, 60_000);

it.each([
  [['a.png', '--class', 'class 7'], /^error: --class is "class 7", but expected a class of the model\. Did you mean/],
  [
    ['a.png', '--stage', 'layer9'],
    /^error: The model has no map of a stage "layer9"\. Choose from stem, layer1, layer2, layer3\.\n$/,
  ],
  [['a.png', horse], /^error: --output is the file ".*a\.png", but there are 2 images\./],
  [['a.gif'], /^error: ".*a\.gif" ends in "\.gif", but expected \.png, \.jpg, \.jpeg, \.webp or \.npy\./],
])(
  'refuses %s',
  async ([file, ...args], message) => {
    const { code, stderr } = await explain(frog, ...args, '-o', join(dir, file!));
    expect([code, stderr]).toEqual([1, expect.stringMatching(message)]);
    expect(existsSync(join(dir, file!))).toBe(false);
  },
  60_000,
);

/** Runs in the page, so it uses nothing from outside. */
async function inPage(picture: Image): Promise<{ explanation: Explanation; drawn: Image }> {
  const { resnext } = globalThis as unknown as { resnext: Package };
  const file = new Uint8Array(await (await fetch('/model.onnx')).arrayBuffer());
  const classifier = await resnext.Classifier.open(file, { threads: 1 });
  const pixels = { ...picture, data: Uint8Array.from(Object.values(picture.data)) };
  const { map, ...rest } = await classifier.explain(pixels, { stage: 'layer2' });
  const drawn = resnext.drawExplanation(pixels, map, classifier.description.preprocessing);
  return {
    explanation: { ...rest, map: { ...map, data: Array.from(map.data) as unknown as Float32Array<ArrayBuffer> } },
    drawn: { ...drawn, data: Array.from(drawn.data) as unknown as Uint8Array },
  };
}

test.skipIf(noChromium)(
  'Chromium explains as Node does',
  async () => {
    const picture = await decode(frog);
    const classifier = await load(model);
    const expected = await classifier.explain(picture, { stage: 'layer2' });
    const { data } = drawExplanation(picture, expected.map, classifier.description.preprocessing);
    const scripts = await packagePages();
    const pages = (path: string) =>
      path === '/model.onnx' ? (['application/octet-stream', readFileSync(model)] as const) : scripts(path);
    const { explanation, drawn } = await withPage(pages, async (page) => {
      await loadPackage(page);
      return page.evaluate(inPage, { ...picture, data: Array.from(picture.data) as unknown as Uint8Array });
    });
    expect([explanation.label, explanation.map.dims]).toEqual([expected.label, expected.map.dims]);
    expect(relativeError(explanation.map, expected.map)).toBeLessThan(1e-4);
    const farthest = drawn.data.reduce((most, byte, i) => Math.max(most, Math.abs(byte - data[i]!)), 0);
    expect(farthest).toBeLessThanOrEqual(2); // rounding
    await classifier.dispose();
  },
  60_000,
);
