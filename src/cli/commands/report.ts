/** `resnext report`: a run as an HTML page. */
import { join } from 'node:path';
import { printable } from '../../errors.ts';
import { checkWritable, writeFileAtomically } from '../../files.ts';
import type { OptionsOf } from '../../options.ts';
import { checkPageFile } from '../../output/endings.ts';
import { counted } from '../../output/text.ts';
import { evaluateRun, readRun } from '../../report/run.ts';
import { runPage } from '../../report/run-page.ts';
import type { reportOptions } from '../options/training.ts';
import type { Output } from '../output.ts';

export async function run(options: OptionsOf<typeof reportOptions>, output: Output): Promise<number> {
  const { run, evaluate, data, batch, threads, workers } = options;
  const files = readRun(run);
  const file = options.output ?? join(run, 'report.html');
  checkPageFile(file);
  await checkWritable(file);
  const { evaluation, notes } = await evaluateRun(run, {
    evaluate,
    batchSize: batch,
    ...(data !== undefined && { data }),
    ...(threads !== undefined && { threads }),
    ...(workers !== undefined && { workers }),
    onProgress: (done, total) => output.progress(done / total, `${done} of ${counted(total, 'image')}`),
  });
  for (const note of notes) output.warn(note);
  await writeFileAtomically(file, await runPage({ ...files, ...(evaluation && { evaluation }), notes }));
  const { scores: _, confusion: __, ...figures } = evaluation?.result ?? {};
  output.document({ run, file, epochs: files.lines.length, ...(evaluation && { evaluation: figures }), notes });
  output.line(`Wrote ${printable(file)}.`);
  return 0;
}
