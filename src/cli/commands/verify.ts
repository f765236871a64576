/** `resnext verify`: the proof that a net's three forms are one. */
import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import pc from 'picocolors';
import { descriptionKey } from '../../classifier/description.ts';
import { loadModel } from '../../classifier/files.ts';
import { UsageError } from '../../errors.ts';
import { writeFileAtomically } from '../../files.ts';
import type { ResNeXtConfig } from '../../model/config.ts';
import { initialWeights } from '../../model/init.ts';
import { resnext } from '../../model/resnext.ts';
import type { Weights } from '../../model/weights.ts';
import { readOnnxFile } from '../../onnx/files.ts';
import { verifyGraph } from '../../verify/graph.ts';
import { verificationReport } from '../../verify/report.ts';
import { verificationNote, verificationRows } from '../../verify/table.ts';
import { type Verification, verify } from '../../verify/verify.ts';
import { type Output, table } from '../output.ts';
import { variantOptions } from '../variant.ts';

export interface VerifyCommandOptions {
  readonly threads?: number;
  readonly seed: number;
  /** An HTML file to write. */
  readonly report?: string;
}

/** Exit code 1 where the forms differ by more than the tolerances. */
export async function run([source]: readonly [string], options: VerifyCommandOptions, output: Output): Promise<number> {
  const settings = {
    ...(options.threads !== undefined && { threads: options.threads }),
    onProgress: (share: number, text: string) => output.progress(share, text),
  };
  const model = existsSync(source) ? await known(source) : fresh(source, options.seed);
  if (!model && options.report !== undefined) {
    throw new UsageError(`"${source}" was not made by this package; --report needs a variant or a model of its own.`);
  }
  const result = model
    ? await verify(model.config, model.weights, settings)
    : await verifyGraph(await readOnnxFile(source), settings);
  output.clear();
  output.document({ name: source, ...result });
  output.line(describe(source, result));
  if (model && options.report !== undefined) {
    const html = verificationReport(source, model.config, result);
    await writeFileAtomically(options.report, [new TextEncoder().encode(html)]);
    output.line(`\nWrote ${options.report}.`);
  }
  return result.equivalent ? 0 : 1;
}

function fresh(name: string, seed: number): { config: ResNeXtConfig; weights: Weights } {
  const model = resnext(variantOptions(name));
  return { config: model.config, weights: initialWeights(model, seed) };
}

/** A model of this package; undefined for anybody's ONNX file. */
async function known(path: string): Promise<{ config: ResNeXtConfig; weights: Weights } | undefined> {
  if (extname(path) === '.onnx' && !(await readOnnxFile(path)).metadata.has(descriptionKey)) return undefined;
  const { description, weights } = await loadModel(path);
  return weights && { config: description.config, weights };
}

function describe(name: string, result: Verification): string {
  const verdict = result.equivalent ? pc.green('equivalent') : pc.red('not equivalent');
  return `${name}: ${verdict}\n\n${table(verificationRows(result))}\n\n${verificationNote(result)}`;
}
