/**
 * Builds a ResNeXt as a graph: stem, stages of blocks, pooling, classifier (paper, Table 1). The three forms of a block
 * are in `forms.ts`. Parameters have torchvision's names, so its weights can be used unchanged.
 */
import { hasAll, kind } from '../arguments.ts';
import { Builder } from '../graph/builder.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { attend } from './attention.ts';
import { branchWidth, type ResNeXtConfig, type ResNeXtOptions, resolveConfig } from './config.ts';
import { type BlockShape, residual } from './forms.ts';
import { Layers, type Parameter } from './layers.ts';
import { stem } from './stem.ts';
import { stems } from './stems.ts';

/** A block, including its shortcut. */
interface Block extends BlockShape {
  readonly shortcutKernel: 1 | 3;
}

/** A graph, the config it was built from, and the tensors it needs. */
export interface Model {
  readonly config: ResNeXtConfig;
  /** `input` [N, C, H, W] → `logits` [N, K], or `features` [N, 4n] without classes. */
  readonly graph: Graph;
  readonly parameters: readonly Parameter[];
}

/** A network, as an argument. */
export const modelKind = kind('a network, as resnext() returns', (value) =>
  hasAll(value, 'config', 'graph', 'parameters'),
);

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

/**
 * The stride and dilation of each stage. A stage that would exceed the output stride keeps its map's size and dilates
 * instead; its first block has the dilation of the previous stage, whose map it reads.
 */
function stages({ depths, stem, outputStride }: ResNeXtConfig): Stage[] {
  let reached: number = stems[stem].stride;
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

function blockShape(config: ResNeXtConfig, stage: Stage, s: number, i: number): Block {
  const n = config.width * 2 ** s;
  const d = branchWidth(n, config.baseWidth);
  return {
    name: `layer${s + 1}.${i}`,
    cardinality: config.cardinality,
    branchWidth: d,
    splitWidth: config.halvedSplit ? d / 2 : d,
    output: 4 * n,
    stride: i === 0 ? stage.stride : 1,
    dilation: stage.dilations[i === 0 ? 0 : 1],
    antialias: config.antialias,
    shortcutKernel: s === 0 ? 1 : config.shortcutKernel,
  };
}

function block(layers: Layers, x: Value, config: ResNeXtConfig, shape: Block): Value {
  const y = layers.normalization(`${shape.name}.bn3`, residual[config.form](layers, x, shape));
  const weighted = attend(layers, y, config.attention, `${shape.name}.se`);
  const sum = layers.builder.op('Add', [weighted, shortcut(layers, x, config, shape)], {}, `${shape.name}.add`);
  return layers.relu(`${shape.name}.relu3`, sum); // [N, 4n, H/s, W/s]
}

function shortcut(layers: Layers, x: Value, config: ResNeXtConfig, shape: Block): Value {
  const { name, output, stride, dilation, shortcutKernel: kernel } = shape;
  const changes = stride !== 1 || x.dims![1] !== output;
  if (!changes && config.shortcut !== 'C') return x;
  const path = `${name}.downsample`;
  if (config.shortcut === 'A') return padded(layers, subsampled(layers, x, stride, path), output, path);
  if (config.shortcut !== 'D') {
    const y = layers.convolution(`${path}.0`, x, { filters: output, kernel, stride, dilation }); // [N, 4n, H/s, W/s]
    return layers.normalization(`${path}.1`, y);
  }
  const y = layers.convolution(`${path}.1`, layers.average(`${path}.0`, x, stride), { filters: output });
  return layers.normalization(`${path}.2`, y);
}

/** Subsampling as average pooling with 1x1 windows. */
function subsampled({ builder }: Layers, x: Value, stride: number, path: string): Value {
  if (stride === 1) return x;
  return builder.op('AveragePool', [x], { kernel_shape: [1, 1], strides: [stride, stride] }, `${path}.pool`);
}

/** Appends zero channels, up to `output`. */
function padded({ builder }: Layers, x: Value, output: number, path: string): Value {
  const missing = output - (x.dims![1] as number);
  if (missing === 0) return x;
  return builder.op('Pad', [x, builder.ints([0, 0, 0, 0, 0, missing, 0, 0])], {}, `${path}.pad`); // [N, 4n, H, W]
}
