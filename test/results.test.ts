/**
 * The experiments of `bench`: networks that are compared at one cost have one, and the documents say what the result files say.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findWeights } from 'resnext/weights';
import { afterAll, describe, expect, it, test } from 'vitest';
import {
  cardinality,
  comparedNetworks,
  conclusion,
  planRuns,
  runsOf,
  usualTraining,
} from '../bench/experiments/cardinality.ts';
import { type ChoosingResults, choosing, published, testSets } from '../bench/experiments/choosing.ts';
import { documentPath, drawingPath, filled, partOf, resultsPath } from '../bench/experiments/documents.ts';
import { imagesOf, writeList } from '../bench/experiments/images.ts';
import { finishedRuns, makeRuns, type PlannedRun } from '../bench/experiments/runs.ts';
import { estimateOf, pairedDifference, signOf, slopeOf } from '../bench/experiments/statistics.ts';
import {
  fiveClasses,
  planTransfers,
  starts,
  tasks,
  transfer,
  verdicts,
  writeLists,
} from '../bench/experiments/transfer.ts';

const dir = mkdtempSync(join(tmpdir(), 'resnext-results-'));
afterAll(() => rmSync(dir, { recursive: true }));

describe('documents', () => {
  it.each([
    ['cardinality', () => partOf(cardinality), cardinality],
    ['transfer', () => partOf(transfer), transfer],
    ['choosing', () => partOf(choosing), choosing],
  ] as const)('the part on %s is that of its result file', async (name, made, { document }) => {
    const { markdown, drawing } = await made();
    const text = readFileSync(documentPath(document), 'utf8');
    expect(filled(text, name, markdown!)).toBe(text);
    expect(existsSync(drawingPath(name))).toBe(drawing !== undefined);
    if (drawing !== undefined) expect(readFileSync(drawingPath(name), 'utf8')).toBe(drawing);
  });

  it('a part that is absent is an error', () => {
    const text = 'a\n<!-- results x -->\nold\n<!-- end -->\nb';
    expect(filled(text, 'x', '$& new')).toBe('a\n<!-- results x -->\n$& new\n<!-- end -->\nb');
    expect(() => filled(text, 'y', '')).toThrow('There is no "<!-- results y -->"');
  });
});

describe('cardinality', () => {
  it('the networks have one depth and one cost, within 2 %', async () => {
    const networks = await comparedNetworks();
    expect(networks.map((network) => network.cardinality)).toEqual([1, 2, 4, 8, 32]);
    const macs = networks.map((network) => network.macs);
    expect(Math.max(...macs) / Math.min(...macs)).toBeLessThan(1.02);
    const parameters = networks.map((network) => network.parameters);
    expect(Math.max(...parameters) / Math.min(...parameters)).toBeLessThan(1.1);
    expect(parameters[0]).toBe(Math.max(...parameters)); // an advantage for width, not for cardinality
    expect(networks[4]!.branchWidths).toEqual([1, 2, 4]);
  });

  it('every network is trained with one seed before any is with the next, all by the same options', () => {
    const plans = planRuns('images.csv', 2, usualTraining);
    expect(plans.map(({ options }) => options.seed)).toEqual([...Array(5).fill(1), ...Array(5).fill(2)]);
    const others = plans.map(({ options: { seed: _, variant: __, ...rest } }) => JSON.stringify(rest));
    expect(new Set(others).size).toBe(1);
  });

  const rows = (errors: readonly (readonly number[])[]) =>
    [1, 2, 8].map((cardinality, i) => ({ cardinality, errors: new Map(errors[i]!.map((error, k) => [k + 1, error])) }));

  it.each([
    [
      [
        [30, 31, 32],
        [29, 30.1, 31],
        [27, 28, 29.1],
      ],
      'claim holds here too',
      '3.0 points lower (−3.1 to −2.8)',
    ],
    [
      [
        [27, 28, 29.1],
        [29, 30.1, 31],
        [30, 31, 32],
      ],
      'does not hold here',
      '3.0 points higher (+2.8 to +3.1)',
    ],
    [
      [
        [30, 31, 32],
        [30, 32, 31],
        [29, 31, 32.5],
      ],
      'neither confirms nor refutes',
      '0.2 points lower (−2.1 to +1.7)',
    ],
    [[[30], [29], [27]], 'One seed cannot tell', '3.0 points lower than'],
  ])('says what %j shows, and how sure that is', (errors, verdict, difference) => {
    expect(conclusion(rows(errors))).toContain(verdict);
    expect(conclusion(rows(errors))).toContain(difference);
  });
});

describe('transfer', () => {
  const sources = {
    ...{ flowers: join(dir, 'flowers'), cifar: join(dir, 'cifar'), lists: join(dir, 'lists') },
    models: { cifar10: 'cifar10', objects200: 'objects200' },
    variant: 'resnext20_8x16d_w16',
  };

  it('training from scratch gets more epochs than fine-tuning, and each seed has other images', () => {
    for (const { epochs } of tasks) expect(epochs.scratch).toBeGreaterThan(epochs.tuned);
    const folders = ['flowers/train/a', ...fiveClasses.map((name) => `cifar/train/${name}`)];
    for (const folder of folders) {
      mkdirSync(join(dir, folder), { recursive: true });
      for (let i = 0; i < 200; i++) writeFileSync(join(dir, folder, `${1000 + i}.jpg`), '');
    }
    const size = { seeds: 2, maxEpochs: Infinity, maxPerClass: Infinity };
    const plans = planTransfers(sources, size);
    expect(plans).toHaveLength(2 * starts.length * tasks.length);
    expect(new Set(plans.map(({ options }) => options.validation))).toEqual(new Set([0]));
    const [scratch, tuned] = plans;
    expect(scratch!.options).toMatchObject({ variant: 'resnext20_8x16d_w16', epochs: 60, size: 64 });
    expect(tuned!.options).toMatchObject({ from: 'cifar10', epochs: 30, size: 64 });
    writeLists(sources, size);
    const rows = (name: string) => readFileSync(join(sources.lists, name), 'utf8').trim().split('\n').slice(1);
    const [first, second] = [rows('five100-seed1.csv'), rows('five100-seed2.csv')];
    expect([first.length, second.length, rows('flowers64.csv').length]).toEqual([500, 500, 200]);
    expect(new Set([...first, ...second]).size).toBe(1000);
  });

  it('says where fine-tuning is better, worse, or cannot be told from training from scratch', () => {
    const run = (start: 'scratch' | 'cifar10' | 'objects200', tops: readonly number[]) =>
      tops.map((top1, k) => ({ task: 'x', start, seed: k + 1, top1, images: 1, epochs: 1, seconds: 1 }));
    const row = (task: (typeof tasks)[number], scratch: number[], objects200: number[]) => ({
      task,
      runs: { scratch: run('scratch', scratch), cifar10: [], objects200: run('objects200', objects200) },
    });
    const [a, b, c] = tasks as [(typeof tasks)[number], (typeof tasks)[number], (typeof tasks)[number]];
    const text = verdicts([
      row(a, [50, 51, 52], [60, 61, 63]),
      row(b, [60, 61, 63], [50, 51, 52]),
      row(c, [50, 60, 70], [60, 50, 70]),
    ]);
    expect(text).toContain(`Fine-tuning \`objects200\` beats training from scratch on “${a.short}”.`);
    expect(text).toContain(`Training from scratch beats fine-tuning \`objects200\` on “${b.short}”.`);
    expect(text).toContain(`On “${c.short}”, these seeds cannot tell the two apart.`);
  });
});

describe('choosing', () => {
  it('accuracies, sizes and licenses are those of the catalog', () => {
    for (const name of published) expect(Object.keys(testSets)).toContain(findWeights(name).labels);
    const path = resultsPath('choosing');
    if (!existsSync(path)) return;
    const { models } = JSON.parse(readFileSync(path, 'utf8')) as ChoosingResults;
    for (const { name, top1, megabytes, license } of models.filter(({ name }) => published.includes(name))) {
      const { metrics, preprocessing, ...found } = findWeights(name);
      const { top1: expected } = metrics.find(({ size }) => size === preprocessing.size)!;
      expect([top1, megabytes, license]).toEqual([expected, found.megabytes, found.license]);
    }
  });
});

test('means, intervals, paired differences and slopes', () => {
  const { mean, deviation, low, high } = estimateOf([1, 2, 3]);
  expect([mean, deviation]).toEqual([2, 1]);
  expect([low, high].map((value) => value.toFixed(3))).toEqual(['-0.484', '4.484']); // 4.303 / √3
  expect(signOf(estimateOf([1]))).toBe(0);
  expect(signOf(estimateOf([-5, -5.1, -4.9]))).toBe(-1);
  const difference = pairedDifference(
    new Map([
      [1, 5],
      [2, 7],
    ]),
    new Map([
      [2, 4],
      [3, 0],
    ]),
  );
  expect(difference).toMatchObject({ mean: 3, count: 1 });
  expect(
    slopeOf([
      [0, 1],
      [1, 3],
      [2, 5],
    ]),
  ).toBe(2);
});

describe('a table of runs', () => {
  const examples = fileURLToPath(new URL('../examples/images', import.meta.url));
  const list = join(dir, 'images.csv');
  const say = (line: string) => said.push(line);
  let said: string[] = [];
  const plans = [1, 2].map(
    (seed): PlannedRun => ({
      name: `run-seed${seed}`,
      options: { data: list, variant: 'resnext11_4x16d_w16', size: 16, epochs: 2, batch: 4, workers: 0, seed },
      measure: async (run) => ({ files: readdirSync(run).length }),
    }),
  );

  it('stops at a signal, continues where it stopped, and makes no run twice', async () => {
    const images = (split: 'train' | 'val') =>
      imagesOf(join(examples, split), split, { classes: ['frog', 'horse'], count: 4 });
    writeList(list, [...images('train'), ...images('val')]);
    const [folder, stop] = [join(dir, 'table'), new AbortController()];
    const stopping = (line: string) => {
      say(line);
      if (line === '[2/2] run-seed2') stop.abort();
    };
    expect(await makeRuns(plans, { folder, say: stopping, signal: stop.signal })).toBe(false);
    expect(finishedRuns(folder, plans).map(({ name }) => name)).toEqual(['run-seed1']);
    expect(existsSync(join(folder, 'run-seed1/checkpoints'))).toBe(false);
    said = [];
    const { signal } = new AbortController();
    expect(await makeRuns(plans, { folder, say, signal })).toBe(true);
    expect(said[0]).toBe('[2/2] run-seed2');
    const finished = finishedRuns(folder, plans);
    expect(finished.map(({ epochs }) => epochs.length)).toEqual([2, 2]);
    expect(runsOf(finished).map(({ seed, errors }) => [seed, errors.length])).toEqual([
      [1, 2],
      [2, 2],
    ]);
    expect(finished[1]!.measured.files).toBeGreaterThan(3);
    said = [];
    expect(await makeRuns(plans, { folder, say, signal })).toBe(true);
    expect(said).toEqual([]);
    const others = plans.map((plan) => ({ ...plan, options: { ...plan.options, epochs: 3 } }));
    await expect(makeRuns(others, { folder, say, signal })).rejects.toThrow('is of a run with other options');
  });
});
