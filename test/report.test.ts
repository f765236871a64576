/** Reports and comparisons of real runs, through the command line. */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Comparison, compareRuns, reportRun, train } from 'resnext';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { json, run } from './command.ts';

let dir: string;
const at = (...names: string[]): string => join(dir, ...names);

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-report-'));
  for (const [name, background] of Object.entries({ blue: '#0000ff', red: '#ff0000' })) {
    mkdirSync(at('images', name), { recursive: true });
    for (let i = 0; i < 8; i++) {
      const image = sharp({ create: { width: 16, height: 16 + i, channels: 3, background } });
      await image.png().toFile(at('images', name, `${i}.png`));
    }
  }
  const options = { variant: 'resnext11_8x16d_w16', size: 16, epochs: 2, batch: 4, threads: 1, workers: 0 };
  for (const fold of ['1/2', '2/2']) {
    await train({ ...options, data: at('images'), out: at(`fold-${fold[0]}`), fold });
  }
}, 60_000);
afterAll(() => rmSync(dir, { recursive: true }));

describe('resnext report', () => {
  it('evaluates the best model on the images that the run held out', async () => {
    const file = at('report.html');
    const { stdout, stderr, code } = await run('report', at('fold-1'), '-o', file, '--threads', '1', '--workers', '0');
    expect({ stdout, stderr, code }).toEqual({ stdout: `Wrote ${file}.\n`, stderr: '', code: 0 });
    const html = readFileSync(file, 'utf8');
    const { validation } = JSON.parse(readFileSync(at('fold-1', 'metrics.jsonl'), 'utf8').split('\n').at(-2)!);
    expect(html).toContain('on 8 validation images');
    for (const heading of ['Learning curves', 'Confusion matrix', 'Classes', 'Calibration', 'How it was made']) {
      expect(html).toContain(`<h2>${heading}</h2>`);
    }
    expect(html).toContain(`<span>--fold 1/2</span>`);
    expect(typeof validation.top1).toBe('number');
  }, 60_000);

  it('measures what training measured', async () => {
    const { evaluation } = await json<{ evaluation: { top1: number; loss: number; images: number } }>(
      ...['report', at('fold-2'), '-o', at('again.html'), '--threads', '1', '--workers', '0'],
    );
    const [, best] = compareRuns([at('fold-1'), at('fold-2')]).runs;
    expect(evaluation.images).toBe(8);
    expect(evaluation.top1).toBe(best!.top1);
    expect(evaluation.loss).toBeCloseTo(best!.loss!, 4); // training validates in one batch, as this does
  }, 60_000);

  it('does without images that are gone, and finds them elsewhere', async () => {
    renameSync(at('images'), at('moved'));
    try {
      expect(await reportRun(at('fold-1'))).toContain('<p class="notice">The model was not evaluated.');
      expect(await reportRun(at('fold-1'), { evaluate: false })).not.toContain('class="notice"');
      expect(await reportRun(at('fold-1'), { data: at('moved'), workers: 0 })).toContain('on 8 validation images');
    } finally {
      renameSync(at('moved'), at('images'));
    }
  }, 60_000);

  it('refuses a folder without a run', async () => {
    const { code, stderr } = await run('report', at('images'), '-o', at('none.html'));
    expect(code).toBe(1);
    expect(stderr).toContain(`There is no training run in "${at('images')}".`);
  });
});

describe('resnext compare', () => {
  it('has the figures of each run, what differs, and means over folds', async () => {
    const { runs, options, folds } = await json<Comparison>('compare', at('fold-1'), at('fold-2'));
    expect(runs.map(({ name, epochs, state }) => [name, epochs, state])).toEqual([
      ['fold-1', 2, 'finished'],
      ['fold-2', 2, 'finished'],
    ]);
    const differing = options.filter(({ differs }) => differs);
    expect(differing).toEqual([{ name: 'fold', values: ['1/2', '2/2'], differs: true }]);
    expect(options.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['variant', 'size', 'epochs', 'batch', 'fold']),
    );
    const [a, b] = runs.map(({ loss }) => loss!) as [number, number];
    const [{ of, figures }] = folds as [(typeof folds)[0]];
    expect(of).toBe(2);
    expect(figures.loss!.mean).toBeCloseTo((a + b) / 2, 12);
    expect(figures.loss!.deviation).toBeCloseTo(Math.abs(a - b) / Math.SQRT2, 12); // n − 1
  });

  it('prints tables and writes a page', async () => {
    const { stdout, code } = await run('compare', at('fold-1'), at('fold-2'), '-o', at('compare.html'));
    expect(code).toBe(0);
    expect(stdout).toMatch(/^run +best top-1 +loss +macro F1 +epochs done +time +parameters\nfold-1 /);
    expect(stdout).toContain('The runs differ in:');
    expect(stdout).toMatch(/2 of 2 folds: top-1 [\d.]+ ± [\d.]+ %, loss/);
    const html = readFileSync(at('compare.html'), 'utf8');
    expect(html.match(/<svg[^>]*class="chart"/g)).toHaveLength(4);
    expect(html).toContain('<tr class="differs"><th scope="row">fold</th><td>1/2</td><td>2/2</td></tr>');
    expect(html).not.toMatch(/NaN|undefined|(src|href)="(?!data:)/);
  });
});
