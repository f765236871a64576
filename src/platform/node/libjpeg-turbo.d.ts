/** Types for the used part of libjpeg-turbo in WebAssembly, whose package comes without. */
declare module '@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs' {
  function create(): Promise<{ readonly JPEGDecoder: new () => create.JPEGDecoder }>;

  namespace create {
    interface JPEGDecoder {
      /** The place to write the file to. Valid, like the pixels below, until the next call. */
      getEncodedBuffer(length: number): Uint8Array;
      /** Throws where libjpeg only warns, too. */
      decode(): void;
      /** 1 component is grayscale; all else becomes RGB. */
      getFrameInfo(): { readonly width: number; readonly height: number; readonly componentCount: 1 | 3 };
      getDecodedBuffer(): Uint8ClampedArray; // [H, W, C]
    }
  }

  export = create;
}
