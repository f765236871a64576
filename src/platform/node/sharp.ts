/**
 * Loads sharp, an optional peer dependency, when the first image is decoded. Its types stay in this file, so that the
 * public types also work if sharp is not installed.
 */
import { peerError } from './peers.ts';

export type Sharp = typeof import('sharp')['default'];

let loaded: Promise<Sharp> | undefined;

/**
 * Loads sharp once per thread. The main thread must call this before worker threads do, because libvips has to stay in
 * memory until the last of them ends.
 *
 * @throws UsageError if sharp is not installed for this platform.
 */
export function loadSharp(): Promise<Sharp> {
  loaded ??= import('sharp').then(
    (module) => module.default,
    (cause: unknown) => {
      loaded = undefined;
      throw peerError('sharp', cause);
    },
  );
  return loaded;
}
