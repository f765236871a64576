/** Measures the speed of a run and estimates the time left. */

/** Least weight of the latest step in the moving average of step times. */
const minShare = 0.05;

export class Meter {
  readonly #batch: number;
  #epochStart = performance.now();
  #epochSteps = 0;
  #lastStep = performance.now();
  #size = 0;
  #steps = 0;
  #stepSeconds = 0;
  #validationSeconds = 0;

  /** @param batch images of a step. */
  constructor(batch: number) {
    this.#batch = batch;
  }

  /** @param size of the images. Steps on images of another size take another time. */
  startEpoch(size = this.#size): void {
    if (size !== this.#size) this.#steps = 0;
    this.#size = size;
    this.#epochStart = performance.now();
    this.#epochSteps = 0;
    this.#lastStep = this.#epochStart;
  }

  /** Seconds since the epoch started, and images of the steps since then. */
  get sinceStart(): { readonly seconds: number; readonly images: number } {
    return { seconds: secondsSince(this.#epochStart), images: this.#epochSteps * this.#batch };
  }

  /** Records the end of a step. The first one, which warms up, counts only until the second. */
  step(): void {
    this.#epochSteps++;
    const seconds = secondsSince(this.#lastStep);
    this.#lastStep = performance.now();
    const share = Math.max(minShare, 1 / Math.max(1, this.#steps++));
    this.#stepSeconds += share * (seconds - this.#stepSeconds);
  }

  /** Runs a validation and measures its time. */
  async validation<T>(validate: () => Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await validate();
    } finally {
      this.#validationSeconds = secondsSince(start);
    }
  }

  get imagesPerSecond(): number {
    return this.#batch / this.#stepSeconds;
  }

  /** Estimates the seconds for a number of steps and validations. */
  secondsFor(steps: number, validations: number): number {
    return steps * this.#stepSeconds + validations * this.#validationSeconds;
  }
}

const secondsSince = (time: number): number => (performance.now() - time) / 1000;
