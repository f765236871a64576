/**
 * A network that runs batches of up to N images outside of the main thread. Its session reads and writes the same arrays in
 * every run, and has a binding for each size of a batch, made when it is first needed.
 */
import type { BoundSession } from '#platform';
import { elements, type Tensor, tensor } from '../tensor.ts';

/** A float32 input or output: its name, and its dimensions for one image. */
export interface Port {
  readonly name: string;
  readonly dims: readonly number[];
  /** It has no dimension of the batch, which is one image. */
  readonly isSingle?: true;
}

interface Bound extends Port {
  readonly length: number;
  readonly array: Float32Array; // [N, …dims]
}

/** The outputs of one image by name, flat. */
export type Outputs = ReadonlyMap<string, Float32Array>;

export class BoundBatches {
  readonly #session: BoundSession;
  readonly #inputs: readonly Bound[];
  readonly #outputs: readonly Bound[];
  readonly #runs = new Map<number, () => Promise<void>>();

  /** @param size the largest batch. */
  constructor(session: BoundSession, ports: { inputs: readonly Port[]; outputs: readonly Port[] }, size: number) {
    const bound = (port: Port): Bound => {
      const length = elements(port.dims);
      return { ...port, length, array: new Float32Array(size * length) };
    };
    this.#session = session;
    this.#inputs = ports.inputs.map(bound);
    this.#outputs = ports.outputs.map(bound);
  }

  /**
   * Runs a batch. Another one may run when this one has ended.
   *
   * @param images for each image, its inputs in the order of `inputs`, flat. They are copied before this returns.
   */
  async run(images: readonly (readonly Float32Array[])[]): Promise<Outputs[]> {
    for (const [n, values] of images.entries()) {
      for (const [i, { array, length }] of this.#inputs.entries()) array.set(values[i]!, n * length);
    }
    await this.#bound(images.length)();
    return images.map((_, n) => {
      return new Map(this.#outputs.map(({ name, array, length }) => [name, array.slice(n * length, (n + 1) * length)]));
    });
  }

  dispose(): Promise<void> {
    return this.#session.dispose();
  }

  #bound(count: number): () => Promise<void> {
    const known = this.#runs.get(count);
    if (known) return known;
    const run = this.#session.bind(tensorsOf(this.#inputs, count), tensorsOf(this.#outputs, count));
    this.#runs.set(count, run);
    return run;
  }
}

const tensorsOf = (ports: readonly Bound[], count: number): Map<string, Tensor> =>
  new Map(
    ports.map(({ name, dims, isSingle, length, array }) => {
      return [name, tensor('float32', isSingle ? dims : [count, ...dims], array.subarray(0, count * length))];
    }),
  );
