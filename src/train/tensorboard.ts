/**
 * The run as TensorBoard shows it: train/loss and train/lr at every optimizer step; after each epoch train/top1, val/loss,
 * val/top1, val/top5, val/balanced_accuracy, val/macro_f1 and the number of the epoch, the confusion matrix, and the wrong
 * predictions of the highest probability as pictures. Where an average of the weights is validated, val_raw has the scores
 * of the weights themselves.
 */
import { thumbnail } from '#platform/images';
import { readIfPossible } from '../data/image-source.ts';
import type { LabeledList } from '../data/samples.ts';
import { Confusion } from '../metrics/confusion.ts';
import { EventFiles } from '../tensorboard/event-files.ts';
import type { EventValue, ReadEvent } from '../tensorboard/events.ts';
import { confusionPicture, imagesPicture, type ShownImage } from '../tensorboard/pictures.ts';
import type { EpochEvent } from './events.ts';
import type { TrainOptions } from './options.ts';
import type { Progress } from './progress.ts';
import { eventsFolder } from './run-folder.ts';
import type { Samples, Score } from './training-data.ts';

/** A wrong prediction on a validation image. */
interface Mistake {
  readonly index: number;
  readonly predicted: number;
  readonly probability: number;
}

const shownMistakes = 12;
const thumbnailSide = 160;
/** Larger matrices are unreadable as a picture, and take seconds to draw. */
const maxClasses = 300;

export class TensorBoardLog {
  readonly #files: EventFiles;
  readonly #options: Pick<TrainOptions, 'maxMegapixels'>;
  readonly #classes: readonly string[];
  readonly #validation: LabeledList;
  #confusion: Confusion;
  #mistakes: Mistake[] = [];

  private constructor(files: EventFiles, options: TrainOptions, { classes, validation }: Samples) {
    this.#files = files;
    this.#options = options;
    this.#classes = classes;
    this.#validation = validation;
    this.#confusion = new Confusion(classes.length);
  }

  /** Begins to log a run that goes on from this progress, if its options ask for it. */
  static async openIf(
    options: TrainOptions,
    { steps, step }: Progress,
    samples: Samples,
  ): Promise<TensorBoardLog | undefined> {
    if (!options.tensorboard) return undefined;
    const isBefore = (event: ReadEvent) =>
      event.step < steps || (event.step === steps && (step === 0 || event.tags.every((tag) => stepTags.includes(tag))));
    const files = await EventFiles.open(eventsFolder(options.out), { steps, keeps: isBefore });
    return new TensorBoardLog(files, options, samples);
  }

  /** After a step: its loss, before the update. */
  step({ steps }: Progress, loss: number, learningRate: number): Promise<void> {
    return this.#files.add(steps, [
      { tag: 'train/loss', scalar: loss },
      { tag: 'train/lr', scalar: learningRate },
    ]);
  }

  /** A prediction on a validation image, by its index in the list. */
  readonly onPrediction = (index: number, predicted: number, probability: number): void => {
    const { label } = this.#validation.at(index)!;
    this.#confusion.add(label, predicted);
    if (label === predicted) return;
    const place = this.#mistakes.findIndex((other) => other.probability < probability);
    this.#mistakes.splice(place < 0 ? this.#mistakes.length : place, 0, { index, predicted, probability });
    this.#mistakes.length = Math.min(this.#mistakes.length, shownMistakes);
  };

  /** After an epoch and its validation. */
  async epoch({ steps }: Progress, { epoch, top1, validation, rawValidation }: EpochEvent): Promise<void> {
    const values: EventValue[] = [
      { tag: 'epoch', scalar: epoch },
      { tag: 'train/top1', scalar: top1 },
    ];
    values.push(...scalarsOf('val', validation), ...scalarsOf('val_raw', rawValidation));
    await this.#files.add(steps, values);
    await this.#addPictures(steps);
    this.#confusion = new Confusion(this.#classes.length);
    this.#mistakes = [];
    await this.flush();
  }

  /** Writes what was added so far. */
  flush(): Promise<void> {
    return this.#files.flush();
  }

  async #addPictures(steps: number): Promise<void> {
    const { rows } = this.#confusion;
    const isMeasured = rows.some((row) => row.some((count) => count > 0));
    if (isMeasured && rows.length <= maxClasses) {
      await this.#files.add(steps, [await confusionPicture('val/confusion', rows, this.#classes)]);
    }
    const shown = (await Promise.all(this.#mistakes.map((mistake) => this.#shown(mistake)))).flat();
    if (shown.length > 0) await this.#files.add(steps, [await imagesPicture('val/wrong', shown)]);
  }

  /** The picture of a mistake; none of an image that can no longer be read. */
  async #shown({ index, predicted, probability }: Mistake): Promise<ShownImage[]> {
    const sample = this.#validation.at(index)!;
    const image = await readIfPossible(sample, this.#options.maxMegapixels);
    if (!image) return [];
    const [label, other] = [this.#classes[sample.label]!, this.#classes[predicted]!];
    return [{ thumbnail: await thumbnail(image, thumbnailSide), label, predicted: other, probability }];
  }
}

/** Tags of single steps; all others are of epochs. */
const stepTags = ['train/loss', 'train/lr'];

/** Scores as `val/balanced_accuracy` and so on. */
const scalarsOf = (group: string, scores: Score | undefined): EventValue[] =>
  Object.entries(scores ?? {}).map(([name, scalar]) => {
    return { tag: `${group}/${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`, scalar };
  });
