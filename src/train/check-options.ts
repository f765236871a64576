/** Checks of a run's options together: with each other, with the model to start from, and with the run so far. */
import type { ResNeXtConfig } from '../model/config.ts';
import { either, isDefault, namesWith, OptionError, resolve, type Say } from '../options.ts';
import { defaultSetting, optimizerNames, optimizerSettings, optimizers, rateScale } from '../step/optimizers.ts';
import { freezeRefusal } from '../step/parameter-groups.ts';
import { scheduleNames, schedules } from '../step/schedule.ts';
import { augmentationOptions } from './data-options.ts';
import { type GivenOptions, type Recipe, recipe, type TrainOptions, trainConfig, trainOptions } from './options.ts';
import { type Source, withSizes } from './reference.ts';

type Name = keyof TrainOptions;

/** Options that cannot be used together, and a sentence that says so. */
interface Contradiction {
  readonly holds: (options: TrainOptions) => boolean;
  readonly why: (say: Say, options: TrainOptions) => string;
  /** The option that has no effect. One that nobody gave, but a recipe or the run so far, is left out instead. */
  readonly idle?: Name;
  /** Options for the same purpose. If one of them is given, the others are left out in the same way. */
  readonly rivals?: readonly Name[];
}

const isChosen = (options: TrainOptions, name: Name): boolean => !isDefault(trainOptions[name], options[name]);

const needsModel = (name: Name): Contradiction => ({
  holds: (options) => options.from === '' && isChosen(options, name),
  why: (say) => `${say(name)} needs pretrained weights. Add ${say('from', 'MODEL')}.`,
});

/** An option that says how another one works. */
const idleWithout = (name: Name, others: readonly Name[], example: string): Contradiction => ({
  idle: name,
  holds: (options) => isChosen(options, name) && !others.some((other) => isChosen(options, other)),
  why: (say) =>
    `${say(name)} has no effect without ${others.map((other) => say(other)).join(' or ')}. Remove it, or add ${say(others[0]!, example)}.`,
});

const idleInProbe = (name: Name): Contradiction => ({
  idle: name,
  holds: (options) => options.linearProbe && isChosen(options, name),
  why: (say) =>
    `${say(name)} has no effect with ${say('linearProbe')}, which computes the features of each image once. Remove one of the two.`,
});

/** The parts of a batch. Replicas that are still to be measured divide it in any case. */
export const partsOf = ({ accumulate, replicas }: TrainOptions): number => accumulate * Math.max(1, replicas);

/** Settings that only optimizers other than the chosen one have. */
const idleSettings = (Object.keys(optimizerSettings) as (keyof typeof optimizerSettings)[]).map(
  (name): Contradiction => ({
    idle: name,
    holds: (options) =>
      !(name in optimizers[options.optimizer].settings) && options[name] !== defaultSetting(name, options.optimizer),
    why: (say) => {
      const owners = optimizerNames.filter((optimizer) => name in optimizers[optimizer].settings);
      const choose = owners.length > 1 ? 'one of those optimizers' : 'that optimizer';
      return `${say(name)} has no effect without ${say('optimizer', either(owners))}. Remove it, or choose ${choose}.`;
    },
  }),
);

/** Settings of a schedule other than the chosen one. */
const idleInSchedule: readonly Contradiction[] = scheduleNames.flatMap((owner) =>
  schedules[owner].settings.map((name) => ({
    idle: name,
    holds: (options) => !schedules[options.schedule].settings.includes(name) && isChosen(options, name),
    why: (say) => `${say(name)} has no effect without ${say('schedule', owner)}. Remove it, or choose that schedule.`,
  })),
);

const epochsOf = (count: number): string => (count === 1 ? '1 epoch' : `${count} epochs`);

const contradictions: readonly Contradiction[] = [
  needsModel('key'),
  needsModel('freeze'),
  needsModel('linearProbe'),
  needsModel('backboneLearningRate'),
  idleWithout('averageEvery', ['averageDecay'], '0.999'),
  idleWithout('averageWarmup', ['averageDecay'], '0.999'),
  idleWithout('warmupFactor', ['warmup'], '5'),
  idleWithout('warmupPrefix', ['warmup'], '5'),
  idleWithout('erasingMode', ['erasing'], '0.25'),
  idleWithout('erasingCount', ['erasing'], '0.25'),
  idleWithout('mixEpochs', ['mixup', 'cutmix'], '0.2'),
  idleInProbe('freeze'),
  idleInProbe('backboneLearningRate'),
  ...Object.keys(augmentationOptions).map((name) => idleInProbe(name as keyof typeof augmentationOptions)),
  idleInProbe('dropPath'),
  idleInProbe('trainSize'),
  {
    holds: ({ trainSize, epochs }) => trainSize.length > epochs,
    why: (say, { trainSize, epochs }) =>
      `${say('trainSize')} has ${trainSize.length} sizes, but ${say('epochs')} is ${epochs}. Leave out some of the sizes, or train for more epochs.`,
  },
  ...idleSettings,
  ...idleInSchedule,
  {
    holds: ({ schedule, milestones }) => schedule === 'multi-step' && milestones.length === 0,
    why: (say) => `The schedule multi-step needs the epochs of its decays. Add ${say('milestones', '30,60,90')}.`,
  },
  {
    idle: 'warmup',
    holds: ({ schedule, warmup }) => schedule === 'one-cycle' && warmup > 0,
    why: (say) =>
      `${say('warmup')} has no effect on the schedule one-cycle, which has a warm-up of its own. Remove it.`,
  },
  {
    holds: ({ warmup, warmupPrefix, epochs }) => warmupPrefix && warmup >= epochs,
    why: (say, { warmup, epochs }) =>
      `A warm-up of ${epochsOf(warmup)} leaves nothing of ${epochsOf(epochs)} for the schedule, which begins after it. Raise ${say('epochs')}, or add ${say('warmup', '0')}.`,
  },
  {
    holds: ({ learningRate, minLearningRate }) => minLearningRate > learningRate,
    why: (say) => `${say('minLearningRate')} is above ${say('learningRate')}. Choose a smaller one.`,
  },
  {
    idle: 'validation',
    holds: (options) => options.fold !== '' && isChosen(options, 'validation'),
    why: (say) =>
      `${say('validation')} has no effect with ${say('fold')}, which holds out that fold. Remove one of the two.`,
  },
  {
    idle: 'targetThreshold',
    holds: ({ loss, targetThreshold }) => targetThreshold > 0 && loss !== 'binary-cross-entropy',
    why: (say) =>
      `${say('targetThreshold')} makes targets that do not add up to 1, as ${say('loss', 'cross-entropy')} needs. Remove it, or add ${say('loss', 'binary-cross-entropy')}.`,
  },
  {
    rivals: ['classWeights', 'sampling'],
    holds: ({ classWeights, sampling }) => classWeights !== 'none' && sampling === 'balanced',
    why: (say) =>
      `${say('classWeights')} and ${say('sampling', 'balanced')} both make rare classes count more. Remove one of the two.`,
  },
  {
    holds: (options) => options.batch % partsOf(options) !== 0,
    why: (say) =>
      `${say('batch')} cannot be divided into ${say('accumulate')} × ${say('replicas')} equal parts. Change one of them.`,
  },
  {
    holds: ({ optimizer, nesterov, momentum }) => optimizer === 'sgd' && nesterov && momentum === 0,
    why: (say) =>
      `${say('momentum')} is 0, but Nesterov momentum needs a number above 0. Add ${say('nesterov', 'false')} or raise it.`,
  },
];

/**
 * Fills in defaults and checks the options.
 *
 * @param source the model to start from, if there is one and it is known.
 * @throws OptionError naming the option, its value and the expected values, or options that contradict each other.
 */
export function resolveTrainOptions(given: GivenOptions, source?: Source): TrainOptions {
  const { reference = {} } = given;
  const options = withSizes(resolve(trainOptions, { ...given, stem: source?.stem }), reference, source);
  const contradiction = contradictions.find(({ holds }) => holds(options));
  if (contradiction) throw new OptionError(trainOptions, (say) => contradiction.why(say, options));
  if (options.from === '') trainConfig(options, 2);
  return options;
}

/**
 * Options that others follow from, such as those of a recipe, without the ones that have no effect with what is given.
 *
 * @throws OptionError for an invalid option.
 */
export function withoutIdle<T extends Partial<TrainOptions>>(base: T, given: Partial<GivenOptions>): T {
  const options = resolve(trainOptions, { ...base, ...given });
  const idle = contradictions.filter(({ holds }) => holds(options)).flatMap((each) => leftOut(each, given));
  const left = Object.entries(base).filter(
    ([name]) => !idle.some((each) => each === name && given[each] === undefined),
  );
  return left.length === Object.keys(base).length ? base : withoutIdle(Object.fromEntries(left) as T, given);
}

/** The options that a contradiction leaves out, unless they are given. */
const leftOut = ({ idle, rivals = [] }: Contradiction, given: Partial<GivenOptions>): readonly Name[] => [
  ...(idle === undefined ? [] : [idle]),
  ...(rivals.some((name) => given[name] !== undefined) ? rivals : []),
];

/** @throws OptionError naming a given option that the model to start from determines. */
export function checkSettled(given: GivenOptions): void {
  const chosen = namesWith(trainOptions, 'settled').find((name) => given[name] !== undefined);
  if (chosen === undefined || !given.from) return;
  throw new OptionError(
    trainOptions,
    (say) =>
      `${say(chosen)} cannot be combined with ${say('from')}: "${given.from}" determines it. Remove one of the two.`,
  );
}

/**
 * @param config of the network, unless it is not known yet.
 * @throws OptionError naming a parameter group that the network does not have, or if nothing is left to train.
 */
export function checkFreeze({ freeze }: TrainOptions, config?: Pick<ResNeXtConfig, 'depths' | 'classes'>): void {
  const reason = freezeRefusal(freeze, config);
  if (reason !== undefined) throw new OptionError(trainOptions, (say) => `${say('freeze')} is ${reason}`);
}

/**
 * @param before the run's options so far.
 * @throws OptionError naming an option that a resumed run cannot change.
 */
export function checkKept(options: TrainOptions, before: Recipe): void {
  const changed = namesWith(recipe, 'kept').find((name) => options[name] !== before[name]);
  if (changed !== undefined) throw keptOption(changed, options, before);
}

/**
 * @param before the run's options so far.
 * @throws OptionError if the batch is another one. It cannot change within an epoch.
 */
export function checkKeptBatch(options: TrainOptions, before: Recipe): void {
  if (options.batch !== before.batch) throw keptOption('batch', options, before, ' until its epoch ends');
}

function keptOption(name: keyof Recipe, options: TrainOptions, before: Recipe, until = ''): OptionError {
  const had = before[name] === '' ? 'none' : before[name];
  return new OptionError(
    trainOptions,
    (say) =>
      `${say(name)} is ${options[name]}, but the run in "${options.out}" has ${had} and cannot change it${until}. Remove ${say(name)}.`,
  );
}

/**
 * Adapts the options to the number of training images. If there are fewer than the default batch, all of them are one
 * batch, and the default learning rate is scaled accordingly.
 *
 * @param given the options that the user gave, which are not changed.
 * @throws OptionError if the user gave a batch that is larger than the number of images.
 */
export function fitBatch(options: TrainOptions, given: Partial<TrainOptions>, images: number): TrainOptions {
  const { batch, learningRate, optimizer } = options;
  if (images >= batch) return options;
  if (given.batch !== undefined) {
    throw new OptionError(
      trainOptions,
      (say) =>
        `${say('batch')} is ${batch}, but there are only ${images} training images. Choose a smaller batch, such as ${images}.`,
    );
  }
  const parts = partsOf(options);
  const fitted = images - (images % parts);
  if (fitted === 0) {
    throw new OptionError(
      trainOptions,
      (say) =>
        `${say('accumulate')} × ${say('replicas')} is ${parts}, but there are only ${images} training images. Choose less.`,
    );
  }
  const scaled = learningRate * rateScale(optimizer, fitted / batch);
  return { ...options, batch: fitted, learningRate: given.learningRate ?? scaled };
}
