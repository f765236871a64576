/**
 * Each recipe in full, written by hand from its source: the facts of the publication, and what is off in it. Then how a
 * recipe is found, overridden and scaled.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { resolveTrainOptions } from './check-options.ts';
import { findRecipe, recipeInFull, recipeNotes, withRecipe } from './chosen-recipe.ts';
import type { GivenOptions } from './options.ts';
import { type RecipeName, recipeNames } from './recipes.ts';

/** What most recipes do without. Images are mirrored half the time, and crops have at least 8 % of one. */
const plain = {
  flip: 0.5,
  verticalFlip: 0,
  rotation: 0,
  blur: 0,
  cropScale: [0.08, 1],
  erasing: 0,
  erasingMode: 'const',
  erasingCount: 1,
  mixup: 0,
  cutmix: 0,
  mixEpochs: 0,
  repeats: 1,
  targetThreshold: 0,
  classWeights: 'none',
  sampling: 'shuffled',
  loss: 'cross-entropy',
  labelSmoothing: 0,
  clipNorm: 0,
  averageDecay: 0,
  averageEvery: 1,
  averageWarmup: false,
  dropPath: 0,
  dropout: 0,
  warmup: 0,
  warmupFactor: 0.01,
  warmupPrefix: false,
  zeroInitLast: false,
};
const nesterov = { optimizer: 'sgd', momentum: 0.9, nesterov: true };

const expected: Readonly<Record<RecipeName, readonly [batch: number, options: object]>> = {
  /** Paper, section 4 (implementation details), and facebookresearch/ResNeXt: opts.lua, train.lua, datasets/imagenet.lua. */
  'paper-imagenet': [
    256, // on 8 GPUs
    {
      ...plain,
      ...nesterov, // train.lua; the paper says only momentum
      epochs: 100,
      learningRate: 0.1,
      weightDecay: 1e-4, // of every parameter
      normWeightDecay: 1e-4,
      schedule: 'step', // 0.1 · 0.1^⌊(epoch − 1)/30⌋
      decayEvery: 30,
      decayFactor: 0.1,
      augmentation: 'color-jitter', // crops of 8 to 100 %, jitter of 0.4, lighting of 0.1, flips
    },
  ],
  /** Paper, section 5.3, and facebookresearch/ResNeXt: README. */
  'paper-cifar': [
    128,
    {
      ...plain,
      ...nesterov,
      epochs: 300,
      learningRate: 0.1,
      weightDecay: 5e-4,
      normWeightDecay: 5e-4,
      schedule: 'step', // at 150 and 225
      decayEvery: 0,
      decayFactor: 0.1,
      augmentation: 'pad-and-crop', // by 4 pixels, and flips
    },
  ],
  /** pytorch/vision v0.21.0, references/classification: README.md, train.py. */
  'torchvision-v1': [
    256, // 32 on each of 8 GPUs
    {
      ...plain,
      ...nesterov,
      nesterov: false,
      epochs: 100,
      learningRate: 0.1,
      weightDecay: 1e-4, // norm too
      normWeightDecay: 1e-4,
      schedule: 'step', // StepLR 30 / 0.1
      decayEvery: 30,
      decayFactor: 0.1,
      augmentation: 'random-resized-crop',
    },
  ],
  finetune: [
    32,
    {
      ...plain,
      ...nesterov,
      epochs: 15,
      learningRate: 0.01,
      weightDecay: 1e-4,
      normWeightDecay: 0,
      schedule: 'cosine',
      minLearningRate: 0,
      warmup: 1,
      labelSmoothing: 0.1,
      augmentation: 'random-resized-crop',
    },
  ],
  quick: [
    128,
    {
      ...plain,
      ...nesterov,
      epochs: 10,
      learningRate: 0.2,
      weightDecay: 5e-4,
      normWeightDecay: 5e-4,
      schedule: 'one-cycle',
      augmentation: 'auto',
    },
  ],
};

test.each(recipeNames)('%s in full', async (name) => {
  const recipe = await findRecipe(name);
  const [batch, options] = expected[name];
  expect(recipe.referenceBatch).toBe(batch);
  expect(recipeInFull(recipe)).toEqual(options);
});

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'resnext-recipes-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

const base = { data: 'flowers', out: 'runs/flowers', variant: 'resnext50_32x4d' };

async function resolved(given: Partial<GivenOptions>) {
  const all = await withRecipe({ ...base, ...given });
  const options = resolveTrainOptions(all);
  return { ...options, notes: recipeNotes(options, all) };
}

function written(text: string, name = 'own.yaml'): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

describe('a recipe', () => {
  it('gives its options, at the usual batch', async () => {
    const { notes, ...options } = await resolved({ recipe: 'torchvision-v1' });
    expect(options).toMatchObject({ epochs: 100, nesterov: false, decayEvery: 30, batch: 32, learningRate: 0.1 / 8 });
    expect(notes).toEqual([
      'Recipe torchvision-v1: its learning rate of 0.1 is for batches of 256; scaled in proportion to the batch, it is 0.0125 for 32.',
    ]);
  });

  it('gives way to what is given', async () => {
    const { notes, ...options } = await resolved({ recipe: 'torchvision-v1', epochs: 20, batch: 8, learningRate: 0.3 });
    expect(options).toMatchObject({ epochs: 20, batch: 8, learningRate: 0.3, schedule: 'step' });
    expect(notes).toEqual([
      'Recipe torchvision-v1, with a learning rate of 0.3.',
      'The learning rate never falls: it first would after 30 epochs, and the run has 20.',
    ]);
  });

  it('loses what another optimizer or schedule has no use for', async () => {
    const given = { recipe: 'torchvision-v1', optimizer: 'adamw', schedule: 'cosine' } as const;
    expect(await resolved(given)).toMatchObject({
      epochs: 100,
      decayEvery: 0,
      nesterov: true,
      weightDecay: 0.01,
      normWeightDecay: 0,
      learningRate: 0.001 * Math.sqrt(32 / 256),
    });
  });

  it('that is for a pretrained model needs one', async () => {
    await expect(withRecipe({ ...base, recipe: 'finetune' })).rejects.toThrow(
      'The recipe finetune is for a pretrained model. Add from: MODEL.',
    );
  });

  it('that is not there is answered with the one that may be meant', async () => {
    await expect(findRecipe('torchvison-v1')).rejects.toThrow(
      'no recipe "torchvison-v1". Did you mean torchvision-v1?',
    );
    await expect(findRecipe('zzz')).rejects.toThrow('The recipes are paper-imagenet, ');
    await expect(findRecipe('./quick')).rejects.toThrow('There is no file "./quick".');
  });
});

describe('a file', () => {
  it('has options by name or flag, and a learning rate for its batch', async () => {
    const recipe = written('description: mine\noptimizer: lamb\nlr: 0.02\nbatch: 400\nno-nesterov: false\n');
    expect(await resolved({ recipe })).toMatchObject({ optimizer: 'lamb', learningRate: 0.02, batch: 400, recipe });
    const { notes, ...options } = await resolved({ recipe, batch: 100 });
    expect(options).toMatchObject({ learningRate: 0.01, batch: 100 });
    expect(notes).toEqual([expect.stringContaining('scaled by the square root of the batch, it is 0.01 for 100.')]);
  });

  it('without a batch has a learning rate for any', async () => {
    expect(await resolved({ recipe: written('lr: 0.02\n'), batch: 8 })).toMatchObject({ learningRate: 0.02 });
  });

  it('can be what a recipe is printed as', async () => {
    for (const name of recipeNames) {
      const { needsModel: _, ...recipe } = await findRecipe(name);
      const { options, ...about } = recipe;
      const full = { ...about, ...recipeInFull(recipe) };
      const read = await findRecipe(written(JSON.stringify(full), `${name}.json`));
      expect(recipeInFull(read)).toEqual(recipeInFull(recipe));
      expect(read.referenceBatch).toBe(about.referenceBatch);
    }
  });

  it('loses the network if a pretrained model is given', async () => {
    const recipe = written('variant: resnext26_32x4d\nepochs: 3\n');
    const { data, out } = base;
    expect(await withRecipe({ data, out, recipe, from: 'runs/demo' })).toEqual({
      ...{ data, out, recipe, from: 'runs/demo' },
      epochs: 3,
    });
  });

  it.each([
    ['epoch: 3\n', 'there is no option "epoch". Did you mean epochs?'],
    ['data: flowers\n', 'there is no option "data".'],
    ['lr: none\n', 'lr is "none", but expected a number above 0.'],
    ['referenceBatch: 0\n', 'referenceBatch is 0, but expected a whole number of at least 1.'],
    ['- 1\n', 'should contain options and their values'],
  ])('with %j is refused with its name', async (text, sentence) => {
    const recipe = written(text);
    await expect(withRecipe({ ...base, recipe })).rejects.toThrow(sentence);
    await expect(withRecipe({ ...base, recipe })).rejects.toThrow(recipe);
  });
});
