/** `resnext draw`: a block of a variant, a model or anybody's ONNX file, or a grouped convolution, as SVG. */
import { extname } from 'node:path';
import { drawBlock } from '../../draw/block.ts';
import { drawGroupedConvolution } from '../../draw/grouped.ts';
import { UsageError } from '../../errors.ts';
import { writeFileAtomically } from '../../files.ts';
import type { Graph } from '../../graph/graph.ts';
import { inferShapes } from '../../graph/shapes.ts';
import type { Form } from '../../model/config.ts';
import { resnext } from '../../model/resnext.ts';
import { readOnnxFile } from '../../onnx/files.ts';
import type { OptionsOf } from '../../options.ts';
import { convertGraph } from '../../rewrite/convert.ts';
import { loadModel } from '../../saved/files.ts';
import { modelPathUnlessVariant } from '../model.ts';
import type { drawOptions } from '../options.ts';
import type { Output } from '../output.ts';
import { variantOptions } from '../variant.ts';

export type DrawOptions = OptionsOf<typeof drawOptions>;

export async function run(options: DrawOptions, output: Output): Promise<number> {
  const svg = await drawing(options, output);
  if (options.output === undefined) output.line(svg.trimEnd());
  else {
    await writeFileAtomically(options.output, svg);
    output.line(`Wrote ${options.output}.`);
  }
  return 0;
}

async function drawing(options: DrawOptions, output: Output): Promise<string> {
  const { model, grouped, block, form, details, theme } = options;
  if (grouped !== undefined) {
    if (model !== undefined || block !== undefined || form !== undefined || details) {
      throw new UsageError('--grouped is a drawing of its own; leave out the model, --block, --form and --details.');
    }
    return drawGroupedConvolution({ ...channels(grouped), theme });
  }
  if (model === undefined) {
    throw new UsageError(
      'Name a variant or a model to draw a block of, or --grouped with channels in, out and groups.',
    );
  }
  return drawBlock(await graphOf(model, form, output), block, { details, theme });
}

/** `8,4,4` → channels in, channels out, groups. */
function channels(numbers: readonly number[]): { input: number; output: number; groups: number } {
  const [input, output, groups, ...others] = numbers;
  if (input === undefined || output === undefined || groups === undefined || others.length > 0) {
    throw new UsageError(
      `--grouped is ${numbers.join(',')}, but expected three numbers: channels in, channels out and groups, as in 8,4,4.`,
    );
  }
  return { input, output, groups };
}

async function graphOf(source: string, form: Form | undefined, output: Output): Promise<Graph> {
  const path = await modelPathUnlessVariant(source, output);
  if (path === undefined) return resnext(variantOptions(source, { form })).graph;
  if (extname(path) === '.onnx') return fileGraph(path, form, output);
  const { description, graph } = await loadModel(path);
  return form === undefined ? graph : resnext({ ...description.config, form }).graph;
}

/** Anybody's graph: in another form as far as the rules know its blocks, with sizes as far as they can be told. */
async function fileGraph(path: string, form: Form | undefined, output: Output): Promise<Graph> {
  const graph = await readOnnxFile(path);
  if (form !== undefined) {
    const { graph: converted, report } = convertGraph(graph, form);
    const [first, ...more] = report.refusals;
    if (first) {
      const others = more.length > 0 ? ` So do ${more.length} other places.` : '';
      output.warn(`${first.node} stays as it is: ${first.text}${others}`);
    }
    return converted;
  }
  try {
    inferShapes(graph);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    output.warn(`Sizes are left out: ${error.message}`);
  }
  return graph;
}
