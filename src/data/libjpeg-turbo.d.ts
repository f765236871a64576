/** What is used of libjpeg-turbo in WebAssembly: its package comes without types. */
declare module '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs' {
  function create(): Promise<{ readonly JPEGDecoder: new () => create.JPEGDecoder }>;

  namespace create {
    interface JPEGDecoder {
      /** Where the file is to be written. Valid, like the pixels below, until the next call. */
      getEncodedBuffer(length: number): Uint8Array;
      /** Throws for what libjpeg warns of, too. */
      decode(): void;
      /** 1 component is grayscale; all else becomes RGB. */
      getFrameInfo(): { readonly width: number; readonly height: number; readonly componentCount: 1 | 3 };
      getDecodedBuffer(): Uint8ClampedArray; // [H, W, C]
    }
  }

  export = create;
}
