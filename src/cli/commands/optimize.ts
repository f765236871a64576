/** `resnext optimize`: replaces emulated grouped convolutions and folds normalization in any ONNX file. */
import { compareGraphs, toleranceOf } from '../../benchmark/compare.ts';
import { UsageError } from '../../errors.ts';
import type { Graph } from '../../graph/graph.ts';
import { readOnnxFile, writeOnnxFile } from '../../onnx/files.ts';
import type { OptionsOf } from '../../options.ts';
import { type Converted, optimizeGraph } from '../../rewrite/convert.ts';
import type { optimizeOptions } from '../options/models.ts';
import { describeRewrite, type Output } from '../output.ts';
import { withRuntimeShapes } from '../runtime-shapes.ts';

/** Before it writes anything, it compares the result with the original on random images. */
export async function run(options: OptionsOf<typeof optimizeOptions>, output: Output): Promise<number> {
  const { input } = options;
  const source = await readOnnxFile(input);
  const { graph, report } = await optimized(source);
  if (report.changes.length === 0) {
    await writeOnnxFile(options.output, graph);
    output.document({ input, output: options.output, ...report });
    output.line(describeRewrite(report));
    output.line(`Nothing to rewrite: ${options.output} has the same contents as ${input}.`);
    return 0;
  }
  const { difference, milliseconds } = await compareGraphs(source, graph, { batch: 1 });
  const { tolerance = toleranceOf(source) } = options;
  if (!(difference <= tolerance)) {
    throw new UsageError(
      `The outputs of the rewritten graph differ from those of "${input}" by ${difference.toExponential(1)}, more than the tolerance of ${tolerance}, so nothing was written. To accept that, set --tolerance.`,
    );
  }
  await writeOnnxFile(options.output, graph);
  const [before, after] = milliseconds;
  output.document({ input, output: options.output, ...report, difference, milliseconds, speedup: before / after });
  output.line(describeRewrite(report));
  output.line(
    `Largest difference ${difference.toExponential(1)}; ${before.toFixed(1)} ms before, ${after.toFixed(1)} ms after: ${Number((before / after).toPrecision(3))} times as fast.`,
  );
  output.line(`Wrote ${options.output}.`);
  return 0;
}

/** If patterns are refused and shapes are unknown, it asks ONNX Runtime for them and tries again. */
async function optimized(source: Graph): Promise<Converted> {
  const first = optimizeGraph(source);
  if (first.report.refusals.length === 0) return first;
  try {
    const known = await withRuntimeShapes(source);
    const second = known === source ? first : optimizeGraph(known);
    return second.report.changes.length > first.report.changes.length ? second : first;
  } catch (error) {
    if (error instanceof UsageError) return first; // a graph that does not run here can still be read
    throw error;
  }
}
