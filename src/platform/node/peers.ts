/** Packages that are installed beside this one by those who need them: what to say if they are not. */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../../errors.ts';

/** Packages that the same people need. */
const groups = [
  ['onnxruntime-node', 'sharp'],
  ['bullmq', 'ioredis'],
] as const;

type Peer = (typeof groups)[number][number];

const { resolve } = createRequire(import.meta.url);

function isInstalled(name: string): boolean {
  try {
    resolve(name);
    return true;
  } catch {
    return false;
  }
}

/** The error for a package that could not be imported. It names all of its group that are missing, to be installed at once. */
export function peerError(name: Peer, cause: unknown): UsageError {
  const group = groups.find((peers) => peers.some((peer) => peer === name))!;
  const missing = group.filter((peer) => !isInstalled(peer));
  if (missing.length === 0) {
    const reason = String(cause).split('\n')[0];
    return new UsageError(`The package ${name} cannot be loaded (${reason}). Run \`${installing([name])}\`.`, {
      cause,
    });
  }
  const names = missing.length > 1 ? `The packages ${missing.join(' and ')} are` : `The package ${missing[0]} is`;
  return new UsageError(`${names} not installed. Run \`${installing(missing)}\`.`, { cause });
}

/** The command that installs packages where this one finds them. */
function installing(names: readonly string[]): string {
  const here = fileURLToPath(import.meta.url);
  if (/[\\/](lib|npm)[\\/]node_modules[\\/]resnext[\\/]/.test(here)) return `npm install --global ${names.join(' ')}`;
  const own = /[\\/]_npx[\\/]/.test(here) ? ['resnext'] : []; // npx's copy of this package sees no other packages
  return `npm install ${[...own, ...names].join(' ')}`;
}
