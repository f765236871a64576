/** The life of a session: its runs, and its end, which comes once and after the last run. */
import { UsageError } from '../errors.ts';

export const disposedOf = (): UsageError => new UsageError('The session was disposed of; open another one.');

export class Lifetime {
  readonly #running = new Set<Promise<unknown>>();
  #end: Promise<void> | undefined;

  /** @throws UsageError after `end` was called. */
  check(): void {
    if (this.#end) throw disposedOf();
  }

  /** Does a run, which `end` waits for. Throws as `check` does. */
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

  /** Calls `free` when all runs have ended; a second call waits for the first. */
  end(free: () => void | Promise<void>): Promise<void> {
    this.#end ??= Promise.allSettled(this.#running).then(free);
    return this.#end;
  }
}
