/** Reads a region of an external file; without a length, up to the end of the file. May throw any error. */
export type ExternalData = (location: string, offset: number, length: number | undefined) => Uint8Array;
