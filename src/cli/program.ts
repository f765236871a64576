/** Defines all commands. */
import { Command } from 'commander';
import { version } from '../version.ts';
import { type AnyCommand, command, commandAsTyped, commandGroup, helpLayout, suggestNames } from './command.ts';

/**
 * The command `resnext`. Parsing an invalid command line prints the error and throws a CommanderError.
 *
 * @param typed the first word that was typed. If it names a command, the options of the others are not loaded, which would
 *   take longer than it takes to classify an image.
 */
export async function createProgram(typed?: string): Promise<Command> {
  const program = new Command('resnext').description('ResNeXt: build, train, evaluate, classify, export.');
  program
    .version(version())
    .exitOverride()
    .configureHelp(helpLayout)
    .showHelpAfterError('(run with --help for all options)');
  suggestNames(program);
  const commands = [...catalog, ...training, ...use, bulk, ...graphs];
  const isCommand = commands.some(({ name }) => name === typed);
  for (const { name, add } of commands) await add(program, !isCommand || name === typed);
  return program;
}

/** Commands that list, download and describe variants and published weights. */
const catalog: readonly AnyCommand[] = [
  command({
    name: 'list',
    summary: 'List named variants with their size, or published weights',
    examples: ['resnext list --weights seresnext'],
    options: async () => (await import('./options/models.ts')).listOptions,
    load: () => import('./commands/list.ts'),
  }),
  command({
    name: 'pull',
    summary: 'Download published weights, or any from the Hugging Face Hub',
    examples: ['resnext pull resnext50_32x4d.tv2_in1k'],
    options: async () => (await import('./options/models.ts')).pullOptions,
    load: () => import('./commands/pull.ts'),
  }),
  command({
    name: 'summary',
    summary: 'Show the stages, parameters and multiply-adds of a variant or a model, and how its file was read',
    examples: ['resnext summary resnext50_32x4d --form A', 'resnext summary weights.pth'],
    options: async () => (await import('./options/models.ts')).summaryOptions,
    load: () => import('./commands/summary.ts'),
  }),
];

const training: readonly AnyCommand[] = [
  commandAsTyped({
    name: 'train',
    summary: 'Train on a folder of images, from scratch or from a pretrained model',
    examples: [
      'resnext train flowers --variant resnext26_32x4d --epochs 30 --out runs/flowers',
      'resnext train roses --from runs/flowers --freeze stem,layer1 --out runs/roses',
      'resnext train flowers --recipe quick --batch 64 --out runs/quick',
      'resnext train --resume runs/flowers --epochs 60',
    ],
    options: async () => (await import('./options/training.ts')).trainFlags,
    outlivesOutput: true,
    load: () => import('./commands/train.ts'),
  }),
  command({
    name: 'recipe',
    summary: 'List recipes for training, or print the options of one',
    examples: ['resnext recipe torchvision-v1', 'resnext recipe quick --json > quick.json'],
    options: async () => (await import('./options/training.ts')).recipeOptions,
    load: () => import('./commands/recipe.ts'),
  }),
  command({
    name: 'evaluate',
    summary: 'Measure accuracy on a folder with one subfolder per class',
    examples: ['resnext evaluate flowers/test --model runs/flowers'],
    options: async () => (await import('./options/evaluate.ts')).evaluateOptions,
    load: () => import('./commands/evaluate.ts'),
  }),
  command({
    name: 'report',
    summary: 'Show a training run as an HTML page: curves, mistakes, calibration, and how it was made',
    examples: ['resnext report runs/flowers'],
    options: async () => (await import('./options/training.ts')).reportOptions,
    load: () => import('./commands/report.ts'),
  }),
  command({
    name: 'compare',
    summary: 'Compare training runs: figures, curves, and the options in which they differ',
    examples: ['resnext compare runs/a runs/b -o compare.html'],
    options: async () => (await import('./options/training.ts')).compareOptions,
    load: () => import('./commands/compare.ts'),
  }),
];

/** Commands that use a model, here or in other programs. */
const use: readonly AnyCommand[] = [
  command({
    name: 'classify',
    summary: 'Classify images',
    examples: ['resnext classify rose.jpg garden https://example.org/tulip.jpg --model runs/flowers --top 3'],
    options: async () => (await import('./options/images.ts')).classifyOptions,
    load: () => import('./commands/classify.ts'),
  }),
  command({
    name: 'features',
    summary: 'Extract feature vectors or feature maps and save them as .npy, .parquet or .jsonl',
    examples: ['resnext features photos --model runs/flowers --stages layer3,pooled -o photos.npy'],
    options: async () => (await import('./options/images.ts')).featuresOptions,
    load: () => import('./commands/features.ts'),
  }),
  command({
    name: 'explain',
    summary: 'Draw a heat map of the regions that support a class',
    examples: [
      'resnext explain rose.jpg --model runs/flowers -o heat.png',
      'resnext explain photos --model runs/flowers --class tulip --stage layer3 -o heat',
    ],
    options: async () => (await import('./options/images.ts')).explainOptions,
    load: () => import('./commands/explain.ts'),
  }),
  command({
    name: 'export',
    summary: 'Write a variant or a trained model for other programs',
    examples: [
      'resnext export runs/flowers -o flowers.onnx --input bytes --softmax',
      'resnext export runs/flowers -o flowers.onnx --dynamic-size',
    ],
    options: async () => (await import('./options/models.ts')).exportOptions,
    load: () => import('./commands/export.ts'),
  }),
  command({
    name: 'serve',
    summary: 'Serve models over HTTP',
    examples: [
      'resnext serve --model runs/flowers',
      'resnext serve --model a=runs/a,b=runs/b --host 0.0.0.0 --keys keys.txt',
    ],
    options: async () => (await import('./options/serve.ts')).serveOptions,
    outlivesOutput: true,
    load: () => import('./commands/serve.ts'),
  }),
];

/** Work on more images than one command or one machine should process. */
const bulkEntry = {
  name: 'bulk',
  summary: 'Classify millions of images or extract their features, on one machine or many',
  examples: ['resnext bulk run photos --task classify --out results', 'resnext bulk merge results -o all.jsonl'],
};

const bulk = commandGroup(bulkEntry, [
  command({
    name: 'run',
    summary: 'Process images in shards on this machine; the same command continues',
    examples: [
      'resnext bulk run photos --task classify --model runs/flowers --out results',
      'resnext bulk run "shards/{000..999}.tar" --task features --out results --shard 3/16',
    ],
    options: async () => (await import('./options/bulk.ts')).runOptions,
    outlivesOutput: true,
    load: () => import('./commands/bulk-run.ts'),
  }),
  command({
    name: 'merge',
    summary: 'Join the output shards to one file, with each image once',
    examples: ['resnext bulk merge results -o all.jsonl'],
    options: async () => (await import('./options/bulk.ts')).mergeOptions,
    load: () => import('./commands/bulk-merge.ts'),
  }),
  command({
    name: 'submit',
    summary: 'Put the shards of a task in a queue for any number of workers',
    examples: ['resnext bulk submit photos --task classify --out /shared/results --queue redis://10.0.0.5'],
    options: async () => (await import('./options/bulk.ts')).submitOptions,
    load: () => import('./commands/bulk-submit.ts'),
  }),
  command({
    name: 'work',
    summary: 'Process shards from a queue',
    examples: ['resnext bulk work --queue redis://10.0.0.5 --metrics-port 9464'],
    options: async () => (await import('./options/bulk.ts')).workOptions,
    outlivesOutput: true,
    load: () => import('./commands/bulk-work.ts'),
  }),
  command({
    name: 'status',
    summary: 'Show what a queue holds, its speed, and the shards that failed',
    examples: ['resnext bulk status --queue redis://10.0.0.5'],
    options: async () => (await import('./options/bulk.ts')).statusOptions,
    load: () => import('./commands/bulk-status.ts'),
  }),
  command({
    name: 'retry',
    summary: 'Let the shards that failed be tried again',
    examples: ['resnext bulk retry --queue redis://10.0.0.5'],
    options: async () => (await import('./options/bulk.ts')).retryOptions,
    load: () => import('./commands/bulk-retry.ts'),
  }),
  command({
    name: 'cancel',
    summary: 'Remove the shards from a queue; results that are there stay',
    examples: ['resnext bulk cancel --queue redis://10.0.0.5 --out /shared/results'],
    options: async () => (await import('./options/bulk.ts')).cancelOptions,
    load: () => import('./commands/bulk-cancel.ts'),
  }),
]);

/** Commands that work on graphs. */
const graphs: readonly AnyCommand[] = [
  command({
    name: 'verify',
    summary: 'Verify that forms A, B and C of a network compute the same',
    examples: ['resnext verify resnext50_32x4d'],
    options: async () => (await import('./options/models.ts')).verifyOptions,
    load: () => import('./commands/verify.ts'),
  }),
  command({
    name: 'convert',
    summary: 'Convert the blocks of a model to another form, weights included',
    examples: ['resnext convert runs/flowers flowers-a.onnx --form A'],
    options: async () => (await import('./options/models.ts')).convertOptions,
    load: () => import('./commands/convert.ts'),
  }),
  command({
    name: 'optimize',
    summary: 'Optimize any ONNX file: replace emulated grouped convolutions and fold normalization',
    examples: ['resnext optimize keras-resnext.onnx -o faster.onnx'],
    options: async () => (await import('./options/models.ts')).optimizeOptions,
    load: () => import('./commands/optimize.ts'),
  }),
  command({
    name: 'draw',
    summary: 'Draw a block as in the paper, or a grouped convolution, as SVG or PNG',
    examples: ['resnext draw resnext50_32x4d --block layer1.1 --form A -o block.svg'],
    options: async () => (await import('./options/models.ts')).drawOptions,
    load: () => import('./commands/draw.ts'),
  }),
  command({
    name: 'bench',
    summary: 'Time a variant, a trained model or any ONNX file on this machine',
    examples: ['resnext bench resnext50_32x4d --batch 8 --tune'],
    options: async () => (await import('./options/models.ts')).benchOptions,
    load: () => import('./commands/bench.ts'),
  }),
];
