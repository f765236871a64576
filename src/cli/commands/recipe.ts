/** `resnext recipe`: prints the recipes for training, or one of them: what it changes or, with --all, every option. */
import pc from 'picocolors';
import { isDefault, type OptionsOf, type Table } from '../../options.ts';
import { table, wrap } from '../../output/text.ts';
import { optimizers, rateScale } from '../../step/optimizers.ts';
import { type ChosenRecipe, findRecipe, recipeInFull, shortRate, waysToScale } from '../../train/chosen-recipe.ts';
import { trainOptions } from '../../train/options.ts';
import { recipeNames } from '../../train/recipes.ts';
import type { recipeOptions } from '../options/training.ts';
import type { Output } from '../output.ts';

export async function run({ recipe, all }: OptionsOf<typeof recipeOptions>, output: Output): Promise<number> {
  if (recipe === undefined) await listRecipes(output);
  else showRecipe(await findRecipe(recipe), all, output);
  return 0;
}

async function listRecipes(output: Output): Promise<void> {
  const found = await Promise.all(recipeNames.map(findRecipe));
  output.document(found.map(documentOf));
  const rows = found.map(({ name, description = '', referenceBatch = '', options }) => {
    const { epochs = '', optimizer = '', learningRate = '' } = options;
    return [name, epochs, optimizer, learningRate, referenceBatch, description];
  });
  output.line(table([['recipe', 'epochs', 'optimizer', 'rate', 'batch', ''], ...rows], output.width));
  output.line(`\n${wrap(advice, output.width)}`);
}

const advice =
  'The learning rate of each is for the batch beside it, and is scaled to the batch of the run. "resnext recipe NAME" prints the options of one, and "resnext train … --recipe NAME" follows it.';

/** In the form of a recipe file. */
function documentOf(recipe: ChosenRecipe): object {
  const { options, needsModel: _, ...about } = recipe;
  return { ...about, ...recipeInFull(recipe) };
}

function showRecipe(recipe: ChosenRecipe, all: boolean, output: Output): void {
  output.document(documentOf(recipe));
  const { name, description, source, differences } = recipe;
  const paragraphs = [
    `${pc.bold(name)}${description === undefined ? '' : `: ${description}`}`,
    ...(source === undefined ? [] : [`Source: ${source}.`]),
    ...(differences === undefined ? [] : [`Differences: ${differences}`]),
    scaling(recipe),
  ];
  for (const paragraph of paragraphs) output.line(wrap(paragraph, output.width));
  const usual = usualOf(recipe);
  const isUsual = (option: string, value: unknown) =>
    option in usual ? shown(usual[option]) === shown(value) : isDefault(fields[option]!, value);
  const rows = Object.entries(recipeInFull(recipe))
    .filter(([, value]) => value !== '')
    .map(([option, value]) => [option, flagOf(option), shown(value), isUsual(option, value) ? 'default' : '']);
  const changed = rows.filter(([, , , mark]) => mark === '');
  const rest = rows.filter(([, , , mark]) => mark !== '');
  output.line(`\n${table([['option', 'flag', 'value', ''], ...changed, ...(all ? rest : [])])}`);
  if (!all) output.line(`\nThe other ${rest.length} options have their defaults. To print them too, add --all.`);
}

const flagOf = (option: string): string => (fields[option]?.flag ?? '').replace(/^--no-/, '--').replace(/ <.*/, '');

/** The defaults beside the recipe's optimizer and schedule. */
function usualOf({ name, options: { optimizer = 'sgd', schedule = 'cosine' } }: ChosenRecipe): Record<string, unknown> {
  const { optimizer: standard, schedule: usual } = trainOptions;
  const all = recipeInFull({ name, options: { optimizer, schedule } });
  return { ...all, optimizer: standard.default, schedule: usual.default };
}

const fields: Table = trainOptions;

/** What happens to the learning rate with another batch. */
function scaling({ referenceBatch, options: { learningRate, optimizer = 'sgd' } }: ChosenRecipe): string {
  if (learningRate === undefined) return 'The learning rate is the usual one of the optimizer.';
  if (referenceBatch === undefined) return 'The learning rate is the same for every batch.';
  const way = waysToScale[optimizers[optimizer].usual.scale];
  const usual = trainOptions.batch.default;
  const other = referenceBatch === usual ? 2 * usual : usual;
  const scaled = shortRate(learningRate * rateScale(optimizer, other / referenceBatch));
  const base = `The learning rate of ${shortRate(learningRate)} is for batches of ${referenceBatch} images`;
  return `${base}, and is scaled ${way} the batch: ${scaled} for ${other} images.`;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.join(',') || 'none';
  return typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value);
}
