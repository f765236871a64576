/**
 * Each recipe in full, written by hand from its source: the facts of the publication, and what is off in it. Then how a
 * recipe is found, overridden and scaled. The file is long because the tables repeat the numbers of the sources on purpose
 * instead of importing those that they check.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { pick } from '../options.ts';
import { checkSettled, resolveTrainOptions } from './check-options.ts';
import { findRecipe, recipeInFull, recipeNotes, withRecipe } from './chosen-recipe.ts';
import { type GivenOptions, type Recipe, recipe as recipeTable } from './options.ts';
import { type RecipeEntry, type RecipeName, recipeNames, recipes } from './recipes.ts';

/** What most recipes do without. Images are mirrored half the time, and crops have at least 8 % of one. */
const plain = {
  flip: 0.5,
  verticalFlip: 0,
  rotation: 0,
  sharpen: 0,
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
  trainSize: [],
  resize: 0,
  interpolation: 'auto',
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

/** open-mmlab/mmpretrain, configs/resnet/*rsb*, which are for ResNet-50. */
const strikesBack = {
  ...plain,
  optimizer: 'lamb',
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-6,
  maxGradientNorm: 1,
  normWeightDecay: 0, // no decay of biases and normalizations
  loss: 'binary-cross-entropy',
  schedule: 'cosine',
  minLearningRate: 1e-6,
  warmup: 5,
  warmupFactor: 1e-4,
  warmupPrefix: true,
  cutmix: 1,
  resize: 236,
  interpolation: 'bicubic',
  zeroInitLast: true,
};

/** The models of this package. */
const shipped = {
  ...plain,
  batch: 128,
  replicas: 2,
  size: 64,
  resize: 64,
  optimizer: 'adamw',
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.05,
  normWeightDecay: 0,
  schedule: 'one-cycle',
  labelSmoothing: 0.1,
  augmentation: 'pad-and-crop',
  interpolation: 'bilinear',
};

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
      interpolation: 'bicubic',
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
      interpolation: 'bilinear',
    },
  ],
  /** pytorch.org, How to train state-of-the-art models; pytorch/vision issue 3995; references/classification. */
  'torchvision-v2': [
    1024, // 128 on each of 8 GPUs
    {
      ...plain,
      ...nesterov,
      nesterov: false,
      epochs: 600,
      learningRate: 0.5,
      schedule: 'cosine',
      minLearningRate: 0,
      warmup: 5, // linear, and then the cosine
      warmupFactor: 0.01,
      warmupPrefix: true,
      weightDecay: 2e-5,
      normWeightDecay: 0,
      labelSmoothing: 0.1,
      mixup: 0.2,
      cutmix: 1,
      augmentation: 'trivial-augment', // ta_wide
      erasing: 0.1,
      averageDecay: 1 - ((1 - 0.99998) * 8 * 128 * 32) / 600, // α = (1 − decay) · world · batch · steps / epochs
      averageEvery: 32,
      averageWarmup: true, // ours, for a copy of the weights during the warm-up
      trainSize: [176],
      resize: 232,
      interpolation: 'bilinear',
      repeats: 4, // for resnext101_64x4d
    },
  ],
  /** timm's hfdocs/source/training_script.mdx, and the defaults of train.py. */
  'timm-ra': [
    1536, // 192 on each of 8 GPUs
    {
      ...plain,
      ...nesterov, // timm's sgd
      epochs: 240,
      learningRate: 0.6,
      schedule: 'cosine',
      minLearningRate: 0,
      warmup: 5,
      warmupFactor: 1e-5 / 0.6, // --warmup-lr 1e-5
      weightDecay: 1e-4,
      normWeightDecay: 0,
      labelSmoothing: 0.1,
      augmentation: 'rand-m7-mstd0.5-inc1',
      erasing: 0.4, // --reprob 0.4 --recount 3 --remode pixel
      erasingCount: 3,
      erasingMode: 'pixel',
      interpolation: 'bicubic',
      zeroInitLast: true,
    },
  ],
  'rsb-a1': [
    2048,
    {
      ...strikesBack,
      epochs: 600,
      learningRate: 5e-3,
      weightDecay: 0.01,
      mixup: 0.2,
      labelSmoothing: 0.1,
      repeats: 3,
      dropPath: 0.05,
      augmentation: 'rand-m7-n2-mstd0.5-inc1',
    },
  ],
  'rsb-a2': [
    2048,
    {
      ...strikesBack,
      epochs: 300,
      learningRate: 5e-3,
      weightDecay: 0.02,
      mixup: 0.1,
      repeats: 3,
      dropPath: 0.05,
      augmentation: 'rand-m7-n2-mstd0.5-inc1',
    },
  ],
  'rsb-a3': [
    2048,
    {
      ...strikesBack,
      epochs: 100,
      learningRate: 8e-3,
      weightDecay: 0.02,
      mixup: 0.1,
      augmentation: 'rand-m6-n2-mstd0.5-inc1',
      trainSize: [160], // timm's a3 weights; 224 in mmpretrain
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
      augmentation: 'auto',
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
  /** models/cifar10/README.md, and "training" in its model.json. */
  'cifar10-default': [
    128,
    {
      ...{ ...shipped, seed: 4, size: 96, resize: 96, epochs: 8 },
      ...{ learningRate: 0.002, backboneLearningRate: 0.002, mixup: 0.2, cutmix: 1, mixEpochs: 6 },
    },
  ],
  /** models/objects200/README.md, and "training" in its model.json. */
  'objects200-default': [
    128,
    { ...shipped, seed: 3, epochs: 6, learningRate: 0.002, backboneLearningRate: 0.002, sharpen: 0.75 },
  ],
};

test.each(recipeNames)('%s in full', async (name) => {
  const recipe = await findRecipe(name);
  const [batch, options] = expected[name];
  expect(recipe.referenceBatch).toBe(batch);
  expect(recipeInFull(recipe)).toEqual(options);
});

test.each(recipeNames)('%s can be followed with any network and a linear probe', async (recipe) => {
  const probe = { from: 'runs/demo', linearProbe: true };
  const { needsModel }: RecipeEntry = recipes[recipe];
  const given = needsModel ? [{ from: 'runs/demo' }, probe] : [{ variant: 'resnext29_8x64d' }, {}, probe];
  for (const each of given) {
    const all = await withRecipe({ data: 'flowers', out: 'runs/flowers', recipe, ...each });
    expect(resolveTrainOptions(all), JSON.stringify(each)).toMatchObject({ recipe, ...each });
    expect(() => checkSettled(all)).not.toThrow();
  }
});

const shippedDescription = (name: string) => fileURLToPath(new URL(`../../models/${name}/model.json`, import.meta.url));

describe.each(['cifar10', 'objects200'])('the model %s', (name) => {
  const path = shippedDescription(name);
  test.skipIf(!existsSync(path))('was trained with the options of its recipe', async () => {
    const { training } = JSON.parse(readFileSync(path, 'utf8')) as { training: { options: Recipe & { out: string } } };
    const { recipe: _, ...options } = pick<Recipe>(recipeTable, training.options);
    const { data, out, from } = training.options;
    const given = { data, out, ...(from && { from }), recipe: `${name}-default` };
    expect(resolveTrainOptions(await withRecipe(given))).toMatchObject(options);
  });
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
  return { ...options, notes: recipeNotes(options, all, 100) };
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

  it('says what comes too late for few images', async () => {
    const all = await withRecipe({ ...base, recipe: 'torchvision-v2' });
    expect(recipeNotes(resolveTrainOptions(all), all, 31)).toContain(
      'The average of the weights is updated every 32 steps, but an epoch has 31. Lower --average-every.',
    );
  });

  it('says that an average would still be mostly initial weights', () => {
    const notes = (averageWarmup: boolean) => {
      const options = { ...base, averageDecay: 0.999, averageEvery: 2, epochs: 10, averageWarmup };
      return recipeNotes(resolveTrainOptions(options), options, 100); // 0.999^500
    };
    expect(notes(false)).toEqual([
      'The average of the weights still has 61 % of the first ones after the 1000 steps of the run. Add --average-warmup, or lower --average-decay.',
    ]);
    expect(notes(true)).toEqual([]);
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
      notes: ['Recipe torchvision-v1, without its learning rate of 0.1, which is for sgd; for adamw, it is 0.0003536.'],
    });
  });

  it('has sizes in proportion to the input', async () => {
    const recipe = 'torchvision-v2';
    expect(await resolved({ recipe })).toMatchObject({ size: 0, trainSize: [176], resize: 232 });
    expect(await resolved({ recipe, size: 112 })).toMatchObject({ trainSize: [88], resize: 116 });
    expect(await resolved({ recipe, size: 112, trainSize: [96] })).toMatchObject({ trainSize: [96], resize: 116 });
    const { notes, ...options } = await resolved({ recipe, variant: 'resnext29_8x64d' });
    expect(options).toMatchObject({ trainSize: [], resize: 0, augmentation: 'trivial-augment' });
    expect(notes[1]).toBe(
      'Recipe torchvision-v2: its training images of 176 pixels are for inputs of 224; here they have the size of the input.',
    );
  });

  it('with a network has its batch and sizes, and gives way to what is given', async () => {
    const { variant: _, ...bare } = base;
    const own = { variant: 'resnext20_2x96d_w32_imagenet', size: 64, trainSize: [48, 64] };
    const text = { ...own, resize: 64, batch: 128, replicas: 2, learningRate: 0.2 };
    const recipe = written(JSON.stringify(text), 'network.json');
    const made = async (given: Partial<GivenOptions>) =>
      resolveTrainOptions(await withRecipe({ ...bare, recipe, ...given }));
    expect(await made({})).toMatchObject({
      ...own,
      ...{ batch: 128, replicas: 2, learningRate: 0.2, bestBy: 'top1', seed: 1 },
    });
    expect(await made({ batch: 64, replicas: 1 })).toMatchObject({
      ...own,
      ...{ batch: 64, replicas: 1, learningRate: 0.1 },
    });
    expect(await made({ variant: 'resnext50_32x4d', size: 128 })).toMatchObject({ trainSize: [96, 128], resize: 128 });
    expect(await made({ variant: 'resnext29_8x64d', size: 32 })).toMatchObject({ trainSize: [], resize: 0 });
  });

  it('that makes a model has its batch, rates and sizes, and gives way to what is given', async () => {
    const { variant: _, ...bare } = base;
    const made = async (given: Partial<GivenOptions>) =>
      resolveTrainOptions(await withRecipe({ ...bare, from: 'runs/demo', recipe: 'cifar10-default', ...given }));
    const rate = 0.002;
    expect(await made({})).toMatchObject({
      ...{ batch: 128, replicas: 2, size: 96 },
      ...{ learningRate: rate, backboneLearningRate: rate, bestBy: 'top1', seed: 4 },
    });
    const smaller = rate * Math.sqrt(64 / 128);
    expect(await made({ batch: 64, replicas: 1 })).toMatchObject({
      ...{ batch: 64, replicas: 1, learningRate: smaller, backboneLearningRate: smaller },
    });
    expect((await made({ learningRate: 0.01 })).backboneLearningRate).toBeUndefined();
    expect(await made({ size: 128 })).toMatchObject({ size: 128 });
    const other = await made({ optimizer: 'sgd' });
    expect(other).toMatchObject({ learningRate: 0.05, momentum: 0.9 });
    expect(other.backboneLearningRate).toBeUndefined();
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

  it('has sizes of training images for its own input, with small images too', async () => {
    const recipe = written('variant: resnext29_8x64d\nsize: 32\ntrain-size: [24, 32]\n');
    const { variant: _, ...bare } = base;
    const followed = async (given: Partial<GivenOptions>) =>
      resolveTrainOptions(await withRecipe({ ...bare, recipe, ...given })).trainSize;
    expect(await followed({})).toEqual([24, 32]);
    expect(await followed({ size: 64 })).toEqual([]);
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
      reference: {},
    });
  });

  it.each([
    ['epoch: 3\n', 'there is no option "epoch". Did you mean epochs?'],
    ['data: flowers\n', 'there is no option "data" in a recipe.'],
    ['lr: none\n', 'lr is "none", but expected a number above 0.'],
    ['referenceBatch: 0\n', 'referenceBatch is 0, but expected a whole number of at least 1.'],
    ['- 1\n', 'should contain options and their values'],
  ])('with %j is refused with its name', async (text, sentence) => {
    const recipe = written(text);
    await expect(withRecipe({ ...base, recipe })).rejects.toThrow(sentence);
    await expect(withRecipe({ ...base, recipe })).rejects.toThrow(recipe);
  });
});
