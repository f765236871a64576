/** `resnext verify`: the proof that a net's three forms are one. */
import { existsSync } from 'node:fs';
import pc from 'picocolors';
import { loadModel } from '../../classifier/files.ts';
import { UsageError } from '../../errors.ts';
import { writeFileAtomically } from '../../files.ts';
import type { ResNeXtConfig } from '../../model/config.ts';
import { initialWeights } from '../../model/init.ts';
import { resnext } from '../../model/resnext.ts';
import type { Weights } from '../../model/weights.ts';
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
  const { config, weights } = existsSync(source) ? await trained(source) : fresh(source, options.seed);
  const result = await verify(config, weights, {
    ...(options.threads !== undefined && { threads: options.threads }),
    onProgress: (share, text) => output.progress(share, text),
  });
  output.clear();
  output.document({ name: source, ...result });
  output.line(describe(source, result));
  if (options.report !== undefined) {
    const html = verificationReport(source, config, result);
    await writeFileAtomically(options.report, [new TextEncoder().encode(html)]);
    output.line(`\nWrote ${options.report}.`);
  }
  return result.equivalent ? 0 : 1;
}

function fresh(name: string, seed: number): { config: ResNeXtConfig; weights: Weights } {
  const model = resnext(variantOptions(name));
  return { config: model.config, weights: initialWeights(model, seed) };
}

async function trained(path: string): Promise<{ config: ResNeXtConfig; weights: Weights }> {
  const { description, weights } = await loadModel(path);
  if (!weights) throw new UsageError(`"${path}" is an ONNX file; name a run folder, a .safetensors file or a variant.`);
  return { config: description.config, weights };
}

function describe(name: string, result: Verification): string {
  const verdict = result.equivalent ? pc.green('equivalent') : pc.red('not equivalent');
  return `${name}: ${verdict}\n\n${table(verificationRows(result))}\n\n${verificationNote(result)}`;
}
