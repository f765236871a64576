/**
 * Loads sharp, an optional peer, when the first image is decoded. It has a file of its own so that the types of the public
 * names, which are in others, can be read where sharp is not installed.
 */
import { UsageError } from '../../errors.ts';

export type Sharp = typeof import('sharp')['default'];

let loaded: Promise<Sharp> | undefined;

/**
 * Loads sharp once per thread. Before worker threads decode, the main thread must have called this: libvips has to stay
 * in memory until the last of them has ended.
 *
 * @throws UsageError when it is not installed, or not for this platform.
 */
export function loadSharp(): Promise<Sharp> {
  loaded ??= import('sharp').then(
    (module) => module.default,
    (cause: unknown) => {
      loaded = undefined;
      const reason = String(cause).split('\n')[0];
      throw new UsageError(`Reading images needs the package "sharp" (${reason}): run \`npm install sharp\`.`, {
        cause,
      });
    },
  );
  return loaded;
}
