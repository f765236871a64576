/** `resnext list`: every named variant with its parameters and multiply-adds. */
import { cost } from '../../graph/cost.ts';
import { resnext } from '../../model/resnext.ts';
import { variant, variants } from '../../model/variants.ts';
import { type Output, short, table } from '../output.ts';

export async function run(_args: readonly [], _options: object, output: Output): Promise<number> {
  const rows = variants.map((name) => {
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
  output.line(
    '\nAny cardinality and width can be named: resnext50_16x8d; _w16 gives the first stage 16 features. So can any',
  );
  output.line(
    'combination of se or eca (attention), aa (anti-aliased) and d or t (deep or tiered stem): ecaresnextaa50d_8x14d.',
  );
  return 0;
}
