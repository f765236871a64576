/**
 * The memory that batches are prefetched into, used again by later epochs. Threads hold on to shared memory until they
 * collect garbage, which may take them many epochs since they have little, so new memory for each epoch would pile up.
 */
export class BatchMemory {
  readonly #free: Float32Array[] = [];
  readonly #most: number;

  /** @param most arrays to keep that are not in use. */
  constructor(most: number) {
    this.#most = most;
  }

  /** An array of this length with any contents. */
  take(length: number, isShared: boolean): Float32Array {
    const known = this.#free.findIndex(
      (memory) => memory.length === length && memory.buffer instanceof ArrayBuffer !== isShared,
    );
    if (known >= 0) return this.#free.splice(known, 1)[0]!;
    const bytes = length * Float32Array.BYTES_PER_ELEMENT;
    return new Float32Array(isShared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes));
  }

  /** Takes back an array that nobody writes any more. The oldest ones make room for it. */
  give(memory: Float32Array): void {
    this.#free.push(memory);
    if (this.#free.length > this.#most) this.#free.shift();
  }

  clear(): void {
    this.#free.length = 0;
  }
}
