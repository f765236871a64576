/** Times a run: how fast its steps are, and how long the rest will take. */

/** The weight of one step in the average of the latest. */
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

  /** A step has ended. */
  step(): void {
    const seconds = secondsSince(this.#lastStep);
    this.#lastStep = performance.now();
    this.#stepSeconds = this.#stepSeconds === 0 ? seconds : (1 - share) * this.#stepSeconds + share * seconds;
  }

  /** Takes the time of a validation. */
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

  /** How long so many steps and validations will take. */
  secondsFor(steps: number, validations: number): number {
    return steps * this.#stepSeconds + validations * this.#validationSeconds;
  }
}

const secondsSince = (time: number): number => (performance.now() - time) / 1000;
