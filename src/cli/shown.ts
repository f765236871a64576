/** `resnext classify --show`: images and their classes, drawn in the terminal. */
import { basename, dirname, extname } from 'node:path';
import type { Image } from '#platform/images';
import type { Classifier } from '../classifier/classifier.ts';
import { imagesPerBatch, type Outcome } from '../classifier/outcomes.ts';
import type { Prediction } from '../classifier/predictions.ts';
import { readImage } from '../data/image-source.ts';
import { evaluationTransforms } from '../data/presets.ts';
import type { Source } from '../data/sources.ts';
import { UsageError } from '../errors.ts';
import type { OptionsOf } from '../options.ts';
import { createGallery } from '../output/gallery.ts';
import { runImages } from './images.ts';
import type { classifyOptions } from './options/images.ts';
import type { Output } from './output.ts';

type ClassifyOptions = OptionsOf<typeof classifyOptions>;

/** @throws UsageError if results are wanted in another form, too. */
export function checkShow({ show, json, format, output }: ClassifyOptions): void {
  if (!show) return;
  const other = json ? '--json' : format !== undefined && format !== 'text' ? `--format ${format}` : '';
  const wanted = output === undefined ? other : '--output';
  if (wanted !== '')
    throw new UsageError(`--show draws in the terminal, and cannot be combined with ${wanted}. Remove one of them.`);
}

/** Classifies images and draws each. Returns the number of those that cannot be read; each is reported. */
export async function showClassified(
  classifier: Classifier,
  sources: readonly Source[],
  { top, threshold, tta: views, batch, maxMegapixels }: ClassifyOptions,
  output: Output,
): Promise<number> {
  const { classes, preprocessing } = classifier.description;
  const names = sources.map(({ label }) => nameOf(label, classes));
  const gallery = createGallery({ terminal: output.terminal, names, classes }, output.drawing);
  const verdicts: boolean[] = [];
  let failed = 0;
  const running = {
    sources: sources.map(readOnce),
    run: (rest: readonly Source[]) => {
      const outcomes = classifier.classifyEach(rest, { top, threshold, views, batchSize: batch });
      return withImages(rest, outcomes, maxMegapixels);
    },
    imagesPerBatch: imagesPerBatch(batch, evaluationTransforms(preprocessing, views)),
    isCollected: false,
    isFailureFatal: sources.length === 1,
  };
  const collector = {
    done: 0,
    isKept: false,
    add: (label: string, outcome: Outcome<Shown>) => {
      if ('error' in outcome) {
        failed++;
        return;
      }
      const truth = truthOf(label, classes);
      if (truth !== undefined) verdicts.push(truth === outcome.result.predictions[0]?.label);
      gallery.add({ ...outcome.result, name: nameOf(label, classes), truth });
    },
    save: () => {},
  };
  await runImages(running, collector, output);
  gallery.end();
  const right = verdicts.filter((isRight) => isRight).length;
  if (verdicts.length > 0) output.line(`${right} of ${verdicts.length} right.`);
  return failed;
}

interface Shown {
  readonly image: Image;
  readonly predictions: readonly Prediction[];
}

/** Reads each image a second time, for the eye: the first time, it was cut and normalized. */
async function* withImages(
  sources: readonly Source[],
  outcomes: AsyncIterable<Outcome<Prediction[]>>,
  maxMegapixels: number,
): AsyncGenerator<Outcome<Shown>, void, undefined> {
  let next = 0;
  for await (const outcome of outcomes) {
    const { image, name } = sources[next++]!;
    if ('error' in outcome) yield outcome;
    else {
      const source = typeof image === 'function' ? await image() : image;
      yield { result: { image: await readImage(source, name, { maxMegapixels }), predictions: outcome.result } };
    }
  }
}

/** Standard input cannot be read twice. */
function readOnce(source: Source): Source {
  const { image } = source;
  if (typeof image !== 'function') return source;
  let read: ReturnType<typeof image> | undefined;
  return { ...source, image: () => (read ??= image()) };
}

/** An image's file, with its folder if that is a class. */
function nameOf(label: string, classes: readonly string[]): string {
  const folder = basename(dirname(label));
  return classes.includes(folder) ? `${folder}/${basename(label)}` : basename(label);
}

/** The class that an image's folder has the name of, or its file, with or without a number: `frog/a.jpg`, `frog-1.jpg`. */
export function truthOf(path: string, classes: readonly string[]): string | undefined {
  const file = basename(path, extname(path));
  const names = [basename(dirname(path)), file, file.replace(/[ _-]*\d+$/, '')];
  return names.find((name) => classes.includes(name));
}
