/**
 * The residual branch of a ResNeXt block in the three forms of the paper's Figure 3. G is the
 * cardinality, d the channels of one branch, 4n the output channels, s the stride.
 *
 *   A  G branches of 1x1 → 3x3 → 1x1, added
 *   B  G branches of 1x1 → 3x3, concatenated, then one 1x1
 *   C  one 1x1, one 3x3 in G groups, one 1x1
 *
 * A = B, because a sum of 1x1 convolutions of separate maps is one 1x1 convolution of their concatenation. B = C,
 * because a grouped convolution is separate convolutions of separate slices, and several 1x1 convolutions of one map
 * are a wider one. Batch normalization and ReLU act per channel, so they can be in the branches (A, B) or across all of
 * them (C). In every form, the last normalization comes after the sum and before the shortcut is added; a branch of
 * form A ends without one. The average pooling after the 3x3 in anti-aliased networks also acts per channel.
 */
import type { Value } from '../graph/graph.ts';
import type { Form } from './config.ts';
import type { LayerSlice, Layers } from './layers.ts';

export interface BlockShape {
  /** The block's path, such as `layer2.1`. */
  readonly name: string;
  /** G */
  readonly cardinality: number;
  /** d */
  readonly branchWidth: number;
  /** Channels of a branch's first 1x1: d, or d/2 with `halvedSplit`. */
  readonly splitWidth: number;
  /** 4n */
  readonly output: number;
  /** s */
  readonly stride: number;
  readonly dilation: number;
  /** Whether the stride is in an average pooling after the 3x3 instead of in the 3x3. */
  readonly antialias: boolean;
}

type Transform = (layers: Layers, x: Value, shape: BlockShape) => Value;

export const residual: { readonly [F in Form]: Transform } = { A: formA, B: formB, C: formC };

function formA(layers: Layers, x: Value, shape: BlockShape): Value {
  const { name, cardinality, branchWidth: d, output } = shape;
  const merged = Array.from({ length: cardinality }, (_, i) => {
    const slice = { layer: `${name}.conv3`, axis: 1, start: i * d };
    return layers.convolution(`${name}.branches.${i}.conv3`, branch(layers, x, shape, i), { filters: output }, slice);
  });
  return layers.builder.op('Sum', merged, {}, `${name}.sum`); // [N, 4n, H/s, W/s]
}

function formB(layers: Layers, x: Value, shape: BlockShape): Value {
  const { name, cardinality, output } = shape;
  const branches = Array.from({ length: cardinality }, (_, i) => branch(layers, x, shape, i));
  const joined = layers.builder.op('Concat', branches, { axis: 1 }, `${name}.concat`); // [N, G·d, H/s, W/s]
  return layers.convolution(`${name}.conv3`, joined, { filters: output }); // [N, 4n, H/s, W/s]
}

function formC(layers: Layers, x: Value, shape: BlockShape): Value {
  const { name, cardinality, branchWidth: d, splitWidth, output } = shape;
  const widths = { split: cardinality * splitWidth, filters: cardinality * d, groups: cardinality };
  const y = transformed(layers, x, shape, { path: name, ...widths }); // [N, G·d, H/s, W/s]
  return layers.convolution(`${name}.conv3`, y, { filters: output }); // [N, 4n, H/s, W/s]
}

/** The split and transform of branch i, the same in forms A and B: channels i·d … (i + 1)·d of form C. */
function branch(layers: Layers, x: Value, shape: BlockShape, i: number): Value {
  const { name, branchWidth: filters, splitWidth: split } = shape;
  const slices = {
    split: (layer: string) => ({ layer: `${name}.${layer}`, start: i * split }),
    filters: (layer: string) => ({ layer: `${name}.${layer}`, start: i * filters }),
  };
  return transformed(layers, x, shape, { path: `${name}.branches.${i}`, split, filters, groups: 1, slices }); // [N, d, H/s, W/s]
}

interface Transformation {
  /** The path of its layers. */
  readonly path: string;
  /** Channels of the 1x1 and of the 3x3. */
  readonly split: number;
  readonly filters: number;
  readonly groups: number;
  /** The corresponding slices of form C's layers; undefined in form C. */
  readonly slices?: Readonly<Record<'split' | 'filters', (layer: string) => LayerSlice>>;
}

/** 1x1 and 3x3, each with normalization and ReLU, of one branch or of all of them together. */
function transformed(
  layers: Layers,
  x: Value,
  { stride, dilation, antialias }: BlockShape,
  { path, split, filters, groups, slices }: Transformation,
): Value {
  const spatial = { filters, kernel: 3, stride: antialias ? 1 : stride, dilation, groups };
  let y = layers.convolution(`${path}.conv1`, x, { filters: split }, slices?.split('conv1')); // [N, split, H, W]
  y = layers.relu(`${path}.relu1`, layers.normalization(`${path}.bn1`, y, slices?.split('bn1')));
  y = layers.convolution(`${path}.conv2`, y, spatial, slices?.filters('conv2')); // [N, filters, H/s, W/s]
  y = layers.relu(`${path}.relu2`, layers.normalization(`${path}.bn2`, y, slices?.filters('bn2')));
  return antialias ? layers.average(`${path}.aa`, y, stride) : y;
}
