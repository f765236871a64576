import { parseHTML } from 'linkedom';
import { expect, it } from 'vitest';
import { barChart, lineChart, reliabilityChart } from './charts.ts';
import { groupChart } from './groups.ts';
import { scatterChart } from './scatter.ts';
import { svgFile } from './svg-file.ts';
import { apart, numberText, tickValues } from './text.ts';

const parsed = (svg: string) => parseHTML(`<body>${svg}</body>`).document.querySelector('svg')!;
const texts = (svg: string) => Array.from(parsed(svg).querySelectorAll('text'), (text) => text.textContent);
const titles = (svg: string) => Array.from(parsed(svg).querySelectorAll('title'), (title) => title.textContent);

it('draws each series, with values under the pointer, the best epoch, and a sentence for those who cannot see it', async () => {
  const svg = await lineChart({
    ...{ title: 'Top-1', x: 'epoch', unit: ' %' },
    series: [
      { name: 'training', color: 0, points: [40, 60.254, 70].map((y, k) => ({ x: k + 1, y })) },
      { name: '<validation>', color: 1, points: [50, Number.NaN, 65].map((y, k) => ({ x: k + 1, y })) },
    ],
    mark: { x: 3, y: 65, label: 'best: epoch 3' },
  });
  const root = parsed(svg);
  expect(root.getAttribute('xmlns')).toBe('http://www.w3.org/2000/svg');
  expect(root.getAttribute('role')).toBe('img');
  expect(root.getAttribute('aria-label')).toBe(
    'Top-1. training from 40 % to 70 %, <validation> from 50 % to 65 %; best: epoch 3.',
  );
  expect(titles(svg)).toEqual([
    'Top-1',
    'epoch 1\ntraining 40 %\n<validation> 50 %',
    'epoch 2\ntraining 60.25 %',
    'epoch 3\ntraining 70 %\n<validation> 65 %',
  ]);
  expect(texts(svg)).toEqual(
    expect.arrayContaining(['training', '<validation>', 'best: epoch 3', '40 %', '70 %', '3']),
  );
  const paths = Array.from(root.querySelectorAll('path'), (path) => path.getAttribute('d')!);
  expect(paths.filter((d) => d.split('M').length === 3)).toHaveLength(1); // the gap
  expect(svg).not.toMatch(/NaN|undefined|(src|href)=/);
  expect(root.querySelectorAll('style')).toHaveLength(0);
});

it('draws a single epoch, an empty series and logarithmic scales', async () => {
  const one = await lineChart({
    title: 'Loss',
    x: 'epoch',
    series: [{ name: 'a', color: 1, points: [{ x: 1, y: 2 }] }],
  });
  expect(parsed(one).querySelectorAll('circle')).toHaveLength(1);
  const none = await lineChart({ title: 'Loss', x: 'epoch', series: [{ name: 'a', color: 1, points: [] }] });
  const points = [1e-5, 1e-3, 1].map((x) => ({ x, y: 1 / x }));
  const logarithmic = { x: true, y: true };
  const log = await lineChart({ title: 'Loss', x: 'rate', logarithmic, series: [{ name: 'a', color: 1, points }] });
  expect(texts(log)).toContain('1e-5');
  for (const svg of [one, none, log]) expect(svg).not.toMatch(/NaN|undefined/);
});

it('ends at ticks', async () => {
  const points = [26, 60.5].map((y, k) => ({ x: k + 1, y }));
  const svg = await lineChart({ title: 'Top-1', x: 'epoch', unit: ' %', series: [{ name: 'a', color: 1, points }] });
  const ticks = texts(svg).filter((text) => text?.endsWith(' %'));
  expect(ticks).toEqual(['20 %', '30 %', '40 %', '50 %', '60 %', '70 %']);
  const [first, last] = Array.from(parsed(svg).querySelectorAll('circle'), (dot) => Number(dot.getAttribute('cy')));
  expect((first! - last!) / (240 - 10 - 38)).toBeCloseTo(34.5 / 50, 3);
});

it('cuts off values far above the others, and names them under the pointer', async () => {
  const points = [9000, 3, 2, 1.5, 1.2, 1].map((y, k) => ({ x: k + 1, y }));
  const svg = await lineChart({ title: 'Loss', x: 'epoch', cut: true, series: [{ name: 'a', color: 1, points }] });
  const ticks = texts(svg).map(Number).filter(Number.isFinite);
  expect(Math.max(...ticks)).toBeLessThan(10);
  expect(svg).toContain('clip-path');
  expect(titles(svg)[1]).toBe('epoch 1\na 9,000');
});

it('draws a bar up to the accuracy of each bin that has predictions', async () => {
  const svg = await reliabilityChart('Calibration', [
    { from: 0, to: 0.5, count: 0, accuracy: Number.NaN, confidence: Number.NaN },
    { from: 0.5, to: 1, count: 4, accuracy: 0.25, confidence: 0.9 },
  ]);
  const heights = Array.from(parsed(svg).querySelectorAll('rect'), (rect) => Number(rect.getAttribute('height')));
  const [, bar, full] = heights as [number, number, number]; // after what hides the grid
  expect((bar + 1) / full).toBeCloseTo(0.25, 2); // less the gap above it
  expect(titles(svg)[1]).toBe('confidence 50 % to 100 %: 4 images\nmean confidence 90.0 %, accuracy 25.0 %');
});

it('draws horizontal bars in proportion', async () => {
  const bars = [10, 40, 0].map((value) => ({ name: `class ${value}`, value }));
  const svg = await barChart({ title: 'Recall', unit: ' %', to: 80, bars });
  expect(texts(svg)).toEqual(['class 10', 'class 40', 'class 0', '10 %', '40 %', '0 %']);
  expect(parsed(svg).getAttribute('aria-label')).toBe('Recall: class 10 10 %, class 40 40 %, class 0 0 %.');
});

it('labels are moved apart as little as possible, and stay inside', () => {
  expect(apart([10, 90], 14, 100)).toEqual([10, 90]);
  expect(apart([50, 40, 45], 14, 100)).toEqual([59, 31, 45]);
  expect(apart([0, 1, 99], 14, 100)).toEqual([0, 14, 99]);
  expect(apart([98, 99], 14, 100)).toEqual([86, 100]);
});

it('axes have round numbers', () => {
  expect(tickValues([0.61, 1.49], 5)).toEqual([0.8, 1, 1.2, 1.4]);
  expect(tickValues([0, 100], 5)).toEqual([0, 20, 40, 60, 80, 100]);
  expect([0, 0.1 + 0.2, 58.333333, 1234.5, 2e-5, 1e9].map(numberText)).toEqual([
    '0',
    '0.3',
    '58.33',
    '1,235',
    '2e-5',
    '1e9',
  ]);
});

it('a chart that stands alone has its title, the name of y, and labels of several marks below one another', async () => {
  const points = [1e-4, 1e-3, 1e-2].map((x) => ({ x, y: 1 / x }));
  const marks = [1e-3, 1e-2].map((x) => ({ x, y: 1 / x, label: `at ${x}` }));
  const more = { x: 'rate', logarithmic: { x: true }, alone: { y: 'loss' }, marks };
  const svg = await lineChart({ ...more, title: 'Sweep', series: [{ name: 'a', color: 1, points }] });
  expect(texts(svg)).toEqual(expect.arrayContaining(['Sweep', 'loss', 'rate', 'at 0.001', 'at 0.01']));
  expect(parsed(svg).getAttribute('aria-label')).toContain('; at 0.001; at 0.01.');
});

it('a chart as a file has a background and the colors of light and dark, and takes nothing from a page', async () => {
  const file = svgFile(await barChart({ title: 'Recall', bars: [{ name: 'cat', value: 1 }] }));
  const [light, dark] = file.split('@media (prefers-color-scheme: dark)');
  expect([light, dark].map((style) => style!.match(/--series-1: (#\w+)/)?.[1])).toEqual(['#1f6fb2', '#5aa9ea']);
  expect(file).not.toMatch(/light-dark|NaN/);
  const { width, height } = Object.fromEntries(
    ['width', 'height'].map((name) => [name, parsed(file).getAttribute(name)]),
  );
  expect([width, height]).toEqual(['424', '56']); // 400 x 32 and its margins
  expect(parsed(file).querySelector('rect.paper')!.getAttribute('height')).toBe(height);
  expect(parsed(file).getAttribute('aria-label')).toBe('Recall: cat 1.');
});

const group = (name: string, ...values: number[][]) => ({ name, values });

it('groups have a dot for each value, the mean, and one standard deviation on both sides', async () => {
  const series = [{ name: 'error', color: 1 as const }];
  const groups = [group('1x', [30, 31, 32]), group('8x', [29])];
  const svg = await groupChart({ title: 'Error', y: 'top-1 error', unit: ' %', x: 'cardinality', series, groups });
  expect(parsed(svg).getAttribute('aria-label')).toBe('Error. 1x, error: 31 ± 1 %; 8x, error: 29 %.');
  expect(titles(svg)).toEqual(['Error', '1x, error: 31 ± 1 %\n30, 31, 32', '8x, error: 29 %\n29']);
  expect(texts(svg)).toEqual(expect.arrayContaining(['Error', 'top-1 error', 'cardinality', '1x', '8x', '32 %']));
  const dots = Array.from(parsed(svg).querySelectorAll('circle'), (dot) => Number(dot.getAttribute('cy')));
  expect(dots).toHaveLength(4);
  const [low, , high] = dots as [number, number, number];
  const band = parsed(svg).querySelector('rect')!;
  expect(Number(band.getAttribute('y'))).toBeCloseTo(high, 1);
  expect(Number(band.getAttribute('height'))).toBeCloseTo(low - high, 1);
});

it('several series of a group stand side by side below a legend, and one that was not measured leaves a gap', async () => {
  const series = ['scratch', 'tuned'].map((name, k) => ({ name, color: (k + 1) as 1 | 2 }));
  const groups = [group('a', [1, 2], [3, 4]), group('b', [], [5])];
  const svg = await groupChart({ title: 'Top-1', y: 'top-1', series, groups });
  expect(texts(svg)).toEqual(expect.arrayContaining(['scratch', 'tuned', 'a', 'b']));
  const places = Array.from(parsed(svg).querySelectorAll('circle'), (dot) => Number(dot.getAttribute('cx')));
  expect(new Set(places).size).toBe(3);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(svg).not.toMatch(/NaN|undefined/);
});

it('circles have areas in proportion, and names that do not overlap', async () => {
  const points = [1, 4, 4.1].map((x) => ({ name: `model ${x}`, x, y: 10 * x, size: x === 1 ? 25 : 100 }));
  const svg = await scatterChart({
    ...{ title: 'Models', x: 'ms', y: 'top-1', unit: ' %', logarithmic: true },
    series: [{ name: 'a', color: 1, points }],
  });
  const radii = Array.from(parsed(svg).querySelectorAll('circle'), (dot) => Number(dot.getAttribute('r')));
  expect(radii).toEqual([22, 22, 11]);
  expect(parsed(svg).getAttribute('aria-label')).toContain('model 4, ms 4, top-1 40 %');
  const names = Array.from(parsed(svg).querySelectorAll('text')).filter((text) =>
    text.textContent?.startsWith('model'),
  );
  const places = names.map((text) => text.getAttribute('transform')! + text.getAttribute('text-anchor'));
  expect(new Set(places).size).toBe(3);
  const none = await scatterChart({
    title: 'Models',
    x: 'ms',
    y: 'top-1',
    series: [{ name: 'a', color: 1, points: [] }],
  });
  expect(svg + none).not.toMatch(/NaN|undefined|Infinity/);
});
