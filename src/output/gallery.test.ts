import { stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import { createGallery, type Exhibit } from './gallery.ts';
import type { Terminal } from './terminal.ts';

const classes = ['cat', 'automobile'];
const image = { width: 48, height: 48, channels: 3, data: new Uint8Array(3 * 48 * 48).fill(50) } as const;

/** A cat that is taken for one with this probability. */
const exhibit = (name: string, probability: number, truth?: string): Exhibit => {
  const all = [
    { label: 'cat', probability },
    { label: 'automobile', probability: 1 - probability },
  ];
  return { name, image, predictions: all.sort((a, b) => b.probability - a.probability), truth };
};

function shown(exhibits: readonly Exhibit[], terminal: Terminal): string {
  let text = '';
  const gallery = createGallery({ terminal, names: exhibits.map(({ name }) => name), classes }, (part) => {
    text += part;
  });
  for (const each of exhibits) gallery.add(each);
  gallery.end();
  return text;
}

it.each([
  [80, 7, 3, 24],
  [80, 2, 2, 38],
  [120, 6, 3, 38],
  [120, 7, 4, 28],
  [120, 1, 1, 48],
  [30, 2, 1, 30],
])('in %i columns, %i images: %i side by side, each %i wide', (columns, count, perRow, width) => {
  const exhibits = Array.from({ length: count }, (_, k) => exhibit(`cats/${k}.jpg`, 0.75, 'cat'));
  const lines = stripVTControlCharacters(shown(exhibits, { colors: 'full', columns })).split('\n');
  const rowHeight = width / 2 + 1 + classes.length + 1; // image, title, classes, space
  expect(lines).toHaveLength(Math.ceil(count / perRow) * rowHeight + 1);
  expect(lines[0]).toBe(Array(perRow).fill('▀'.repeat(width)).join('  '));
  if (count > perRow)
    expect(lines.at(-2 - classes.length - 2)).toBe(
      Array(count % perRow || perRow)
        .fill('▀'.repeat(width))
        .join('  '),
    );
  expect(lines[width / 2]!.split(/ {2,}/)).toEqual(Array.from({ length: perRow }, (_, k) => `✓ cats/${k}.jpg`));
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns);
});

it('classes are on bars whose color says whether the image is what it is known to be', () => {
  const lines = shown([exhibit('a.jpg', 0.75, 'cat'), exhibit('b.jpg', 0.25, 'cat'), exhibit('c.jpg', 0.5)], {
    colors: 'palette',
    columns: 80,
  }).split('\n');
  const [titles, best, second] = lines.slice(12);
  const [green, red, plain] = ['\u001b[32m', '\u001b[31m', '\u001b[0m'];
  expect(titles!.split(/ {2,}/)).toEqual([`${green}✓${plain} a.jpg`, `${red}✗${plain} b.jpg`, 'c.jpg']);
  const bar = (color: number, text: string) => `\u001b[38;5;231;48;5;${color}m${text}\u001b[0m`;
  expect(best).toContain(`${bar(28, 'cat               ')}  75 %`); // 18 of 24 cells
  expect(best).toContain(`${bar(124, 'automobile        ')}  75 %`);
  expect(best).toContain(bar(24, 'cat         '));
  expect(second).toContain(`${bar(24, 'automo')}bile          25 %`);
});

it('without colors, it is a list', () => {
  const exhibits = [exhibit('cats/a.jpg', 0.75, 'cat'), exhibit('b.jpg', 0.3, 'cat'), exhibit('c.jpg', 1)];
  expect(shown(exhibits, { colors: 'none', columns: 60 })).toBe(
    [
      '✓ cats/a.jpg  cat        █████████████████████         75 %',
      '              automobile ███████                       25 %',
      '✗ b.jpg       automobile ███████████████████▋          70 %',
      '              cat        ████████▍                     30 %',
      '  c.jpg       cat        ████████████████████████████ 100 %',
      '              automobile                                0 %',
      '',
    ].join('\n'),
  );
});

it('in a narrow window, titles are above their classes', () => {
  expect(shown([exhibit('cats/a.jpg', 0.75, 'cat')], { colors: 'full', columns: 23 })).toBe(
    ['✓ cats/a.jpg', '  cat        ██▎  75 %', '  automobile ▊    25 %', ''].join('\n'),
  );
});

it('names are cut to fit, and control characters in them do nothing', () => {
  const hostile = exhibit(`${'long/'.repeat(20)}\u001b[2J.jpg`, 0.75);
  for (const colors of ['full', 'none'] as const) {
    const text = shown([hostile], { colors, columns: 60 });
    expect(text).toContain('…');
    expect(text).toContain('\\u001b[2J.jpg');
    expect(text).not.toContain('\u001b[2J');
    for (const line of stripVTControlCharacters(text).split('\n')) expect(line.length).toBeLessThanOrEqual(60);
  }
});

it('an image without a likely class has only its title', () => {
  const unsure = { name: 'a.jpg', image, predictions: [], truth: 'cat' };
  expect(shown([unsure], { colors: 'none', columns: 60 })).toBe('✗ a.jpg\n');
  expect(stripVTControlCharacters(shown([unsure], { colors: 'full', columns: 60 }))).toMatch(/\n✗ a\.jpg\n\n$/);
});
