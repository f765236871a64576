/**
 * The folder of a run. It belongs to one process at a time (`folder-lock.ts`), and to one run.
 *
 * RUN/model.safetensors, model.json   the model with the best top-1 on the validation images, ready to use
 * RUN/raw/model.safetensors, .json    the same without the average of its weights, if one is kept
 * RUN/metrics.jsonl                   one line per epoch
 * RUN/run.json                        how the run was started and resumed: options, images, versions, machine
 * RUN/recipe.json                     the options that another run can follow, with --recipe
 * RUN/split.json                      the images to train on and to validate on
 * RUN/checkpoints/last, best          checkpoints to continue from
 * RUN/tensorboard/                    event files, if they are asked for
 */
import { existsSync, readFileSync } from 'node:fs';
import { appendFile, readdir, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UsageError } from '../errors.ts';
import {
  makeFolder,
  readable,
  refusal,
  removeLeftovers,
  statIfPresent,
  withoutTemporaryEnding,
  writeFileAtomically,
} from '../files.ts';
import { FolderLock } from '../folder-lock.ts';
import type { Weights } from '../model/weights.ts';
import { suggestFolder } from '../near-path.ts';
import { firstOf, OptionError, quoted, type Say } from '../options.ts';
import type { ModelDescription } from '../saved/description.ts';
import { saveModel } from '../saved/files.ts';
import { removeEventFiles } from '../tensorboard/event-files.ts';
import { type Checkpoint, readCheckpoint, readProgress, writeCheckpoint } from './checkpoint.ts';
import type { EpochEvent } from './events.ts';
import { trainOptions } from './options.ts';
import { type FormerRecord, type RunRecord, readRecord, writeRecord } from './run-record.ts';
import { readSplit, type Split, writeSplit } from './split.ts';

const modelFiles = ['model.safetensors', 'model.json'];
/** Files of text in the folder of a run. */
export const runTexts = {
  metrics: 'metrics.jsonl',
  record: 'run.json',
  split: 'split.json',
  recipe: 'recipe.json',
} as const;
/** The contents of one of them; undefined if the folder lacks it. */
export function readRunText(folder: string, name: keyof typeof runTexts): string | undefined {
  const path = join(folder, runTexts[name]);
  return existsSync(path) ? readFileSync(readable(path), 'utf8') : undefined;
}

/** The folder of the run that a model may belong to: the model itself, or a file or folder in it. */
export function runOf(model: string): string {
  const folder = statIfPresent(model)?.isDirectory() ? model : dirname(model);
  const isInner = [rawName, checkpointsName].includes(basename(resolve(folder)));
  return isInner ? join(folder, '..') : folder;
}

const ownFiles = [...modelFiles, ...Object.values(runTexts)];
const checkpointsName = 'checkpoints';
const rawName = 'raw';
const checkpointFiles = ['last.safetensors', 'best.safetensors'];

/** The folder of event files for TensorBoard. */
export const eventsFolder = (run: string): string => join(run, 'tensorboard');

/** Files that systems and people put into empty folders. */
const clutter = ['.DS_Store', 'Thumbs.db', 'desktop.ini', '.gitkeep', '.gitignore'];

type CheckpointName = 'last' | 'best';

const runLock = { file: 'run.lock', holder: 'a run' } as const;

const canResume = (folder: string): boolean => existsSync(join(folder, checkpointsName, 'last.safetensors'));

export class RunFolder {
  readonly path: string;
  readonly #lock: FolderLock;
  /** The outermost folder that was created for a new run. */
  readonly #created: string | undefined;
  readonly #isNew: boolean;
  /** Whether there is something to resume or to use that was not there when this process began. */
  #hasBegun = false;
  #isPrepared = false;
  #saved = performance.now();

  private constructor(path: string, lock: FolderLock, isNew: boolean, created?: string) {
    this.path = path;
    this.#lock = lock;
    this.#isNew = isNew;
    this.#created = created;
  }

  /**
   * Takes a folder for a new run, creating it if necessary.
   *
   * @param overwrite whether to replace a run or a model in it.
   * @throws UsageError if it contains anything but a start that failed, or another process is using it.
   */
  static async forNew(path: string, overwrite: boolean): Promise<RunFolder> {
    const found = statIfPresent(path);
    if (found && !found.isDirectory()) {
      throw new UsageError(`"${path}" is a file, but a run needs a folder. Choose another name.`);
    }
    const created = await makeFolder(path);
    const lock = await FolderLock.take(path, runLock);
    const folder = new RunFolder(path, lock, true, created);
    try {
      if (!overwrite) await folder.#checkVacant();
    } catch (error) {
      await folder.close();
      throw error;
    }
    return folder;
  }

  /** @throws UsageError if the folder does not contain a run, or another process is using it. */
  static async ofRun(path: string): Promise<RunFolder> {
    if (!canResume(path)) {
      const begun = existsSync(join(path, runLock.file))
        ? 'It has not saved a checkpoint yet; start it again'
        : undefined;
      const meant = begun === undefined ? suggestFolder(path, canResume) : '';
      throw new UsageError(
        `There is no training run to resume in "${path}".${meant || ` ${begun ?? 'Name the folder that the run was started with'}.`}`,
      );
    }
    const folder = new RunFolder(path, await FolderLock.take(path, runLock), false);
    await folder.#removeLeftovers();
    return folder;
  }

  lastCheckpoint(): Promise<Checkpoint> {
    return readCheckpoint(this.#checkpoint('last'));
  }

  /** The split that the run has kept; undefined in a run of an earlier version. */
  split(): Split | undefined {
    const text = this.#read('split');
    return text === undefined ? undefined : readSplit(text, this.#at('split'));
  }

  /** How the run was started and resumed so far; undefined in a new run, or one of an earlier version. */
  record(): FormerRecord | undefined {
    return this.#isNew ? undefined : this.#record();
  }

  /** Keeps the split, and removes what the run replaces: in a new one everything, else the metrics of repeated epochs. */
  async prepare(epoch: number, split: Split): Promise<void> {
    await this.#lock.check();
    if (this.#isNew) await this.#clear();
    this.#isPrepared = true;
    await writeFileAtomically(this.#at('split'), writeSplit(split));
    const kept = (this.#read('metrics') ?? '')
      .split('\n')
      .slice(0, epoch)
      .filter((line) => line !== '');
    await writeFileAtomically(this.#at('metrics'), kept.map((line) => `${line}\n`).join(''));
  }

  async saveRecord(record: RunRecord): Promise<void> {
    await this.#lock.check();
    await writeFileAtomically(this.#at('record'), writeRecord(record));
  }

  async saveRecipe(text: string): Promise<void> {
    await this.#lock.check();
    await writeFileAtomically(this.#at('recipe'), text);
  }

  async saveCheckpoint(name: CheckpointName, checkpoint: Checkpoint): Promise<void> {
    await this.#lock.check();
    await writeCheckpoint(this.#checkpoint(name), checkpoint);
    this.#hasBegun ||= checkpoint.progress.steps > 0;
    this.#saved = performance.now();
  }

  async saveModel(description: ModelDescription, weights: Weights, steps: number): Promise<void> {
    await this.#lock.check();
    await saveModel(this.path, description, weights, steps);
    this.#hasBegun = true;
  }

  /** Saves the weights beside their average; without a description, none is kept. */
  async saveRaw(description: ModelDescription | undefined, weights: Weights, steps: number): Promise<void> {
    if (!description) return this.#clearRaw();
    await this.#lock.check();
    await saveModel(join(this.path, rawName), description, weights, steps);
  }

  get secondsSinceCheckpoint(): number {
    return (performance.now() - this.#saved) / 1000;
  }

  async appendMetrics(line: EpochEvent): Promise<void> {
    const path = this.#at('metrics');
    await appendFile(path, `${JSON.stringify(line)}\n`).catch((error: unknown) => {
      throw refusal('write', path, error);
    });
  }

  /** After an error: a new run that has nothing to continue from, since it has done no step, leaves nothing behind. */
  async abandon(): Promise<void> {
    if (this.#isPrepared && this.#isNew && !this.#hasBegun) await this.#clear().catch(() => {});
  }

  /** Leaves the folder to others. One that was created and is still empty is deleted. */
  async close(): Promise<void> {
    this.#lock.release();
    if (this.#created === undefined) return;
    const outermost = dirname(resolve(this.#created));
    for (let path = resolve(this.path); path !== outermost; path = dirname(path)) {
      if (!(await isDone(rmdir(path)))) return;
    }
  }

  /** Throws an OptionError if there is anything but a start that failed. */
  async #checkVacant(): Promise<void> {
    const names = (await readdir(this.path)).filter(
      (name) => withoutTemporaryEnding(name) !== runLock.file && !clutter.includes(name),
    );
    const checkpoints = (await readdir(join(this.path, checkpointsName)).catch(() => [])).map(withoutTemporaryEnding);
    const isRun = checkpoints.some((name) => checkpointFiles.includes(name));
    const isOther = (name: string) =>
      name === checkpointsName
        ? checkpoints.some((each) => !checkpointFiles.includes(each))
        : !ownFiles.includes(withoutTemporaryEnding(name));
    const model = modelFiles.find((name) => names.includes(name));
    const others = names.filter(isOther);
    const refuse = (sentences: (say: Say) => string) => {
      throw new OptionError(trainOptions, (say) => `"${this.path}" ${sentences(say)}`);
    };
    if (isRun && (model !== undefined || !(await this.#isFailedStart()))) {
      const continued = (how: string, overwrite: string) =>
        `"${this.path}" already contains a training run. Continue it with ${how}, choose another folder, or add ${overwrite}.`;
      const typed = continued(`--resume ${quoted(this.path)}`, '--overwrite');
      throw new OptionError(trainOptions, (say) => continued(`resume("${this.path}")`, say('overwrite')), typed);
    }
    if (model !== undefined) {
      refuse((say) => `already contains a model, ${model}. Choose another folder, or add ${say('overwrite')}.`);
    }
    if (others.length === 0) return;
    refuse(
      (say) =>
        `is not empty: it contains ${firstOf(others, 3)}. Choose another folder, or add ${say('overwrite')} to use it anyway.`,
    );
  }

  /** Whether a run without a model did no step, or diverged within its first epoch. */
  async #isFailedStart(): Promise<boolean> {
    if (this.#read('metrics')) return false;
    if (this.#record()?.state === 'diverged') return true;
    const last = this.#checkpoint('last');
    return !existsSync(last) || (await readProgress(last)).steps === 0;
  }

  #record(): FormerRecord | undefined {
    const text = this.#read('record');
    return text === undefined ? undefined : readRecord(text);
  }

  /** Deletes the files of a run, but no others. */
  async #clear(): Promise<void> {
    const checkpoints = join(this.path, checkpointsName);
    const paths = [
      ...ownFiles.map((name) => join(this.path, name)),
      ...checkpointFiles.map((name) => join(checkpoints, name)),
    ];
    await deleteFiles(paths);
    await this.#removeLeftovers();
    await isDone(rmdir(checkpoints));
    await removeEventFiles(eventsFolder(this.path));
    await this.#clearRaw();
  }

  async #clearRaw(): Promise<void> {
    const raw = join(this.path, rawName);
    if (!existsSync(raw)) return;
    await deleteFiles(modelFiles.map((name) => join(raw, name)));
    await isDone(rmdir(raw));
  }

  /** Deletes temporary files of processes that were killed. */
  async #removeLeftovers(): Promise<void> {
    await removeLeftovers(this.path, [...ownFiles, runLock.file]);
    await removeLeftovers(join(this.path, checkpointsName), checkpointFiles);
    await removeLeftovers(join(this.path, rawName), modelFiles);
  }

  #at(name: keyof typeof runTexts): string {
    return join(this.path, runTexts[name]);
  }

  #read(name: keyof typeof runTexts): string | undefined {
    return readRunText(this.path, name);
  }

  #checkpoint(name: CheckpointName): string {
    return join(this.path, checkpointsName, `${name}.safetensors`);
  }
}

async function deleteFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await rm(path, { force: true }).catch((error: unknown) => {
      throw refusal('delete', path, error);
    });
  }
}

const isDone = (action: Promise<void>): Promise<boolean> =>
  action.then(
    () => true,
    () => false,
  );
