/** The error for images that a batcher refuses. */

/** More images wait than `maxQueue` allows. They can be given again later. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError';
  /** Seconds after which there may be room, by the speed of the last batches. */
  readonly retryAfter: number;

  constructor(given: number, waiting: number, retryAfter: number) {
    const images = given === 1 ? 'The image is' : `The ${given} images are`;
    super(`${images} not accepted, because ${waiting} are waiting. Try again in ${retryAfter} s.`);
    this.retryAfter = retryAfter;
  }
}
