/** How fast a task goes, and how long it will take. */
import { duration } from '../output/text.ts';

/** To a tenth. */
export const rounded = (value: number): number => Math.round(10 * value) / 10;

export class Rate {
  readonly #start = performance.now();
  readonly #total: number;
  #images = 0;
  #shards = 0;
  #share = 0;

  /** @param shards to process. */
  constructor(shards: number) {
    this.#total = shards;
  }

  /** The share of the shards that is processed, from 0 to 1. */
  get share(): number {
    return (this.#shards + this.#share) / this.#total;
  }

  get seconds(): number {
    return Math.round(performance.now() - this.#start) / 1000;
  }

  get imagesPerSecond(): number {
    return rounded(this.#images / this.seconds);
  }

  /** Seconds that the rest will take, if its shards take as long as those before. */
  get secondsLeft(): number {
    return this.share === 0 ? Number.POSITIVE_INFINITY : rounded((this.seconds * (1 - this.share)) / this.share);
  }

  /** Notes an image of the current shard. */
  image(done: number, total: number): void {
    this.#images++;
    this.#share = done / total;
  }

  /** Notes the end of a shard. */
  shard(): void {
    this.#shards++;
    this.#share = 0;
  }
}

/** `243.8 images/s` */
export const pace = (imagesPerSecond: number): string =>
  `${imagesPerSecond.toFixed(imagesPerSecond < 100 ? 1 : 0)} images/s`;

/** `0:12 left` */
export const left = (seconds: number): string =>
  Number.isFinite(seconds) ? `${duration(seconds)} left` : 'time left unknown';
