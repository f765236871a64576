/**
 * Gathers items that come one by one into batches, which run one after the other.
 *
 * A batch starts when it is full, or when there is nothing to wait for: no other item is on its way, and there are as many
 * as in the last batch. Otherwise it waits for a few milliseconds after its first item, or after the last batch, whose
 * callers may be about to come back. So a caller that is alone never waits, and callers that came together stay together.
 */

/** When a batch starts. */
export interface Gathering {
  readonly maxBatch: number;
  /** Milliseconds. */
  readonly maxWait: number;
  /** Whether more items are on their way. */
  isMoreComing(): boolean;
}

interface Waiting<T, R> {
  readonly item: T;
  readonly since: number;
  readonly resolve: (result: R) => void;
  readonly reject: (reason: unknown) => void;
  /** Its signal no longer matters. */
  readonly start: () => void;
}

/** Runs a batch, and returns a result for each item. */
export type RunBatch<T, R> = (items: readonly T[], waited: number) => Promise<readonly R[]>;

export class Gatherer<T, R> {
  readonly #run: RunBatch<T, R>;
  readonly #gathering: Gathering;
  readonly #waiting = new Set<Waiting<T, R>>();
  #last = { size: 1, end: 0 };
  #isRunning = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #immediate: ReturnType<typeof setImmediate> | undefined;

  /** @param run gets the items of a batch, and the milliseconds for which the first has waited. */
  constructor(run: RunBatch<T, R>, gathering: Gathering) {
    this.#run = run;
    this.#gathering = gathering;
  }

  /**
   * Runs an item in one of the next batches.
   *
   * @param signal rejects the item with its reason, unless its batch has started.
   */
  submit(item: T, signal?: AbortSignal): Promise<R> {
    signal?.throwIfAborted();
    return new Promise<R>((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(waiting);
        reject(signal?.reason);
      };
      const start = () => signal?.removeEventListener('abort', leave);
      const waiting = { item, since: performance.now(), resolve, reject, start };
      signal?.addEventListener('abort', leave);
      this.#waiting.add(waiting);
      this.#schedule();
    });
  }

  /** Starts a batch in this turn of the event loop, whose items may still come, or when it is time. */
  #schedule(): void {
    if (this.#isRunning || this.#immediate !== undefined || this.#waiting.size === 0) return;
    clearTimeout(this.#timer);
    const left = this.#due() - performance.now();
    if (left > 0) {
      this.#timer = setTimeout(() => this.#schedule(), left);
      return;
    }
    this.#immediate = setImmediate(() => {
      this.#immediate = undefined;
      void this.#start();
    });
  }

  #due(): number {
    const { maxBatch, maxWait, isMoreComing } = this.#gathering;
    const { size } = this.#waiting;
    if (size >= maxBatch || (size >= this.#last.size && !isMoreComing())) return 0;
    const [first] = this.#waiting;
    return Math.max(first!.since, this.#last.end) + maxWait;
  }

  async #start(): Promise<void> {
    const batch = [...this.#waiting].slice(0, this.#gathering.maxBatch);
    if (batch.length === 0) return;
    for (const each of batch) {
      this.#waiting.delete(each);
      each.start();
    }
    this.#isRunning = true;
    try {
      const waited = performance.now() - batch[0]!.since;
      const results = await this.#run(
        batch.map(({ item }) => item),
        waited,
      );
      for (const [n, { resolve }] of batch.entries()) resolve(results[n]!);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
    this.#last = { size: batch.length, end: performance.now() };
    this.#isRunning = false;
    this.#schedule();
  }
}
