/**
 * Maps each value of the source graph to its representations in the lowered graph. A value may have several at once;
 * another one is computed when it is requested:
 *
 *   plain      as ONNX stores it
 *   blocked    a map in blocks of channels
 *   affine     scale · map + bias + plus, per channel, or per image and channel, not yet computed: a reader may do part of
 *              it more cheaply
 *   centered   a blocked map minus a shift per channel that brings its mean close to zero
 */
import { UsageError } from '../../errors.ts';
import type { Value } from '../../graph/graph.ts';
import { sizes } from '../../graph/shapes.ts';
import type { BlockedNodes } from './nodes.ts';

/** v = scale · map + bias + plus: map and plus are blocked, scale and bias both [C], or both [N·C]. */
export interface Affine {
  readonly map: Value;
  readonly scale?: Value | undefined;
  readonly bias?: Value | undefined;
  readonly plus?: Value | undefined;
  /** Whether another node still reads `plus`, so that it cannot be overwritten by the sum. */
  readonly keepsPlus?: boolean;
}

/** v = map + shift. `residual` is the mean of map, [C]; if it is absent, the mean is zero. */
export interface Centered {
  readonly map: Value;
  readonly shift: Value;
  readonly residual?: Value | undefined;
}

/** next = (1 − momentum) · old + momentum · factor · now */
export interface Statistic {
  readonly next: Value;
  readonly old: Value;
  /** The batch's, in the lowered graph. */
  readonly now: Value;
  readonly momentum: number;
  readonly factor: number;
}

export interface Representation {
  plain?: Value;
  blocked?: Value;
  affine?: Affine;
  centered?: Centered;
  /** The value is the ReLU of this. */
  rectified?: Affine;
}

export class Representations {
  readonly nodes: BlockedNodes;
  /** Running statistics to be updated together. */
  readonly statistics: Statistic[] = [];
  readonly #forms = new Map<Value, Representation>();
  readonly #plain = new Map<Value, Value>();
  readonly #channelsFirst = new Map<Value, Value>();
  readonly #means = new Map<Value, Value>();
  readonly #seconds = new Map<Value, Value>();
  readonly #mean = new Map<Value, Value>();

  constructor(nodes: BlockedNodes) {
    this.nodes = nodes;
  }

  set(value: Value, forms: Representation): void {
    this.#forms.set(value, forms);
  }

  #of(value: Value): Representation {
    const forms = this.#forms.get(value);
    if (forms && Object.keys(forms).length > 0) return forms;
    throw new UsageError(`"${value.name}" is an output of the training step, so no node of the step can read it.`);
  }

  /** Whether the value can be stored in blocks. */
  isBlockable(value: Value): boolean {
    const { dims } = value;
    const known = dims?.length === 4 && dims.every((size) => typeof size === 'number');
    return known && (dims[1] as number) % this.nodes.block === 0;
  }

  /** Whether it is stored in blocks already, or is a pass away from it. */
  isBlocked(value: Value): boolean {
    const { blocked, affine, centered } = this.#of(value);
    return blocked !== undefined || affine !== undefined || centered !== undefined;
  }

  plain(value: Value): Value {
    const forms = this.#of(value);
    forms.plain ??= this.unblocked(this.blocked(value));
    return forms.plain;
  }

  blocked(value: Value): Value {
    const forms = this.#of(value);
    forms.blocked ??= this.#block(forms);
    return forms.blocked;
  }

  /**
   * The blocked value for the backward pass. The ReLU of a normalized map is computed a second time, in one pass, so
   * that it does not occupy memory beside the map itself from the forward to the backward pass.
   */
  recomputed(value: Value): Value {
    const { rectified } = this.#of(value);
    if (!rectified) return this.blocked(value);
    return once(this.#seconds, value, () => compute(this.nodes, rectified, true));
  }

  #block({ plain, affine, centered }: Representation): Value {
    if (affine) return compute(this.nodes, affine);
    if (centered) return this.nodes.affine(centered.map, undefined, { bias: centered.shift });
    return this.nodes.toBlocked(plain!);
  }

  /** The value as an affine of a map; the map itself if nothing is pending. */
  affine(value: Value): Affine {
    const { affine, blocked } = this.#of(value);
    return affine && !blocked ? affine : { map: this.blocked(value) };
  }

  /** The value as a map and a pending scale per channel, if nothing else is pending. */
  scaled(value: Value): Pick<Affine, 'map' | 'scale'> {
    const { map, scale, bias, plus } = this.affine(value);
    const isPerChannel = scale && sizes(scale)[0] === sizes(map)[1];
    return isPerChannel && !bias && !plus ? { map, scale } : { map: this.blocked(value) };
  }

  centered(value: Value): Centered | undefined {
    return this.#of(value).centered;
  }

  /** A blocked map in ONNX's order. */
  unblocked(map: Value): Value {
    return once(this.#plain, map, () => this.nodes.toPlain(map));
  }

  /** A blocked map as [C, N·H·W]. */
  channelsFirst(map: Value): Value {
    return once(this.#channelsFirst, map, () => {
      const { nodes } = this;
      const [n, c, h, w] = sizes(map) as [number, number, number, number];
      const blocks = [n, c / nodes.block, h * w * nodes.block];
      const outer = n === 1 ? map : nodes.b.op('Transpose', [nodes.reshape(map, blocks)], { perm: [1, 0, 2] });
      return nodes.reshape(nodes.toPlain(nodes.reshape(outer, [1, c, n * h * w, 1])), [c, n * h * w]);
    });
  }

  /** The mean of a blocked map per image and channel, [N, C]. */
  means(map: Value): Value {
    return once(this.#means, map, () => this.nodes.means(map));
  }

  /** The mean of a blocked map per channel, [C]. */
  mean(map: Value): Value {
    return once(this.#mean, map, () => this.nodes.meanOfImages(this.means(map)));
  }
}

function once(known: Map<Value, Value>, key: Value, make: () => Value): Value {
  const value = known.get(key) ?? make();
  known.set(key, value);
  return value;
}

/**
 * Computes relu?(scale · map + bias + plus) in one pass, or in two if `plus` is read again later: adding to a map in
 * place is cheaper than adding to a copy.
 */
export function compute(n: BlockedNodes, { map, scale, bias, plus, keepsPlus }: Affine, relu = false): Value {
  if (!plus || !keepsPlus) return n.affine(map, scale, { bias, plus, relu });
  return n.affine(plus, undefined, { plus: n.affine(map, scale, { bias }), relu });
}
