/** `resnext verify`: verifies that the three forms of a network compute the same. */
import pc from 'picocolors';
import { UsageError } from '../../errors.ts';
import { writeFileAtomically } from '../../files.ts';
import type { Graph } from '../../graph/graph.ts';
import type { ResNeXtConfig } from '../../model/config.ts';
import { initialWeights } from '../../model/init.ts';
import { resnext } from '../../model/resnext.ts';
import type { Weights } from '../../model/weights.ts';
import { isOnnxFile, readOnnxFile } from '../../onnx/files.ts';
import type { OptionsOf } from '../../options.ts';
import { checkPageFile } from '../../output/endings.ts';
import { table, wrap } from '../../output/text.ts';
import { loadModel } from '../../saved/files.ts';
import { describedModel } from '../../saved/read.ts';
import { verifyGraph } from '../../verify/graph.ts';
import { verificationReport } from '../../verify/report.ts';
import { verificationNote, verificationRows } from '../../verify/table.ts';
import { type Verification, verify } from '../../verify/verify.ts';
import { keyOf, modelPathUnlessVariant } from '../model.ts';
import { verifyOptions } from '../options/models.ts';
import type { Output } from '../output.ts';
import { newNetwork, oneNetwork, refuseIdle } from '../refuse.ts';
import { variantOptions } from '../variant.ts';

type VerifyOptions = OptionsOf<typeof verifyOptions>;

interface Subject {
  readonly config: ResNeXtConfig;
  readonly weights: Weights;
}

/** The exit code is 1 if the forms differ by more than the tolerances. */
export async function run(options: VerifyOptions, output: Output): Promise<number> {
  const { model: source } = options;
  if (options.report !== undefined) checkPageFile(options.report);
  const settings = {
    ...(options.threads !== undefined && { threads: options.threads }),
    onProgress: (share: number, text: string) => output.progress(share, text),
  };
  const subject = await subjectOf(options, output);
  const isOurs = 'config' in subject;
  if (!isOurs && options.report !== undefined) {
    throw new UsageError(
      `--report needs a variant or a model of this package, but "${source}" was made by another program. Remove --report.`,
    );
  }
  const result = isOurs
    ? await verify(subject.config, subject.weights, settings)
    : await verifyGraph(subject, settings);
  output.clear();
  if (isOurs && options.report !== undefined) {
    await writeFileAtomically(options.report, verificationReport(source, subject.config, result));
  }
  output.document({ name: source, ...result });
  output.line(describe(source, result, output.width));
  if (options.report !== undefined) output.line(`\nWrote ${options.report}.`);
  return result.equivalent ? 0 : 1;
}

/** A variant or a model of this package, or the graph of any other ONNX file. */
async function subjectOf(options: VerifyOptions, output: Output): Promise<Subject | Graph> {
  const { model: source, seed } = options;
  const path = await modelPathUnlessVariant(source, output);
  if (path === undefined) {
    refuseIdle(verifyOptions, options, ['key'], newNetwork);
    return fresh(source, seed);
  }
  refuseIdle(verifyOptions, options, ['seed'], 'a saved model has its own weights');
  const graph = isOnnxFile(path) ? await readOnnxFile(path) : undefined;
  if (graph) refuseIdle(verifyOptions, options, ['key'], oneNetwork);
  const model = graph ? describedModel(graph, path) : await loadModel(path, keyOf(options));
  return model?.weights ? { config: model.description.config, weights: model.weights } : graph!;
}

function fresh(name: string, seed: number): Subject {
  const model = resnext(variantOptions(name));
  return { config: model.config, weights: initialWeights(model, seed) };
}

function describe(name: string, result: Verification, width: number): string {
  const verdict = result.equivalent ? pc.green('equivalent') : pc.red('not equivalent');
  return `${name}: ${verdict}\n\n${table(verificationRows(result))}\n\n${wrap(verificationNote(result), width)}`;
}
