/**
 * The layers before the first stage: one convolution, or three small ones in its place (the "deep" stem of ResNet-C and
 * -D, He et al., Bag of Tricks, 2019; "tiered" if the first has fewer features), and a pool. The layers of a deep stem
 * have timm's indices in `conv1`; the last normalization is always `bn1`.
 */
import type { Value } from '../graph/graph.ts';
import type { ResNeXtConfig, StemPool } from './config.ts';
import type { Layers } from './layers.ts';
import { type Stem, stems } from './stems.ts';

/** An image [N, C, H, W] → the first stage's input: [N, n, H, W] with a cifar stem, else [N, n or 2w, H/4, W/4]. */
export function stem(layers: Layers, input: Value, config: ResNeXtConfig): Value {
  const x = layers.relu('relu', layers.normalization('bn1', convolutions[config.stem](layers, input, config)));
  return stems[config.stem].hasPool ? pool(layers, x, config.stemPool) : x;
}

const convolutions: { readonly [S in Stem]: (layers: Layers, input: Value, config: ResNeXtConfig) => Value } = {
  imagenet: (layers, input, { width: filters }) =>
    layers.convolution('conv1', input, { filters, kernel: 7, stride: 2 }), // [N, n, H/2, W/2]
  deep: threeConvolutions,
  tiered: threeConvolutions,
  cifar: (layers, input, { width: filters }) => layers.convolution('conv1', input, { filters, kernel: 3 }), // [N, n, H, W]
};

function threeConvolutions(layers: Layers, input: Value, config: ResNeXtConfig): Value {
  const [first, second, third] = deepStemFeatures(config);
  let x = layers.convolution('conv1.0', input, { filters: first, kernel: 3, stride: 2 }); // [N, w or 3w/4, H/2, W/2]
  x = layers.relu('conv1.2', layers.normalization('conv1.1', x));
  x = layers.convolution('conv1.3', x, { filters: second, kernel: 3 }); // [N, w, H/2, W/2]
  x = layers.relu('conv1.5', layers.normalization('conv1.4', x));
  return layers.convolution('conv1.6', x, { filters: third, kernel: 3 }); // [N, 2w, H/2, W/2]
}

/** Features of the three convolutions of a deep or tiered stem. */
export const deepStemFeatures = ({
  stem,
  stemWidth,
}: ResNeXtConfig): [first: number, second: number, third: number] => [
  stem === 'tiered' ? 3 * Math.floor(stemWidth / 4) : stemWidth,
  stemWidth,
  2 * stemWidth,
];

function pool({ builder }: Layers, x: Value, kind: StemPool): Value {
  const strides = [2, 2];
  if (kind === 'average') return builder.op('AveragePool', [x], { kernel_shape: strides, strides }, 'averagepool');
  const edge = kind === 'max' ? { pads: [1, 1, 1, 1] } : { ceil_mode: 1 };
  return builder.op('MaxPool', [x], { kernel_shape: [3, 3], strides, ...edge }, 'maxpool');
}
