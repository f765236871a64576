/**
 * A ResNeXt as a graph: stem, stages of blocks, pooling, classifier (paper, Table 1). The three ways to write a block
 * stand in `forms.ts`. Parameters carry torchvision's names, so its weights fit as they are.
 */
import { Builder } from '../graph/builder.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { branchWidth, type ResNeXtConfig, type ResNeXtOptions, resolveConfig, stemStride } from './config.ts';
import { type BlockShape, residual } from './forms.ts';
import { Layers, type Parameter } from './layers.ts';

/** A graph, the config it was built from, and the tensors it needs. */
export interface Model {
  readonly config: ResNeXtConfig;
  /** `input` [N, C, H, W] → `logits` [N, K], or `features` [N, 4n] where there are no classes. */
  readonly graph: Graph;
  readonly parameters: readonly Parameter[];
}

interface Stage {
  readonly stride: number;
  /** Dilation of the stage's first block, and of the others. */
  readonly dilations: readonly [number, number];
}

/**
 * Builds a ResNeXt without weights; `setWeights` fills them in.
 *
 * @throws UsageError for an option out of range.
 * @example const { graph } = resnext({ ...variant('resnext50_32x4d'), form: 'A', classes: 10 });
 */
export function resnext(options: ResNeXtOptions = {}): Model {
  const config = resolveConfig(options);
  const layers = new Layers(new Builder('resnext'));
  const { builder } = layers;
  const input = builder.input('input', ['N', config.inputChannels, ...config.inputSize]);
  let x = stem(layers, input, config);
  stages(config).forEach((stage, s) => {
    for (let i = 0; i < config.depths[s]!; i++) {
      x = block(layers, x, config, blockShape(config, stage, s, i));
    }
  });
  x = builder.op('GlobalAveragePool', [x], {}, 'avgpool'); // [N, 4n, 1, 1]
  x = builder.op('Flatten', [x], { axis: 1 }, 'flatten'); // [N, 4n]
  if (config.classes === 0) builder.output(x, 'features');
  else builder.output(layers.linear('fc', x, config.classes), 'logits');
  return { config, graph: builder.graph, parameters: layers.parameters };
}

function stem(layers: Layers, input: Value, { stem, width }: ResNeXtConfig): Value {
  const shape = stem === 'imagenet' ? { kernel: 7, stride: 2 } : { kernel: 3, stride: 1 };
  let x = layers.convolution('conv1', input, { filters: width, ...shape }); // [N, n, H/2, W/2] or [N, n, H, W]
  x = layers.relu('relu', layers.normalisation('bn1', x));
  if (stem === 'cifar') return x;
  const window = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] };
  return layers.builder.op('MaxPool', [x], window, 'maxpool'); // [N, n, H/4, W/4]
}

/**
 * Stride and dilation of each stage. A stage that would go below the output stride keeps its map's size and dilates
 * instead; its first block still has the dilation of the stage before, as its input has not been thinned out yet.
 */
function stages({ depths, stem, outputStride }: ResNeXtConfig): Stage[] {
  let reached = stemStride(stem);
  let dilation = 1;
  return depths.map((_, s) => {
    const stride = s === 0 ? 1 : 2;
    const before = dilation;
    if (outputStride !== 0 && reached * stride > outputStride) {
      dilation *= stride;
      return { stride: 1, dilations: [before, dilation] };
    }
    reached *= stride;
    return { stride, dilations: [before, dilation] };
  });
}

function blockShape(config: ResNeXtConfig, stage: Stage, s: number, i: number): BlockShape {
  const n = config.width * 2 ** s;
  return {
    name: `layer${s + 1}.${i}`,
    cardinality: config.cardinality,
    branchWidth: branchWidth(n, config.baseWidth),
    output: 4 * n,
    stride: i === 0 ? stage.stride : 1,
    dilation: stage.dilations[i === 0 ? 0 : 1],
  };
}

function block(layers: Layers, x: Value, config: ResNeXtConfig, shape: BlockShape): Value {
  const y = layers.normalisation(`${shape.name}.bn3`, residual[config.form](layers, x, shape));
  const sum = layers.builder.op('Add', [y, shortcut(layers, x, config, shape)], {}, `${shape.name}.add`);
  return layers.relu(`${shape.name}.relu3`, sum); // [N, 4n, H/s, W/s]
}

function shortcut(layers: Layers, x: Value, config: ResNeXtConfig, { name, output, stride }: BlockShape): Value {
  const changes = stride !== 1 || x.dims![1] !== output;
  if (!changes && config.shortcut !== 'C') return x;
  const path = `${name}.downsample`;
  if (config.shortcut === 'A') return padded(layers, subsampled(layers, x, stride, path), output, path);
  if (config.shortcut !== 'D') {
    const y = layers.convolution(`${path}.0`, x, { filters: output, stride }); // [N, 4n, H/s, W/s]
    return layers.normalisation(`${path}.1`, y);
  }
  const y = layers.convolution(`${path}.1`, averaged(layers, x, stride, path), { filters: output });
  return layers.normalisation(`${path}.2`, y);
}

/** Every stride-th pixel: an average over windows of one. */
function subsampled({ builder }: Layers, x: Value, stride: number, path: string): Value {
  if (stride === 1) return x;
  return builder.op('AveragePool', [x], { kernel_shape: [1, 1], strides: [stride, stride] }, `${path}.pool`);
}

/** Zero channels added at the end, up to `output`. */
function padded({ builder }: Layers, x: Value, output: number, path: string): Value {
  const missing = output - (x.dims![1] as number);
  if (missing === 0) return x;
  return builder.op('Pad', [x, builder.ints([0, 0, 0, 0, 0, missing, 0, 0])], {}, `${path}.pad`); // [N, 4n, H, W]
}

/** Averages of 2x2 windows that hang over the edge where the size is odd. */
function averaged({ builder }: Layers, x: Value, stride: number, path: string): Value {
  if (stride === 1) return x;
  const window = { kernel_shape: [2, 2], strides: [stride, stride], ceil_mode: 1 };
  return builder.op('AveragePool', [x], window, `${path}.0`); // [N, C, ⌈H/2⌉, ⌈W/2⌉]
}
