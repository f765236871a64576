#!/usr/bin/env node
/**
 * The entry of the command line. It checks the version of Node before anything else is loaded, so it has no syntax that
 * versions from 12 on do not know.
 */

/** As in package.json. */
const needed = [20, 19] as const;

const [major, minor] = process.versions.node.split('.').map(Number) as [number, number];

if (major < needed[0] || (major === needed[0] && minor < needed[1])) {
  process.stderr.write(
    `error: resnext needs Node ${needed.join('.')} or newer, but this is Node ${process.versions.node}. Install a newer one, for example from https://nodejs.org.\n`,
  );
  process.exitCode = 1;
} else {
  import('./run.ts');
}
