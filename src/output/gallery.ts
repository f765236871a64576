/**
 * Images with their most likely classes, for a terminal: side by side with bars below each where there are colors, or else
 * names and bars, a line per class.
 */
import type { Image } from '#platform/images';
import type { Prediction } from '../classifier/predictions.ts';
import { printable } from '../errors.ts';
import { halfBlocks } from './half-blocks.ts';
import type { Terminal } from './terminal.ts';

export interface Exhibit {
  readonly name: string;
  readonly image: Image;
  readonly predictions: readonly Prediction[];
  /** The class that it is known to have, if any; the title then says whether the most likely one is right. */
  readonly truth?: string | undefined;
}

/** Prints images as they arrive. */
export interface Gallery {
  add(exhibit: Exhibit): void;
  /** Prints what is left. */
  end(): void;
}

/** What is known before the first image, so that columns are aligned. */
export interface GalleryOptions {
  readonly terminal: Terminal;
  readonly names: readonly string[];
  readonly classes: readonly string[];
}

/** Widths of an image in cells. The fewer there are, the wider each is. */
const [narrowest, widest] = [24, 48];
const gap = 2;

/**
 * A gallery for a terminal. Where it has too few colors, or is narrower than an image, it is a list.
 *
 * @param print gets lines with their line breaks.
 */
export function createGallery(options: GalleryOptions, print: (text: string) => void): Gallery {
  const { colors, columns } = options.terminal;
  if (colors === 'none' || columns < narrowest) {
    const list = listLayout(options);
    return { add: (exhibit) => print(listed(exhibit, list)), end: () => {} };
  }
  const most = Math.floor((columns + gap) / (narrowest + gap));
  const rows = Math.ceil(options.names.length / most);
  const perRow = Math.ceil(options.names.length / rows); // rows as even as can be
  const width = Math.min(widest, 2 * Math.floor(((columns + gap) / perRow - gap) / 2)); // even, as a square has half as many rows
  const waiting: Exhibit[] = [];
  const printRow = () => {
    const row = waiting.splice(0);
    const drawn = row.map(({ image }) => halfBlocks(image, width, width / 2, colors));
    const height = Math.max(...drawn.map((lines) => lines.length));
    const tiles = row.map((exhibit, i) => [
      ...Array.from({ length: height }, (_, line) => drawn[i]![line] ?? ' '.repeat(width)),
      ...caption(exhibit, width),
    ]);
    print(`${beside(tiles, width)}\n\n`);
  };
  return {
    add: (exhibit) => {
      if (waiting.push(exhibit) === perRow) printRow();
    },
    end: () => {
      if (waiting.length > 0) printRow();
    },
  };
}

/** Joins blocks of lines side by side. A shorter one is completed with spaces. */
function beside(tiles: readonly (readonly string[])[], width: number): string {
  const height = Math.max(...tiles.map((lines) => lines.length));
  const lines = Array.from({ length: height }, (_, line) => {
    return tiles.map((tile) => tile[line] ?? ' '.repeat(width)).join(' '.repeat(gap));
  });
  return lines.map((line) => line.trimEnd()).join('\n');
}

const csi = '\u001b[';
const plain = `${csi}0m`;
/** Light text on a bar, of the palette that all terminals with 256 colors share. */
const bars = {
  right: `${csi}38;5;231;48;5;28m`,
  wrong: `${csi}38;5;231;48;5;124m`,
  other: `${csi}38;5;231;48;5;24m`,
};
const marks = { right: `${csi}32m✓${plain} `, wrong: `${csi}31m✗${plain} `, unknown: '' };

type Verdict = keyof typeof marks;

const verdictOn = ({ predictions: [best], truth }: Exhibit): Verdict => {
  if (truth === undefined) return 'unknown';
  return best?.label === truth ? 'right' : 'wrong';
};

/** A title, and a line per class that is a bar behind its name. */
function caption(exhibit: Exhibit, width: number): string[] {
  const verdict = verdictOn(exhibit);
  const room = width - (verdict === 'unknown' ? 0 : 2);
  const title = `${marks[verdict]}${fit(ending(exhibit.name, room), room)}`;
  const classes = exhibit.predictions.map(({ label, probability }, rank) => {
    const text = `${fit(beginning(printable(label), width - percentWidth), width - percentWidth)}${percent(probability)}`;
    const full = Math.round(width * probability);
    const style = rank > 0 || verdict === 'unknown' ? bars.other : bars[verdict];
    return full === 0 ? text : `${style}${text.slice(0, full)}${plain}${text.slice(full)}`;
  });
  return [title, ...classes];
}

interface ListLayout {
  readonly columns: number;
  readonly title: number;
  readonly label: number;
  readonly bar: number;
}

const [widestTitle, widestLabel, widestBar, narrowestBar] = [32, 24, 30, 8];
const percentWidth = 6;

/** Titles are beside the bars if both fit, or else above them. */
function listLayout({ terminal: { columns }, names, classes }: GalleryOptions): ListLayout {
  const longest = (texts: readonly string[]) => Math.max(0, ...texts.map((text) => printable(text).length));
  const label = Math.max(1, Math.min(widestLabel, longest(classes) || widestLabel, columns - percentWidth - 4));
  const title = 2 + Math.min(widestTitle, longest(names));
  const rest = columns - 2 - label - 1 - percentWidth;
  const isBeside = rest - title - 1 >= narrowestBar;
  const bar = Math.max(0, Math.min(widestBar, isBeside ? rest - title - 1 : rest - 1));
  return { columns, title: isBeside ? title : 0, label, bar };
}

function listed(exhibit: Exhibit, { columns, title, label, bar }: ListLayout): string {
  const mark = { right: '✓ ', wrong: '✗ ', unknown: '  ' }[verdictOn(exhibit)];
  const name = mark + ending(exhibit.name, Math.max(1, (title || columns) - 2));
  const rows = exhibit.predictions.map(({ label: text, probability }, rank) => {
    const start = title === 0 ? '' : fit(rank === 0 ? name : '', title);
    return `${start}  ${fit(beginning(printable(text), label), label)} ${barOf(probability, bar)}${percent(probability)}`;
  });
  return `${[...(title === 0 || rows.length === 0 ? [name.trimEnd()] : []), ...rows].join('\n')}\n`;
}

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A bar in steps of an eighth of a cell, completed with spaces. */
function barOf(share: number, width: number): string {
  const steps = Math.round(8 * width * share);
  return fit('█'.repeat(Math.floor(steps / 8)) + eighths[steps % 8], width);
}

const percent = (probability: number): string => `${(100 * probability).toFixed(0)} %`.padStart(percentWidth);
const fit = (text: string, width: number): string => text.padEnd(width);
const beginning = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, width - 1)}…`;

/** The end of a path tells more than its beginning. */
function ending(name: string, width: number): string {
  const text = printable(name);
  return text.length <= width ? text : `…${text.slice(text.length - width + 1)}`;
}
