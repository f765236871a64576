/**
 * The report of a run while it trains: after each epoch the page is made again, and between them its line of progress
 * changes. When the run ends, the page gets the evaluation of the best model, if anybody has it open.
 */
import { basename, resolve } from 'node:path';
import { FormatError, UsageError } from '../errors.ts';
import { evaluateRun, type ReportRunOptions, readRun } from '../report/run.ts';
import { type RunPage, runPage } from '../report/run-page.ts';
import type { TrainEvent } from '../train/events.ts';
import { LiveServer } from './server.ts';

/** Milliseconds between changes of the line of progress. */
const progressEvery = 500;

export class LiveRun {
  readonly #run: string;
  readonly #server: LiveServer;
  #isBegun = false;
  #shown = 0;
  #progress: string;
  #rendering: Promise<void> = Promise.resolve();

  private constructor(run: string, server: LiveServer, progress: string) {
    this.#run = run;
    this.#server = server;
    this.#progress = progress;
  }

  /** @param run the folder of a run that begins, or is resumed. */
  static async open(run: string): Promise<LiveRun> {
    const progress = 'The run is starting.';
    const page = await runPage({ name: basename(resolve(run)), lines: [], progress });
    return new LiveRun(run, await LiveServer.open(page), progress);
  }

  get url(): string {
    return this.#server.url;
  }

  /** Takes note of an event of the run. `progress` has what to say on it, if anything. */
  onEvent(event: TrainEvent, progress: readonly string[]): void {
    if (progress.length > 0) this.#showProgress(progress.join(' · '));
    const isFirstStep = event.event === 'step' && !this.#isBegun; // the run's files are there now
    if (isFirstStep) this.#isBegun = true;
    if (isFirstStep || event.event === 'epoch') this.#show();
  }

  /**
   * Shows how the run ended, and closes the server.
   *
   * @param evaluates whether to evaluate the best model for the page.
   * @param options of the evaluation.
   */
  async end(evaluates: boolean, options: ReportRunOptions = {}): Promise<void> {
    try {
      await this.#rendering;
      await this.#server.end(await this.#page(evaluates ? await this.#evaluation(options) : {}));
    } finally {
      this.#server.close();
    }
  }

  /** Nobody waits for what nobody reads. */
  async #evaluation(options: ReportRunOptions): Promise<Partial<RunPage>> {
    if (!this.#server.isRead) return {};
    this.#server.progress('The run has ended. Its best model is being evaluated for this page.');
    return evaluateRun(this.#run, options);
  }

  #showProgress(text: string): void {
    this.#progress = text;
    const now = Date.now();
    if (now - this.#shown < progressEvery) return;
    this.#shown = now;
    this.#server.progress(text);
  }

  /** Makes the page again, after those that are being made. A page that cannot be made is no reason to end a run. */
  #show(): void {
    this.#rendering = this.#rendering.then(async () => {
      const page = await this.#page({ progress: this.#progress }).catch(() => undefined);
      if (page !== undefined) this.#server.show(page);
    });
  }

  #page(rest: Partial<RunPage>): Promise<string> {
    return runPage({ ...filesOf(this.#run), ...rest });
  }
}

/** What there is of a run, which may have ended before its first file was written. */
function filesOf(run: string): RunPage {
  try {
    return readRun(run);
  } catch (error) {
    if (error instanceof UsageError || error instanceof FormatError) return { name: basename(resolve(run)), lines: [] };
    throw error;
  }
}
