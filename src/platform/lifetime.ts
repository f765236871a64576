/** The lifetime of a session: its runs, and its end, which happens once, after the last run. */
import { UsageError } from '../errors.ts';

export const closedError = (): UsageError => new UsageError('The session is closed. Open another one.');

export class Lifetime {
  readonly #running = new Set<Promise<unknown>>();
  #end: Promise<void> | undefined;

  /** @throws UsageError after `end` was called. */
  check(): void {
    if (this.#end) throw closedError();
  }

  /** Runs `action`, which `end` waits for. Throws as `check`. */
  async run<T>(action: () => Promise<T>): Promise<T> {
    this.check();
    const run = action();
    this.#running.add(run);
    try {
      return await run;
    } finally {
      this.#running.delete(run);
    }
  }

  /** Calls `free` after all runs have ended. A second call waits for the first. */
  end(free: () => void | Promise<void>): Promise<void> {
    this.#end ??= Promise.allSettled(this.#running).then(free);
    return this.#end;
  }
}
