/**
 * Joins the modules of the built command line into a few files, in place, together with those of two packages that consist of many
 * small modules: loading hundreds of them takes longer than classifying an image. What is imported when it is needed stays a
 * file of its own. Run by `npm run build`.
 */
import { existsSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const root = fileURLToPath(new URL('.', import.meta.url));
const folder = join(root, 'dist/cli');

const escaped = (path: string): string => path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Packages whose modules are joined. */
const joined: readonly string[] = ['zod', '@bufbuild/protobuf'];

/** Modules find files beside them by `import.meta.url`, which has to remain that of the module in `dist`. */
const ownUrls: Plugin = {
  name: 'own URLs',
  setup(build) {
    build.onLoad({ filter: new RegExp(`^${escaped(join(root, 'dist'))}.*\\.js$`) }, async ({ path }) => {
      const from = `./${relative(folder, path).replaceAll('\\', '/')}`;
      const code = await readFile(path, 'utf8');
      return { contents: code.replaceAll('import.meta.url', `new URL(${JSON.stringify(from)}, import.meta.url).href`) };
    });
  },
};

/** A copy of a package has to say what its license says: the text at the top of a module, and the package's file. */
const licenses: Plugin = {
  name: 'licenses',
  setup(build) {
    for (const name of joined) {
      const home = join(root, 'node_modules', name);
      build.onLoad({ filter: new RegExp(`^${escaped(home)}.*\\.js$`) }, async ({ path }) => {
        const code = await readFile(path, 'utf8');
        const [header = ''] = /^(\/\/.*\n)+/.exec(code) ?? [];
        const license = existsSync(join(home, 'LICENSE')) ? await readFile(join(home, 'LICENSE'), 'utf8') : '';
        return { contents: `/*! ${name}\n${header}${license}*/\n${code}` };
      });
    }
  },
};

const { dependencies, optionalDependencies, peerDependencies } = JSON.parse(
  await readFile(join(root, 'package.json'), 'utf8'),
);
const packages = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies });

const { metafile } = await build({
  entryPoints: [join(folder, 'run.js')],
  outdir: folder,
  allowOverwrite: true,
  chunkNames: '[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  external: packages.filter((name) => !joined.includes(name)),
  keepNames: true,
  plugins: [ownUrls, licenses],
  legalComments: 'eof',
  logLevel: 'warning',
  metafile: true,
});

const kept = new Set(['main.js', ...Object.keys(metafile.outputs).map((path) => basename(path))]);
for (const name of await readdir(folder)) {
  if (!kept.has(name)) await rm(join(folder, name), { recursive: true });
}
