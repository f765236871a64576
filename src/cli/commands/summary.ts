/** `resnext summary`: describes a network stage by stage, as in the paper's Table 1, and how a file of weights was read. */

import { describeReport, type ImportReport } from '../../checkpoints/import.ts';
import { cost, nodeMacs } from '../../graph/cost.ts';
import type { Value } from '../../graph/graph.ts';
import { slidingKernel, squeezedWidth } from '../../model/attention.ts';
import { branchWidth, type ResNeXtConfig, type ResNeXtOptions } from '../../model/config.ts';
import { type Model, resnext } from '../../model/resnext.ts';
import { deepStemFeatures } from '../../model/stem.ts';
import { stems } from '../../model/stems.ts';
import type { OptionsOf } from '../../options.ts';
import { short, table } from '../../output/text.ts';
import type { ModelDescription } from '../../saved/description.ts';
import { loadModel } from '../../saved/files.ts';
import { elements } from '../../tensor.ts';
import { keyOf, modelPathUnlessVariant } from '../model.ts';
import { summaryOptions } from '../options/models.ts';
import type { Output } from '../output.ts';
import { newNetwork, refuseIdle } from '../refuse.ts';
import { variantOptions } from '../variant.ts';

type SummaryOptions = OptionsOf<typeof summaryOptions>;

export async function run(options: SummaryOptions, output: Output): Promise<number> {
  const { model: name, form } = options;
  const { network, description, report } = await subjectOf(options, output);
  const model = resnext(network);
  const { parameters, macs, nodes } = cost(model.graph);
  const stages = summarize(model);
  const { config } = model;
  const found = description && { variant: description.variant, preprocessing: description.preprocessing };
  output.document({ name, ...found, form, parameters, macs, nodes, config, stages, ...(report && { report }) });
  for (const line of report ? describeReport(report) : []) output.line(line);
  if (report) output.line();
  output.line(
    `${name}, form ${form}: ${config.inputChannels} x ${config.inputSize.join(' x ')} in, ${config.classes} classes\n`,
  );
  const rows = stages.map((stage) => [
    stage.name,
    stage.output,
    short(stage.parameters),
    short(stage.macs),
    stage.blocks,
  ]);
  output.line(table([['stage', 'output', 'parameters', 'multiply-adds', 'layers'], ...rows], output.width));
  output.line(`\n${parameters.toLocaleString('en')} parameters, ${short(macs)} multiply-adds, ${nodes} nodes`);
  return 0;
}

interface Subject {
  readonly network: ResNeXtOptions;
  readonly description?: ModelDescription;
  readonly report?: ImportReport;
}

/** A variant with the options, or a saved model in the form asked for. */
async function subjectOf(options: SummaryOptions, output: Output): Promise<Subject> {
  const { model: name } = options;
  const path = await modelPathUnlessVariant(name, output);
  if (path === undefined) {
    refuseIdle(summaryOptions, options, ['key'], newNetwork);
    return { network: variantOptions(name, options) };
  }
  refuseIdle(summaryOptions, options, ['shortcut', 'classes', 'size'], 'a saved model has its own');
  const { description, report } = await loadModel(path, { lazy: true, ...keyOf(options) });
  return { network: { ...description.config, form: options.form }, description, ...(report && { report }) };
}

interface StageSummary {
  readonly name: string;
  /** Channels x height x width. */
  readonly output: string;
  readonly blocks: string;
  readonly parameters: number;
  readonly macs: number;
}

/** The stem, each stage and the classifier. The first part of a node's or parameter's name tells which it belongs to. */
function summarize({ config, graph, parameters }: Model): StageSummary[] {
  const part = (name: string) =>
    (/^(layer\d+|fc|avgpool|flatten)/.exec(name)?.[0] ?? 'stem').replace(/avgpool|flatten/, 'fc');
  const names = ['stem', ...config.depths.map((_, s) => `layer${s + 1}`), 'fc'];
  return names.map((name) => {
    const nodes = graph.sorted().filter((node) => part(node.name) === name);
    const own = parameters.filter(({ value, trainable }) => trainable && part(value.name) === name);
    return {
      name,
      output: (nodes.at(-1)!.outputs[0]!.dims ?? []).slice(1).join(' x '),
      blocks: describeStage(config, name),
      parameters: own.reduce((sum, { value }: { value: Value }) => sum + elements(value.dims as number[]), 0),
      macs: nodes.reduce((sum, node) => sum + nodeMacs(node), 0),
    };
  });
}

function describeStage(config: ResNeXtConfig, name: string): string {
  const { depths, width, baseWidth, cardinality, classes, form, halvedSplit, antialias } = config;
  if (name === 'stem') return describeStem(config);
  if (name === 'fc') return classes > 0 ? 'average-pool, linear' : 'average-pool';
  const s = Number(name.slice('layer'.length)) - 1;
  const n = width * 2 ** s;
  const d = branchWidth(n, baseWidth);
  const [split, wide] = [halvedSplit ? d / 2 : d, d * cardinality];
  const block = {
    A: `${cardinality} branches of 1x1 ${split}, 3x3 ${d}, 1x1 ${4 * n}, added`,
    B: `${cardinality} branches of 1x1 ${split}, 3x3 ${d}, joined, 1x1 ${4 * n}`,
    C: `1x1 ${split * cardinality}, 3x3 ${wide} in ${cardinality} groups, 1x1 ${4 * n}`,
  };
  const weights = { none: '', se: `, SE ${squeezedWidth(4 * n)}`, eca: `, ECA ${slidingKernel(4 * n)}` };
  return `${depths[s]} x [${block[form]}${weights[config.attention]}]${antialias && s > 0 ? ', anti-aliased' : ''}`;
}

function describeStem(config: ResNeXtConfig): string {
  const [first, second, third] = deepStemFeatures(config);
  const deep = `3x3 ${first} /2, 3x3 ${second}, 3x3 ${third}`;
  const convolutions = { imagenet: '7x7 /2', deep, tiered: deep, cifar: '3x3' }[config.stem];
  const pool = {
    max: 'max-pool 3x3 /2',
    'max-ceil': 'max-pool 3x3 /2 without padding',
    average: 'average-pool 2x2 /2',
  }[config.stemPool];
  return stems[config.stem].hasPool ? `${convolutions}, ${pool}` : convolutions;
}
