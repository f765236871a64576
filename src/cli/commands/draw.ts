/** `resnext draw`: draws a block of a variant, a model or any ONNX file, or a grouped convolution, as SVG or PNG. */
import { drawBlock } from '../../draw/block.ts';
import { drawGroupedConvolution } from '../../draw/grouped.ts';
import { UsageError } from '../../errors.ts';
import { writeFileAtomically } from '../../files.ts';
import type { Graph } from '../../graph/graph.ts';
import { inferShapes } from '../../graph/shapes.ts';
import type { Form } from '../../model/config.ts';
import { resnext } from '../../model/resnext.ts';
import { isOnnxFile, readOnnxFile } from '../../onnx/files.ts';
import type { OptionsOf } from '../../options.ts';
import { byEnding, endingOf } from '../../output/endings.ts';
import { renderPng } from '../../platform/node/render.ts';
import { convertGraph } from '../../rewrite/convert.ts';
import { loadModel } from '../../saved/files.ts';
import { modelPathUnlessVariant } from '../model.ts';
import type { drawOptions } from '../options/models.ts';
import type { Output } from '../output.ts';
import { variantOptions } from '../variant.ts';

export type DrawOptions = OptionsOf<typeof drawOptions>;

export async function run(options: DrawOptions, output: Output): Promise<number> {
  const file = options.output;
  const format = file === undefined ? 'svg' : formatOf(file);
  const svg = await drawing(options, output);
  if (file === undefined) output.data(`${svg.trimEnd()}\n`);
  else {
    await writeFileAtomically(file, format === 'png' ? [await renderPng(svg, pngScale)] : svg);
    output.line(`Wrote ${file}.`);
  }
  return 0;
}

/** Pixels of a PNG file per CSS pixel: sharp on dense screens and in print. */
const pngScale = 3;

const formats: Readonly<Record<string, 'svg' | 'png'>> = { '.svg': 'svg', '.png': 'png', '': 'svg' };

/**
 * The format of a drawing by the ending of its file. Without one, it is SVG.
 *
 * @throws UsageError for another ending.
 */
function formatOf(file: string): 'svg' | 'png' {
  const use =
    endingOf(file) === '.pdf'
      ? 'which Inkscape, rsvg-convert and browsers turn into PDF'
      : 'which most programs can convert';
  return byEnding(file, formats, `Write .svg, ${use}.`);
}

async function drawing(options: DrawOptions, output: Output): Promise<string> {
  const { model, grouped, block, form, details, theme } = options;
  if (grouped !== undefined) {
    if (model !== undefined || block !== undefined || form !== undefined || details) {
      throw new UsageError(
        '--grouped makes a different drawing and cannot be combined with a model, --block, --form or --details. Remove them.',
      );
    }
    return drawGroupedConvolution({ ...channels(grouped), theme });
  }
  if (model === undefined) {
    throw new UsageError(
      'Name a variant or a model whose block to draw, or use --grouped with channels in, channels out and groups.',
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
  if (isOnnxFile(path)) return fileGraph(path, form, output);
  const { description, graph } = await loadModel(path);
  return form === undefined ? graph : resnext({ ...description.config, form }).graph;
}

/** The graph of any ONNX file. Blocks that the rules recognize are converted to `form`; sizes are inferred if possible. */
async function fileGraph(path: string, form: Form | undefined, output: Output): Promise<Graph> {
  const graph = await readOnnxFile(path);
  if (form !== undefined) {
    const { graph: converted, report } = convertGraph(graph, form);
    const [first, ...more] = report.refusals;
    if (first) {
      const others = more.length > 0 ? ` Nor were ${more.length} other places.` : '';
      output.warn(`${first.node} was not converted: ${first.text}${others}`);
    }
    return converted;
  }
  try {
    inferShapes(graph);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    output.warn(`The drawing has no sizes: ${error.message}`);
  }
  return graph;
}
