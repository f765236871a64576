/**
 * The event files of a run, which TensorBoard reads as they grow: one for each session. A session that continues a run first
 * cuts what earlier files have beyond the checkpoint that it continues from, so that no step is there twice for any reader,
 * and begins with an event that makes a TensorBoard that has read it already forget it.
 */
import { appendFile, readdir, readFile, rm, rmdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder, refusal } from '../files.ts';
import { type EventValue, type ReadEvent, readEvent, startEvent, summaryEvent, versionEvent } from './events.ts';
import { framed, records } from './records.ts';

/** Where a session begins. */
export interface Beginning {
  /** Steps that are done. */
  readonly steps: number;
  /** Whether an event of an earlier session is to stay. */
  keeps(event: ReadEvent): boolean;
}

const prefix = 'events.out.tfevents.';
const flushEvery = 5_000;

const now = (): number => Date.now() / 1000;

export class EventFiles {
  readonly #path: string;
  #waiting: Uint8Array[];
  #flushed = Date.now();

  private constructor(path: string, first: readonly Uint8Array[]) {
    this.#path = path;
    this.#waiting = first.map(framed);
  }

  /**
   * Begins a file in a folder, which is created if necessary.
   *
   * @throws UsageError if the file system refuses.
   */
  static async open(folder: string, { steps, keeps }: Beginning): Promise<EventFiles> {
    await makeFolder(folder);
    const former = await filesIn(folder);
    for (const name of former) await cut(join(folder, name), keeps);
    const last = Number(former.at(-1)?.slice(prefix.length).split('.')[0] ?? 0);
    const second = Math.max(Math.floor(now()), last + 1); // TensorBoard reads files in the order of their names
    const first = [versionEvent(now()), ...(former.length > 0 ? [startEvent(now(), steps + 1)] : [])];
    const files = new EventFiles(join(folder, `${prefix}${second}.resnext`), first);
    await files.flush();
    return files;
  }

  /** Adds numbers and pictures of a step, which are written within seconds, or by `flush`. */
  async add(step: number, values: readonly EventValue[]): Promise<void> {
    this.#waiting.push(framed(summaryEvent(now(), step, values)));
    if (Date.now() - this.#flushed > flushEvery) await this.flush();
  }

  /** @throws UsageError if the file system refuses. */
  async flush(): Promise<void> {
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#flushed = Date.now();
    await appendFile(this.#path, bytes).catch((error: unknown) => {
      throw refusal('write', this.#path, error);
    });
  }
}

/** Deletes the event files in a folder, and the folder if nothing is left in it. */
export async function removeEventFiles(folder: string): Promise<void> {
  for (const name of await filesIn(folder)) await rm(join(folder, name), { force: true });
  await rmdir(folder).catch(() => {}); // it may contain other files, or not exist
}

const filesIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder).catch(() => [])).filter((name) => name.startsWith(prefix)).sort();

/** Cuts a file before the first event that is not to stay, or is damaged. */
async function cut(path: string, keeps: (event: ReadEvent) => boolean): Promise<void> {
  const file = await readFile(path);
  let end = 0;
  for (const { data, start } of records(file)) {
    if (!keeps(readEvent(data))) break;
    end = start + data.length + overhead;
  }
  if (end < file.length) await truncate(path, end);
}
const overhead = 16;
