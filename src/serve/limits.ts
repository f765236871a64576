/** The limits of requests, in the units in which they are compared. */
export interface Limits {
  readonly maxImages: number;
  /** Of a body. */
  readonly maxBytes: number;
  readonly maxMegapixels: number;
  /** For a body to arrive. */
  readonly bodySeconds: number;
  /** From then on, for the answer. */
  readonly seconds: number;
  /** Hosts from which images may be fetched. */
  readonly hosts: readonly string[];
}
