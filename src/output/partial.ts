/**
 * Results on disk while they are computed, so that long lists of images take no memory and an interrupted task continues.
 * They are in a folder beside the file that they will become:
 *
 * FILE.partial/task.jsonl   what determines the results; then, for each batch, how many images are done and the sizes of
 *                           the parts
 * FILE.partial/PART         rows in the order of the images, appended
 * FILE.partial/lock         the process that writes them
 *
 * What a killed process wrote after its last complete batch is cut off. When all images are done, the file is written from
 * the parts, and the folder is deleted. For a device or a pipe it is among the temporary files, and nothing is continued.
 */
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';
import { UsageError } from '../errors.ts';
import { makeFolder, pathBeside, refusing } from '../files.ts';
import { FolderLock } from '../folder-lock.ts';
import { counted } from './text.ts';

/** What determines the results: values, or hashes of them, by their names for people. */
export type Task = Readonly<Record<string, string>>;

const taskSchema = z.object({ task: z.record(z.string(), z.string()) });
const markSchema = z.object({ done: z.number(), sizes: z.record(z.string(), z.number()) });

/** After a batch: how many images are done, and how many bytes each part has. */
type Mark = z.infer<typeof markSchema>;

const journalName = 'task.jsonl';
const lockOf = { file: 'lock', holder: 'a command' } as const;

export class PartialResults {
  readonly folder: string;
  /** Whether an interrupted task continues from them. */
  readonly isKept: boolean;
  /** Sentences for the user on what was found in the folder. */
  readonly notes: readonly string[];
  readonly #task: Task;
  readonly #lock: FolderLock | undefined;
  readonly #sizes: Map<string, number>;
  #done: number;
  /** Descriptors of the parts and the journal, from the first write on. */
  #files: Map<string, number> | undefined;

  private constructor(folder: string, task: Task, { mark, notes }: Found, lock?: FolderLock) {
    this.folder = folder;
    this.isKept = lock !== undefined;
    this.notes = notes;
    this.#task = task;
    this.#lock = lock;
    this.#sizes = new Map(Object.entries(mark.sizes));
    this.#done = mark.done;
    process.once('exit', this.#closeUnfinished);
  }

  /**
   * Opens the results that will become a file. Those of another task are replaced.
   *
   * @throws UsageError if the folder for them belongs to something else, another process writes the same, or the file
   *   system refuses.
   */
  static async open(file: string, task: Task): Promise<PartialResults> {
    const folder = await pathBeside(file, '.partial');
    if (folder === undefined) {
      return new PartialResults(mkdtempSync(join(tmpdir(), 'resnext-')), task, { mark: nothing, notes: [] });
    }
    refusing('write', folder, () => checkOwn(folder));
    await makeFolder(folder);
    const lock = await FolderLock.take(folder, lockOf);
    try {
      return new PartialResults(folder, task, continued(folder, task), lock);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Number of images whose results are complete. */
  get done(): number {
    return this.#done;
  }

  /** Appends to a part. */
  append(part: string, contents: Uint8Array | string): void {
    const bytes = typeof contents === 'string' ? Buffer.from(contents) : contents;
    this.#write(part, bytes);
    this.#sizes.set(part, (this.#sizes.get(part) ?? 0) + bytes.length);
  }

  /** Declares the results of this many images complete. */
  mark(done: number): void {
    const mark: Mark = { done, sizes: Object.fromEntries(this.#sizes) };
    this.#write(journalName, Buffer.from(`${JSON.stringify(mark)}\n`));
    this.#done = done;
  }

  /** The contents of a part. */
  *chunks(part: string): Generator<Uint8Array, void, undefined> {
    const path = join(this.folder, part);
    if (!existsSync(path)) return;
    const file = openSync(path, 'r');
    try {
      for (let buffer = Buffer.alloc(chunkSize), count = 1; count > 0; ) {
        count = readSync(file, buffer);
        if (count > 0) yield buffer.subarray(0, count);
      }
    } finally {
      closeSync(file);
    }
  }

  /** The lines of a part. */
  *lines(part: string): Generator<string, void, undefined> {
    const decoder = new TextDecoder();
    let rest = '';
    for (const chunk of this.chunks(part)) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop()!;
      yield* lines;
    }
  }

  /** Closes the files. The folder stays if anything can be continued from it, unless all is done. */
  close(isFinished: boolean): void {
    process.off('exit', this.#closeUnfinished);
    for (const file of this.#files?.values() ?? []) closeSync(file);
    this.#files = undefined;
    if (isFinished || this.#done === 0 || !this.isKept) rmSync(this.folder, { recursive: true, force: true });
    this.#lock?.release();
  }

  readonly #closeUnfinished = (): void => this.close(false);

  #write(name: string, bytes: Uint8Array): void {
    refusing('write', this.folder, () => {
      this.#files ??= this.#start();
      const file = this.#files.get(name) ?? openSync(join(this.folder, name), 'a');
      this.#files.set(name, file);
      writeFileSync(file, bytes);
    });
  }

  #start(): Map<string, number> {
    if (this.#done > 0) return new Map();
    for (const name of readdirSync(this.folder)) {
      if (name !== lockOf.file) rmSync(join(this.folder, name), { recursive: true });
    }
    const journal = openSync(join(this.folder, journalName), 'a');
    writeFileSync(journal, `${JSON.stringify({ task: this.#task })}\n`);
    return new Map([[journalName, journal]]);
  }
}

const chunkSize = 2 ** 18;

const nothing: Mark = { done: 0, sizes: {} };

interface Found {
  readonly mark: Mark;
  readonly notes: readonly string[];
}

/** What can be continued in a folder. What was written after it is cut off. */
function continued(folder: string, task: Task): Found {
  return refusing('write', folder, () => {
    const found = readJournal(folder);
    if (!found || found.mark.done === 0) return { mark: nothing, notes: [] };
    const { mark, length } = found;
    const changed = Object.keys(task).filter((name) => found.task[name] !== task[name]);
    if (changed.length > 0) {
      const note = `"${folder}" has results of ${counted(mark.done, 'image')} of another task, which differs in ${changed.join(', ')}. They are replaced.`;
      return { mark: nothing, notes: [note] };
    }
    truncateSync(join(folder, journalName), length);
    for (const [part, size] of Object.entries(mark.sizes)) truncateSync(join(folder, part), size);
    return { mark, notes: [`Continuing after ${counted(mark.done, 'image')}, from "${folder}".`] };
  });
}

interface Journal {
  readonly task: Task;
  readonly mark: Mark;
  /** Number of bytes up to the mark. */
  readonly length: number;
}

/** @throws UsageError if the folder is there and has other contents. */
function checkOwn(folder: string): void {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  if (names.every((name) => name === lockOf.file) || names.includes(journalName)) return;
  throw new UsageError(
    `"${folder}" is needed for partial results, but has other contents. Move it, or write to another file.`,
  );
}

/** What a folder holds: the last mark whose parts are there. */
function readJournal(folder: string): Journal | undefined {
  const names = readdirSync(folder);
  if (!names.includes(journalName)) return undefined;
  const [first = '', ...rest] = readFileSync(join(folder, journalName), 'utf8').split('\n');
  const { task } = parsed(taskSchema, first) ?? { task: {} };
  const sizes = new Map(names.map((name) => [name, statSync(join(folder, name)).size]));
  let length = Buffer.byteLength(first) + 1;
  let last = nothing;
  for (const line of rest) {
    const mark = parsed(markSchema, line);
    if (!mark || Object.entries(mark.sizes).some(([part, size]) => (sizes.get(part) ?? -1) < size)) break;
    last = mark;
    length += Buffer.byteLength(line) + 1;
  }
  return { task, mark: last, length };
}

/** A line of the journal; undefined if it is incomplete. */
function parsed<T>(schema: z.ZodType<T>, line: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}
