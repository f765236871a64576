import { expect, it } from 'vitest';
import type { EpochEvent } from '../train/events.ts';
import { epochsIn } from './run-details.ts';
import { commandOf } from './run-options.ts';
import { runPage } from './run-page.ts';

const options = {
  data: 'fl owers',
  out: 'runs/a',
  variant: 'resnext11_8x16d_w16',
  epochs: 3,
  batch: 64,
  optimizer: 'sgd',
  threads: 2,
};
const record = {
  state: 'finished',
  options: { ...options, learningRate: 0.05, freeze: ['stem', 'layer1'], zeroInitLast: true, weightDecay: 0.0005 },
  data: {
    ...{ folder: '/data/flowers', train: 480, validation: 12, validationFrom: 'val' },
    classes: [400, 80].map((train, k) => ({ name: `<class ${k}>`, train, validation: 6 })),
  },
  network: { variant: 'resnext11_8x16d_w16', parameters: 134356, trained: 100000, macs: 24429568 },
  sessions: [{ started: '2026-11-29T23:18:31.158Z', epoch: 1, step: 0, threads: 2 }],
};

const line = (epoch: number, validation: number | undefined, best: boolean): EpochEvent => ({
  ...{
    event: 'epoch',
    epoch,
    epochs: 3,
    loss: 2 / epoch,
    top1: 40 + epoch,
    learningRate: 0.1,
    seconds: 48,
    corrupt: 0,
    best,
  },
  ...(validation !== undefined && {
    validation: { loss: 1, top1: validation, top5: 100, balancedAccuracy: validation - 1, macroF1: validation - 2 },
  }),
});
const lines = [line(1, 50, true), line(2, 60, true), line(3, 55, false)];

it('has figures of the best epoch, curves, how the run was made, and more on uneven classes', async () => {
  const html = await runPage({ name: 'a & b', lines, record });
  expect(html).toContain('<h1>a &amp; b</h1>');
  expect(html).toContain('resnext11_8x16d_w16 on /data/flowers, 3 epochs in 2:24');
  for (const [name, value] of Object.entries({
    ...{ 'best top-1': '60.00 %', 'balanced accuracy': '59.00 %', 'macro F1': '58.00 %', 'best epoch': '2 of 3' },
    ...{ 'training time': '2:24', 'images/s': '10', 'training images': '480', parameters: '134.4 k' },
  })) {
    expect(html).toContain(`<dt>${name}</dt><dd>${value}</dd>`);
  }
  expect(html.match(/<svg[^>]*aria-label="[^"]*best: epoch 2\./g)).toHaveLength(3); // loss, top-1, means over classes
  expect(html).toContain('Training images of each class: <class 0> 400');
  expect(html).toContain('<td>batch</td><td>64</td><td>32</td>');
  expect(html).not.toMatch(/NaN|undefined|\[object|(src|href)="(?!data:)/);
  expect(html).not.toContain('class="notice"');
});

it('the command names what is not a default, and nothing that is', () => {
  expect(commandOf(record.options).join(' ')).toBe(
    "resnext train 'fl owers' --freeze stem,layer1 --variant resnext11_8x16d_w16 --zero-init-last --epochs 3 --batch 64 --threads 2 --out runs/a",
  );
  const tuned = { ...record.options, from: 'runs/b', freeze: [], recipe: 'quick' };
  expect(commandOf(tuned).join(' ')).toBe(
    "resnext train 'fl owers' --from runs/b --epochs 3 --batch 64 --threads 2 --out runs/a",
  );
});

const states: readonly (readonly [state: string, epochs: number, said: string])[] = [
  [
    'interrupted',
    2,
    'The run was interrupted after 2 of 3 epochs. Continue it with: <code>resnext train --resume runs/a</code>',
  ],
  ['interrupted', 0, 'The run was interrupted before the end of its first epoch.'],
  ['diverged', 1, 'The run diverged in epoch 2 of 3: its loss was no longer a finite number. The curves'],
  ['diverged', 0, 'The run diverged in epoch 1 of 3: its loss was no longer a finite number. Choose'],
  ['running', 1, 'in progress, or its process was ended: 1 of 3 epochs done.'],
  ['finished', 2, 'The run ended early, after 2 of 3 epochs, since it no longer improved.'],
];

it.each(states)('%s after %i epochs', async (state, epochs, said) => {
  const html = await runPage({ name: 'a', lines: lines.slice(0, epochs), record: { ...record, state } });
  expect(html).toContain(said);
  expect(html.includes('Learning curves')).toBe(epochs > 0);
  expect(html).not.toMatch(/NaN|undefined|Infinity/);
});

it('shows the average and the raw weights where both were validated', async () => {
  const raw = { loss: 1.5, top1: 45, top5: 100, balancedAccuracy: 44, macroF1: 43 };
  const html = await runPage({
    name: 'a',
    lines: lines.map((each) => ({ ...each, rawValidation: raw, images: 960 })),
    record,
  });
  expect(html).toMatch(/aria-label="Loss\. [^"]*validation from 1 to 1, raw weights from 1\.5 to 1\.5;/);
  expect(html).toContain('The model of this run is the moving average of the weights.');
  expect(html).toContain('<dt>images/s</dt><dd>20</dd>'); // 960 in 48 seconds
});

it('a run without validation images, or without a record, has what there is', async () => {
  const html = await runPage({ name: 'a', lines: [line(1, undefined, true)], notes: ['No <images>.'] });
  expect(html).toContain('<dt>training top-1</dt><dd>41.00 %</dd>');
  expect(html).toContain('<p class="notice">No &lt;images>.</p>');
  expect(html).not.toMatch(/best top-1|validation loss|NaN|undefined/);
});

it('reads metrics up to a line that was cut off', () => {
  const text = lines.map((each) => JSON.stringify(each)).join('\n');
  expect(epochsIn(`${text}\n`)).toHaveLength(3);
  expect(epochsIn(text.slice(0, -5)).map(({ epoch }) => epoch)).toEqual([1, 2]);
});

it.each([
  [{ loss: 'binary-cross-entropy' }, 'training is binary cross-entropy.'],
  [{ classWeights: 'balanced', mixup: 0.2 }, 'training is weighted by class and of mixed images, whose training top-1'],
  [{ classWeights: 'none', mixup: 0, labelSmoothing: 0 }, undefined],
])('says why losses cannot be compared with %o', async (more, expected) => {
  const html = await runPage({ name: 'a', lines, record: { ...record, options: { ...options, ...more } } });
  if (expected === undefined) expect(html).not.toContain('cannot be compared');
  else expect(html).toContain(expected);
});
