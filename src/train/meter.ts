/** Measures the speed of a run and estimates the time left. */

/** Weight of the latest step in the moving average of step times. */
const share = 0.05;

export class Meter {
  #epochStart = performance.now();
  #lastStep = performance.now();
  #stepSeconds = 0;
  #validationSeconds = 0;

  startEpoch(): void {
    this.#epochStart = performance.now();
    this.#lastStep = this.#epochStart;
  }

  /** Seconds since the epoch started. */
  get epochSeconds(): number {
    return secondsSince(this.#epochStart);
  }

  /** Records the end of a step. */
  step(): void {
    const seconds = secondsSince(this.#lastStep);
    this.#lastStep = performance.now();
    this.#stepSeconds = this.#stepSeconds === 0 ? seconds : (1 - share) * this.#stepSeconds + share * seconds;
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

  imagesPerSecond(batch: number): number {
    return batch / this.#stepSeconds;
  }

  /** Estimates the seconds for a number of steps and validations. */
  secondsFor(steps: number, validations: number): number {
    return steps * this.#stepSeconds + validations * this.#validationSeconds;
  }
}

const secondsSince = (time: number): number => (performance.now() - time) / 1000;
