/**
 * The nodes of ONNX Runtime's blocked layout, domain `com.microsoft.nchwc`. The CPU provider uses them internally and
 * also accepts them in our graphs. A blocked map is declared as [N, C, H, W] but stored as [N, C/B, H, W, B], where B
 * is the number of values that this CPU processes at a time; C is a multiple of B. A blocked filter with M output
 * channels and K input channels per group is stored as [M/B, K/B, kh, kw, B in, B out].
 *
 * These operators are not part of ONNX. `step/lowering.ts` tests whether a runtime has them and computes as described
 * here.
 */
import type { Builder } from '../../graph/builder.ts';
import { type Attribute, Value } from '../../graph/graph.ts';
import { sizes } from '../../graph/shapes.ts';
import { elements } from '../../tensor.ts';

const blockedDomain = 'com.microsoft.nchwc';
const runtimeDomain = 'com.microsoft';

/** Longer sums are split into sums of sums: sums of products into whole rows, and sums of pixels likewise. */
const maxProducts = 64;
const maxPixels = 16;

export interface BlockedConv {
  /** [M] */
  readonly bias?: Value | undefined;
  /** A blocked map to add to the result, in place if nothing else reads it. */
  readonly plus?: Value | undefined;
  readonly group?: number;
  readonly strides?: readonly number[];
  readonly dilations?: readonly number[];
  /** [top, left, bottom, right] */
  readonly pads?: readonly number[];
  readonly relu?: boolean;
}

export class BlockedNodes {
  readonly b: Builder;
  readonly block: number;
  readonly #lists = new Map<string, Value>();

  constructor(b: Builder, block: number) {
    this.b = b;
    this.block = block;
    b.graph.opsets.set(blockedDomain, 1).set(runtimeDomain, 1);
  }

  /** The same numbers in the same order with other dimensions. */
  reshape(x: Value, dims: readonly number[]): Value {
    return sizes(x).join() === dims.join() ? x : this.b.op('Reshape', [x, this.ints(dims)]);
  }

  /** An int64 vector; equal vectors share one constant. */
  ints(values: readonly number[]): Value {
    const key = values.join();
    const known = this.#lists.get(key) ?? this.b.ints(values);
    this.#lists.set(key, known);
    return known;
  }

  /** x [N, C, H, W] → blocked. */
  toBlocked(x: Value): Value {
    return this.#add(blockedDomain, 'ReorderInput', [x], {}, sizes(x));
  }

  /** x [N, H, W, C] → blocked [N, C, H, W]. */
  toBlockedFromChannelsLast(x: Value): Value {
    const [n, h, w, c] = sizes(x) as [number, number, number, number];
    return this.#add(blockedDomain, 'ReorderInput', [x], { channels_last: int(1) }, [n, c, h, w]);
  }

  /** Blocked [N, C, H, W] → plain. */
  toPlain(x: Value): Value {
    const channels = sizes(x)[1]!;
    return this.#add(blockedDomain, 'ReorderOutput', [x], { channels: int(channels) }, sizes(x));
  }

  /** A blocked map and a blocked filter [M, C/group, kh, kw] → a blocked map. */
  conv(x: Value, filter: Value, options: BlockedConv = {}): Value {
    const { bias, plus, group = 1, strides = [1, 1], dilations = [1, 1], pads = [0, 0, 0, 0], relu = false } = options;
    const [n, , ...map] = sizes(x) as [number, number, number, number];
    const [filters, , ...kernel] = sizes(filter) as [number, number, number, number];
    const output = map.map((size, axis) => {
      const room = size + pads[axis]! + pads[axis + 2]! - dilations[axis]! * (kernel[axis]! - 1) - 1;
      return Math.floor(room / strides[axis]!) + 1;
    });
    const attributes = {
      group: int(group),
      kernel_shape: ints(kernel),
      strides: ints(strides),
      dilations: ints(dilations),
      pads: ints(pads),
      ...(relu && { activation: { kind: 'string', value: 'Relu' } as const }),
    };
    const inputs = plus ? [x, filter, bias, plus] : bias ? [x, filter, bias] : [x, filter];
    return this.#add(blockedDomain, 'Conv', inputs, attributes, [n, filters, ...output]);
  }

  /**
   * relu?(scale · x + bias + plus) with a scale and a bias per channel, [C] each, or per image and channel, [N·C] each: a
   * depthwise 1x1 convolution, of one image with N·C channels in the second case, which is stored the same way.
   */
  affine(x: Value, scale: Value | undefined, options: Pick<BlockedConv, 'bias' | 'plus' | 'relu'> = {}): Value {
    const [, , ...map] = sizes(x);
    const vector = scale ?? options.bias;
    const channels = vector ? sizes(vector)[0]! : sizes(x)[1]!;
    const isPerImage = channels !== sizes(x)[1];
    const joined = (value: Value): Value => (isPerImage ? this.reshape(value, [1, channels, ...map]) : value);
    const { plus, ...rest } = options;
    const filter = scale ? this.reshape(scale, [channels, 1, 1, 1]) : this.b.number(1, [channels, 1, 1, 1]);
    const y = this.conv(joined(x), filter, { ...rest, plus: plus && joined(plus), group: channels });
    return isPerImage ? this.reshape(y, sizes(x)) : y;
  }

  /** Blocked [N, C, H, W] → [N, C, 1, 1], which is stored the same way in both layouts. */
  globalAveragePool(x: Value): Value {
    const [n, c] = sizes(x) as [number, number];
    return this.#add(blockedDomain, 'GlobalAveragePool', [x], {}, [n, c, 1, 1]);
  }

  maxPool(
    x: Value,
    window: { kernel: readonly number[]; strides: readonly number[]; pads: readonly number[] },
    map: readonly number[],
  ): Value {
    const { kernel, strides, pads } = window;
    const attributes = { kernel_shape: ints(kernel), strides: ints(strides), pads: ints(pads) };
    return this.#add(blockedDomain, 'MaxPool', [x], attributes, [...sizes(x).slice(0, 2), ...map]);
  }

  /** [… , m, k] · [… , n, k]ᵀ → [… , m, n] */
  matMulTransposed(left: Value, right: Value): Value {
    const dims = [...sizes(left).slice(0, -1), sizes(right).at(-2)!];
    const attributes = { transA: int(0), transB: int(1), alpha: { kind: 'float', value: 1 } as const };
    return this.#add(runtimeDomain, 'FusedMatMul', [left, right], attributes, dims);
  }

  /** The entries of x at `indices`, a vector, along an axis. */
  gather(x: Value, indices: Value, axis = 0): Value {
    return this.#add('', 'Gather', [x, indices], { axis: int(axis) }, sizes(x).with(axis, sizes(indices)[0]!));
  }

  /** The mean of a blocked map per image, [N, C]. */
  means(x: Value): Value {
    const [n, c, h, w] = sizes(x) as [number, number, number, number];
    return this.reshape(this.#meanOfPixels(x, n * c, h * w), [n, c]);
  }

  /** [N, C] → [C] */
  meanOfImages(x: Value): Value {
    const [n, c] = sizes(x) as [number, number];
    return n === 1 ? this.reshape(x, [c]) : this.b.op('ReduceMean', [x], { axes: [0], keepdims: 0 });
  }

  /** The mean of x · y per channel, over everything else: [C]. */
  meanProduct(x: Value, y: Value): Value {
    const [n, c, h, w] = sizes(x) as [number, number, number, number];
    const strips =
      Array.from({ length: h }, (_, i) => i + 1).find((count) => h % count === 0 && (h / count) * w <= maxProducts) ??
      h;
    const [all, length] = [n * c * strips, (h / strips) * w];
    const products = this.conv(this.reshape(x, [1, all, 1, length]), this.reshape(y, [all, 1, 1, length]), {
      group: all,
    }); // [1, all, 1, 1]
    const maps = strips === 1 ? products : this.#meanOfPixels(products, n * c, strips);
    return this.b.op('Mul', [this.meanOfImages(this.reshape(maps, [n, c])), this.b.number(1 / length)]);
  }

  /**
   * The means of `maps` maps of `pixels` pixels each, [1, maps, 1, 1]: first of parts of a few pixels, then of the
   * parts' means. Blocked storage keeps the pixels of one block of channels together, so each part is a map of its own.
   * Parts are short because equal pixels, as in the last map's gradient, are rounded in the same direction with every
   * addition.
   */
  #meanOfPixels(x: Value, maps: number, pixels: number): Value {
    const lengths = Array.from({ length: maxPixels }, (_, i) => maxPixels - i);
    const divisor = lengths.find((count) => pixels % count === 0)!; // 1 if there is none
    const length = divisor === 1 ? pixels : divisor;
    const parts = (maps * pixels) / length;
    const means = this.globalAveragePool(this.reshape(x, [1, parts, 1, length]));
    return parts === maps ? means : this.#meanOfPixels(means, maps, pixels / length);
  }

  #add(
    domain: string,
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Readonly<Record<string, Attribute>>,
    dims: readonly number[],
  ): Value {
    const name = this.b.graph.freshName(op);
    const output = new Value(`${name}.output`, 'float32', dims);
    this.b.graph.add({ domain, op, name, inputs, outputs: [output], attributes: new Map(Object.entries(attributes)) });
    return output;
  }
}

const int = (value: number): Attribute => ({ kind: 'int', value });
const ints = (value: readonly number[]): Attribute => ({ kind: 'ints', value });

/** Number of values per channel of a map [N, C, H, W]. */
export const perChannel = (x: Value): number => elements(sizes(x)) / sizes(x)[1]!;
