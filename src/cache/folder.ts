/** The location of this package's cache: the environment variable `RESNEXT_CACHE`, or the user's cache folder. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/**
 * The path of the cache folder, which may not exist yet; undefined if `RESNEXT_CACHE` is `off`.
 *
 * @example cacheFolder({ XDG_CACHE_HOME: '/var/cache' }) // '/var/cache/resnext'
 */
export function cacheFolder(env: Readonly<Record<string, string | undefined>> = process.env): string | undefined {
  const { RESNEXT_CACHE: own, XDG_CACHE_HOME: users } = env;
  if (own) return own === 'off' ? undefined : own;
  return users && isAbsolute(users) ? join(users, 'resnext') : join(homedir(), '.cache', 'resnext');
}
