/**
 * CIFAR-10 and CIFAR-100 as their authors publish them, in both versions: binary files of records (labels, then 3,072
 * bytes of red, green and blue planes), and pickles of a dict with the same planes as one array. Pixels are read where
 * they are. The test batch is a test split, and training images are those of the other batches.
 * Reference: https://www.cs.toronto.edu/~kriz/cifar.html
 */
import { type Part, type Parts, refuseColumn, type SourceOptions } from '../data/datasets.ts';
import { FormatError, UsageError } from '../errors.ts';
import { Cursor, fillWhole, type Source } from '../weights/source.ts';
import { type Batch, cifarBatch, cifarNames, imageBytes } from './cifar-pickle.ts';
import { PackedList } from './packed-list.ts';

/** A file of a dataset: on disk, or in an archive. */
export interface InnerFile {
  /** Its name in its folder. */
  readonly name: string;
  /** The file on disk that it is in, and where. */
  readonly path: string;
  readonly start: number;
  readonly source: Source;
}

/** One of the labelings of a set, and how it is read. */
interface Labeling {
  readonly names: (files: InnerFiles) => readonly string[] | undefined;
  readonly read: (file: InnerFile) => Batch;
}

type InnerFiles = ReadonlyMap<string, InnerFile>;

interface Version {
  /** What a folder or archive of this version contains. */
  readonly marks: readonly string[];
  readonly train: RegExp;
  readonly test: string;
  /** By `--label-column`; the first is the default. */
  readonly labelings: Readonly<Record<string, Labeling>>;
}

const versions: readonly Version[] = [
  {
    marks: ['data_batch_1.bin'],
    train: /^data_batch_\d+\.bin$/,
    test: 'test_batch.bin',
    labelings: { label: binary('batches.meta.txt', 0, 1) },
  },
  {
    marks: ['data_batch_1'],
    train: /^data_batch_\d+$/,
    test: 'test_batch',
    labelings: { label: python('batches.meta', 'label_names', 'labels') },
  },
  {
    marks: ['train.bin', 'fine_label_names.txt'],
    train: /^train\.bin$/,
    test: 'test.bin',
    labelings: { fine: binary('fine_label_names.txt', 1, 2), coarse: binary('coarse_label_names.txt', 0, 2) },
  },
  {
    marks: ['train', 'meta'],
    train: /^train$/,
    test: 'test',
    labelings: {
      fine: python('meta', 'fine_label_names', 'fine_labels'),
      coarse: python('meta', 'coarse_label_names', 'coarse_labels'),
    },
  },
];

/** Whether files of these names, in one folder, are CIFAR's. */
export const isCifar = (names: readonly string[]): boolean => versionOf(names) !== undefined;

const versionOf = (names: readonly string[]): Version | undefined =>
  versions.find(({ marks }) => marks.every((name) => names.includes(name)));

/**
 * Reads the labels of CIFAR's files.
 *
 * @param place the folder or archive, for messages.
 * @throws UsageError for an unknown labeling; FormatError if a file is damaged.
 */
export function readCifar(place: string, found: readonly InnerFile[], options: SourceOptions): Parts {
  const { imageColumn, labelColumn } = options;
  refuseColumn(place, 'a CIFAR dataset', imageColumn);
  const files: InnerFiles = new Map(found.map((file) => [file.name, file]));
  const { train, test, labelings } = versionOf([...files.keys()])!;
  const names = Object.keys(labelings);
  const asked = labelColumn?.replace(/_labels?$/, '') ?? names[0]!;
  const labeling = Object.hasOwn(labelings, asked) ? labelings[asked] : undefined;
  if (!labeling) {
    throw new UsageError(
      `--label-column is "${labelColumn}", but the images in "${place}" have ${names.map((name) => `"${name}"`).join(' or ')}.`,
    );
  }
  const given = labeling.names(files);
  const part = (accepts: (name: string) => boolean): PartLabels => {
    const chosen = found.filter(({ name }) => accepts(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
    return { files: chosen, batches: chosen.map((file) => checked(labeling.read(file), file, given?.length ?? 256)) };
  };
  const halves = { train: part((name) => train.test(name)), test: part((name) => name === test) };
  const classes = given ?? numbered(Object.values(halves));
  const parts = Object.entries(halves).flatMap(([split, half]) =>
    half.files.length === 0 ? [] : [[split, partOf(`${place}/${split}`, half, classes)] as const],
  );
  return { classes, ...(Object.fromEntries(parts) as { train?: Part; test?: Part }), notes: [] };
}

interface PartLabels {
  readonly files: readonly InnerFile[];
  readonly batches: readonly Batch[];
}

/** Classes without names are called by their numbers. */
function numbered(halves: readonly PartLabels[]): string[] {
  let count = 0;
  for (const { batches } of halves) {
    for (const { labels } of batches) for (let i = 0; i < labels.length; i++) count = Math.max(count, labels[i]! + 1);
  }
  return Array.from({ length: count }, (_, label) => String(label));
}

function checked(batch: Batch, { name, source }: InnerFile, classes: number): Batch {
  const { labels, start, stride } = batch;
  const end = start + stride * (labels.length - 1) + imageBytes;
  if (labels.length === 0 || end > source.size) {
    throw new FormatError(
      `${name} has ${labels.length} labels, whose images end at byte ${end}, but ${source.size} bytes. It is damaged.`,
    );
  }
  for (let i = 0; i < labels.length; i++) {
    if (labels[i]! >= classes)
      throw new FormatError(`${name} has the label ${labels[i]} at image ${i}, but there are ${classes} classes.`);
  }
  return batch;
}

function partOf(place: string, { files, batches }: PartLabels, classes: readonly string[]): Part {
  const samples = new PackedList(place, classes, ({ file, start, length }) => {
    return { path: files[file]!.path, start, length, packing: 'cifar' };
  });
  for (const [file, { labels, start, stride }] of batches.entries()) {
    const batch = files[file]!;
    const stem = batch.name.replace(/\.bin$/, '');
    for (let i = 0; i < labels.length; i++) {
      const at = batch.start + start + i * stride;
      samples.add({
        key: `${stem}/${String(i).padStart(5, '0')}`,
        label: labels[i]!,
        file,
        start: at,
        length: imageBytes,
      });
    }
  }
  return { place, samples: samples.sorted() };
}

/** Records with the label in the byte at `at` of `labels` label bytes, and names as lines of a text file. */
function binary(namesFile: string, at: number, labels: number): Labeling {
  const stride = labels + imageBytes;
  return {
    names: (files) => {
      const file = files.get(namesFile);
      return file && linesOf(file);
    },
    read: ({ source, name }) => {
      if (source.size === 0 || source.size % stride !== 0) {
        throw new FormatError(
          `${name} has ${source.size} bytes, but expected a multiple of ${stride}. It is truncated or damaged.`,
        );
      }
      const records = new Cursor(source, name);
      const found = Uint8Array.from({ length: source.size / stride }, () => records.bytes(stride)[at]!);
      return { labels: found, start: labels, stride };
    },
  };
}

const longestText = 1 << 16;

function linesOf({ source, name }: InnerFile): readonly string[] {
  if (source.size > longestText)
    throw new FormatError(`${name} has ${source.size} bytes, but expected a short list of classes.`);
  const bytes = new Uint8Array(source.size);
  fillWhole(source, bytes, 0, name);
  const lines = new TextDecoder().decode(bytes).split('\n');
  return lines.map((line) => line.trim()).filter((line) => line !== '');
}

/** Pickles of a dict, and names in another one. */
function python(meta: string, namesKey: string, labelsKey: string): Labeling {
  return {
    names: (files) => {
      const file = files.get(meta);
      return file && cifarNames(file.source, file.name, namesKey);
    },
    read: ({ source, name }) => cifarBatch(source, name, labelsKey),
  };
}
