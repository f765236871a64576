/**
 * The recipe of a run: found by its name or in a file, and combined with the options that are given beside it. Given options
 * come first, then those of the recipe, then defaults. A file has options by name or by flag, and may also have
 *
 *   referenceBatch                           the batch that its learning rate is for, if not its `batch`
 *   referenceSize                            the input that its other sizes are for, if not its `size`
 *   name, description, source, differences   for people
 */
import { join } from 'node:path';
import { didYouMean, meantName } from '../closest-name.ts';
import { UsageError } from '../errors.ts';
import { statIfPresent } from '../files.ts';
import { optionsIn, readMapping } from '../option-file.ts';
import { namesWith, OptionError, pick, resolve, type Table, text, whole } from '../options.ts';
import { optimizerSettings, optimizers, rateScale } from '../step/optimizers.ts';
import { firstDecay, schedules } from '../step/schedule.ts';
import { withoutIdle } from './check-options.ts';
import type { Reference } from './optimization-options.ts';
import { type GivenOptions, type Recipe, recipe, type TrainOptions, trainOptions } from './options.ts';
import { type RecipeEntry, recipeNames, recipes, runOptions, sourceOptions } from './recipes.ts';
import { runTexts } from './run-folder.ts';

/** A named recipe, or what a file has of one. */
export interface ChosenRecipe extends Partial<Omit<RecipeEntry, 'options'>> {
  readonly name: string;
  readonly options: Partial<Recipe>;
}

const named: Readonly<Record<string, RecipeEntry>> = recipes;

/**
 * Finds a recipe. A name without an ending or a folder before it is looked for in the table first.
 *
 * @throws UsageError if there is none, naming the one that may be meant; or if it is a file with an invalid option.
 * @example await findRecipe('torchvision-v2')
 * @example await findRecipe('runs/flowers/recipe.json')
 */
export async function findRecipe(name: string): Promise<ChosenRecipe> {
  const isPath = /[/\\]|\.\w+$/.test(name);
  const entry = isPath || !Object.hasOwn(named, name) ? undefined : named[name];
  if (entry) return { name, ...entry };
  const found = statIfPresent(name);
  if (found) return readRecipe(found.isDirectory() ? join(name, runTexts.recipe) : name);
  const known = `The recipes are ${recipeNames.join(', ')}.`;
  const advice = isPath ? 'Name a YAML or JSON file, or a recipe.' : didYouMean(meantName(name, recipeNames)).trim();
  throw new UsageError(`There is no ${isPath ? 'file' : 'recipe'} "${name}". ${advice || known}`);
}

/** What a file may have. */
const fileOptions: Table = Object.fromEntries(
  Object.entries(recipe).filter(([name]) => !(sourceOptions as readonly string[]).includes(name)),
);

const remark = (name: string) => text({ flag: `--${name} <text>`, doc: 'for people' });

const remarks = {
  name: remark('name'),
  description: remark('description'),
  source: remark('source'),
  differences: remark('differences'),
};

const references = {
  referenceBatch: whole({ from: 1, flag: '--reference-batch <n>', doc: 'the batch that the learning rate is for' }),
  referenceSize: whole({ from: 1, flag: '--reference-size <pixels>', doc: 'the input that other sizes are for' }),
};

/** Names of options that training has, but no recipe, and of their flags. */
const isRunOption = (key: string): boolean => {
  const table: Table = trainOptions;
  return Object.entries(table).some(
    ([name, { flag = '' }]) => name === key || flag.match(/[\w-]+/g)?.includes(`--${key}`),
  );
};

async function readRecipe(path: string): Promise<ChosenRecipe> {
  const mapping = await readMapping(path, 'Name a YAML or JSON file, or a recipe.');
  const values = optionsIn(mapping, { ...fileOptions, ...remarks, ...references }, path, (key) =>
    isRunOption(key) ? ' in a recipe. Type its flag instead, or read the whole file with --config.' : undefined,
  );
  const options = pick<Partial<Recipe>>(recipe, values);
  const { batch, size } = options;
  return {
    ...(batch !== undefined && { referenceBatch: batch }),
    ...(size && { referenceSize: size }),
    ...pick<object>({ ...remarks, ...references }, values),
    name: path,
    options,
  };
}

/**
 * The given options with those of their recipe, if they name one. Its learning rate becomes that for its batch
 * (`reference`). An option of the recipe is left out if something that is given determines it or makes it idle: another
 * optimizer has settings of its own, for example.
 *
 * @throws UsageError if there is no such recipe, or it needs a model to start from.
 */
export async function withRecipe(given: GivenOptions): Promise<GivenOptions> {
  if (!given.recipe) return given;
  const chosen = await findRecipe(given.recipe);
  if (chosen.needsModel && !given.from) {
    throw new OptionError(
      trainOptions,
      (say) => `The recipe ${chosen.name} is for a pretrained model. Add ${say('from', 'MODEL')}.`,
    );
  }
  const own = pick<Partial<TrainOptions>>(trainOptions, given);
  const followed = without(determined(chosen.options, given), chosen.options);
  const reference = { ...referenceOf({ ...chosen, options: followed }, own), ...unusedRate(chosen, followed, own) };
  const scaled = [...(reference.rate ? ['learningRate'] : []), ...Object.keys(reference.sizes ?? {})];
  const rest = withBackboneRate(without(scaled, followed), reference, own);
  return { ...given, ...withoutIdle(rest, { ...own, reference }), reference, ...own };
}

/** The learning rate of the backbone is scaled as the other one. */
function withBackboneRate(
  options: Partial<Recipe>,
  { rate }: Reference,
  given: Partial<TrainOptions>,
): Partial<Recipe> {
  const { backboneLearningRate } = options;
  if (backboneLearningRate === undefined || !rate) return options;
  const { batch = trainOptions.batch.default, optimizer = trainOptions.optimizer.default } = { ...options, ...given };
  return { ...options, backboneLearningRate: backboneLearningRate * rateScale(optimizer, batch / rate.batch) };
}

/** What of a recipe is scaled. */
function referenceOf(
  { options, referenceBatch, referenceSize }: ChosenRecipe,
  given: Partial<TrainOptions>,
): Reference {
  const { learningRate, trainSize, resize } = options;
  const hasRate = learningRate !== undefined && referenceBatch !== undefined && given.learningRate === undefined;
  const sizes = {
    ...(trainSize && trainSize.length > 0 && !given.trainSize && { trainSize }),
    ...(resize && !given.resize && { resize }),
  };
  return {
    ...(hasRate && { rate: { learningRate, batch: referenceBatch } }),
    ...(referenceSize !== undefined && Object.keys(sizes).length > 0 && { sizes: { input: referenceSize, ...sizes } }),
  };
}

/** The learning rate of a recipe that follows its optimizer, and neither is used nor replaced by a given one. */
function unusedRate(
  { options: { learningRate, optimizer = 'sgd' } }: ChosenRecipe,
  followed: Partial<Recipe>,
  given: Partial<TrainOptions>,
): Pick<Reference, 'unused'> {
  const isUsed = followed.learningRate !== undefined || given.learningRate !== undefined;
  return learningRate === undefined || isUsed ? {} : { unused: { learningRate, optimizer } };
}

/** Names of options that follow from given ones. */
function determined({ optimizer }: Partial<Recipe>, given: GivenOptions): readonly string[] {
  const isOther = given.optimizer !== undefined && given.optimizer !== optimizer;
  return [
    ...(given.from ? [...namesWith(recipe, 'settled'), 'resize', 'interpolation'] : []),
    ...(given.learningRate !== undefined || isOther ? ['backboneLearningRate'] : []),
    ...(isOther ? ['learningRate', 'weightDecay', 'normWeightDecay', ...Object.keys(optimizerSettings)] : []),
  ];
}

const without = (names: readonly string[], options: Partial<Recipe>): Partial<Recipe> =>
  Object.fromEntries(Object.entries(options).filter(([name]) => !names.includes(name)));

/** Sentences at the start of a run: what of its recipe is scaled, and what in it comes too late for so short a run. */
export function recipeNotes(
  options: TrainOptions,
  { reference = {} }: Partial<GivenOptions>,
  stepsPerEpoch: number,
): string[] {
  const notes = options.recipe === '' ? [] : [rateNote(options, reference), ...sizeNotes(options, reference)];
  return [...notes, ...lateNotes(options, stepsPerEpoch)];
}

function rateNote({ recipe, batch, learningRate, optimizer }: TrainOptions, { rate, unused }: Reference): string {
  if (unused) {
    const left = `Recipe ${recipe}, without its learning rate of ${shortRate(unused.learningRate)}, which is for ${unused.optimizer}`;
    return `${left}; for ${optimizer}, it is ${shortRate(learningRate)}.`;
  }
  if (!rate) return `Recipe ${recipe}, with a learning rate of ${shortRate(learningRate)}.`;
  const its = `Recipe ${recipe}: its learning rate of ${shortRate(rate.learningRate)} is for batches of ${rate.batch}`;
  if (rate.batch === batch) return `${its}.`;
  const way = waysToScale[optimizers[optimizer].usual.scale];
  return `${its}; scaled ${way} the batch, it is ${shortRate(learningRate)} for ${batch}.`;
}

function sizeNotes({ recipe, trainSize }: TrainOptions, { sizes }: Reference): string[] {
  if (!sizes?.trainSize || trainSize.join() === sizes.trainSize.join()) return [];
  const its = `Recipe ${recipe}: its training images of ${sizes.trainSize.join(', ')} pixels are for inputs of ${sizes.input}`;
  return [`${its}; here they have ${trainSize.length > 0 ? trainSize.join(', ') : 'the size of the input'}.`];
}

function lateNotes(options: TrainOptions, stepsPerEpoch: number): string[] {
  const { epochs, averageDecay, averageEvery, averageWarmup } = options;
  const first = firstDecay(options);
  const steps = epochs * stepsPerEpoch;
  const initial = averageDecay ** Math.floor(steps / averageEvery); // 0 without an average
  const isRare = averageDecay > 0 && averageEvery > stepsPerEpoch;
  return [
    ...(first < epochs
      ? []
      : [`The learning rate never falls: it first would after ${first} epochs, and the run has ${epochs}.`]),
    ...(isRare
      ? [
          `The average of the weights is updated every ${averageEvery} steps, but an epoch has ${stepsPerEpoch}. Lower --average-every.`,
        ]
      : []),
    ...(initial > 0.5 && !averageWarmup
      ? [
          `The average of the weights still has ${Math.round(100 * initial)} % of the first ones after the ${steps} steps of the run. Add --average-warmup, or lower --average-decay.`,
        ]
      : []),
  ];
}

export const waysToScale = { linear: 'in proportion to', 'square root': 'by the square root of' } as const;

/** A learning rate with four digits. */
export const shortRate = (rate: number): string => String(Number(rate.toPrecision(4)));

/**
 * All options that a recipe decides, with the defaults of those that it does not name, at its own batch.
 *
 * @throws OptionError if one of them is invalid.
 */
export function recipeInFull({ options, referenceBatch: batch }: ChosenRecipe): Partial<Recipe> {
  const all = resolve(recipe, { ...(batch !== undefined && { batch }), ...options, data: '.' });
  const left: readonly string[] = [...runOptions, ...settingsOfOthers(all), 'learningRate'];
  const names = Object.keys(recipe).filter((name) => name in options || !left.includes(name)); // in the order of the table
  return pick<Partial<Recipe>>(recipe, Object.fromEntries(names.map((name) => [name, all[name as keyof Recipe]])));
}

/** The settings of optimizers and schedules that are not chosen. */
function settingsOfOthers({ optimizer, schedule }: Recipe): readonly string[] {
  const own: readonly string[] = [...Object.keys(optimizers[optimizer].settings), ...schedules[schedule].settings];
  const all = [...Object.keys(optimizerSettings), ...Object.values(schedules).flatMap(({ settings }) => settings)];
  return all.filter((name) => !own.includes(name));
}

/** The text of `recipe.json`: all options of a run that another run can follow. */
export function recipeText(options: TrainOptions): string {
  const source = options.recipe === '' ? 'a run' : `a run with the recipe ${options.recipe}`;
  return `${JSON.stringify({ source, ...pick<object>(fileOptions, options) }, null, 2)}\n`;
}
