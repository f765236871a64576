import { expect, it } from 'vitest';
import { epochChart } from './epoch-chart.ts';

const plain = (text: string) => text;
const series = (name: string, ...values: number[]) => ({ name, values, paint: plain });

it('draws a straight line from corner to corner', () => {
  const lines = epochChart({ series: [series('top-1', 40, 90)], width: 34 }).split('\n');
  expect(lines).toHaveLength(12);
  expect(lines[0]).toBe(' 90 % ┤            ⢀⠎ top-1 90.0 %');
  expect(lines[9]).toBe(' 40 % ┤⡠⠃');
  expect(lines[10]).toBe(`      └${'─'.repeat(14)}`);
  expect(lines[11]).toBe('       epoch 1      2');
});

it('has a name at the end of each curve, the higher one above, and shows the first curve where two meet', () => {
  const paint = (mark: string) => (text: string) => `${mark}${text}${mark}`;
  const both = [
    { name: 'validation', values: [50, 80], paint: paint('<') },
    { name: 'training', values: [50, 81], paint: paint('>') },
  ];
  const lines = epochChart({ series: both, width: 80 }).split('\n');
  expect(lines[2]).toContain('>training 81.0 %>');
  expect(lines[3]).toContain('<validation 80.0 %<');
  expect(lines[9]).toMatch(/^ 50 % ┤<⣀</); // both start there
});

it('a run of one epoch is a flat line, and figures that are all high have room below', () => {
  const lines = epochChart({ series: [series('top-1', 100)], width: 40 }).split('\n');
  expect(lines[0]).toMatch(/^100 % ┤⠉+ top-1 100\.0 %$/);
  expect(lines[9]).toBe(' 90 % ┤');
  expect(lines.at(-1)).toBe('       epoch 1');
});
