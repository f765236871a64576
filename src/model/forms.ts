/**
 * The residual branch of a ResNeXt block in the three forms of the paper's Figure 3, side by side. G is the
 * cardinality, d the channels of one branch, 4n the output channels, s the stride.
 *
 *   A  G branches of 1x1 → 3x3 → 1x1, added
 *   B  G branches of 1x1 → 3x3, concatenated, then one 1x1
 *   C  one 1x1, one 3x3 in G groups, one 1x1
 *
 * A = B, since a sum of 1x1 convolutions of separate maps is one 1x1 convolution of their concatenation. B = C, since
 * a grouped convolution is separate convolutions of separate slices, and several 1x1 of one map are one wider 1x1.
 * Batch normalisation and ReLU act per channel, so they may stand in the branches (A, B) or over them all (C). The last
 * normalisation stands after the sum, before the shortcut is added, in every form; a branch of form A ends without one.
 */
import type { Value } from '../graph/graph.ts';
import type { Form } from './config.ts';
import type { Layers } from './layers.ts';

export interface BlockShape {
  /** Path of the block, such as `layer2.1`. */
  readonly name: string;
  /** G */
  readonly cardinality: number;
  /** d */
  readonly branchWidth: number;
  /** 4n */
  readonly output: number;
  /** s */
  readonly stride: number;
  readonly dilation: number;
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
  const { name, cardinality, branchWidth: d, output, stride, dilation } = shape;
  const filters = cardinality * d;
  const spatial = { filters, kernel: 3, stride, dilation, groups: cardinality };
  let y = layers.convolution(`${name}.conv1`, x, { filters }); // [N, G·d, H, W]
  y = layers.relu(`${name}.relu1`, layers.normalisation(`${name}.bn1`, y));
  y = layers.convolution(`${name}.conv2`, y, spatial); // [N, G·d, H/s, W/s]
  y = layers.relu(`${name}.relu2`, layers.normalisation(`${name}.bn2`, y));
  return layers.convolution(`${name}.conv3`, y, { filters: output }); // [N, 4n, H/s, W/s]
}

/** Split and transform of branch i, which forms A and B share: channels i·d … (i + 1)·d of form C. */
function branch(layers: Layers, x: Value, { name, branchWidth: d, stride, dilation }: BlockShape, i: number): Value {
  const path = `${name}.branches.${i}`;
  const from = (layer: string) => ({ layer: `${name}.${layer}`, start: i * d });
  let y = layers.convolution(`${path}.conv1`, x, { filters: d }, from('conv1')); // [N, d, H, W]
  y = layers.relu(`${path}.relu1`, layers.normalisation(`${path}.bn1`, y, from('bn1')));
  y = layers.convolution(`${path}.conv2`, y, { filters: d, kernel: 3, stride, dilation }, from('conv2')); // [N, d, H/s, W/s]
  return layers.relu(`${path}.relu2`, layers.normalisation(`${path}.bn2`, y, from('bn2')));
}
