/**
 * Layouts: how each code base names the tensors of a ResNeXt, as a table that maps templates (`names.ts`) to this
 * package's names. Those are torchvision's, or timm's where torchvision has none: stage s counts from 1, block i from
 * 0, convolution j of a block from 1. A table works in both directions, so every layout that is read can also be
 * written.
 *
 * Names are those of pytorch/vision and timm (`resnet.py`), timm and Cadene (`senet.py`), prlz77/ResNeXt.pytorch
 * (`models/model.py`), D-X-Y's and NAS-Bench-201's derivative of it, open-mmlab/mmpretrain, osmr/pytorchcv, and the
 * authors' Torch7 code, whose modules have numbers for names.
 */
import type { ResNeXtConfig, StemPool } from '../model/config.ts';
import type { Rule } from './names.ts';

export interface Layout {
  /** A code base may have several layouts with the same name, for different networks. */
  readonly name: string;
  readonly rules: readonly Rule[];
  /** The networks that this layout is limited to, if any. */
  readonly only?: Partial<Pick<ResNeXtConfig, 'stem' | 'shortcut'>>;
  /** The stem's pooling in this code base, which names do not reveal. */
  readonly stemPool?: StemPool;
}

/** torchvision's names for the blocks, under a path. */
const under = (path: string): Rule[] => [
  [`${path}layer{s}.{i}.conv{j}.`, 'layer{s}.{i}.conv{j}.'],
  [`${path}layer{s}.{i}.bn{j}.`, 'layer{s}.{i}.bn{j}.'],
  [`${path}layer{s}.{i}.downsample.{k}.`, 'layer{s}.{i}.downsample.{k}.'],
];

const torchvision: readonly Rule[] = [['conv1.', 'conv1.'], ['bn1.', 'bn1.'], ...under(''), ['fc.', 'fc.']];

const prlz77Stem: readonly Rule[] = [
  ['conv_1_3x3.', 'conv1.'],
  ['bn_1.', 'bn1.'],
  ['classifier.', 'fc.'],
];

/** prlz77's names for a bottleneck block, under its path. */
const prlz77Block = (block: string): Rule[] => [
  [`${block}.conv_reduce.`, 'layer{s}.{i}.conv1.'],
  [`${block}.bn_reduce.`, 'layer{s}.{i}.bn1.'],
  [`${block}.conv_conv.`, 'layer{s}.{i}.conv2.'],
  [`${block}.bn.`, 'layer{s}.{i}.bn2.'],
  [`${block}.conv_expand.`, 'layer{s}.{i}.conv3.'],
  [`${block}.bn_expand.`, 'layer{s}.{i}.bn3.'],
];

const mmpretrainBlocks: readonly Rule[] = [
  ...under('backbone.'),
  ['backbone.layer{s}.{i}.se_layer.conv{j}.conv.', 'layer{s}.{i}.se.fc{j}.'],
  ['head.fc.', 'fc.'],
];

const mmpretrainDeepStem: readonly Rule[] = [
  ['backbone.stem.0.conv.', 'conv1.0.'],
  ['backbone.stem.0.bn.', 'conv1.1.'],
  ['backbone.stem.1.conv.', 'conv1.3.'],
  ['backbone.stem.1.bn.', 'conv1.4.'],
  ['backbone.stem.2.conv.', 'conv1.6.'],
  ['backbone.stem.2.bn.', 'bn1.'],
];

const legacySe: readonly Rule[] = [
  ...under(''),
  ['layer{s}.{i}.se_module.fc{j}.', 'layer{s}.{i}.se.fc{j}.'],
  ['last_linear.', 'fc.'],
];

const pytorchcv: readonly Rule[] = [
  ['features.stage{s}.unit{i+1}.body.conv{j}.conv.', 'layer{s}.{i}.conv{j}.'],
  ['features.stage{s}.unit{i+1}.body.conv{j}.bn.', 'layer{s}.{i}.bn{j}.'],
  ['features.stage{s}.unit{i+1}.identity_conv.conv.', 'layer{s}.{i}.downsample.0.'],
  ['features.stage{s}.unit{i+1}.identity_conv.bn.', 'layer{s}.{i}.downsample.1.'],
  ['features.stage{s}.unit{i+1}.se.conv{j}.', 'layer{s}.{i}.se.fc{j}.'],
  ['features.stage{s}.unit{i+1}.se.fc{j}.', 'layer{s}.{i}.se.fc{j}.'],
];

/** Torch7's containers count from 1. `first` is the position of the first stage. */
const torch7 = (first: number, stages: number): Rule[] => {
  const block = `{s+${first - 1}}.{i+1}`;
  return [
    ['1.', 'conv1.'],
    ['2.', 'bn1.'],
    [`${first + stages + 2}.`, 'fc.'], // after the pooling and the view
    [`${block}.1.1.1.`, 'layer{s}.{i}.conv1.'],
    [`${block}.1.1.2.`, 'layer{s}.{i}.bn1.'],
    [`${block}.1.1.4.`, 'layer{s}.{i}.conv2.'],
    [`${block}.1.1.5.`, 'layer{s}.{i}.bn2.'],
    [`${block}.1.1.7.`, 'layer{s}.{i}.conv3.'],
    [`${block}.1.1.8.`, 'layer{s}.{i}.bn3.'],
    [`${block}.1.2.1.`, 'layer{s}.{i}.downsample.0.'],
    [`${block}.1.2.2.`, 'layer{s}.{i}.downsample.1.'],
  ];
};

/**
 * The children of a network in an `nn.Sequential`, such as `nn.Sequential(*list(net.children())[:-2])`, which numbers them.
 * `first` is the position of the first stage: 4 after convolution, normalization, ReLU and pool.
 */
const children = (first: number, stem: readonly Rule[]): Rule[] => {
  const block = `{s+${first - 1}}.{i}`;
  return [
    ...stem,
    [`${block}.conv{j}.`, 'layer{s}.{i}.conv{j}.'],
    [`${block}.bn{j}.`, 'layer{s}.{i}.bn{j}.'],
    [`${block}.downsample.{k}.`, 'layer{s}.{i}.downsample.{k}.'],
    [`${block}.se.fc{j}.`, 'layer{s}.{i}.se.fc{j}.'],
    [`${block}.se.conv.`, 'layer{s}.{i}.se.conv.'],
    [`${block}.se_module.fc{j}.`, 'layer{s}.{i}.se.fc{j}.'],
  ];
};

const childrenStem: readonly Rule[] = [
  ['0.', 'conv1.'],
  ['0.{k}.', 'conv1.{k}.'],
  ['1.', 'bn1.'],
];

/** All layouts. If several match the same names, the first one wins. */
export const layouts: readonly Layout[] = [
  { name: 'torchvision', rules: torchvision },
  {
    name: 'timm',
    rules: [
      ...torchvision,
      ['conv1.{k}.', 'conv1.{k}.'],
      ['layer{s}.{i}.se.fc{j}.', 'layer{s}.{i}.se.fc{j}.'],
      ['layer{s}.{i}.se.conv.', 'layer{s}.{i}.se.conv.'],
    ],
  },
  {
    name: 'legacy-se',
    only: { stem: 'imagenet' },
    stemPool: 'max-ceil',
    rules: [...legacySe, ['layer0.conv1.', 'conv1.'], ['layer0.bn1.', 'bn1.']],
  },
  {
    name: 'legacy-se',
    only: { stem: 'deep' },
    stemPool: 'max-ceil',
    rules: [
      ...legacySe,
      ['layer0.conv1.', 'conv1.0.'],
      ['layer0.bn1.', 'conv1.1.'],
      ['layer0.conv2.', 'conv1.3.'],
      ['layer0.bn2.', 'conv1.4.'],
      ['layer0.conv3.', 'conv1.6.'],
      ['layer0.bn3.', 'bn1.'],
    ],
  },
  {
    name: 'prlz77',
    only: { stem: 'cifar' },
    rules: [
      ...prlz77Stem,
      ...prlz77Block('stage_{s}.stage_{s}_bottleneck_{i}'),
      ['stage_{s}.stage_{s}_bottleneck_{i}.shortcut.shortcut_conv.', 'layer{s}.{i}.downsample.0.'],
      ['stage_{s}.stage_{s}_bottleneck_{i}.shortcut.shortcut_bn.', 'layer{s}.{i}.downsample.1.'],
    ],
  },
  {
    name: 'nas-bench',
    only: { stem: 'cifar' },
    rules: [
      ...prlz77Stem,
      ...prlz77Block('stage_{s}.{i}'),
      ['stage_{s}.{i}.downsample.{k}.', 'layer{s}.{i}.downsample.{k}.'],
    ],
  },
  {
    name: 'mmpretrain',
    only: { stem: 'imagenet', shortcut: 'B' },
    rules: [['backbone.conv1.', 'conv1.'], ['backbone.bn1.', 'bn1.'], ...mmpretrainBlocks],
  },
  {
    name: 'mmpretrain',
    only: { stem: 'deep', shortcut: 'B' },
    rules: [...mmpretrainDeepStem, ...mmpretrainBlocks],
  },
  {
    name: 'mmpretrain',
    only: { stem: 'deep', shortcut: 'D' },
    rules: [
      // The first stage has no pool, so its projection takes the pool's number.
      ['backbone.layer1.{i}.downsample.{k-1}.', 'layer1.{i}.downsample.{k}.'],
      ...mmpretrainDeepStem,
      ...mmpretrainBlocks,
    ],
  },
  {
    name: 'pytorchcv',
    only: { stem: 'imagenet' },
    rules: [
      ...pytorchcv,
      ['features.init_block.conv.conv.', 'conv1.'],
      ['features.init_block.conv.bn.', 'bn1.'],
      ['output.', 'fc.'],
    ],
  },
  {
    name: 'pytorchcv',
    only: { stem: 'cifar' },
    rules: [
      ...pytorchcv,
      ['features.init_block.conv.', 'conv1.'],
      ['features.init_block.bn.', 'bn1.'],
      ['output.', 'fc.'],
    ],
  },
  {
    name: 'pytorchcv',
    only: { stem: 'deep' },
    rules: [
      ...pytorchcv,
      ['features.init_block.conv1.conv.', 'conv1.0.'],
      ['features.init_block.conv1.bn.', 'conv1.1.'],
      ['features.init_block.conv2.conv.', 'conv1.3.'],
      ['features.init_block.conv2.bn.', 'conv1.4.'],
      ['features.init_block.conv3.conv.', 'conv1.6.'],
      ['features.init_block.conv3.bn.', 'bn1.'],
      ['output.fc.', 'fc.'],
    ],
  },
  { name: 'torch7', only: { stem: 'imagenet' }, rules: torch7(5, 4) },
  { name: 'torch7', only: { stem: 'cifar' }, rules: torch7(4, 3) },
  { name: 'nn.Sequential', rules: children(4, childrenStem) },
  { name: 'nn.Sequential', only: { stem: 'cifar' }, rules: children(3, childrenStem) },
  { name: 'nn.Sequential', only: { stem: 'cifar' }, rules: children(2, childrenStem) },
  {
    name: 'nn.Sequential',
    only: { stem: 'imagenet' },
    stemPool: 'max-ceil',
    rules: children(1, [
      ['0.conv1.', 'conv1.'],
      ['0.bn1.', 'bn1.'],
    ]),
  },
];
