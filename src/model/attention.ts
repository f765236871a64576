/**
 * Channel attention: weights between 0 and 1 for the channels of a block's output, computed from each channel's mean.
 *
 *   SE    sigmoid(W₂ · relu(W₁ · mean + b₁) + b₂), W₁ with r rows    (Hu et al., Squeeze-and-Excitation Networks, 2018)
 *   ECA   sigmoid(convolution of the means with k taps)               (Wang et al., ECA-Net, 2020)
 *
 * r is a 16th of the channels, rounded to a multiple of 8; k is the odd number next to |log₂ C + 1| / 2. Names and
 * shapes are timm's.
 */
import type { Value } from '../graph/graph.ts';
import type { Attention } from './config.ts';
import type { Layers } from './layers.ts';

/** Multiplies each channel of x [N, C, H, W] by its weight; returns x without attention. */
export function attend(layers: Layers, x: Value, kind: Attention, name: string): Value {
  if (kind === 'none') return x;
  const { builder } = layers;
  const means = builder.op('GlobalAveragePool', [x], {}, `${name}.pool`); // [N, C, 1, 1]
  const excited = kind === 'se' ? squeezed(layers, means, name) : slid(layers, means, name);
  const weights = builder.op('Sigmoid', [excited], {}, `${name}.gate`); // [N, C, 1, 1]
  return builder.op('Mul', [x, weights], {}, `${name}.scale`); // [N, C, H, W]
}

function squeezed(layers: Layers, means: Value, name: string): Value {
  const channels = means.dims![1] as number;
  const shape = { filters: squeezedWidth(channels), bias: true };
  const y = layers.relu(`${name}.relu`, layers.convolution(`${name}.fc1`, means, shape)); // [N, r, 1, 1]
  return layers.convolution(`${name}.fc2`, y, { filters: channels, bias: true }); // [N, C, 1, 1]
}

const slid = (layers: Layers, means: Value, name: string): Value =>
  layers.alongChannels(`${name}.conv`, means, slidingKernel(means.dims![1] as number));

/** r: a 16th of the channels, rounded to a multiple of 8, and at least 8. */
export const squeezedWidth = (channels: number): number => Math.max(8, 8 * Math.floor((channels / 16 + 4) / 8));

/** k, which grows with the logarithm of the channels: 5 for 256, 7 for 2048. */
export function slidingKernel(channels: number): number {
  const whole = Math.floor(Math.abs(Math.log2(channels) + 1) / 2);
  return Math.max(3, whole % 2 === 1 ? whole : whole + 1);
}
