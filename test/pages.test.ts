/** The reports as a reader sees them, in Chromium: on a phone and on a screen, in light and dark. */
import { expect, it } from 'vitest';
import type { Evaluation } from '../src/classifier/evaluation.ts';
import { drawBlock } from '../src/draw/block.ts';
import { Calibration } from '../src/metrics/calibration.ts';
import { Confusion } from '../src/metrics/confusion.ts';
import { resolveConfig } from '../src/model/config.ts';
import { resnext } from '../src/model/resnext.ts';
import { variant } from '../src/model/variants.ts';
import type { Comparison } from '../src/report/compare.ts';
import { comparePage } from '../src/report/compare-page.ts';
import { evaluationReport } from '../src/report/evaluation.ts';
import { type RunPage, runPage } from '../src/report/run-page.ts';
import { verificationReport } from '../src/verify/report.ts';
import { tolerances, type Verification } from '../src/verify/verify.ts';
import { noChromium, withPage } from './chromium.ts';

const longName = 'runs/2026-11-29/a_rather_long_name_of_a_run_that_has_no_place_to_break_in_it/resnext50_32x4d';
const config = resolveConfig(variant('resnext50_32x4d'));
const result = { parameters: 25_028_904, macs: 4_230_479_872, nodes: 3663, output32: 1e-7, milliseconds: 12.3 };
const verification: Verification = {
  ...{ equivalent: true, tolerances, small: { size: 32, batch: 2 } },
  forms: (['A', 'B', 'C'] as const).map((form) => ({ form, ...result })),
};

function evaluation(classes: number): Evaluation {
  const confusion = new Confusion(classes);
  for (let i = 0; i < 20 * classes; i++) confusion.add(i % classes, i % 3 === 0 ? (i * 7) % classes : i % classes);
  const scores = confusion.scores(Array.from({ length: classes }, (_, k) => `class number ${k}`));
  const figures = { images: 20 * classes, top1: 70, top5: 90, loss: 1, classes: {} };
  const calibration = new Calibration();
  for (let i = 0; i < 60; i++) calibration.add(i / 59, i % 3 > 0);
  return { ...figures, ...confusion.means(), scores, confusion: confusion.rows, calibration: calibration.result() };
}

/** Of many epochs and an average image, with a name that has no place to break in it. */
function trainingRun(classes: number): RunPage {
  const result = evaluation(classes);
  const lines = Array.from({ length: 60 }, (_, k) => {
    const validation = { loss: 2 / (k + 1) + 0.5, top1: k, top5: 90, balancedAccuracy: k, macroF1: k };
    return { epoch: k + 1, loss: 3 / (k + 1), top1: k + 3, validation, learningRate: 0.1, seconds: 9, best: k < 40 };
  });
  const image = { path: longName, size: [96, 96], thumbnail: 'data:image/gif;base64,R0lGODlhAQABAAAAACw=' } as const;
  const mistakes = Array.from({ length: 12 }, (_, index) => {
    const overlay = index === 0 ? { overlay: image.thumbnail } : {};
    return {
      ...image,
      ...overlay,
      index,
      label: index % classes,
      predicted: (index + 1) % classes,
      probability: 0.9,
      loss: 5,
    };
  });
  const names = result.scores.map(({ label }, k) => ({
    name: `${label} ${longName}`,
    train: 10 * (k + 1),
    validation: 20,
  }));
  const data = { folder: `/${longName}`, train: 1000, validation: 80, validationFrom: 'val', classes: names };
  const options = { data: `/${longName}`, out: longName, epochs: 90, batch: 64, optimizer: 'sgd', augmentation: '3a' };
  const record = { state: 'interrupted', options, data, sessions: [{ started: '2026-11-29T23:18:31.158Z' }] };
  return { name: longName, lines, record, evaluation: { result, mistakes }, notes: ['An image is gone.'] };
}

function comparison(runs: number): Comparison {
  const { lines } = trainingRun(2);
  const names = Array.from({ length: runs }, (_, k) => `${longName}/${k}`);
  return {
    runs: names.map((name, k) => ({ name, folder: name, top1: k, loss: k, epochs: 60, seconds: 540 })),
    options: [{ name: 'variant', values: names, differs: true }],
    folds: [{ names, of: 10, figures: { top1: { mean: 50, deviation: 2 } } }],
    lines: names.map(() => lines),
  };
}

const pages: Readonly<Record<string, string>> = {
  '/verify': verificationReport(longName, config, verification),
  '/few': await evaluationReport(evaluation(4), { model: longName, folder: 'val' }),
  '/many': await evaluationReport(evaluation(30), { model: longName, folder: 'val' }),
  '/compare': await comparePage(comparison(9)),
  '/run': await runPage(trainingRun(5)),
};

/** Runs in the page. */
function measure() {
  const box = (selector: string) => [...document.querySelectorAll(selector)].map((it) => it.getBoundingClientRect());
  const scroller = document.querySelector('.wide')!;
  return {
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    background: getComputedStyle(document.body).backgroundColor,
    papers: [...document.querySelectorAll('.paper')].map((it) => getComputedStyle(it).fill),
    drawings: box('.drawings svg').map(({ left, right, bottom }) => ({ left, right, bottom })),
    scales: [...document.querySelectorAll<SVGSVGElement>('.drawings svg')].map(
      (svg) => svg.getBoundingClientRect().width / svg.viewBox.baseVal.width,
    ),
    sections: box('.beside > section').map(({ left, top }) => ({ left, top })),
    cut: box('h1, h2, h3, p, dl, figure, pre, .chart').filter(
      ({ right }) => right > document.documentElement.clientWidth,
    ).length,
    hidden: scroller.scrollWidth - scroller.clientWidth,
    hint: getComputedStyle(scroller).backgroundImage,
  };
}

type Seen = ReturnType<typeof measure>;

it.skipIf(noChromium)(
  'fit phones and fill screens, with one background',
  async () => {
    const seen = await withPage(
      (path) => (pages[path] ? ['text/html', pages[path]] : undefined),
      async (page) => {
        const found: Record<string, Seen> = {};
        const origin = new URL(page.url()).origin;
        for (const path of Object.keys(pages)) {
          await page.goto(origin + path);
          for (const width of [390, 1280]) {
            for (const colorScheme of ['light', 'dark'] as const) {
              await page.setViewportSize({ width, height: 900 });
              await page.emulateMedia({ colorScheme });
              found[`${path} ${width} ${colorScheme}`] = await page.evaluate(measure);
            }
          }
        }
        return found;
      },
    );
    for (const [name, { overflow, cut, hidden, hint }] of Object.entries(seen)) {
      expect({ name, overflow, cut }).toEqual({ name, overflow: 0, cut: 0 });
      if (hidden > 0) expect(hint).toContain('linear-gradient');
    }
    const dark = /@media.*?\.paper\{fill:(#\w+)\}/s.exec(drawBlock(resnext(config).graph))![1]!;
    for (const [scheme, color] of [
      ['light', '#ffffff'],
      ['dark', dark],
    ] as const) {
      const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
      const { background, papers } = seen[`/verify 1280 ${scheme}`]!;
      expect([background, ...papers]).toEqual(new Array(4).fill(`rgb(${r}, ${g}, ${b})`));
    }
    const { drawings, scales } = seen['/verify 1280 light']!;
    expect(new Set(drawings.map(({ bottom }) => Math.round(bottom))).size).toBe(1); // side by side
    expect(drawings[0]!.right).toBeLessThanOrEqual(drawings[1]!.left);
    expect(drawings[2]!.right).toBeGreaterThan(1000);
    for (const some of [scales, seen['/verify 390 light']!.scales]) {
      for (const scale of some) expect(scale).toBeCloseTo(some[0]!, 1);
    }
    const [matrix, classes] = seen['/few 1280 light']!.sections;
    expect(classes!.top).toBe(matrix!.top);
    expect(classes!.left).toBeGreaterThan(400);
    expect(seen['/many 390 light']!.hidden).toBeGreaterThan(200); // a matrix that keeps its size scrolls
  },
  60_000,
);
