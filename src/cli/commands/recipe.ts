/** `resnext recipe`: prints the recipes for training, or all options of one. */
import pc from 'picocolors';
import { isDefault, type OptionsOf, type Table } from '../../options.ts';
import { table, wrap } from '../../output/text.ts';
import { optimizers, rateScale } from '../../step/optimizers.ts';
import { type ChosenRecipe, findRecipe, recipeInFull, shortRate, waysToScale } from '../../train/chosen-recipe.ts';
import { trainOptions } from '../../train/options.ts';
import { recipeNames } from '../../train/recipes.ts';
import type { recipeOptions } from '../options/training.ts';
import type { Output } from '../output.ts';

export async function run({ recipe }: OptionsOf<typeof recipeOptions>, output: Output): Promise<number> {
  if (recipe === undefined) await listRecipes(output);
  else showRecipe(await findRecipe(recipe), output);
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
  'The learning rate of each is for the batch beside it, and is scaled to the batch of the run. "resnext recipe NAME" prints all options of one, and "resnext train … --recipe NAME" follows it.';

/** In the form of a recipe file. */
function documentOf(recipe: ChosenRecipe): object {
  const { options, needsModel: _, ...about } = recipe;
  return { ...about, ...recipeInFull(recipe) };
}

function showRecipe(recipe: ChosenRecipe, output: Output): void {
  output.document(documentOf(recipe));
  const { name, description, source, differences } = recipe;
  const paragraphs = [
    `${pc.bold(name)}${description === undefined ? '' : `: ${description}`}`,
    ...(source === undefined ? [] : [`Source: ${source}.`]),
    ...(differences === undefined ? [] : [`Differences: ${differences}`]),
    scaling(recipe),
  ];
  for (const paragraph of paragraphs) output.line(wrap(paragraph, output.width));
  const rows = Object.entries(recipeInFull(recipe)).map(([option, value]) => {
    const field = fields[option]!;
    return [
      option,
      (field.flag ?? '').replace(/^--no-/, '--').replace(/ <.*/, ''),
      shown(value),
      isDefault(field, value) ? 'default' : '',
    ];
  });
  output.line(`\n${table([['option', 'flag', 'value', ''], ...rows])}`);
}

const fields: Table = trainOptions;

/** What happens to the learning rate with another batch. */
function scaling({ referenceBatch, options: { learningRate, optimizer = 'sgd' } }: ChosenRecipe): string {
  if (learningRate === undefined) return 'The learning rate is the usual one of the optimizer.';
  if (referenceBatch === undefined) return 'The learning rate is the same for every batch.';
  const way = waysToScale[optimizers[optimizer].usual.scale];
  const usual = trainOptions.batch.default;
  const scaled = shortRate(learningRate * rateScale(optimizer, usual / referenceBatch));
  const base = `The learning rate of ${shortRate(learningRate)} is for batches of ${referenceBatch} images`;
  return `${base}. For other batches it is scaled ${way} their size: ${scaled} for ${usual}.`;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.join(',') || 'none';
  return typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value);
}
