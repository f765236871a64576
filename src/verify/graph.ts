/**
 * Verifies any graph, as far as that is possible without knowing how it was built: it is converted to forms A, B and C
 * by structure, and their cost and float32 outputs are compared with the original graph.
 */

import { type SessionOptions, sessionFields } from '#platform';
import { checkArgument, checkOptions } from '../arguments.ts';
import { compareGraphs } from '../benchmark/compare.ts';
import { cost } from '../graph/cost.ts';
import { type Graph, graphKind } from '../graph/graph.ts';
import { forms } from '../model/config.ts';
import { pick } from '../options.ts';
import { convertWhole, prepared } from '../rewrite/convert.ts';
import {
  areEquivalent,
  type FormResult,
  tolerances,
  type Verification,
  type VerifyOptions,
  verifyFields,
} from './verify.ts';

/**
 * @throws UsageError naming the node of a block that cannot be converted.
 * @example const { equivalent } = await verifyGraph(await readOnnxFile('theirs.onnx'));
 */
export async function verifyGraph(source: Graph, options: VerifyOptions = {}): Promise<Verification> {
  checkArgument('source', source, graphKind);
  checkOptions(verifyFields, options);
  const { graph } = prepared(source);
  const { runs } = options;
  const settings = { ...pick<SessionOptions>(sessionFields, options), ...(runs !== undefined && { runs }), batch: 1 };
  const results: FormResult[] = [];
  for (const [i, form] of forms.entries()) {
    options.onProgress?.(i / forms.length, `form ${form}`);
    const converted = convertWhole(graph, form);
    const { difference, milliseconds } = await compareGraphs(source, converted, settings);
    results.push({ form, ...cost(converted), output32: difference, milliseconds: milliseconds[1] });
  }
  return { equivalent: areEquivalent(results), tolerances, forms: results };
}
