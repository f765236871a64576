/**
 * Weights with timm's names: its own recipes and MXNet Gluon's (bicubic resizing, Apache 2.0), torchvision's (bilinear,
 * BSD), and those that Facebook trained on a billion images from Instagram or on YFCC100M (bilinear, non-commercial).
 * All are on the Hugging Face hub under `timm/`; torchvision's and Facebook's are also at their original URLs, where
 * the file name contains the first digits of the SHA-256.
 *
 * Accuracies are from torchvision's documentation for its own weights, and from timm's results for the others. timm
 * resizes to 256 instead of 232 for torchvision's 64x4d, so its result is 0.27 points lower than the one here.
 */
import { entry, imagenetView, type Metric, type PublishedWeights, type View } from './entry.ts';

/** Name, timm's file name, default view, larger view; then size, top-1 and top-5 of each evaluation. */
type OwnRow = readonly [
  name: string,
  file: string,
  view: View,
  larger: View | null,
  ...metrics: (readonly [size: number, top1: number, top5: number])[],
];

const own: readonly OwnRow[] = [
  [
    'resnext50_32x4d.a1h_in1k',
    'resnext50_32x4d_a1h-0146ab0a.pth',
    [224, 0.95],
    [288, 1],
    [224, 81.14, 95.32],
    [288, 82.016, 95.934],
  ],
  [
    'resnext50_32x4d.a1_in1k',
    'resnext50_32x4d_a1_0-b5a91a1d.pth',
    [224, 0.95],
    [288, 1],
    [224, 80.526, 94.458],
    [288, 81.48, 95.152],
  ],
  [
    'resnext50_32x4d.a2_in1k',
    'resnext50_32x4d_a2_0-efc76add.pth',
    [224, 0.95],
    [288, 1],
    [224, 80.444, 94.63],
    [288, 81.304, 95.114],
  ],
  [
    'resnext50_32x4d.a3_in1k',
    'resnext50_32x4d_a3_0-3e450271.pth',
    [224, 0.95],
    null,
    [160, 77.732, 93.314],
    [224, 79.258, 94.308],
  ],
  [
    'resnext50_32x4d.ra_in1k',
    'resnext50_32x4d_ra-d733960d.pth',
    [224, 0.875],
    [288, 0.95],
    [224, 79.8, 94.608],
    [288, 80.72, 95.344],
  ],
  [
    'resnext50d_32x4d.bt_in1k',
    'resnext50d_32x4d-103e99f8.pth',
    [224, 0.875],
    [288, 0.95],
    [224, 79.672, 94.878],
    [288, 80.676, 95.426],
  ],
  [
    'resnext101_64x4d.c1_in1k',
    'resnext101_64x4d_c-0d0e0cc0.pth',
    [224, 0.95],
    [288, 1],
    [224, 82.446, 95.92],
    [288, 83.158, 96.37],
  ],
  [
    'seresnext26d_32x4d.bt_in1k',
    'seresnext26d_32x4d-80fa48a3.pth',
    [224, 0.875],
    [288, 0.95],
    [224, 77.592, 93.614],
    [288, 78.816, 94.266],
  ],
  [
    'seresnext26t_32x4d.bt_in1k',
    'seresnext26tn_32x4d-569cb627.pth',
    [224, 0.875],
    [288, 0.95],
    [224, 77.98, 93.75],
    [288, 78.736, 94.318],
  ],
  [
    'seresnext50_32x4d.racm_in1k',
    'seresnext50_32x4d_racm-a304a460.pth',
    [224, 0.875],
    [288, 0.95],
    [224, 81.268, 95.624],
    [288, 82.186, 96.146],
  ],
  [
    'seresnext101_32x8d.ah_in1k',
    'seresnext101_32x8d_ah-e6bc4c0a.pth',
    [224, 0.95],
    [288, 1],
    [224, 83.618, 96.412],
    [288, 84.192, 96.86],
  ],
  [
    'seresnext101d_32x8d.ah_in1k',
    'seresnext101d_32x8d_ah-191d7b94.pth',
    [224, 0.95],
    [288, 1],
    [224, 83.702, 96.62],
    [288, 84.38, 96.918],
  ],
  [
    'seresnextaa101d_32x8d.sw_in12k_ft_in1k_288',
    '',
    [288, 0.95],
    [320, 1],
    [288, 86.53, 98.094],
    [320, 86.722, 98.184],
  ],
  ['seresnextaa101d_32x8d.sw_in12k_ft_in1k', '', [224, 0.875], [288, 1], [224, 85.956, 97.824], [288, 86.524, 98.034]],
  ['seresnextaa201d_32x8d.sw_in12k_ft_in1k_384', '', [384, 1], null, [384, 87.304, 98.334]],
  ['seresnextaa201d_32x8d.sw_in12k', '', [320, 0.95], [384, 1]],
  ['seresnextaa101d_32x8d.sw_in12k', '', [224, 0.95], [288, 1]],
  [
    'seresnextaa101d_32x8d.ah_in1k',
    'seresnextaa101d_32x8d_ah-83c8ae12.pth',
    [224, 0.95],
    [288, 1],
    [224, 83.9, 96.648],
    [288, 84.58, 97.062],
  ],
  ['resnext50_32x4d.gluon_in1k', 'gluon_resnext50_32x4d-e6a097c1.pth', [224, 0.875], null, [224, 79.354, 94.424]],
  ['resnext101_32x4d.gluon_in1k', 'gluon_resnext101_32x4d-b253c8c4.pth', [224, 0.875], null, [224, 80.336, 94.908]],
  ['resnext101_64x4d.gluon_in1k', 'gluon_resnext101_64x4d-f9a8e184.pth', [224, 0.875], null, [224, 80.64, 95]],
  ['seresnext50_32x4d.gluon_in1k', 'gluon_seresnext50_32x4d-90cf2d6e.pth', [224, 0.875], null, [224, 79.916, 94.816]],
  ['seresnext101_32x4d.gluon_in1k', 'gluon_seresnext101_32x4d-cf52900d.pth', [224, 0.875], null, [224, 80.886, 95.268]],
  ['seresnext101_64x4d.gluon_in1k', 'gluon_seresnext101_64x4d-f9926f93.pth', [224, 0.875], null, [224, 80.884, 95.308]],
];

/** Name, torchvision's name, file, megabytes, crop, top-1, top-5, all at 224 pixels. */
const torchvision: readonly (readonly [string, string, string, number, number, number, number])[] = [
  [
    'resnext50_32x4d.tv_in1k',
    'ResNeXt50_32X4D_Weights.IMAGENET1K_V1',
    'resnext50_32x4d-7cdf4587.pth',
    100.4,
    0.875,
    77.618,
    93.698,
  ],
  [
    'resnext101_32x8d.tv_in1k',
    'ResNeXt101_32X8D_Weights.IMAGENET1K_V1',
    'resnext101_32x8d-8ba56ff5.pth',
    356.1,
    0.875,
    79.312,
    94.526,
  ],
  [
    'resnext101_64x4d.tv_in1k',
    'ResNeXt101_64X4D_Weights.IMAGENET1K_V1',
    'resnext101_64x4d-173b62eb.pth',
    334.8,
    0.965,
    83.246,
    96.454,
  ],
  [
    'resnext50_32x4d.tv2_in1k',
    'ResNeXt50_32X4D_Weights.IMAGENET1K_V2',
    'resnext50_32x4d-1a0047aa.pth',
    100.5,
    0.965,
    81.198,
    95.34,
  ],
  [
    'resnext101_32x8d.tv2_in1k',
    'ResNeXt101_32X8D_Weights.IMAGENET1K_V2',
    'resnext101_32x8d-110c445d.pth',
    356.2,
    0.965,
    82.834,
    96.228,
  ],
];

/** The weights that torchvision calls DEFAULT. */
const torchvisionDefaults = ['resnext50_32x4d.tv2_in1k', 'resnext101_32x8d.tv2_in1k', 'resnext101_64x4d.tv_in1k'];

/** Name, file, top-1, top-5, all at 224 pixels cropped from 256. */
const facebook: readonly (readonly [string, string, number, number])[] = [
  ['resnext101_32x8d.fb_wsl_ig1b_ft_in1k', 'ig_resnext101_32x8-c38310e5.pth', 82.72, 96.624],
  ['resnext101_32x16d.fb_wsl_ig1b_ft_in1k', 'ig_resnext101_32x16-c6f796b0.pth', 84.166, 97.192],
  ['resnext101_32x32d.fb_wsl_ig1b_ft_in1k', 'ig_resnext101_32x32-e4b90b00.pth', 85.09, 97.442],
  ['resnext101_32x48d.fb_wsl_ig1b_ft_in1k', 'ig_resnext101_32x48-3e41cc8a.pth', 85.4, 97.6],
  ['resnext50_32x4d.fb_ssl_yfcc100m_ft_in1k', 'semi_supervised_resnext50_32x4-ddb3e555.pth', 80.316, 95.386],
  ['resnext101_32x4d.fb_ssl_yfcc100m_ft_in1k', 'semi_supervised_resnext101_32x4-dc43570a.pth', 80.936, 95.732],
  ['resnext101_32x8d.fb_ssl_yfcc100m_ft_in1k', 'semi_supervised_resnext101_32x8-2cfe2f8b.pth', 81.62, 96.036],
  ['resnext101_32x16d.fb_ssl_yfcc100m_ft_in1k', 'semi_supervised_resnext101_32x16-15fffa57.pth', 81.856, 96.084],
  ['resnext50_32x4d.fb_swsl_ig1b_ft_in1k', 'semi_weakly_supervised_resnext50_32x4-72679e44.pth', 82.162, 96.224],
  ['resnext101_32x4d.fb_swsl_ig1b_ft_in1k', 'semi_weakly_supervised_resnext101_32x4-3f87e46b.pth', 83.268, 96.76],
  ['resnext101_32x8d.fb_swsl_ig1b_ft_in1k', 'semi_weakly_supervised_resnext101_32x8-b4712904.pth', 84.276, 97.188],
  ['resnext101_32x16d.fb_swsl_ig1b_ft_in1k', 'semi_weakly_supervised_resnext101_32x16-f3559a9c.pth', 83.34, 96.844],
];

/** The original SE networks, as converted by Cadene: name, file, interpolation, top-1, top-5. */
const legacy: readonly (readonly [string, string, 'bilinear' | 'bicubic', ...number[]])[] = [
  ['legacy_seresnext26_32x4d.in1k', 'seresnext26_32x4d-65ebdb501.pth', 'bicubic', 77.1, 93.332],
  ['legacy_seresnext50_32x4d.in1k', 'legacy_se_resnext50_32x4d-f3651bad.pth', 'bilinear', 79.08, 94.428],
  ['legacy_seresnext101_32x4d.in1k', 'legacy_se_resnext101_32x4d-37725eac.pth', 'bilinear', 80.274, 95.032],
  ['legacy_senet154.in1k', 'legacy_senet154-e9eb9fe6.pth', 'bilinear'],
];

const recipes: Readonly<Record<string, string>> = {
  a1h: 'ResNet strikes back A1, stronger augmentation: LAMB, binary cross-entropy, arXiv 2110.00476',
  a1: 'ResNet strikes back A1: 600 epochs, LAMB, binary cross-entropy, arXiv 2110.00476',
  a2: 'ResNet strikes back A2: 300 epochs, LAMB, binary cross-entropy, arXiv 2110.00476',
  a3: 'ResNet strikes back A3: 100 epochs at 160 pixels, LAMB, binary cross-entropy, arXiv 2110.00476',
  ra: 'RandAugment, 240 epochs, SGD with cosine decay',
  bt: 'bag of tricks: cosine decay, random erasing',
  racm: 'RandAugment with mixup and CutMix',
  c1: 'ResNet strikes back C: SGD with gradient clipping, arXiv 2110.00476',
  ah: 'ResNet strikes back with stronger augmentation',
  sw: 'pre-trained on ImageNet-12k',
  gluon: 'MXNet Gluon bag of tricks, arXiv 1812.01187',
  tv: 'https://github.com/pytorch/vision/tree/main/references/classification',
  tv2: 'https://github.com/pytorch/vision/issues/3995',
  fb_wsl: 'pre-trained on a billion hashtagged images, arXiv 1805.00932',
  fb_ssl: 'semi-supervised on YFCC100M, arXiv 1905.00546',
  fb_swsl: 'semi-weakly supervised on a billion hashtagged images, arXiv 1905.00546',
  in1k: 'https://github.com/Cadene/pretrained-models.pytorch',
};

/** The recipe for the first part of a name's tag. */
const recipeOf = (name: string): string => recipes[/\.((?:fb_)?[a-z0-9]+)/.exec(name)![1]!]!;

const onHub = (name: string) => ({ repository: `timm/${name}`, file: 'model.safetensors' });

/** The hash at the end of a file name. */
export const hashInName = (file: string): string => /-([0-9a-f]{8})\./.exec(file)![1]!;

const fromUrl = (prefix: string, file: string) => ({ url: `${prefix}${file}`, file, sha256: hashInName(file) });

const variantOf = (name: string): string => name.split('.')[0]!;

const ownEntries = own.map(([name, file, view, larger, ...metrics]): PublishedWeights => {
  return entry({
    name,
    aliases: name.includes('.gluon') ? [`gluon_${variantOf(name)}`] : [],
    sources: [onHub(name)],
    files: file ? [file] : [],
    license: 'Apache-2.0',
    metrics: metrics.map(([size, top1, top5]): Metric => ({ size, top1, top5 })),
    preprocessing: imagenetView(view, 'bicubic'),
    ...(larger && { larger: imagenetView(larger, 'bicubic') }),
    labels: name.endsWith('in12k') ? 'imagenet-12k' : 'imagenet-1k',
    recipe: recipeOf(name),
  });
});

const torchvisionEntries = torchvision.map(([name, alias, file, megabytes, crop, top1, top5]): PublishedWeights => {
  const isDefault = torchvisionDefaults.includes(name);
  return entry({
    name,
    aliases: [alias, ...(isDefault ? [alias.replace(/[^.]+$/, 'DEFAULT')] : [])],
    sources: [onHub(name), fromUrl('https://download.pytorch.org/models/', file)],
    files: [file],
    megabytes,
    license: 'BSD-3-Clause',
    metrics: [{ size: 224, top1, top5 }],
    preprocessing: imagenetView([224, crop], 'bilinear'),
    labels: 'imagenet-1k',
    recipe: recipeOf(name),
  });
});

const facebookEntries = facebook.map(([name, file, top1, top5]): PublishedWeights => {
  const kind = /fb_([a-z]+)/.exec(name)![1]!;
  const prefix =
    kind === 'wsl'
      ? 'https://download.pytorch.org/models/'
      : 'https://dl.fbaipublicfiles.com/semiweaksupervision/model_files/';
  return entry({
    name,
    aliases: [`${kind === 'wsl' ? 'ig' : kind}_${variantOf(name)}`],
    sources: [onHub(name), fromUrl(prefix, file)],
    files: [file],
    license: 'CC-BY-NC-4.0',
    metrics: [{ size: 224, top1, top5 }],
    preprocessing: imagenetView([224, 0.875], 'bilinear'),
    labels: 'imagenet-1k',
    recipe: recipeOf(name),
  });
});

const legacyEntries = legacy.map(([name, file, interpolation, top1, top5]): PublishedWeights => {
  const row = {
    name,
    aliases: [],
    sources: [onHub(name)],
    files: [file],
    license: 'Apache-2.0',
    metrics: top1 && top5 ? [{ size: 224, top1, top5 }] : [],
    preprocessing: imagenetView([224, 0.875], interpolation),
    labels: 'imagenet-1k',
    recipe: recipeOf(name),
  } as const;
  return name.includes('senet154') ? entry(row, 'senet154') : entry(row);
});

/** All weights that timm has a name and a file for. */
export const timmWeights: readonly PublishedWeights[] = [
  ...torchvisionEntries,
  ...ownEntries,
  ...facebookEntries,
  ...legacyEntries,
];
