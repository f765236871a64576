/**
 * Checkpoints as PyTorch and training scripts write them (`test/checkpoints`), opened by path alone: they are
 * recognized, reported, and give PyTorch's logits on the runtime. They cover the older container, safetensors, shards,
 * Torch7 and every naming scheme.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { load, loadModel, type Prediction } from 'resnext';
import type { ImportReport } from 'resnext/weights';
import { describe, expect, test } from 'vitest';
import { json } from './command.ts';
import { goldenInput } from './golden-numbers.ts';

interface Expected {
  /** Height and width of the input. */
  readonly size: number;
  readonly logits: readonly number[];
  /** Class probabilities for `image`. */
  readonly image: readonly number[];
}

const path = (file: string): string => fileURLToPath(new URL(`checkpoints/${file}`, import.meta.url));
const expected: Readonly<Record<string, Expected>> = JSON.parse(readFileSync(path('expected.json'), 'utf8'));
const image = fileURLToPath(new URL('../examples/images/unseen/frog-1.jpg', import.meta.url));

const imagenet = 'Using the default preprocessing: 224 x 224 pixels.';
const cifar = 'Using the default preprocessing: 32 x 32 pixels.';
const stripped = (prefix: string): string => `Stripped the prefix "${prefix}" from every name.`;
const under = (key: string, beside: string): string =>
  `Using the weights under "${key}"; the file also contains ${beside}.`;

const plain: ImportReport = {
  layout: 'torchvision',
  prefix: '',
  variant: 'resnext[1,1]_4x16d_w8',
  loaded: 47,
  renamed: 0,
  converted: {},
  adapted: [],
  unexpected: [],
  missing: [],
  notes: [imagenet],
};
const se = { variant: 'seresnext[1,1]_4x16d_w8', loaded: 55 };
const small = { variant: 'resnext11_2x16d_w4', loaded: 67, renamed: 67 };
const inBatches = (names: readonly string[]): string[] => names.map((name) => `${name}.num_batches_tracked`);
const normalizations = (stages: readonly number[]): string[] => [
  'bn1',
  ...stages.flatMap((s) => [...[1, 2, 3].map((j) => `layer${s}.0.bn${j}`), `layer${s}.0.downsample.1`]),
];

/** Each file, with the differences of its report from the plain one. */
const files: [file: string, report: Partial<ImportReport>][] = [
  ['float32.safetensors', {}],
  ['float16.safetensors', { prefix: 'model.', converted: { float16: 47 } }],
  ['bfloat16.safetensors', { prefix: 'model.', converted: { bfloat16: 47 } }],
  ['sharded/model.safetensors.index.json', {}],
  ['sharded', {}],
  ['zip.pth', {}],
  ['stream.pth', {}],
  ['zip.pth.zip', {}],
  ['stream.pth.zip', {}],
  [
    'nested/examples.pth',
    {
      notes: [under('state_dict', 'epoch, arch, best_acc1, optimizer, scheduler'), stripped('module.'), imagenet],
    },
  ],
  [
    'nested/torchvision.pth',
    {
      notes: [
        under('model_ema', 'model, optimizer, epoch, args'),
        'Other networks are under "model"; choose one with key (--key).',
        'Left out what weights do not need, without executing it: argparse.Namespace.',
        stripped('module.'),
        'Skipped "n_averaged", which counts averaged models.',
        imagenet,
      ],
    },
  ],
  [
    'nested/timm.pth.tar',
    {
      notes: [
        under('state_dict_ema', 'epoch, arch, state_dict, optimizer, version, args, metric'),
        'Other networks are under "state_dict"; choose one with key (--key).',
        'Left out what weights do not need, without executing it: argparse.Namespace.',
        imagenet,
      ],
    },
  ],
  ['nested/model-state.pth', { notes: [under('model_state', 'epoch, cfg'), imagenet] }],
  ['nested/compiled.pth', { notes: [stripped('_orig_mod.'), imagenet] }],
  ['nested/uncounted.pth', { missing: inBatches(normalizations([1, 2])) }],
  ['layouts/timm-deep.pth', { layout: 'timm', variant: 'resnext[1,1]d_4x16d_w8', loaded: 57 }],
  ['layouts/timm-se.pth', { layout: 'timm', ...se }],
  ['layouts/legacy-se.pth', { layout: 'legacy-se', ...se, variant: `legacy_${se.variant}`, renamed: 15 }],
  [
    'layouts/mmpretrain.pth',
    {
      layout: 'mmpretrain',
      variant: 'resnext[2,1]_4x16d_w8',
      loaded: 62,
      renamed: 62,
      notes: [under('state_dict', 'meta'), imagenet],
    },
  ],
  ['layouts/pytorchcv.pth.zip', { layout: 'pytorchcv', renamed: 47 }],
  ['layouts/prlz77.pth', { layout: 'prlz77', ...small, notes: [stripped('module.'), cifar] }],
  [
    'layouts/torch7.t7',
    {
      layout: 'torch7',
      ...small,
      missing: inBatches(normalizations([1, 2, 3])),
      notes: ['Torch7: tensors are named by the positions of their modules, counted from 1.', cifar],
    },
  ],
];

const expectedOf = (file: string): Expected => expected[file] ?? expected[`${file}/model.safetensors.index.json`]!;

test('every file has its line here', () => {
  expect(files.map(([file]) => file).filter((file) => file !== 'sharded')).toEqual(
    expect.arrayContaining(Object.keys(expected)),
  );
});

describe.each(files)('%s', (file, report) => {
  const { size, logits } = expectedOf(file);

  test('is recognized and described', async () => {
    const { description, report: made } = await loadModel(path(file));
    expect(made).toEqual({ ...plain, ...report, ...(report.prefix && { renamed: plain.loaded }) });
    expect(description).toMatchObject({ preprocessing: { size }, config: { classes: logits.length } });
  });

  test('gives PyTorch’s logits', async () => {
    const model = await load(path(file), { cache: false });
    const actual = await model.logits(goldenInput(3 * size * size));
    const [probabilities] = await model.classify([image]);
    await model.dispose();
    const error = Math.max(...logits.map((logit, k) => Math.abs(actual[k]! - logit)));
    expect(error / Math.max(...logits.map(Math.abs))).toBeLessThan(1e-5);
    expectProbabilities(probabilities!, expectedOf(file).image);
  });
});

/** Expects PyTorch's probabilities for an image that torchvision preprocessed. */
function expectProbabilities(predictions: readonly Prediction[], image: readonly number[]): void {
  expect(predictions).toHaveLength(image.length);
  for (const { label, probability } of predictions) {
    expect(probability).toBeCloseTo(
      image[/^[a-e]$/.test(label) ? 'abcde'.indexOf(label) : Number(label.replace('class ', ''))]!,
      5,
    );
  }
}

describe.each(['sharded', 'nested/torchvision.pth', 'layouts/torch7.t7'])('the command, with %s', (file) => {
  test('summarizes it', async () => {
    const { report, variant } = await json<{ report: ImportReport; variant: string }>('summary', path(file));
    const made = (await loadModel(path(file))).report;
    expect(report).toEqual(made);
    expect(variant).toBe(made?.variant);
  });

  test('classifies an image as PyTorch does', async () => {
    const [found] = await json<{ image: string; predictions: Prediction[] }[]>(
      'classify',
      image,
      '--model',
      path(file),
    );
    expect(found?.image).toBe(image);
    expectProbabilities(found!.predictions, expectedOf(file).image);
  });
});
