/**
 * The layers of a ResNeXt. Adding a layer declares its parameters. Each parameter records its position in form C, the
 * form in which files store weights: in forms A and B, each branch has a slice of a form C tensor.
 */
import type { Builder } from '../graph/builder.ts';
import type { Value } from '../graph/graph.ts';

/** The slice of a form C tensor that a parameter is: `dims[axis]` entries from `start` on. */
export interface Slice {
  /** The tensor's name in torchvision's state_dict. */
  readonly name: string;
  readonly axis: number;
  readonly start: number;
}

/** A tensor of a model: trainable, or a running statistic. */
export interface Parameter {
  readonly value: Value;
  readonly source: Slice;
  readonly trainable: boolean;
}

export interface ConvolutionShape {
  readonly filters: number;
  readonly kernel?: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly groups?: number;
  /** Default: false. */
  readonly bias?: boolean;
}

/** The slice of a form C layer that a branch's layer is. */
export interface LayerSlice {
  readonly layer: string;
  readonly axis?: number;
  readonly start: number;
}

export class Layers {
  readonly builder: Builder;
  readonly parameters: Parameter[] = [];

  constructor(builder: Builder) {
    this.builder = builder;
  }

  /** A convolution with padding such that stride 1 preserves the map's size. */
  convolution(name: string, x: Value, shape: ConvolutionShape, slice?: LayerSlice): Value {
    const { filters, kernel = 1, stride = 1, dilation = 1, groups = 1, bias = false } = shape;
    const perGroup = (x.dims![1] as number) / groups;
    const constants = [this.#parameter(name, 'weight', [filters, perGroup, kernel, kernel], true, slice)];
    if (bias) constants.push(this.#parameter(name, 'bias', [filters], true, slice));
    const pad = (dilation * (kernel - 1)) / 2;
    const attributes = {
      group: groups,
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      dilations: [dilation, dilation],
      pads: [pad, pad, pad, pad],
    };
    return this.builder.op('Conv', [x, ...constants], attributes, name);
  }

  /**
   * A one-dimensional convolution with `kernel` taps across the channels of 1x1 maps. Its weight is [1, 1, k]; the
   * channels are reshaped to a row, so that it becomes a two-dimensional convolution.
   */
  alongChannels(name: string, x: Value, kernel: number): Value {
    const { builder } = this;
    const weight = this.#parameter(name, 'weight', [1, 1, kernel], true);
    const filter = builder.op('Reshape', [weight, builder.ints([1, 1, 1, kernel])], {}, `${name}.filter`);
    const row = builder.op('Reshape', [x, builder.ints([0, 1, 1, -1])], {}, `${name}.row`); // [N, 1, 1, C]
    const pad = (kernel - 1) / 2;
    const attributes = { kernel_shape: [1, kernel], pads: [0, pad, 0, pad] };
    const y = builder.op('Conv', [row, filter], attributes, name); // [N, 1, 1, C]
    return builder.op('Reshape', [y, builder.ints([0, -1, 1, 1])], {}, `${name}.column`); // [N, C, 1, 1]
  }

  /** 2x2 average pooling, with partial windows at the edge of odd sizes; with stride 1, returns the map itself. */
  average(name: string, x: Value, stride: number): Value {
    if (stride === 1) return x;
    const window = { kernel_shape: [2, 2], strides: [stride, stride], ceil_mode: 1 };
    return this.builder.op('AveragePool', [x], window, name); // [N, C, ⌈H/2⌉, ⌈W/2⌉]
  }

  normalization(name: string, x: Value, slice?: LayerSlice): Value {
    const dims = [x.dims![1] as number];
    const vectors = (['weight', 'bias', 'running_mean', 'running_var'] as const).map((part) => {
      return this.#parameter(name, part, dims, !part.startsWith('running'), slice);
    });
    return this.builder.op('BatchNormalization', [x, ...vectors], { epsilon: 1e-5 }, name);
  }

  relu(name: string, x: Value): Value {
    return this.builder.op('Relu', [x], {}, name);
  }

  linear(name: string, x: Value, outputs: number): Value {
    const weight = this.#parameter(name, 'weight', [outputs, x.dims![1] as number], true); // [K, features]
    const bias = this.#parameter(name, 'bias', [outputs], true);
    return this.builder.op('Gemm', [x, weight, bias], { transB: 1 }, name); // [N, K]
  }

  #parameter(layer: string, part: string, dims: readonly number[], trainable: boolean, slice?: LayerSlice): Value {
    const value = this.builder.parameter(`${layer}.${part}`, dims);
    const source = { name: `${slice?.layer ?? layer}.${part}`, axis: slice?.axis ?? 0, start: slice?.start ?? 0 };
    this.parameters.push({ value, source, trainable });
    return value;
  }
}
