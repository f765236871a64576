/**
 * The folder of a run.
 *
 * RUN/model.safetensors, model.json   the model with the best top-1 on the validation images, ready to use
 * RUN/metrics.jsonl                   one line per epoch
 * RUN/split.json                      the images to train on and to validate on
 * RUN/checkpoints/last, best          checkpoints to continue from
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../errors.ts';
import { makeFolder, writeFileAtomically } from '../files.ts';
import { type Checkpoint, readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import type { EpochEvent } from './events.ts';
import { readSplit, type Split, writeSplit } from './split.ts';

export class RunFolder {
  readonly path: string;
  #saved = performance.now();

  constructor(path: string) {
    this.path = path;
  }

  /** Throws a UsageError if the folder cannot be used for a new run. */
  checkNew(): void {
    if (existsSync(this.#checkpoint('last'))) {
      throw new UsageError(
        `"${this.path}" already contains a training run. Resume it, delete it or choose another folder.`,
      );
    }
    if (existsSync(this.path) && !statSync(this.path).isDirectory()) {
      throw new UsageError(`"${this.path}" is a file, but a run needs a folder. Choose another name.`);
    }
  }

  /** @throws UsageError if the folder does not contain a run. */
  async lastCheckpoint(): Promise<Checkpoint> {
    const path = this.#checkpoint('last');
    if (existsSync(path)) return readCheckpoint(path);
    throw new UsageError(
      `There is no training run to resume in "${this.path}". Name the folder that the run was started with.`,
    );
  }

  /** The split that the run has kept; undefined in a run of an earlier version. */
  split(): Split | undefined {
    return existsSync(this.#split) ? readSplit(readFileSync(this.#split, 'utf8'), this.#split) : undefined;
  }

  /** Creates the folder, keeps the split, and deletes the metrics of epochs that a resumed run will repeat. */
  async prepare(epoch: number, split: Split): Promise<void> {
    await makeFolder(this.path);
    await writeFileAtomically(this.#split, writeSplit(split));
    const text = existsSync(this.#metrics) ? readFileSync(this.#metrics, 'utf8') : '';
    const kept = text
      .split('\n')
      .slice(0, epoch)
      .filter((line) => line !== '');
    await writeFileAtomically(this.#metrics, kept.map((line) => `${line}\n`).join(''));
  }

  async saveCheckpoint(name: 'last' | 'best', checkpoint: Checkpoint): Promise<void> {
    await writeCheckpoint(this.#checkpoint(name), checkpoint);
    this.#saved = performance.now();
  }

  get secondsSinceCheckpoint(): number {
    return (performance.now() - this.#saved) / 1000;
  }

  async appendMetrics(line: EpochEvent): Promise<void> {
    await appendFile(this.#metrics, `${JSON.stringify(line)}\n`);
  }

  get #metrics(): string {
    return join(this.path, 'metrics.jsonl');
  }

  get #split(): string {
    return join(this.path, 'split.json');
  }

  #checkpoint(name: 'last' | 'best'): string {
    return join(this.path, 'checkpoints', `${name}.safetensors`);
  }
}
