/**
 * The page and the library in Chromium: what the first view takes, from an empty page to the first prediction, a prediction
 * and a training step on WebAssembly against the same in Node, and a training step against JavaScript frameworks in a page.
 *
 *   npm run build && npx tsx bench/web.ts [--network NAME] [--batch N] [--threads NS] [--rounds N] [--steps N]
 *                                         [--patience N] [--quick] [--json FILE]
 *
 * Without options: a small network, batches of 32, one thread and two. jax-js and TensorFlow.js, installed with
 * `npm install --prefix bench/rivals`, train two images with one thread; larger steps take them too long. Everything is
 * served from this machine. What other programs took meanwhile is known of turns in Node only.
 */
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { noChromium, withPage } from '../test/chromium.ts';
import { ourContender, root } from './children.ts';
import { type AlternateOptions, alternate, type Contender, spread } from './harness.ts';
import { type Network, network, operationsOf } from './networks.ts';
import {
  type Case,
  commandLine,
  count,
  counts,
  introduce,
  main,
  printCase,
  short,
  toCase,
  writeResults,
} from './report.ts';
import { benchPages, pageContender, predictOnce } from './web/browser.ts';
import { type FirstView, firstView } from './web/first-view.ts';
import { temporaryFolder } from './weights.ts';

await main(async () => {
  const { values } = commandLine({
    network: { type: 'string', default: 'resnext11_8x16d_w16' },
    batch: { type: 'string' },
    threads: { type: 'string' },
  });
  if (noChromium) throw new Error(noChromium);
  const rounds = count('rounds', values.rounds, values.quick ? 2 : 7);
  const steps = count('steps', values.steps, values.quick ? 1 : 3);
  const patience = count('patience', values.patience, 0);
  const batch = count('batch', values.batch, 32);
  const threads = counts('threads', values.threads, [1, 2]);
  const measured = await network(values.network);
  introduce();
  const view = await firstView(rounds);
  printFirstView(view);
  const model = await writeModel(measured);
  const files = { '/model.safetensors': model, '/picture.jpg': join(root, 'examples/pictures/dog.jpg') };
  const pages = await benchPages(files);
  await withPage(
    pages,
    async (page) => {
      const predictions = await firstPredictions(page, measured, rounds);
      const options = { rounds, steps, patience };
      const cases: Case[] = [];
      for (const n of threads) {
        cases.push(await againstNode(page, measured, { task: 'infer', batch: 1, threads: n }, options));
        cases.push(await againstNode(page, measured, { task: 'train', batch, threads: n }, options));
      }
      cases.push(
        await againstFrameworks(page, measured, { rounds: Math.min(rounds, 3), steps: 1, warmup: 1, patience }),
      );
      await writeResults(values.json, 'web', { firstView: view, predictions, cases });
    },
    { isolated: true },
  );
});

function printFirstView({ files, bytes, usable }: FirstView): void {
  const { median, low, high } = spread(usable);
  console.log(`\nfirst view: ${(bytes / 1000).toFixed(1)} kB in ${files} files, compressed with Brotli`);
  console.log(`  usable after ${short(median)} ms (${short(low)} to ${short(high)})`);
}

/** A model with random weights, in a file. */
async function writeModel({ config }: Network): Promise<string> {
  const { initialWeights, resnext, saveModel } = await import('resnext');
  const { preprocessingFor } = await import('resnext/data');
  const classes = Array.from({ length: config.classes }, (_, i) => `class ${i}`);
  const preprocessing = preprocessingFor({ images: 'small', size: config.inputSize[0] });
  const folder = temporaryFolder();
  const description = { variant: 'random', config, classes, preprocessing, metrics: {} };
  await saveModel(folder, description, initialWeights(resnext(config), 1));
  return join(folder, 'model.safetensors');
}

interface Predictions {
  readonly first: readonly number[];
  readonly second: readonly number[];
}

async function firstPredictions(page: Page, { name }: Network, rounds: number): Promise<Predictions> {
  const pairs: (readonly [number, number])[] = [];
  for (let round = 0; round < rounds; round++)
    pairs.push(await predictOnce(page, '/model.safetensors', '/picture.jpg'));
  const [first, second] = [pairs.map(([one]) => one), pairs.map(([, other]) => other)];
  const { median, low, high } = spread(first);
  console.log(`\n${name}, a picture in a file`);
  console.log(
    `  first prediction ${short(median)} ms (${short(low)} to ${short(high)}) after the page began, runtime included`,
  );
  console.log(`  second prediction ${short(spread(second).median)} ms`);
  return { first, second };
}

interface Load {
  readonly task: 'train' | 'infer';
  readonly batch: number;
  readonly threads: number;
}

function againstNode(page: Page, measured: Network, load: Load, options: AlternateOptions): Promise<Case> {
  const { name, config } = measured;
  const settings = { ...load, network: name, config };
  return compare(measured, load, options, [
    pageContender('in a page', page, 'resnext', settings),
    ourContender('in Node', 'network', settings),
  ]);
}

function againstFrameworks(page: Page, measured: Network, options: AlternateOptions): Promise<Case> {
  const load = { task: 'train', batch: 2, threads: 1 } as const;
  const settings = { ...load, network: measured.name, config: measured.config };
  return compare(measured, load, options, [
    pageContender('resnext in a page', page, 'resnext', settings),
    pageContender('jax-js (WebAssembly) in a page', page, 'jax', settings),
    pageContender('TensorFlow.js (CPU) in a page', page, 'tensorflow', settings),
  ]);
}

async function compare(
  measured: Network,
  { task, batch, threads }: Load,
  options: AlternateOptions,
  contenders: readonly Contender[],
): Promise<Case> {
  const results = await alternate(contenders, options);
  for (const { name, facts } of results) {
    if (facts.parameters === measured.parameters) continue;
    throw new Error(`${name} has ${facts.parameters} parameters, but ${measured.name} has ${measured.parameters}.`);
  }
  const title = `${task === 'train' ? 'training step' : 'prediction'} of ${measured.name}`;
  const settings = { batch, threads, rounds: options.rounds, steps: options.steps };
  const made = toCase(title, settings, results, operationsOf(measured, batch, task));
  printCase(made);
  return made;
}
