/** `resnext verify`: the proof that a net's three forms are one. */
import { existsSync } from 'node:fs';
import pc from 'picocolors';
import { loadModel } from '../../classifier/files.ts';
import { UsageError } from '../../errors.ts';
import type { ResNeXtConfig } from '../../model/config.ts';
import { initialWeights } from '../../model/init.ts';
import { resnext } from '../../model/resnext.ts';
import { variant } from '../../model/variants.ts';
import type { Weights } from '../../model/weights.ts';
import { type FormResult, type Verification, verify } from '../../verify/verify.ts';
import { type Output, short, table } from '../output.ts';

export interface VerifyCommandOptions {
  readonly threads?: number;
  readonly seed: number;
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
  return result.equivalent ? 0 : 1;
}

function fresh(name: string, seed: number): { config: ResNeXtConfig; weights: Weights } {
  const model = resnext(variant(name));
  return { config: model.config, weights: initialWeights(model, seed) };
}

async function trained(path: string): Promise<{ config: ResNeXtConfig; weights: Weights }> {
  const { description, weights } = await loadModel(path);
  if (!weights) throw new UsageError(`"${path}" is an ONNX file; name a run folder, a .safetensors file or a variant.`);
  return { config: description.config, weights };
}

function describe(name: string, { equivalent, tolerances, small, forms }: Verification): string {
  const exact = (value: number) => (value === 0 ? '0' : value.toExponential(1));
  const row = (title: string, cell: (form: FormResult) => string, bound = '') => [title, ...forms.map(cell), bound];
  const rows = [
    ['', ...forms.map(({ form }) => `form ${form}`), 'at most'],
    row('parameters', ({ parameters }) => parameters.toLocaleString('en'), 'equal'),
    row('multiply-adds', ({ macs }) => short(macs), 'equal'),
    row('nodes', ({ nodes }) => String(nodes)),
    row('outputs, float64', ({ output64 }) => exact(output64), exact(tolerances.output64)),
    row('outputs, float32', ({ output32 }) => exact(output32), exact(tolerances.output32)),
    row('gradients, float64', ({ gradient64 }) => exact(gradient64), exact(tolerances.gradient64)),
    row('running statistics, float64', ({ statistics64 }) => exact(statistics64), exact(tolerances.statistics64)),
    row('ms per picture', ({ milliseconds }) => milliseconds.toFixed(1)),
  ];
  const verdict = equivalent ? pc.green('equivalent') : pc.red('not equivalent');
  const how = `Largest relative differences from form C. Float64: the interpreter, ${small.batch} pictures of ${small.size} x ${small.size}.`;
  return `${name}: ${verdict}\n\n${table(rows)}\n\n${how}`;
}
