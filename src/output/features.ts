/**
 * Writes feature vectors and feature maps to files, one per stage: `.npy` is a float32 array [N, F] or [N, C, H, W]
 * with the image paths in a separate text file; `.parquet`, for pandas and pyarrow, has the columns `path` (string) and
 * `features` (list of float); `.jsonl` has one object with both per line. In the last two a map is a flat, row-major
 * list, and `dims` is its shape.
 */
import { extname } from 'node:path';
import { printable } from '../errors.ts';
import { type StagedFile, stageFile } from '../files.ts';
import { bytesOf, elements, type Tensor } from '../tensor.ts';
import { byEnding, endingOf } from './endings.ts';
import { npyHeader } from './npy.ts';
import { parquetChunks } from './parquet.ts';
import { PartialResults, type Task } from './partial.ts';
import { type FeatureRows, rowsOf } from './rows.ts';

type Write = (rows: FeatureRows) => Promise<Iterable<Uint8Array>> | Iterable<Uint8Array>;

const writers: Readonly<Record<string, Write>> = { '.npy': npy, '.parquet': parquetChunks, '.jsonl': jsonLines };

const writerOf = (file: string): Write => byEnding(file, writers, 'Give -o a name with one of these endings.');

/** The contents of a file of one stage's features, in the format of its ending. */
export const featureBytes = async (file: string, rows: FeatureRows): Promise<Iterable<Uint8Array>> =>
  writerOf(file)(rows);

/** The contents of the text file beside a `.npy` file: the path of each row, on a line. */
export function* pathLines(paths: Iterable<string>): Generator<Uint8Array, void, undefined> {
  for (const path of paths) yield Buffer.from(`${pathLine(path)}\n`);
}

/**
 * The files for these stages, in order, and a `.paths.txt` file if the format cannot contain paths.
 *
 * @param file the file for a single stage; with several stages, `out.npy` becomes `out.layer3.npy` and so on.
 * @throws UsageError unless the file extension is that of a supported format.
 */
export function featureFiles(file: string, stages: readonly string[]): { stages: string[]; paths?: string } {
  writerOf(file);
  const ending = extname(file);
  const stem = file.slice(0, -ending.length);
  const names = stages.map((stage) => (stages.length === 1 ? file : `${stem}.${stage}${ending}`));
  return { stages: names, ...(endingOf(file) === '.npy' && { paths: `${stem}.paths.txt` }) };
}

/** What was written. */
export interface WrittenFeatures {
  readonly files: readonly string[];
  /** The shape of each stage's rows. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly images: number;
  /** Images that could not be read, and are in none of the files. */
  readonly unread: readonly string[];
}

/** The names of the parts on disk; the others are stages. */
const [readPart, unreadPart, shapesPart] = ['read.jsonl', 'unread.jsonl', 'shapes.json'] as const;

/** Features that are collected on disk, so that an interrupted task continues. */
export class FeatureCollector {
  readonly notes: readonly string[];
  /** Whether an interrupted task continues from them. */
  readonly isKept: boolean;
  readonly #file: string;
  readonly #stages: readonly string[];
  readonly #partial: PartialResults;
  #done: number;
  #isFinished = false;
  #hasShapes: boolean;

  private constructor(file: string, stages: readonly string[], partial: PartialResults) {
    this.notes = partial.notes;
    this.isKept = partial.isKept;
    this.#file = file;
    this.#stages = stages;
    this.#partial = partial;
    this.#done = partial.done;
    this.#hasShapes = !isEmpty(partial.lines(shapesPart));
  }

  static async open(file: string, stages: readonly string[], task: Task): Promise<FeatureCollector> {
    return new FeatureCollector(file, stages, await PartialResults.open(file, task));
  }

  /** Number of images whose features are there, or that could not be read. */
  get done(): number {
    return this.#done;
  }

  add(path: string, features: ReadonlyMap<string, Tensor<'float32'>>): void {
    if (!this.#hasShapes) {
      const shapes = this.#stages.map((stage) => [stage, features.get(stage)!.dims]);
      this.#partial.append(shapesPart, `${JSON.stringify(Object.fromEntries(shapes))}\n`);
      this.#hasShapes = true;
    }
    for (const stage of this.#stages) this.#partial.append(stage, bytesOf(features.get(stage)!));
    this.#partial.append(readPart, `${JSON.stringify(path)}\n`);
    this.#done++;
  }

  /** Adds an image that cannot be read. */
  addUnread(path: string): void {
    this.#partial.append(unreadPart, `${JSON.stringify(path)}\n`);
    this.#done++;
  }

  save(): void {
    this.#partial.mark(this.#done);
  }

  /** Writes all files or none; undefined if no image could be read. */
  async write(): Promise<WrittenFeatures | undefined> {
    const unread = [...this.#paths(unreadPart)];
    const [text] = this.#partial.lines(shapesPart);
    if (text === undefined) {
      this.#isFinished = true;
      return undefined;
    }
    const shapes = JSON.parse(text) as Record<string, number[]>;
    const images = this.#done - unread.length;
    const names = featureFiles(this.#file, this.#stages);
    const staged: StagedFile[] = [];
    try {
      for (const [k, stage] of this.#stages.entries()) {
        const rows: FeatureRows = {
          count: images,
          dims: shapes[stage]!,
          paths: () => this.#paths(readPart),
          bytes: () => this.#partial.chunks(stage),
        };
        staged.push(await stageFile(names.stages[k]!, await featureBytes(this.#file, rows)));
      }
      if (names.paths !== undefined) staged.push(await stageFile(names.paths, pathLines(this.#paths(readPart))));
    } catch (error) {
      for (const each of staged) await each.discard();
      throw error;
    }
    for (const each of staged) await each.commit();
    this.#isFinished = true;
    return { files: [...names.stages, ...(names.paths === undefined ? [] : [names.paths])], shapes, images, unread };
  }

  close(): void {
    this.#partial.close(this.#isFinished);
  }

  *#paths(part: string): Generator<string, void, undefined> {
    for (const line of this.#partial.lines(part)) yield JSON.parse(line) as string;
  }
}

const isEmpty = (values: Iterable<unknown>): boolean => {
  for (const _ of values) return false;
  return true;
};

/**
 * A path on one line: as it is, or as a JSON string if it has line breaks or other control characters, or begins with a
 * quotation mark. So a line that begins with a quotation mark is always JSON.
 */
export const pathLine = (path: string): string =>
  path.startsWith('"') || printable(path) !== path ? printable(JSON.stringify(path)) : path;

function* npy({ count, dims, bytes }: FeatureRows): Iterable<Uint8Array> {
  yield npyHeader([count, ...dims]);
  yield* bytes();
}

function* jsonLines({ dims, paths, bytes }: FeatureRows): Iterable<Uint8Array> {
  const rows = rowsOf(bytes(), elements(dims));
  const shape = dims.length > 1 ? { dims } : {};
  for (const path of paths()) {
    const features = Array.from(rows.next().value!);
    yield Buffer.from(`${JSON.stringify({ path, features, ...shape })}\n`);
  }
}
