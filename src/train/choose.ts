/**
 * Chooses a network for somebody who names none: the largest that suits the number and size of the images and trains on
 * this machine within half an hour. Larger networks than the images can fill learn them by heart, and take longer.
 */
import { lookUpWeights } from '../catalog/published.ts';
import { sizeOfSample } from '../data/image-source.ts';
import type { LabeledList } from '../data/samples.ts';
import { FormatError } from '../errors.ts';
import { cost } from '../graph/cost.ts';
import { initialWeights } from '../model/init.ts';
import { type Model, resnext } from '../model/resnext.ts';
import { variant } from '../model/variants.ts';
import { optimizerOf, settingsOf } from '../step/optimizers.ts';
import { Trainer } from '../step/trainer.ts';
import { type GivenOptions, type TrainOptions, trainConfig } from './options.ts';
import { fastestSteps } from './step-time.ts';
import type { Samples } from './training-data.ts';

/** A network that was chosen, and what it was chosen by. */
export interface Choice {
  readonly variant: string;
  readonly size: number;
  readonly epochs: number;
  /** Median width and height of the images. */
  readonly imageSize: readonly [number, number];
  /** Measured training throughput. */
  readonly imagesPerSecond: number;
  /** Estimated duration of the run. */
  readonly seconds: number;
  /** An alternative for few photos: pretrained weights, with the estimated duration without their download. */
  readonly pretrained?: Pretrained;
}

export interface Pretrained {
  readonly from: string;
  readonly epochs: number;
  readonly linearProbe: boolean;
  readonly megabytes: number;
  readonly seconds: number;
}

export interface Candidate {
  readonly variant: string;
  readonly size: number;
}

interface Family {
  /** Each with the length of the images' shorter side from which it is considered, largest first. */
  readonly sizes: readonly (readonly [size: number, side: number])[];
  /** Each with the number of training images from which it is considered, largest first. */
  readonly networks: readonly (readonly [variant: string, images: number])[];
}

/** Up to this length of the shorter side, images are small: the stem keeps their resolution. */
const maxSmallSide = 72;

const small: Family = {
  sizes: [
    [64, 48],
    [32, 0],
  ],
  networks: [
    ['resnext29_32x4d', 20_000],
    ['resnext20_16x4d', 5_000],
    ['resnext11_8x16d_w32', 1_000],
    ['resnext20_8x16d_w16', 0],
    ['resnext11_8x16d_w16', 0],
  ],
};

const large: Family = {
  sizes: [
    [224, 192],
    [160, 136],
    [112, 0],
  ],
  networks: [
    ['resnext50_32x4d', 50_000],
    ['resnext26_32x4d', 5_000],
    ['resnext14_32x2d', 1_500],
    ['resnext14_16x4d_w32', 0],
  ],
};

/** Seconds that a run should take at most. */
const budget = 1800;

/** If no network fits, there are fewer epochs, but not fewer than this. */
const minEpochs = 20;

/** The networks to consider, best first. The last one is the fastest. */
export function candidatesFor(images: number, shorterSide: number, givenSize?: number): Candidate[] {
  const side = givenSize ?? shorterSide;
  const { sizes, networks } = side <= maxSmallSide ? small : large;
  const usable = givenSize === undefined ? sizes.filter(([, from]) => side >= from).map(([size]) => size) : [givenSize];
  return networks
    .filter(([, from]) => images >= from)
    .flatMap(([variant]) => usable.map((size) => ({ variant, size })));
}

/** Few images are seen more often: about 64,000 of them in all. */
export const epochsFor = (images: number): number => Math.min(80, Math.max(10, Math.round(64_000 / images)));

/**
 * Chooses what is not given of variant, size and epochs. Takes a few seconds: training steps are timed.
 *
 * @param options all options with their defaults, without a pretrained model.
 */
export async function chooseNetwork(options: TrainOptions, given: GivenOptions, folder: Samples): Promise<Choice> {
  const { train, validation, classes } = folder;
  const imageSize = await usualSize(train, options.maxMegapixels);
  const candidates = candidatesFor(train.length, Math.min(...imageSize), options.size || undefined);
  const enough = given.epochs ?? epochsFor(train.length);
  const perEpoch = train.length + validation.length * validationShare;
  const trial = new Trial({ ...options, batch: Math.min(options.batch, train.length) }, classes.length);
  const fits = (imagesPerSecond: number) => (enough * perEpoch) / imagesPerSecond <= budget;

  const fastest = candidates.at(-1)!;
  const macsPerSecond = (await trial.imagesPerSecond(fastest)) * trial.macs(fastest);
  let [chosen, rate] = [fastest, macsPerSecond / trial.macs(fastest)];
  for (const candidate of candidates.slice(0, -1)) {
    if (!fits(macsPerSecond / trial.macs(candidate))) continue; // larger networks are not much more efficient
    const measured = await trial.imagesPerSecond(candidate);
    if (!fits(measured)) continue;
    [chosen, rate] = [candidate, measured];
    break;
  }
  const least = given.epochs ?? Math.min(enough, minEpochs);
  const epochs = Math.min(enough, Math.max(least, Math.floor((budget * rate) / perEpoch)));
  const pretrained = pretrainedFor(folder, imageSize, macsPerSecond);
  const found = { ...chosen, epochs, imageSize, imagesPerSecond: rate, seconds: (epochs * perEpoch) / rate };
  return { ...found, ...(pretrained && { pretrained }) };
}

/** The cost of a validation or feature extraction as a share of that of training on the same images. */
const validationShare = 1 / 3;

const maxLooked = 16;

/** The median width and height of the training images, by the headers of some. */
async function usualSize(samples: LabeledList, maxMegapixels: number): Promise<readonly [number, number]> {
  const step = Math.max(1, Math.floor(samples.length / maxLooked));
  const sizes: (readonly [number, number])[] = [];
  for (let i = 0; i < Math.min(samples.length, maxLooked * step); i += step) {
    try {
      sizes.push(await sizeOfSample(samples.at(i)!, maxMegapixels));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error; // a broken image is reported when it is its turn
    }
  }
  const sorted = sizes.toSorted((a, b) => Math.min(...a) - Math.min(...b));
  return sorted[sorted.length >> 1] ?? [224, 224];
}

/** Multiply-adds of a batch to time: enough to use all threads. */
const trialMacs = 4e9;
const trialSeconds = 1;

/** Training steps of networks on nothing, to time them. */
class Trial {
  readonly #options: TrainOptions;
  readonly #classes: number;

  constructor(options: TrainOptions, classes: number) {
    this.#options = options;
    this.#classes = classes;
  }

  macs(candidate: Candidate): number {
    return cost(this.#model(candidate).graph).macs;
  }

  /** The throughput of training steps, by the fastest one of about a second. */
  async imagesPerSecond(candidate: Candidate): Promise<number> {
    const { seed, loss, optimizer, threads, providers } = this.#options;
    const model = this.#model(candidate);
    const batch = Math.min(this.#options.batch, Math.max(1, Math.round(trialMacs / cost(model.graph).macs)));
    const settings = {
      batch,
      loss,
      optimizer: optimizerOf(optimizer, settingsOf(optimizer, this.#options)),
      threads,
      providers,
    };
    const trainer = await Trainer.open(model, initialWeights(model, seed), settings);
    try {
      const [fastest] = await fastestSteps([trainer], trialSeconds);
      return (1000 * batch) / fastest!;
    } finally {
      await trainer.dispose();
    }
  }

  #model({ variant, size }: Candidate): Model {
    return resnext(trainConfig({ ...this.#options, variant, size }, this.#classes));
  }
}

/** Up to this number of training photos, pretrained weights are recommended. */
const maxFewPhotos = 20_000;
const recommended = 'resnext50_32x4d.tv2_in1k';
const fineTuningEpochs = 5;

function pretrainedFor(
  { train, validation }: Samples,
  imageSize: readonly number[],
  macsPerSecond: number,
): Pretrained | undefined {
  const weights = lookUpWeights(recommended);
  if (!weights || train.length > maxFewPhotos || Math.min(...imageSize) <= maxSmallSide) return undefined;
  const { graph } = resnext({ ...variant(weights.variant), inputSize: weights.preprocessing.size });
  const secondsPerImage = cost(graph).macs / macsPerSecond;
  const tuning = fineTuningEpochs * (train.length + validation.length * validationShare) * secondsPerImage;
  const probing = (train.length + validation.length) * validationShare * secondsPerImage;
  const linearProbe = tuning > budget;
  return {
    from: recommended,
    epochs: linearProbe ? 30 : fineTuningEpochs,
    linearProbe,
    megabytes: weights.megabytes,
    seconds: linearProbe ? probing : tuning,
  };
}
