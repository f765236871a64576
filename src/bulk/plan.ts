/**
 * The plan of a bulk task: `plan.jsonl` in the folder of its results. The first line has the settings, each further one a
 * shard: the names of some files, or a range of the images in a larger file. It is written once, by the process that comes
 * first, and everyone else works by it, on any machine; so a folder that gets more images meanwhile makes no difference.
 *
 * A tar file of up to a gigabyte is one shard and is not read here, since to count its images would take a read for each.
 */
import { createHash, randomUUID } from 'node:crypto';
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { link, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { Column } from '../data/names.ts';
import { expandSources } from '../data/sources.ts';
import { packedImages } from '../datasets/packed-images.ts';
import { type PackedFiles, packedFiles } from '../datasets/packed-kinds.ts';
import { parquetRows } from '../datasets/parquet.ts';
import { FormatError, UsageError } from '../errors.ts';
import { makeFolder, refusal, refusing, statIfPresent } from '../files.ts';
import { parseJson } from '../json.ts';
import { differences, type Settings, settingsSchema } from './settings.ts';

const shardSchema = z.union([
  z.object({ count: z.int(), files: z.array(z.string()) }),
  z.object({
    /** Absent for all images of a file that has not been read. */
    count: z.int().optional(),
    packed: z.enum(['zip', 'tar', 'parquet']),
    file: z.string(),
    from: z.int(),
  }),
]);

/** Some images. Relative paths start from the folder in the settings. */
export type Shard = z.infer<typeof shardSchema>;

const fileName = 'plan.jsonl';

/** Larger tar files are divided. */
const wholeTar = 2 ** 30;

export class Plan {
  /** The folder of the results. */
  readonly folder: string;
  /** A hash of the plan. */
  readonly id: string;
  readonly settings: Settings;
  /** Number of images; undefined if that of a shard is not known. */
  readonly images: number | undefined;
  /** Where each line begins, and the end. */
  readonly #starts: Float64Array;

  private constructor(folder: string, { id, starts, images, settings }: Read) {
    this.folder = folder;
    this.id = id;
    this.settings = settings;
    this.images = images;
    this.#starts = starts;
  }

  /** The plan in a folder; undefined if there is none. */
  static in(folder: string): Plan | undefined {
    const path = join(folder, fileName);
    return statIfPresent(path)
      ? new Plan(
          folder,
          refusing('read', path, () => readPlan(path)),
        )
      : undefined;
  }

  /**
   * The plan in a folder, made first if there is none.
   *
   * @param notes gets sentences for the user on files that were skipped.
   * @throws UsageError if the folder has the plan of another task, or there are no images.
   */
  static async for(folder: string, settings: Settings, notes: string[]): Promise<Plan> {
    if (!Plan.in(folder)) await writePlan(folder, settings, notes);
    const plan = Plan.in(folder)!;
    const changed = differences(plan.settings, settings);
    if (changed.length === 0) return plan;
    throw new UsageError(
      `"${folder}" has the results of another task, which differs in ${changed.join(', ')}. Name another folder with --out.`,
    );
  }

  /** Number of shards. */
  get shards(): number {
    return this.#starts.length - 2;
  }

  /** The name of a shard's files without their endings: its number, in as many digits for all. */
  name(shard: number): string {
    return String(shard).padStart(Math.max(5, String(this.shards - 1).length), '0');
  }

  /** @throws FormatError if the plan is damaged. */
  shard(number: number): Shard {
    const path = join(this.folder, fileName);
    const [start, end] = this.#starts.subarray(number + 1, number + 3);
    const bytes = Buffer.alloc(end! - start!);
    const file = refusing('read', path, () => openSync(path, 'r'));
    try {
      readSync(file, bytes, 0, bytes.length, start!);
    } finally {
      closeSync(file);
    }
    return parsed(shardSchema, bytes.toString(), path);
  }
}

interface Read {
  readonly id: string;
  readonly starts: Float64Array;
  readonly images: number | undefined;
  readonly settings: Settings;
}

function parsed<T>(schema: z.ZodType<T>, line: string, path: string): T {
  const { data } = schema.safeParse(parseJson(line, path));
  if (data !== undefined) return data;
  throw new FormatError(`${path} is not the plan of a bulk task, or it is damaged. Name another folder with --out.`);
}

const chunkSize = 2 ** 20;
const newline = 10;

/** Finds the lines of a plan, which may be larger than memory. */
function readPlan(path: string): Read {
  const [starts, hash] = [new Column(Float64Array), createHash('sha256')];
  starts.push(0);
  let [head, images, position]: [string | undefined, number | undefined, number] = [undefined, 0, 0];
  let line = Buffer.alloc(0); // the beginning of one that is not complete, as far as it matters
  for (const chunk of chunksOf(path)) {
    hash.update(chunk);
    for (let at = 0; at < chunk.length; ) {
      const end = chunk.indexOf(newline, at);
      const piece = chunk.subarray(at, end < 0 ? chunk.length : end);
      if (head === undefined || line.length < longestCount) line = Buffer.concat([line, piece]);
      if (end < 0) break;
      if (head === undefined) head = line.toString();
      else images = sum(images, countOf(line));
      line = Buffer.alloc(0);
      at = end + 1;
      starts.push(position + at);
    }
    position += chunk.length;
  }
  const settings = parsed(settingsSchema, head ?? '', path);
  return { id: hash.digest('hex').slice(0, 16), starts: starts.values, images, settings };
}

const longestCount = 32;

/** The count of a shard, which its line begins with. */
function countOf(line: Buffer): number | undefined {
  const [, count] = /^\{"count":(\d+)/.exec(line.toString('latin1', 0, longestCount)) ?? [];
  return count === undefined ? undefined : Number(count);
}

const sum = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a + b;

function* chunksOf(path: string): Generator<Buffer, void, undefined> {
  const file = openSync(path, 'r');
  try {
    for (;;) {
      const buffer = Buffer.alloc(chunkSize);
      const count = readSync(file, buffer);
      if (count === 0) return;
      yield buffer.subarray(0, count);
    }
  } finally {
    closeSync(file);
  }
}

/** Writes a plan, unless another process has written one meanwhile. */
async function writePlan(folder: string, settings: Settings, notes: string[]): Promise<void> {
  await makeFolder(folder);
  const path = join(folder, fileName);
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.write(`${JSON.stringify(settings)}\n`);
      let count = 0;
      for await (const shard of shardsOf(settings, notes)) {
        await file.write(`${JSON.stringify(shard)}\n`);
        count++;
      }
      if (count === 0) throw new UsageError(`There are no images in ${settings.sources.join(', ')}. Name others.`);
      await file.sync();
    } finally {
      await file.close();
    }
    await placeFirst(temporary, path);
  } catch (error) {
    throw refusal('write', path, error);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Puts a file in its place, unless one is there. Where links are not possible, as in some mounts, the last one wins. */
async function placeFirst(temporary: string, path: string): Promise<void> {
  await link(temporary, path).catch(async () => {
    if (!existsSync(path)) await rename(temporary, path);
  });
}

async function* shardsOf({ sources, shardSize, imageColumn }: Settings, notes: string[]): AsyncGenerator<Shard> {
  let files: string[] = [];
  for (const source of sources) {
    const packed = packedFiles(source);
    if (packed) {
      if (files.length > 0) yield { count: files.length, files };
      files = [];
      yield* shardsInside(packed, shardSize, imageColumn);
      continue;
    }
    for (const file of await filesIn(source, notes)) {
      files.push(file);
      if (files.length < shardSize) continue;
      yield { count: files.length, files };
      files = [];
    }
  }
  if (files.length > 0) yield { count: files.length, files };
}

async function filesIn(source: string, notes: string[]): Promise<string[]> {
  if (source === '-') {
    throw new UsageError('Standard input is one image, but bulk work expects files, folders, archives or Parquet.');
  }
  const found = await expandSources([source]);
  notes.push(...found.notes);
  return found.sources.map(({ label }) => label);
}

async function* shardsInside(
  { kind, files }: PackedFiles,
  shardSize: number,
  imageColumn: string | undefined,
): AsyncGenerator<Shard> {
  for (const file of files) {
    if (kind === 'tar' && (statIfPresent(file)?.size ?? 0) <= wholeTar) {
      yield { packed: kind, file, from: 0 };
      continue;
    }
    const total =
      kind === 'parquet' ? await parquetRows(file, imageColumn) : (await packedImages(kind, file, file)).length;
    for (let from = 0; from < total; from += shardSize) {
      yield { count: Math.min(shardSize, total - from), packed: kind, file, from };
    }
  }
}
