/** `resnext list`: prints all named variants with their size, or with `--weights` all published weights. */

import { statSync } from 'node:fs';
import type { Metric, PublishedWeights } from '../../catalog/entry.ts';
import { lookUpWeights, mainMetric, publishedWeights, suggestModel } from '../../catalog/published.ts';
import { type ShippedModel, shippedModels } from '../../catalog/shipped.ts';
import { UsageError } from '../../errors.ts';
import { cost } from '../../graph/cost.ts';
import { shippedFile } from '../../hub/shipped.ts';
import { resnext } from '../../model/resnext.ts';
import { variant, variants } from '../../model/variants.ts';
import type { OptionsOf } from '../../options.ts';
import { short, table, wrap } from '../../output/text.ts';
import { loadModel } from '../../saved/files.ts';
import type { listOptions } from '../options/models.ts';
import type { Output } from '../output.ts';

export async function run(options: OptionsOf<typeof listOptions>, output: Output): Promise<number> {
  const { pattern } = options;
  if (options.weights) await listWeights(pattern, output);
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

async function listWeights(pattern: string | undefined, output: Output): Promise<void> {
  const own = shippedModels.filter(({ name }) => matches(pattern, [name]));
  const shipped = await Promise.all(own.map(withFacts));
  const rows = publishedWeights.filter(({ name, aliases }) => matches(pattern, [name, ...aliases]));
  const count = shipped.length + rows.length;
  if (count === 0) {
    throw new UsageError(`No published weights have "${pattern}" in their name.${suggestModel(pattern ?? '')}`);
  }
  output.document([...shipped, ...rows]);
  const titles = ['name', 'top-1', 'at', 'MB', 'license', ''];
  output.line(table([titles, ...shipped.map(cellsOfShipped), ...rows.map(cellsOf)]));
  const found = count === 1 ? '1 set' : `${count} sets`;
  const advice = `${found} of weights. Those of this package are ready; "resnext pull NAME" downloads another, and a variant’s name its default (*).`;
  output.line(`\n${wrap(advice, output.width)}`);
}

interface ShippedRow extends ShippedModel {
  readonly path: string;
  readonly megabytes: number;
  readonly license: string;
  readonly metrics: readonly Metric[];
}

/** A shipped model with what its file says. */
async function withFacts(model: ShippedModel): Promise<ShippedRow> {
  const path = shippedFile(model);
  const { metrics, preprocessing } = (await loadModel(path, { lazy: true })).description;
  const { top1, top5 } = metrics;
  const measured = top1 === undefined ? [] : [{ size: preprocessing.size, top1, ...(top5 !== undefined && { top5 }) }];
  return { ...model, path, megabytes: statSync(path).size / 1e6, license: 'Apache-2.0', metrics: measured };
}

const cellsOfShipped = ({ name, size, metrics: [metric], megabytes, license }: ShippedRow): string[] => [
  name,
  metric ? metric.top1.toFixed(2) : '–',
  String(size),
  megabytes.toFixed(0),
  license,
  'in this package',
];

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
