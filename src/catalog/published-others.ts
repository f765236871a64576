/**
 * Weights from other sources than timm: the authors' own (Torch7), mmpretrain's, and pytorchcv's for ImageNet,
 * CIFAR-10, CIFAR-100 and SVHN. pytorchcv publishes zipped checkpoints. Their file names contain the error in
 * hundredths of a percent (top-5 for ImageNet, top-1 otherwise) and the first digits of the SHA-1 of the checkpoint
 * inside.
 *
 * Not included: torchvision's int8 files, which are not floating-point weights, and PaddlePaddle's and Keras's, whose
 * formats are not supported.
 */
import { cifarPreprocessing, type Preprocessing } from '../data/presets.ts';
import { entry, imagenetView, type LabelSet, type PublishedWeights } from './entry.ts';
import { hashInName } from './published-timm.ts';

/** Variant, megabytes, top-1 error of the center crop. The authors' README does not give the top-5 error. */
const authors: readonly (readonly [string, number, number])[] = [
  ['resnext50_32x4d', 191, 22.2],
  ['resnext101_32x4d', 338, 21.2],
  ['resnext101_64x4d', 638, 20.4],
];

/** Variant, the rest of the file's name, top-1, top-5. */
const mmpretrain: readonly (readonly [string, string, number, number])[] = [
  ['resnext50_32x4d', '20210429-56066e27', 77.9, 93.66],
  ['resnext101_32x4d', '20210506-e0fa3dd5', 78.61, 94.17],
  ['resnext101_32x8d', '20210506-23a247d5', 79.27, 94.58],
  ['resnext152_32x4d', '20210524-927787be', 78.88, 94.33],
];

/** Variant, release, SHA-1 of the checkpoint, top-1 error, top-5 error. */
const pytorchcv: readonly (readonly [string, string, string, number, number])[] = [
  ['resnext14_16x4d', 'v0.0.370', '35ffac2a26374e71b6bf4bc9f90b7a1a1dd47e7d', 31.94, 12.48],
  ['resnext14_32x2d', 'v0.0.371', '14521186b8c78c7c07f3904360839f22c180f65e', 32.58, 12.81],
  ['resnext14_32x4d', 'v0.0.327', '89aa679393d8356ce5589749b4371714bf4ceac0', 30.32, 11.46],
  ['resnext26_32x2d', 'v0.0.373', 'c3bd130747909a8c89546f3b3f5ce08bb4f55731', 26.63, 8.87],
  ['resnext26_32x4d', 'v0.0.332', '1011ac35e30d753b79f0600a5376c87a37b67a61', 24.14, 7.46],
  ['resnext50_32x4d', 'v0.0.498', 'd7976503d13734114364e0dfef1d22f6d76546d9', 21.08, 5.6],
  ['resnext101_32x4d', 'v0.0.530', '5ac165981bac62627719b3362b31b456cba05df4', 18.78, 4.34],
  ['resnext101_64x4d', 'v0.0.544', '60d1913ec591af7786056b1d87b3add07fdcf2e1', 19.08, 4.52],
  ['seresnext50_32x4d', 'v0.0.505', '52029a7f6170873b2d50a7016fba053e98183f7b', 18.94, 4.51],
  ['seresnext101_32x4d', 'v0.0.529', 'c738e758c535fac87027fc4b9271a7cb95442505', 19.36, 4.67],
  ['seresnext101_64x4d', 'v0.0.561', 'ea9d98df431d53251011099f317cd20fa2307d1b', 18.66, 4.28],
];

/** Variant, data set, release, SHA-1 of the checkpoint, top-1 error. */
const pytorchcvSmall: readonly (readonly [string, 'cifar-10' | 'cifar-100' | 'svhn', string, string, number])[] = [
  ['resnext29_32x4d', 'cifar-10', 'v0.0.169', '30413525cd4466dbef759294eda9b702bc39648f', 3.15],
  ['resnext29_32x4d', 'cifar-100', 'v0.0.200', '13ba13d92f6751022549a3b370ae86d3b13ae2d1', 19.5],
  ['resnext29_32x4d', 'svhn', 'v0.0.275', 'e85c5217944cdfafb0a538dd7cc817cffaada7c4', 2.8],
  ['resnext29_16x64d', 'cifar-10', 'v0.0.176', '4133d3d04f9b10b132dcb959601d36f10123f8c2', 2.41],
  ['resnext29_16x64d', 'cifar-100', 'v0.0.322', '05e9a7f113099a98b219cad622ecfad5517a3b54', 16.93],
  ['resnext29_16x64d', 'svhn', 'v0.0.358', '74332b714cd278bfca3f09dafe2a9d117510e9a4', 2.68],
  ['resnext272_1x64d', 'cifar-10', 'v0.0.372', '070ccc35c2841b7715b9eb271197c9bb316f3093', 2.55],
  ['resnext272_1x64d', 'cifar-100', 'v0.0.372', '114eb0f8a0d471487e819b8fd156c1286ef91b7a', 19.11],
  ['resnext272_1x64d', 'svhn', 'v0.0.372', 'ab0448469bbd7d476f8bed1bf86403304b028e7c', 2.35],
  ['resnext272_2x32d', 'cifar-10', 'v0.0.375', 'd2ace03c413be7e42c839c84db8dd0ebb5d69512', 2.74],
  ['resnext272_2x32d', 'cifar-100', 'v0.0.375', '0b30c4701a719995412882409339f3553a54c9d1', 18.34],
  ['resnext272_2x32d', 'svhn', 'v0.0.375', '39b8a33612d335a0193b867b38c0b09d168de6c3', 2.44],
];

/** pytorchcv's own CIFAR-10 statistics, which it uses for all small images. */
const smallImages: Preprocessing = {
  ...cifarPreprocessing,
  mean: [0.4914, 0.4822, 0.4465],
  std: [0.2023, 0.1994, 0.201],
};

/** Accuracy in percent from an error in percent, rounded to hundredths. */
const accuracy = (error: number): number => Math.round(1e4 - 100 * error) / 100;

const authorsEntries = authors.map(([variant, megabytes, error]): PublishedWeights => {
  const file = `${variant.replace('resnext', 'resnext_')}.t7`;
  return entry({
    name: `${variant}.authors_in1k`,
    aliases: [],
    sources: [{ url: `https://dl.fbaipublicfiles.com/resnext/imagenet_models/${file}`, file }],
    files: [file],
    megabytes,
    license: 'CC-BY-NC-4.0',
    metrics: [{ size: 224, top1: accuracy(error) }],
    preprocessing: imagenetView([224, 0.875], 'bicubic'),
    labels: 'imagenet-1k',
    recipe: 'https://github.com/facebookresearch/ResNeXt, the original paper, arXiv 1611.05431',
  });
});

const mmpretrainEntries = mmpretrain.map(([variant, rest, top1, top5]): PublishedWeights => {
  const file = `${variant}_b32x8_imagenet_${rest}.pth`;
  const url = `https://download.openmmlab.com/mmclassification/v0/resnext/${file}`;
  return entry({
    name: `${variant}.mmpretrain_in1k`,
    aliases: [],
    sources: [{ url, file, sha256: hashInName(file) }],
    files: [file],
    license: 'Apache-2.0',
    metrics: [{ size: 224, top1, top5 }],
    preprocessing: imagenetView([224, 0.875], 'bilinear'),
    labels: 'imagenet-1k',
    recipe: 'https://github.com/open-mmlab/mmpretrain/tree/main/configs/resnext, 100 epochs',
  });
});

interface Zipped {
  /** pytorchcv's name for the model, with which its file names begin. */
  readonly model: string;
  readonly variant: string;
  readonly tag: string;
  readonly release: string;
  readonly sha1: string;
  /** The error in percent that the file name contains. */
  readonly errorInName: number;
  readonly top1: number;
  readonly top5?: number;
  readonly labels: LabelSet;
  readonly preprocessing: Preprocessing;
}

function zipped({ model, variant, tag, release, sha1, errorInName, top1, top5, labels, preprocessing }: Zipped) {
  const checkpoint = `${model}-${String(Math.round(100 * errorInName)).padStart(4, '0')}-${sha1.slice(0, 8)}.pth`;
  const file = `${checkpoint}.zip`;
  const url = `https://github.com/osmr/imgclsmob/releases/download/${release}/${file}`;
  return entry({
    name: `${variant}.pytorchcv_${tag}`,
    aliases: model === variant ? [] : [model],
    sources: [{ url, file, sha1Inside: sha1 }],
    files: [file, checkpoint],
    license: 'MIT',
    metrics: [{ size: preprocessing.size, top1: accuracy(top1), ...(top5 && { top5: accuracy(top5) }) }],
    preprocessing,
    labels,
    recipe: 'https://github.com/osmr/pytorchcv',
  });
}

const pytorchcvEntries = pytorchcv.map(([variant, release, sha1, top1, top5]): PublishedWeights => {
  const preprocessing = imagenetView([224, 0.875], 'bilinear');
  const rest = { release, sha1, errorInName: top5, top1, top5, labels: 'imagenet-1k', preprocessing } as const;
  return zipped({ model: variant, variant, tag: 'in1k', ...rest });
});

const pytorchcvSmallEntries = pytorchcvSmall.map(([variant, labels, release, sha1, top1]): PublishedWeights => {
  const tag = labels.replace('-', '');
  const rest = { release, sha1, errorInName: top1, top1, labels, preprocessing: smallImages };
  return zipped({ model: `${variant}_${tag}`, variant, tag, ...rest });
});

/** All weights from sources other than timm. */
export const otherWeights: readonly PublishedWeights[] = [
  ...pytorchcvEntries,
  ...pytorchcvSmallEntries,
  ...mmpretrainEntries,
  ...authorsEntries,
];
