/** `resnext evaluate`: top-1, top-5 and loss of a model on labelled pictures. */
import { Classifier } from '../../classifier/classifier.ts';
import { openClasses } from '../../data/folder.ts';
import { Loader } from '../../data/loader.ts';
import { type Output, table } from '../output.ts';

export interface EvaluateCommandOptions {
  readonly model: string;
  readonly batch: number;
  readonly threads?: number;
  readonly workers?: number;
  readonly strict?: boolean;
}

export async function run([dir]: readonly [string], options: EvaluateCommandOptions, output: Output): Promise<number> {
  const { model, batch, threads, workers, strict } = options;
  const classifier = await Classifier.open(model, threads === undefined ? {} : { threads });
  const { samples } = await openClasses(dir, classifier.description.classes);
  const loader = new Loader(workers === undefined ? {} : { workers });
  const corrupt: string[] = [];
  const result = await classifier.evaluate(samples, {
    loader,
    batchSize: batch,
    corrupt: strict ? 'throw' : 'skip',
    onCorrupt: (path, message) => {
      corrupt.push(path);
      if (!strict) output.warn(message);
    },
    onProgress: (done, total) => output.progress(done / total, `${done} of ${total} pictures`),
  });
  await loader.close();
  await classifier.dispose();
  output.clear();
  output.document({ model, dir, ...result, corrupt });
  const percent = (value: number) => `${value.toFixed(2)} %`;
  output.line(
    `${result.pictures} pictures: top-1 ${percent(result.top1)}, top-5 ${percent(result.top5)}, loss ${result.loss.toFixed(4)}`,
  );
  if (corrupt.length > 0) output.line(`${corrupt.length} pictures could not be read.`);
  output.line(
    `\n${table([['class', 'top-1'], ...Object.entries(result.classes).map(([name, value]) => [name, percent(value)])])}`,
  );
  return 0;
}
