/** The thread that draws explanations. It starts with the first one. */
import { startWorkers, type Workers } from '#platform/images';
import type { DrawJob } from './draw-worker.ts';
import { busy } from './problem.ts';

/** Pictures that wait or are drawn. */
const maxJobs = 16;

export class Painter {
  #started: Promise<Workers<DrawJob, Uint8Array> | undefined> | undefined;
  #jobs = 0;

  /**
   * The bytes of a PNG file.
   *
   * @throws Problem with 429 if too many wait.
   */
  async draw(job: DrawJob): Promise<Uint8Array> {
    if (this.#jobs === maxJobs) throw busy(429, 'Too many pictures are waiting to be drawn. Try again soon.', 1);
    this.#jobs += 1;
    try {
      const options = { module: 'serve/draw-worker.js', name: 'draw', threads: 1, queue: 1 };
      this.#started ??= startWorkers<DrawJob, Uint8Array>(options);
      return await (await this.#started)!.run({ ...job, bytes: new Uint8Array(job.bytes) });
    } finally {
      this.#jobs -= 1;
    }
  }

  async close(): Promise<void> {
    await (await this.#started)?.close();
  }
}
