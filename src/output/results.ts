/** Per-image results, printed as they arrive, or collected on disk for a file. */
import { writeFileAtomically } from '../files.ts';
import { type Layout, type LayoutOptions, layouts, type Result, type ResultFormat } from './formats.ts';
import { PartialResults, type Task } from './partial.ts';

export interface Results {
  /** Number of images whose results are there already; `add` continues after them. */
  readonly done: number;
  /** Whether an interrupted task continues from them. */
  readonly isKept: boolean;
  /** Number of these that could not be read. */
  readonly failed: number;
  add(result: Result): void;
  /** Secures the results of all images so far. */
  save(): void;
  /** Prints or writes the remaining output after the last result. */
  end(): Promise<void>;
  /** Ends without the remaining results. */
  close(): void;
}

/** Results that are printed as they arrive. */
export function printedResults(format: ResultFormat, options: LayoutOptions, print: (text: string) => void): Results {
  const { start, row, end } = layouts[format](options);
  let [place, failed] = [0, 0];
  return {
    done: 0,
    isKept: false,
    get failed() {
      return failed;
    },
    add: (result) => {
      if ('error' in result) failed++;
      print(`${place === 0 ? start : ''}${row(result, place++)}`);
    },
    save: () => {},
    end: async () => print(place === 0 ? start + end : end),
    close: () => {},
  };
}

const part = 'results.jsonl';

/** Results for a file. They are collected on disk, so that an interrupted task continues. */
export class FileResults implements Results {
  readonly notes: readonly string[];
  readonly isKept: boolean;
  readonly #file: string;
  readonly #layout: Layout;
  readonly #partial: PartialResults;
  #done: number;
  #isFinished = false;

  private constructor(file: string, layout: Layout, partial: PartialResults) {
    this.notes = partial.notes;
    this.isKept = partial.isKept;
    this.#file = file;
    this.#layout = layout;
    this.#partial = partial;
    this.#done = partial.done;
  }

  static async open(file: string, format: ResultFormat, options: LayoutOptions, task: Task): Promise<FileResults> {
    return new FileResults(file, layouts[format](options), await PartialResults.open(file, task));
  }

  get done(): number {
    return this.#done;
  }

  get failed(): number {
    let failed = 0;
    for (const result of this.#results()) failed += 'error' in result ? 1 : 0;
    return failed;
  }

  add(result: Result): void {
    this.#partial.append(part, `${JSON.stringify(result)}\n`);
    this.#done++;
  }

  save(): void {
    this.#partial.mark(this.#done);
  }

  async end(): Promise<void> {
    this.save();
    await writeFileAtomically(this.#file, this.#contents());
    this.#isFinished = true;
  }

  close(): void {
    this.#partial.close(this.#isFinished);
  }

  *#contents(): Generator<Uint8Array, void, undefined> {
    const { start, row, end } = this.#layout;
    let [place, text] = [0, start];
    for (const result of this.#results()) {
      text += row(result, place++);
      if (text.length < chunkLength) continue;
      yield Buffer.from(text);
      text = '';
    }
    yield Buffer.from(text + end);
  }

  *#results(): Generator<Result, void, undefined> {
    for (const line of this.#partial.lines(part)) yield JSON.parse(line) as Result;
  }
}

const chunkLength = 2 ** 16;
