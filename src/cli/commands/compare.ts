/** `resnext compare`: training runs side by side, as tables, JSON or an HTML page. */
import { printable } from '../../errors.ts';
import { writeFileAtomically } from '../../files.ts';
import type { OptionsOf } from '../../options.ts';
import { checkPageFile } from '../../output/endings.ts';
import { duration, short, table } from '../../output/text.ts';
import { type Comparison, compareRuns } from '../../report/compare.ts';
import { comparePage, foldsInWords } from '../../report/compare-page.ts';
import { optionText } from '../../report/run-options.ts';
import type { compareOptions } from '../options/training.ts';
import type { Output } from '../output.ts';

export async function run({ runs, output: file }: OptionsOf<typeof compareOptions>, output: Output): Promise<number> {
  if (file !== undefined) checkPageFile(file);
  const comparison = compareRuns(runs);
  const { lines: _, ...figures } = comparison;
  output.document(figures);
  output.line(resultTable(comparison));
  const differing = optionTable(comparison, output.width);
  if (differing !== undefined) output.line(`\nThe runs differ in:\n${differing}`);
  for (const group of comparison.folds) output.line(`\n${foldsInWords(group)}`);
  if (file === undefined) return 0;
  await writeFileAtomically(file, await comparePage(comparison));
  output.line(`\nWrote ${printable(file)}.`);
  return 0;
}

function resultTable({ runs }: Comparison): string {
  const percent = (value: number | undefined) => (value === undefined ? '–' : `${value.toFixed(2)} %`);
  const rows = runs.map(({ name, top1, loss, macroF1, epochs, seconds, parameters }) => [
    ...[name, percent(top1), loss?.toFixed(4) ?? '–', percent(macroF1), epochs, duration(seconds)],
    parameters === undefined ? '–' : short(parameters),
  ]);
  return table([['run', 'best top-1', 'loss', 'macro F1', 'epochs done', 'time', 'parameters'], ...rows]);
}

/** A row for each option, in blocks of as many runs as fit beside each other. */
function optionTable({ runs, options }: Comparison, width: number): string | undefined {
  const differing = options.filter(({ differs }) => differs);
  if (differing.length === 0) return undefined;
  const tableOf = (block: readonly number[]) =>
    table(
      [
        ['', ...block.map((k) => runs[k]!.name)],
        ...differing.map(({ name, values }) => [name, ...block.map((k) => optionText(name, values[k]))]),
      ],
      width,
    );
  const fits = (block: readonly number[]) =>
    tableOf(block)
      .split('\n')
      .every((line) => line.length <= width);
  const blocks: number[][] = [];
  for (const k of runs.keys()) {
    const last = blocks.at(-1);
    if (last && fits([...last, k])) last.push(k);
    else blocks.push([k]);
  }
  return blocks.map(tableOf).join('\n\n');
}
