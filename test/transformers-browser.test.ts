/**
 * The folder for transformers.js in a browser, in WebAssembly: it loads the 32-bit file, and for images of the
 * network's size it returns this package's probabilities. Skipped, with a note, without Chromium.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Classifier } from '../src/classifier/classifier.ts';
import { preprocessingFor } from '../src/data/presets.ts';
import { initialWeights } from '../src/model/init.ts';
import { resnext } from '../src/model/resnext.ts';
import { setWeights } from '../src/model/weights.ts';
import { exportTransformers } from '../src/saved/transformers.ts';
import { noChromium, type Pages, withPage } from './chromium.ts';

const local = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.html': 'text/html',
  '.wasm': 'application/wasm',
};
const images = ['airplane-1.jpg', 'frog-2.jpg', 'horse-3.jpg'];

interface Answer {
  readonly label: string;
  readonly score: number;
}

/** The page's script, as text because the test runner would rewrite its import. */
const program = `(async () => {
  const { env, pipeline } = await import('/library/transformers.min.js');
  Object.assign(env, { allowRemoteModels: false, allowLocalModels: true, localModelPath: '/models/' });
  Object.assign(env, { useBrowserCache: false, useWasmCache: false });
  env.backends.onnx.wasm.wasmPaths = '/runtime/';
  const classify = await pipeline('image-classification', 'model', { device: 'wasm' });
  const answers = [];
  for (const name of ${JSON.stringify(images)}) answers.push(await classify('/images/' + name, { top_k: 5 }));
  return answers;
})()`;

let folder: string;
beforeAll(() => {
  if (noChromium) console.log(noChromium);
  folder = mkdtempSync(join(tmpdir(), 'resnext-browser-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test.skipIf(noChromium)(
  'transformers.js in Chromium gives the same classes in the same order',
  async () => {
    const model = resnext({ depths: [1, 1], cardinality: 8, baseWidth: 16, width: 16, stem: 'cifar', classes: 6 });
    const weights = initialWeights(model, 1);
    setWeights(model, weights);
    const classes = ['ant', 'bee', 'cat', 'dog', 'elk', 'fox'];
    const preprocessing = preprocessingFor({ images: 'small', size: 32 });
    const saved = {
      description: { variant: 'small', config: model.config, classes, preprocessing, metrics: {} },
      ...{ graph: model.graph, weights },
    };
    await exportTransformers(join(folder, 'model'), saved);

    const roots: Readonly<Record<string, string>> = {
      library: local('../node_modules/@huggingface/transformers/dist'),
      runtime: local('../node_modules/onnxruntime-web/dist'),
      models: folder,
      images: local('../examples/images/unseen'),
    };
    const asked: string[] = [];
    const pages: Pages = (path) => {
      const [, root = '', ...rest] = path.split('/');
      const file = join(roots[root] ?? folder, ...rest);
      if (roots[root] === undefined || !existsSync(file)) return undefined;
      asked.push(path);
      return [types[extname(path)] ?? 'application/octet-stream', readFileSync(file)];
    };
    const answers = await withPage(pages, (page) => page.evaluate<Answer[][]>(program), { provoked: /404/ }); // optional files

    expect(asked).toContain('/models/model/onnx/model.onnx');
    const classifier = await Classifier.open(saved);
    for (const [i, name] of images.entries()) {
      const ours = await classifier.classify(local(`../examples/images/unseen/${name}`), { top: 5 });
      expect(answers[i]!.map(({ label }) => label)).toEqual(ours.map(({ label }) => label));
      const differences = answers[i]!.map(({ score }, k) => Math.abs(score - ours[k]!.probability));
      expect(Math.max(...differences)).toBeLessThan(1e-6);
    }
    await classifier.dispose();
  },
  60_000,
);
