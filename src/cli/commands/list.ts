/** `resnext list`: prints all named variants with their size, or with `--weights` all published weights. */

import type { PublishedWeights } from '../../catalog/entry.ts';
import { lookUpWeights, mainMetric, publishedWeights, suggestWeights } from '../../catalog/published.ts';
import { UsageError } from '../../errors.ts';
import { cost } from '../../graph/cost.ts';
import { resnext } from '../../model/resnext.ts';
import { variant, variants } from '../../model/variants.ts';
import type { OptionsOf } from '../../options.ts';
import { short, table, wrap } from '../../output/text.ts';
import type { listOptions } from '../options/models.ts';
import type { Output } from '../output.ts';

export async function run(options: OptionsOf<typeof listOptions>, output: Output): Promise<number> {
  const { pattern } = options;
  if (options.weights) listWeights(pattern, output);
  else listVariants(pattern, output);
  return 0;
}

function listVariants(pattern: string | undefined, output: Output): void {
  const names = variants.filter((name) => matches(pattern, [name]));
  if (names.length === 0) {
    throw new UsageError(`No variant has "${pattern}" in its name. Run "resnext list" to see all of them.`);
  }
  const rows = names.map((name) => {
    const { graph, config } = resnext(variant(name));
    const { parameters, macs } = cost(graph);
    return { name, parameters, macs, inputSize: config.inputSize, classes: config.classes };
  });
  output.document(rows);
  const cells = rows.map(({ name, parameters, macs, inputSize: [h, w] }) => [
    name,
    short(parameters),
    short(macs),
    `${h} x ${w}`,
  ]);
  output.line(table([['variant', 'parameters', 'multiply-adds', 'input'], ...cells]));
  output.line(`\n${wrap(otherNames, output.width)}`);
}

const otherNames =
  'Other names work too: any cardinality and width, as in resnext50_16x8d; _w16 for 16 features in the first stage; and any combination of se or eca (attention), aa (anti-aliased) and d or t (deep or tiered stem), as in ecaresnextaa50d_8x14d.';

function listWeights(pattern: string | undefined, output: Output): void {
  const rows = publishedWeights.filter(({ name, aliases }) => matches(pattern, [name, ...aliases]));
  if (rows.length === 0) {
    throw new UsageError(`No published weights have "${pattern}" in their name.${suggestWeights(pattern ?? '')}`);
  }
  output.document(rows);
  const titles = ['name', 'top-1', 'at', 'MB', 'license', ''];
  output.line(table([titles, ...rows.map(cellsOf)]));
  const found = rows.length === 1 ? '1 set' : `${rows.length} sets`;
  const advice = `${found} of weights. "resnext pull NAME" downloads one; a variant’s name downloads its default (*).`;
  output.line(`\n${wrap(advice, output.width)}`);
}

function cellsOf(entry: PublishedWeights): string[] {
  const { name, preprocessing, megabytes, license } = entry;
  const metric = mainMetric(entry);
  return [
    name,
    metric ? metric.top1.toFixed(2) : '–',
    String(preprocessing.size),
    megabytes.toFixed(0),
    license,
    lookUpWeights(entry.variant) === entry ? '*' : '',
  ];
}

/** Whether one of the names contains the pattern, ignoring case; `*` matches anything. */
function matches(pattern: string | undefined, names: readonly string[]): boolean {
  if (pattern === undefined) return true;
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&'));
  const expression = new RegExp(parts.join('.*'), 'i');
  return names.some((name) => expression.test(name));
}
