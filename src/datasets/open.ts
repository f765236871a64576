/**
 * Opens datasets of every form: a folder of class folders, or one of the table below. Whatever the form, the images that are
 * held out are chosen by their names within their classes, so the same images give the same run.
 */
import { checkArgument, checkList, checkOptions, type FieldsOf, name, path } from '../arguments.ts';
import { type DatasetKind, type Part, type Parts, refuseColumn, type SourceOptions } from '../data/datasets.ts';
import {
  type Folder,
  type FolderOptions,
  folderFields,
  type LabeledImages,
  openClasses,
  readFolder,
} from '../data/folder.ts';
import { layout } from '../data/layout.ts';
import { countsByLabel, relabel } from '../data/samples.ts';
import { byChance, type HoldOut, splitBy } from '../data/split.ts';
import { UsageError } from '../errors.ts';
import { statIfPresent } from '../files.ts';
import { firstOf, text } from '../options.ts';
import { listKind } from './list.ts';
import { packedKinds } from './packed-kinds.ts';

/** The forms besides folders. The first that recognizes a path reads it. */
const kinds: Readonly<Record<string, DatasetKind>> = { list: listKind, ...packedKinds };

/** How to read a dataset, and what to hold out of one without validation images. */
export interface DatasetOptions extends FolderOptions, SourceOptions {}

/** The columns, as options. */
export const sourceFields: FieldsOf<SourceOptions> = {
  imageColumn: text({ expected: 'the name of a column', doc: 'column with the images' }),
  labelColumn: text({ expected: 'the name of a column', doc: 'column with the labels' }),
};

const datasetFields: FieldsOf<DatasetOptions> = { ...folderFields, ...sourceFields };

/**
 * Finds the samples of a dataset for training.
 *
 * @throws UsageError if there is none, it has fewer than two classes, or images to validate are of a class that none to train on has.
 * @example const { classes, train, validation } = await openDataset('flowers.csv', { labelColumn: 'species' });
 */
export async function openDataset(path: string, options: DatasetOptions = {}): Promise<Folder> {
  checkArgument('path', path, pathKind);
  checkOptions(datasetFields, options);
  const { validation = 0.2, seed = 0, ...columns } = options;
  return readDataset(path, { ...columns, holdOut: byChance(validation, seed) });
}

const pathKind = path;

export interface ReadDatasetOptions extends SourceOptions {
  readonly holdOut: HoldOut;
  /** Whether to hold out images even if there are some for validation, which are then left for a final evaluation. */
  readonly alwaysHoldsOut?: boolean;
}

/** As `openDataset`, for any way to hold out images. */
export async function readDataset(path: string, options: ReadDatasetOptions): Promise<Folder> {
  const { holdOut, alwaysHoldsOut = false, ...columns } = options;
  const kind = await kindOf(path);
  if (kind) {
    const { validation, test = validation, ...parts } = await kind.read(path, columns);
    return heldOutOf(
      path,
      { ...parts, ...(test && { test }), ...(validation && !alwaysHoldsOut && { validation }) },
      holdOut,
    );
  }
  checkFolder(path, columns);
  const { validationDir, testDir = validationDir, ...found } = await layout(path);
  return readFolder(
    {
      ...found,
      ...(testDir !== undefined && { testDir }),
      ...(validationDir !== undefined && !alwaysHoldsOut && { validationDir }),
    },
    { holdOut },
  );
}

/** Checks what no form of the table recognizes: it may be a folder, which has no columns. */
function checkFolder(path: string, { imageColumn, labelColumn = imageColumn }: SourceOptions): void {
  if (statIfPresent(path)?.isFile()) {
    throw new UsageError(
      `"${path}" is not a dataset of a known format. Expected a folder with one subfolder per class, a list of images such as images.csv or images.jsonl, an archive, or Parquet.`,
    );
  }
  refuseColumn(path, 'a folder', labelColumn);
}

/** The form of what is at a path; undefined for a folder of class folders. */
export async function kindOf(path: string): Promise<DatasetKind | undefined> {
  for (const kind of Object.values(kinds)) if (await kind.recognize(path)) return kind;
  return undefined;
}

function heldOutOf(path: string, { classes, train, validation, test, notes }: Parts, holdOut: HoldOut): Folder {
  if (!train) throw new UsageError(`"${path}" has no images to train on, only some to evaluate a model on.`);
  if (classes.length < 2) {
    const found = classes.length === 0 ? 'no classes' : `only the class "${classes[0]}"`;
    throw new UsageError(`"${path}" has ${found}, but a classifier needs two or more. Add another.`);
  }
  checkTrained(classes, train, validation);
  const sides = validation
    ? { train: train.samples, validation: validation.samples }
    : splitBy(holdOut, train.samples, classes);
  const left =
    validation || !test ? [] : [`${test.samples.length} images of "${test.place}" are left for a final evaluation.`];
  const said = [...notes, ...left];
  return {
    classes,
    ...sides,
    trainDir: train.place,
    ...(validation && { validationDir: validation.place }),
    ...(said.length > 0 && { notes: said }),
  };
}

/** Throws a UsageError where a class can be validated but not be learned. */
function checkTrained(classes: readonly string[], train: Part, validation: Part | undefined): void {
  if (!validation) return;
  const [learned, validated] = [train, validation].map(({ samples }) => countsByLabel(samples, classes.length));
  const label = classes.findIndex((_, k) => validated![k]! > 0 && learned![k] === 0);
  if (label < 0) return;
  throw new UsageError(
    `Class "${classes[label]}" is in "${validation.place}" but not in "${train.place}". Add it to the latter, or remove it from the former.`,
  );
}

/**
 * Finds the samples to evaluate a model on: those for validation, or else for a final evaluation, or else all.
 *
 * @param classes the model's classes, which labels refer to. Default: the dataset's.
 * @throws UsageError if there is no dataset, or it has a class that is not one of `classes`.
 * @example const { samples } = await openLabeledImages('flowers.csv', classifier.description.classes);
 */
export async function openLabeledImages(
  path: string,
  classes?: readonly string[],
  options: SourceOptions = {},
): Promise<LabeledImages> {
  checkArgument('path', path, pathKind);
  if (classes !== undefined) checkList('classes', classes, name);
  checkOptions(sourceFields, options);
  const kind = await kindOf(path);
  if (!kind) {
    checkFolder(path, options);
    return openClasses(path, classes);
  }
  const parts = await kind.read(path, options);
  const part = parts.validation ?? parts.test ?? parts.train;
  if (!part || part.samples.length === 0) throw new UsageError(`"${path}" has no labeled images.`);
  return labeledAs(part, parts, classes ?? parts.classes);
}

function labeledAs({ place, samples }: Part, parts: Parts, classes: readonly string[]): LabeledImages {
  const known = new Map(classes.map((name, label) => [name.normalize(), label]));
  const counts = countsByLabel(samples, parts.classes.length);
  const found = parts.classes.flatMap((name, label) => (counts[label]! > 0 ? [name.normalize()] : []));
  const numbered = found.every((name) => /^\d+$/.test(name) && !known.has(name) && Number(name) < classes.length);
  // several classes may have the same name, as two of ImageNet's are called "crane"
  const isSame = (name: string, label: number) => classes[label]?.normalize() === name;
  const labelOf = (name: string, label: number) => (isSame(name, label) ? label : (known.get(name) ?? -1));
  const labels = parts.classes.map((name, label) => (numbered ? Number(name) : labelOf(name.normalize(), label)));
  const unknown = found.find((name) => !numbered && !known.has(name));
  if (unknown !== undefined) {
    throw new UsageError(
      `Class "${unknown}" in "${place}" is not one of the model's ${classes.length} classes (${firstOf(classes, 5)}). Rename or remove it.`,
    );
  }
  const notes = [
    ...parts.notes,
    ...(numbered ? [`The labels in "${place}" are taken as numbers of the model's classes, from 0 on.`] : []),
  ];
  return { classes, dir: place, samples: relabel(samples, labels), ...(notes.length > 0 && { notes }) };
}
