/** The weights of a small block as shades, cell by cell. */
import { initialWeights, resnext } from 'resnext';
import type { Tensor } from 'resnext/graph';
import { type Block, type BlockChoice, optionsOf, pathOf } from './block.ts';
import type { Row } from './layout.ts';

/** Column and line of a cell, how many there are of each, and its opacity. */
export type Cell = readonly [column: number, line: number, columns: number, lines: number, shade: number];

/** The cells of each branch's filters. */
export type Shades = Partial<Readonly<Record<Row, readonly (readonly Cell[])[]>>>;

/** Blocks with more channels are drawn without their weights. */
const maxChannels = 16;

/** The initial weights of a block; undefined if there are too many to draw. */
export function shadesOf(choice: BlockChoice, block: Block): Shades | undefined {
  const { cardinality, splitWidth, branchWidth, input, output } = block;
  if (Math.max(input, output, cardinality * splitWidth, cardinality * branchWidth) > maxChannels) return undefined;
  const weights = initialWeights(resnext(optionsOf(choice)), 1);
  const path = pathOf(choice);
  const shade = shader(weights.get(`${path}.conv1.weight`)!);
  const branches = Array.from({ length: cardinality }, (_, i) => i);
  const grid = (columns: number, lines: number, at: (column: number, line: number) => number): Cell[] =>
    Array.from({ length: columns * lines }, (_, n) => {
      const [column, line] = [n % columns, Math.floor(n / columns)];
      return [column, line, columns, lines, at(column, line)] as const;
    });
  const transform = shader(weights.get(`${path}.conv2.weight`)!);
  const merge = shader(weights.get(`${path}.conv3.weight`)!);
  return {
    split: branches.map((i) =>
      grid(splitWidth, input, (column, line) => shade((i * splitWidth + column) * input + line)),
    ),
    transform: branches.map((i) =>
      grid(3 * splitWidth, 3 * branchWidth, (column, line) => {
        const filter = i * branchWidth + Math.floor(line / 3);
        return transform((filter * splitWidth + Math.floor(column / 3)) * 9 + 3 * (line % 3) + (column % 3));
      }),
    ),
    merge: branches.map((i) =>
      grid(branchWidth, output, (column, line) => merge(line * cardinality * branchWidth + i * branchWidth + column)),
    ),
  };
}

/** The opacity of each weight: faint for the most negative, full for the largest. */
function shader({ data }: Tensor): (index: number) => number {
  const values = Array.from(data, Number);
  const largest = Math.max(...values.map(Math.abs));
  return (index) => 0.12 + 0.44 * (1 + values[index]! / largest);
}
