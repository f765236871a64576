/**
 * The nodes of ONNX Runtime's blocked layout, domain `com.microsoft.nchwc`, which its CPU provider uses inside and takes
 * in a graph of ours as well. A blocked map is declared [N, C, H, W] but stored [N, C/B, H, W, B], where B is how many
 * numbers this CPU takes at a time; C is a multiple of B. A blocked filter of M channels out, K channels in (of one
 * group) is stored [M/B, K/B, kh, kw, B in, B out].
 *
 * These operators are no part of ONNX: `runtime/blocked.ts` finds out whether a runtime has them and computes as here.
 */
import type { Builder } from '../../graph/builder.ts';
import { type Attribute, Value } from '../../graph/graph.ts';
import { sizes } from '../../graph/shapes.ts';
import { elements } from '../../tensor.ts';

const blockedDomain = 'com.microsoft.nchwc';
const runtimeDomain = 'com.microsoft';

/** Sums over more pixels are sums of sums. */
const longest = 64;

export interface BlockedConv {
  /** [M] */
  readonly bias?: Value | undefined;
  /** A blocked map that is added to the result, in place where nothing else reads it. */
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

  /** The same numbers in the same order under other dimensions. */
  as(x: Value, dims: readonly number[]): Value {
    return sizes(x).join() === dims.join() ? x : this.b.op('Reshape', [x, this.ints(dims)]);
  }

  /** An int64 vector; equal ones are one constant. */
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

  /** Blocked [N, C, H, W] → the same plain. */
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

  /** relu?(scale · x + bias + plus) with one scale and one bias per channel, [C] each: a depthwise 1x1 convolution. */
  affine(x: Value, scale: Value | undefined, options: Pick<BlockedConv, 'bias' | 'plus' | 'relu'> = {}): Value {
    const channels = sizes(x)[1]!;
    const dims = [channels, 1, 1, 1];
    const filter = scale ? this.as(scale, dims) : this.b.number(1, dims);
    return this.conv(x, filter, { ...options, group: channels });
  }

  /** Blocked [N, C, H, W] → [N, C, 1, 1], which is stored alike in both layouts. */
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

  /** The mean of a blocked map over everything but its channels: [C]. */
  mean(x: Value): Value {
    const [n, c, strips, length] = this.#strips(x);
    const parts = this.globalAveragePool(this.as(x, [1, n * c * strips, 1, length]));
    return this.#meanOfStrips(parts, [n, c, strips]);
  }

  /** The mean of x · y over everything but their channels: [C]. */
  meanProduct(x: Value, y: Value): Value {
    const [n, c, strips, length] = this.#strips(x);
    const all = n * c * strips;
    const products = this.conv(this.as(x, [1, all, 1, length]), this.as(y, [all, 1, 1, length]), { group: all }); // [1, all, 1, 1]
    return this.b.op('Mul', [this.#meanOfStrips(products, [n, c, strips]), this.b.number(1 / length)]);
  }

  /**
   * How maps are cut into strips of whole rows, at most `longest` pixels where they can be: short sums of short sums
   * round less than long ones. Blocked storage has the rows of one block of channels one after the other, so a strip is
   * a map of its own with n·c·strips channels.
   */
  #strips(x: Value): [number, number, number, number] {
    const [n, c, h, w] = sizes(x) as [number, number, number, number];
    const count =
      Array.from({ length: h }, (_, i) => i + 1).find((strips) => h % strips === 0 && (h / strips) * w <= longest) ?? h;
    return [n, c, count, (h / count) * w];
  }

  /** One number per strip, [1, N·C·strips, 1, 1] → [C]. */
  #meanOfStrips(parts: Value, [n, c, strips]: readonly [number, number, number]): Value {
    const maps = strips === 1 ? parts : this.globalAveragePool(this.as(parts, [1, n * c, strips, 1])); // [1, N·C, 1, 1]
    if (n === 1) return this.as(maps, [c]);
    return this.b.op('ReduceMean', [this.as(maps, [n, c])], { axes: [0], keepdims: 0 });
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

/** How many numbers a value holds per channel of a map [N, C, H, W]. */
export const perChannel = (x: Value): number => elements(sizes(x)) / sizes(x)[1]!;
