/** Types for the used part of picomatch, whose package comes without. */
declare module 'picomatch' {
  /** Returns a function that tests paths. Throws if the pattern is not text or longer than 64 KiB. */
  function picomatch(pattern: string): (path: string) => boolean;

  namespace picomatch {
    /** Splits a pattern into a folder, `base`, and the pattern for paths in it. */
    function scan(pattern: string): { readonly base: string; readonly glob: string; readonly isGlob: boolean };
  }

  export = picomatch;
}
