/** `resnext explain`: draws heat maps of the regions that support a class, or writes their numbers. */
import { basename, dirname, extname, join } from 'node:path';
import type { Classifier } from '../../classifier/classifier.ts';
import type { Explanation } from '../../classifier/explain.ts';
import { readImage } from '../../data/image-source.ts';
import { expandSources, type Source } from '../../data/sources.ts';
import { FormatError, printable, UsageError } from '../../errors.ts';
import { drawExplanation } from '../../explain/overlay.ts';
import { checkFolder, checkWritable, statIfPresent, writeFileAtomically } from '../../files.ts';
import type { Stage } from '../../model/stages.ts';
import type { OptionsOf } from '../../options.ts';
import { byEnding } from '../../output/endings.ts';
import { npyHeader } from '../../output/npy.ts';
import { counted } from '../../output/text.ts';
import { encodeImage, type ImageFileFormat } from '../../platform/node/render.ts';
import { bytesOf } from '../../tensor.ts';
import { openClassifier } from '../model.ts';
import type { explainOptions } from '../options/images.ts';
import type { Output } from '../output.ts';

type Options = OptionsOf<typeof explainOptions>;

/** What is written where: pictures, or the numbers of all maps in one file. */
type Format = ImageFileFormat | 'npy' | 'folder';

const formats: Readonly<Record<string, Format>> = {
  '.png': 'png',
  '.jpg': 'jpeg',
  '.jpeg': 'jpeg',
  '.webp': 'webp',
  '.npy': 'npy',
  '': 'folder',
};

/** An explained image. */
interface Explained extends Explanation {
  readonly image: string;
  readonly output: string;
}

/** Reports and skips images that cannot be read, with exit code 1. A single one is an error. */
export async function run(options: Options, output: Output): Promise<number> {
  const { sources, notes } = await expandSources(options.images);
  for (const note of notes) output.warn(note);
  const format = formatOf(options.output, sources.length);
  const files = format === 'folder' ? filesIn(options.output, sources) : sources.map(() => options.output);
  await (format === 'folder' ? checkFolder(options.output) : checkWritable(options.output));
  const classifier = await openClassifier(options, output);
  try {
    const explained: Explained[] = [];
    const corrupt: string[] = [];
    for (const [i, source] of sources.entries()) {
      output.progress(i / sources.length, `${i} of ${counted(sources.length, 'image')}`);
      const one = await explainOne(classifier, source, files[i]!, format, options).catch((error: unknown) => {
        if (!(error instanceof FormatError) || sources.length === 1) throw error;
        output.warn(error.message);
        corrupt.push(source.label);
      });
      if (one) explained.push(one);
    }
    if (format === 'npy' && explained.length > 0) await writeNumbers(options.output, explained, sources.length > 1);
    report(explained, corrupt, options, output);
    return corrupt.length > 0 ? 1 : 0;
  } finally {
    await classifier.dispose();
  }
}

function formatOf(target: string, images: number): Format {
  if (target.endsWith('/') || statIfPresent(target)?.isDirectory()) return 'folder';
  const format = byEnding(target, formats, 'Name a folder to write a .png file for each image.');
  if (images === 1 || format === 'npy' || format === 'folder') return format;
  throw new UsageError(
    `--output is the file "${target}", but there are ${images} images. Name a folder, or a .npy file for the numbers of all.`,
  );
}

/** A file for each image, by its name. The name of its folder, or a number, tells images of one name apart. */
function filesIn(folder: string, sources: readonly Source[]): string[] {
  const names = sources.map(({ label }) => (label === '-' ? 'standard-input' : basename(label, extname(label))));
  const used = new Set<string>();
  return names.map((name, i) => {
    const isShared = names.indexOf(name) !== names.lastIndexOf(name);
    const stem = isShared ? `${basename(dirname(sources[i]!.label))}-${name}` : name;
    let free = stem;
    for (let n = 2; used.has(free); n++) free = `${stem}-${n}`;
    used.add(free);
    return join(folder, `${free.replace(unusual, '_')}.png`);
  });
}

/** Characters that a file's name had better not contain, as of a URL. */
const unusual = /[^\p{L}\p{N} ._-]/gu;

async function explainOne(
  classifier: Classifier,
  { image, name, label }: Source,
  file: string,
  format: Format,
  { class: target, stage, method, maxMegapixels }: Options,
): Promise<Explained> {
  const picture = await readImage(typeof image === 'function' ? await image() : image, name, { maxMegapixels });
  const explanation = await classifier.explain(picture, {
    method,
    ...(target !== undefined && { class: target }),
    ...(stage !== undefined && { stage: stage as Stage }),
  });
  if (format !== 'npy') {
    const drawn = drawExplanation(picture, explanation.map, classifier.description.preprocessing);
    await writeFileAtomically(file, [await encodeImage(drawn, format === 'folder' ? 'png' : format)]);
  }
  return { image: label, output: file, ...explanation };
}

/** One map as [h, w], or those of several images as [N, h, w]. */
async function writeNumbers(file: string, explained: readonly Explained[], isList: boolean): Promise<void> {
  const { dims } = explained[0]!.map;
  const header = npyHeader(isList ? [explained.length, ...dims] : dims);
  await writeFileAtomically(file, [header, ...explained.map(({ map }) => bytesOf(map))]);
}

function report(
  explained: readonly Explained[],
  corrupt: readonly string[],
  { method }: Options,
  output: Output,
): void {
  if (explained.length === 0) throw new FormatError('None of the images can be read, so no file was written.');
  const images = explained.map(({ map, ...rest }) => ({ ...rest, size: map.dims }));
  output.document({ method, images, corrupt });
  for (const { image, label, probability, map, output: file } of explained) {
    const nowhere = map.data.some((value) => value > 0) ? '' : ', which no region of the image supports';
    const share = `${(100 * probability).toFixed(1)} %`;
    output.line(`${printable(image)}: ${printable(label)} (${share})${nowhere}. Wrote ${printable(file)}.`);
  }
}
