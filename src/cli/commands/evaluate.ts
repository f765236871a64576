/** `resnext evaluate`: top-1, top-5 and loss of a model on labelled pictures. */
import { Classifier, type Evaluation } from '../../classifier/classifier.ts';
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
  const loader = new Loader({ cache: 0, ...(workers !== undefined && { workers }) }); // every picture is seen once
  const corrupt: string[] = [];
  try {
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
    output.document({ model, dir, ...result, corrupt });
    output.line(describe(result, corrupt.length));
  } finally {
    await loader.close();
    await classifier.dispose();
  }
  return 0;
}

function describe({ pictures, top1, top5, loss, classes }: Evaluation, corrupt: number): string {
  const percent = (value: number) => `${value.toFixed(2)} %`;
  const amongFive = Object.keys(classes).length > 5 ? `, top-5 ${percent(top5)}` : '';
  const whole = `${pictures} pictures: top-1 ${percent(top1)}${amongFive}, loss ${loss.toFixed(4)}`;
  const unread = corrupt > 0 ? `\n${corrupt === 1 ? '1 picture' : `${corrupt} pictures`} could not be read.` : '';
  const rows = Object.entries(classes).map(([name, value]) => [name, percent(value)]);
  return `${whole}${unread}\n\n${table([['class', 'top-1'], ...rows])}`;
}
