/**
 * The first minute, `npm run demo`: classifies six images with a model that ships with this package, fine-tunes another one
 * on the images in `examples/images`, and classifies images that it has never seen. All of it is three commands, which are
 * printed before they run.
 *
 *   npx tsx examples/demo.ts [run folder] [epochs] [folder of images] [model to start from] [model to begin with]
 */
import { spawn } from 'node:child_process';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const bundled = (path: string) => relative('', fileURLToPath(new URL(path, import.meta.url)));
const [out = 'runs/demo', epochs = '6', data = bundled('images'), base = 'objects200', first] = process.argv.slice(2);
const program = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const start = Date.now();

/** Runs a command as if it were typed. */
async function run(...args: string[]): Promise<void> {
  console.log(`\n$ npx resnext ${args.join(' ').replace(' --epochs', ' \\\n    --epochs')}`);
  const child = spawn(process.execPath, [program, ...args], { stdio: 'inherit' });
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  if (code !== 0) process.exit(code ?? 1); // it has said why
}

process.on('SIGINT', () => {}); // training ends after the current step, and the demo with it

console.log('A model that ships with this package tells ten kinds of things apart:');
await run('classify', bundled('pictures'), '--top', '3', '--show', ...(first === undefined ? [] : ['--model', first]));

console.log(`
Another one knows 200 kinds of things, such as frogs and cars, but no horses and
no airplanes. It learns from 1,000 images:`);
await run('train', data, '--from', base, '--freeze', 'stem,layer1,layer2', '--epochs', epochs, '--out', out, '--show');

console.log('\nThe new model on images that it has never seen:');
await run('classify', bundled('images/unseen'), '--model', out, '--top', '2', '--show');

console.log(`
That took ${((Date.now() - start) / 1000).toFixed(0)} seconds. Next:
  npx resnext classify PHOTO.jpg --show    # airplane, bird, cat, deer, dog, …
  npx resnext report ${out}    # a page with curves and mistakes
  npx resnext train FOLDER --from ${base} --out runs/mine    # your images
  npx resnext --help`);
