import { readFileSync } from 'node:fs';

/** The package and its version, as they are pinned here. */
export function pinned(name: string): Record<string, string> {
  const file = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));
  return { [name]: (file as { dependencies: Record<string, string> }).dependencies[name]! };
}
