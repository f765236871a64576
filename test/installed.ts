/** The package as it is installed in somebody's project. */
import { cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Installs the build and what it depends on in a folder, without some packages.
 *
 * @returns where this package is.
 */
export function install(folder: string, without: readonly string[]): string {
  const home = join(folder, 'node_modules/resnext');
  mkdirSync(home, { recursive: true });
  cpSync(join(root, 'package.json'), join(home, 'package.json'));
  cpSync(join(root, 'dist'), join(home, 'dist'), { recursive: true, filter: (path) => !path.endsWith('.d.ts') });
  for (const name of readdirSync(join(root, 'node_modules'))) {
    if (name.startsWith('.') || without.includes(name)) continue;
    symlinkSync(join(root, 'node_modules', name), join(dirname(home), name));
  }
  return home;
}
