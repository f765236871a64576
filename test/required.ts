/**
 * Programs that some tests need. Where one is missing, its tests are skipped and say why, unless RESNEXT_REQUIRE names it:
 * `RESNEXT_REQUIRE=chromium,redis-server`.
 */

/**
 * Why tests are skipped, or undefined if they run.
 *
 * @throws Error if the program is required.
 */
export function missing(program: string, path: string | undefined, reason: string): string | undefined {
  if (path !== undefined) return undefined;
  if ((process.env.RESNEXT_REQUIRE ?? '').split(',').includes(program)) throw new Error(reason);
  return reason;
}
